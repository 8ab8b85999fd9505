/* stream.c - the resource of a service's metrics: what its processes have in common. */
#include "stream.h"

#include <stdlib.h>
#include <string.h>

#include "exporter/json.h"
#include "exporter/uuid.h"

#define INSTANCE "service.instance.id"

struct streams {
	struct resource **at; /* a reference each */
	size_t count, room;
};

struct streams *streams_new(void)
{
	return calloc(1, sizeof(struct streams));
}

void streams_free(struct streams *streams)
{
	if (!streams)
		return;
	for (size_t i = 0; i < streams->count; i++)
		resource_put(streams->at[i]);
	free(streams->at);
	free(streams);
}

static int is_common(const struct resource *process, const struct attribute *attribute)
{
	if (strncmp(attribute->key, "process.", 8) == 0)
		return 0;
	return process->instance_is_given || strcmp(attribute->key, INSTANCE) != 0;
}

static struct text copied(struct arena *arena, struct text text)
{
	text.at = text.at ? arena_text(arena, text.at, text.size) : NULL;
	return text;
}

static void add_common(const struct resource *process, struct attribute_list *list)
{
	for (size_t i = 0; i < process->attribute_count; i++) {
		const struct attribute *from = &process->attributes[i];
		const char *key;

		if (!is_common(process, from))
			continue;
		key = arena_text(list->arena, from->key, strlen(from->key));
		if (!key)
			return;
		if (from->type == ATTRIBUTE_NUMBER)
			attribute_add_number(list, key, from->number);
		else if (from->type == ATTRIBUTE_BOOLEAN)
			attribute_add_boolean(list, key, from->number != 0);
		else
			attribute_add_text(list, key, copied(list->arena, from->text));
	}
}

static int fill(struct resource *stream, const struct resource *process)
{
	struct attribute_list list;
	char instance[UUID_TEXT];
	struct json json = {0};

	attribute_list_init(&list, &stream->arena, ATTRIBUTES_MAX, UINT32_MAX);
	add_common(process, &list);
	json_attributes(&json, list.at, list.count);
	if (!json.failed && !process->instance_is_given) {
		uuid_of_name(json.at, json.size, instance);
		attribute_add_string(&list, INSTANCE,
				     arena_text(list.arena, instance, UUID_TEXT - 1));
		json_attributes(&json, list.at, list.count);
	}
	if (!json.failed)
		stream->json = arena_text(&stream->arena, json.at, json.size);
	free(json.at);
	stream->attributes = attribute_list_copy(&list);
	stream->attribute_count = list.count;
	stream->service = arena_text(&stream->arena, process->service, strlen(process->service));
	return stream->json && stream->attributes && stream->service ? 0 : -1;
}

static struct resource *new_stream(const struct resource *process)
{
	struct resource *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return NULL;
	arena_init(&stream->arena);
	stream->references = 1;
	if (fill(stream, process) == 0)
		return stream;
	resource_put(stream);
	return NULL;
}

static int keep(struct streams *streams, struct resource *stream)
{
	if (streams->count == streams->room) {
		size_t room = streams->room ? streams->room * 2 : 8;
		struct resource **grown = realloc(streams->at, room * sizeof(struct resource *));

		if (!grown)
			return -1;
		streams->at = grown;
		streams->room = room;
	}
	streams->at[streams->count++] = stream;
	return 0;
}

/* The same as another one that is known, which takes its place. */
static struct resource *known(const struct streams *streams, struct resource *stream)
{
	for (size_t i = 0; i < streams->count; i++) {
		if (strcmp(streams->at[i]->json, stream->json) != 0)
			continue;
		resource_put(stream);
		return resource_get(streams->at[i]);
	}
	return NULL;
}

struct resource *stream_of(struct streams *streams, struct resource *process)
{
	struct resource *stream, *same;

	if (process->stream)
		return process->stream;
	stream = new_stream(process);
	if (!stream)
		return NULL;
	same = known(streams, stream);
	if (!same && keep(streams, stream) != 0) {
		resource_put(stream);
		return NULL;
	}
	process->stream = same ? same : resource_get(stream);
	return process->stream;
}

void streams_sweep(struct streams *streams)
{
	size_t kept = 0;

	for (size_t i = 0; i < streams->count; i++) {
		if (streams->at[i]->references > 1)
			streams->at[kept++] = streams->at[i];
		else
			resource_put(streams->at[i]);
	}
	streams->count = kept;
}
