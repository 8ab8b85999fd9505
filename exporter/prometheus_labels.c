/* prometheus_labels.c - a buffer for Prometheus' text, and labels in it. */
#include "prometheus_labels.h"

#include <stdio.h>
#include <stdlib.h>

#include "exporter/prometheus_name.h"

#define SCOPE_LABELS                                                                               \
	"otel_scope_name=\"" TELEMETRY_SCOPE "\",otel_scope_version=\"" TAGALONG_VERSION           \
	"\",otel_scope_schema_url=\"" SCHEMA_URL "\""

char *prometheus_reserve(struct prometheus_buffer *buffer, size_t more)
{
	size_t room = buffer->room ? buffer->room : 4096;
	char *at;

	if (buffer->room - buffer->size >= more)
		return buffer->at + buffer->size;
	if (buffer->failed)
		return NULL;
	while (room - buffer->size < more)
		room *= 2;
	at = realloc(buffer->at, room);
	if (!at) {
		buffer->failed = 1;
		return NULL;
	}
	buffer->at = at;
	buffer->room = room;
	return at + buffer->size;
}

void prometheus_put_escaped(struct prometheus_buffer *buffer, const char *at, size_t size,
			    int quotes)
{
	char *begin = prometheus_reserve(buffer, size * 2), *to = begin;

	if (!begin)
		return;
	for (size_t i = 0; i < size; i++) {
		if (at[i] == '\\' || at[i] == '\n' || (at[i] == '"' && quotes))
			*to++ = '\\';
		*to++ = at[i] == '\n' ? 'n' : at[i];
	}
	buffer->size += (size_t)(to - begin);
}

/* ---- one label ------------------------------------------------------------------------------- */

static void put_value(struct prometheus_buffer *buffer, const struct attribute *from)
{
	char number[32];

	switch ((enum attribute_type)from->type) {
	case ATTRIBUTE_TEXT:
		prometheus_put_escaped(buffer, from->text.at, from->text.size, 1);
		break;
	case ATTRIBUTE_TEXTS:
		prometheus_put(buffer, "[\\\"", 3);
		prometheus_put_escaped(buffer, from->text.at, from->text.size, 1);
		prometheus_put(buffer, "\\\"]", 3);
		break;
	case ATTRIBUTE_NUMBER:
		prometheus_put(buffer, number,
			       (size_t)sprintf(number, "%lld", (long long)from->number));
		break;
	case ATTRIBUTE_BOOLEAN:
		prometheus_put(buffer, from->number ? "true" : "false", from->number ? 4 : 5);
		break;
	}
}

static void begin_label(struct prometheus_buffer *buffer, const char *name, size_t size)
{
	if (buffer->size)
		prometheus_put(buffer, ",", 1);
	prometheus_put(buffer, name, size);
	prometheus_put(buffer, "=\"", 2);
}

/* What the format, or the exporter, gives a meaning of its own. */
static int is_reserved(const char *name)
{
	return strcmp(name, "le") == 0 || strcmp(name, "quantile") == 0 ||
	       strcmp(name, "job") == 0 || strcmp(name, "instance") == 0 ||
	       strncmp(name, "otel_scope_", 11) == 0;
}

static size_t label_of(const struct attribute *attribute, char name[PROMETHEUS_NAME_MAX + 16])
{
	size_t size = prometheus_label(attribute->key, name);

	if (!is_reserved(name))
		return size;
	memmove(name + strlen("exported_"), name, size + 1);
	memcpy(name, "exported_", strlen("exported_"));
	return size + strlen("exported_");
}

/* ---- several --------------------------------------------------------------------------------- */

/*
 * The attributes are sorted by key, but what becomes one label need not stand together: the first
 * one takes the values of all, and the later ones are passed over.
 */
static int is_later(const struct attribute *at, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (prometheus_same_label(at[i].key, at[index].key))
			return 1;
	return 0;
}

static void put_attributes(struct prometheus_buffer *buffer, const struct attribute *at,
			   size_t count)
{
	char name[PROMETHEUS_NAME_MAX + 16];

	for (size_t i = 0; i < count; i++) {
		if (is_later(at, i))
			continue;
		begin_label(buffer, name, label_of(&at[i], name));
		put_value(buffer, &at[i]);
		for (size_t j = i + 1; j < count; j++) {
			if (!prometheus_same_label(at[i].key, at[j].key))
				continue;
			prometheus_put(buffer, ";", 1);
			put_value(buffer, &at[j]);
		}
		prometheus_put(buffer, "\"", 1);
	}
}

static const struct attribute *of_resource(const struct resource *resource, const char *key)
{
	return attribute_find(resource->attributes, resource->attribute_count, key);
}

static void put_identity(struct prometheus_buffer *buffer, const struct resource *resource)
{
	const struct attribute *namespace = of_resource(resource, "service.namespace");
	const struct attribute *name = of_resource(resource, "service.name");
	const struct attribute *instance = of_resource(resource, "service.instance.id");

	buffer->size = 0;
	begin_label(buffer, "job", 3);
	if (namespace) {
		put_value(buffer, namespace);
		prometheus_put(buffer, "/", 1);
	}
	if (name)
		put_value(buffer, name);
	prometheus_put(buffer, "\"", 1);
	if (!instance)
		return;
	begin_label(buffer, "instance", 8);
	put_value(buffer, instance);
	prometheus_put(buffer, "\"", 1);
}

void prometheus_labels_of_resource(struct prometheus_buffer *buffer,
				   const struct resource *resource)
{
	put_identity(buffer, resource);
	prometheus_put(buffer, "," SCOPE_LABELS, sizeof("," SCOPE_LABELS) - 1);
}

/* service.name, .namespace and .instance.id are job and instance. */
static int is_identity(const char *key)
{
	return strcmp(key, "service.name") == 0 || strcmp(key, "service.namespace") == 0 ||
	       strcmp(key, "service.instance.id") == 0;
}

static int by_key(const void *left, const void *right)
{
	return strcmp(((const struct attribute *)left)->key,
		      ((const struct attribute *)right)->key);
}

void prometheus_labels_of_target(struct prometheus_buffer *buffer, const struct resource *resource)
{
	struct attribute others[ATTRIBUTES_MAX];
	size_t count = 0;

	put_identity(buffer, resource);
	for (size_t i = 0; i < resource->attribute_count && count < ATTRIBUTES_MAX; i++)
		if (!is_identity(resource->attributes[i].key))
			others[count++] = resource->attributes[i];
	qsort(others, count, sizeof(others[0]), by_key);
	put_attributes(buffer, others, count);
}

void prometheus_labels_of_series(struct prometheus_buffer *buffer,
				 const struct prometheus_buffer *common,
				 const struct metric_point *point)
{
	buffer->size = 0;
	prometheus_put(buffer, common->at, common->size);
	put_attributes(buffer, point->attributes, point->attribute_count);
}
