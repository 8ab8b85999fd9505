/* metrics_series.c - the series of one metric and one resource: a table by hash of attributes. */
#include "metrics_series.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exporter/log.h"
#include "exporter/metrics_store.h"

#define TABLE_LEAST 16
#define MIX         0x9e3779b97f4a7c15u

uint64_t metrics_clock_unix_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t value_hash(const struct attribute *attribute)
{
	if (attribute_is_text(attribute->type))
		return text_hash(attribute->text);
	return (uint64_t)attribute->number * MIX;
}

uint64_t series_hash(const struct attribute *const *sorted, size_t count)
{
	uint64_t hash = count * MIX;

	for (size_t i = 0; i < count; i++) {
		struct text key = {sorted[i]->key, (uint32_t)strlen(sorted[i]->key)};

		hash = (hash ^ text_hash(key)) * MIX;
		hash = (hash ^ value_hash(sorted[i])) * MIX;
		hash ^= hash >> 31;
	}
	return hash;
}

static int same_value(const struct attribute *left, const struct attribute *right)
{
	if (left->type != right->type)
		return 0;
	if (!attribute_is_text(left->type))
		return left->number == right->number;
	return left->text.size == right->text.size &&
	       memcmp(left->text.at, right->text.at, left->text.size) == 0;
}

static int is_of(const struct series *series, uint64_t hash, const struct attribute *const *sorted,
		 size_t count)
{
	if (series->hash != hash || series->attribute_count != count)
		return 0;
	for (size_t i = 0; i < count; i++)
		if (strcmp(series->attributes[i].key, sorted[i]->key) != 0 ||
		    !same_value(&series->attributes[i], sorted[i]))
			return 0;
	return 1;
}

struct series *group_find(const struct group *group, uint64_t hash,
			  const struct attribute *const *sorted, size_t count)
{
	size_t mask = group->table_size - 1;

	if (!group->table_size)
		return NULL;
	for (size_t i = hash & mask; group->table[i]; i = (i + 1) & mask)
		if (is_of(group->at[group->table[i] - 1], hash, sorted, count))
			return group->at[group->table[i] - 1];
	return NULL;
}

/* ---- making ---------------------------------------------------------------------------------- */

static void enter(struct group *group, size_t position)
{
	size_t mask = group->table_size - 1;
	size_t i = group->at[position]->hash & mask;

	while (group->table[i])
		i = (i + 1) & mask;
	group->table[i] = (uint32_t)position + 1;
}

static void enter_all(struct group *group)
{
	memset(group->table, 0, group->table_size * sizeof(*group->table));
	for (size_t i = 0; i < group->count; i++)
		enter(group, i);
}

/* The table is never more than half full. */
static int make_room(struct group *group)
{
	size_t room = group->room ? group->room * 2 : TABLE_LEAST / 2;
	struct series **at;
	uint32_t *table;

	if (group->count < group->room)
		return 0;
	at = realloc(group->at, room * sizeof(struct series *));
	if (at)
		group->at = at;
	table = at ? realloc(group->table, room * 2 * sizeof(*table)) : NULL;
	if (!table)
		return -1;
	group->table = table;
	group->room = room;
	group->table_size = room * 2;
	enter_all(group);
	return 0;
}

static size_t text_room(const struct attribute *attribute)
{
	size_t room = strlen(attribute->key) + 1;

	return attribute_is_text(attribute->type) ? room + attribute->text.size + 1 : room;
}

static char *copy_text(char *to, const char *from, size_t size)
{
	memcpy(to, from, size);
	to[size] = '\0';
	return to + size + 1;
}

static struct attribute *copy_attributes(const struct attribute *const *sorted, size_t count)
{
	size_t room = count * sizeof(struct attribute);
	struct attribute *copies;
	char *text;

	for (size_t i = 0; i < count; i++)
		room += text_room(sorted[i]);
	copies = malloc(room + 1);
	if (!copies)
		return NULL;
	text = (char *)(copies + count);
	for (size_t i = 0; i < count; i++) {
		copies[i] = *sorted[i];
		copies[i].key = text;
		text = copy_text(text, sorted[i]->key, strlen(sorted[i]->key));
		if (!attribute_is_text(sorted[i]->type))
			continue;
		copies[i].text.at = text;
		text = copy_text(text, sorted[i]->text.at, sorted[i]->text.size);
	}
	return copies;
}

static struct exponential *new_exponential(void)
{
	struct exponential *exponential = malloc(sizeof(*exponential));

	if (exponential)
		exponential_init(exponential);
	return exponential;
}

/* What a histogram needs; twice if it has to be told what is new. */
static int add_state(struct series *series, const struct metric *metric)
{
	size_t buckets = metric->definition.bound_count + 1u;

	if (metric->definition.kind != METRIC_HISTOGRAM)
		return 0;
	if (metric_is_exponential(metric)) {
		series->exponential = new_exponential();
		if (metric_is_delta(metric))
			series->told_exponential = new_exponential();
		return series->exponential && (series->told_exponential || !metric_is_delta(metric))
			       ? 0
			       : -1;
	}
	series->buckets = calloc(buckets * 2, sizeof(*series->buckets));
	if (!series->buckets)
		return -1;
	series->told_buckets = series->buckets + buckets;
	return 0;
}

static void series_free(struct series *series)
{
	if (!series)
		return;
	free((void *)(uintptr_t)series->attributes);
	free(series->buckets);
	free(series->exponential);
	free(series->told_exponential);
	free(series->exemplars);
	free(series);
}

struct series *group_add(struct group *group, uint64_t hash, const struct attribute *const *sorted,
			 size_t count)
{
	struct series *series = calloc(1, sizeof(*series));

	if (!series)
		return NULL;
	series->attributes = copy_attributes(sorted, count);
	if (!series->attributes || add_state(series, group->metric) != 0 || make_room(group) != 0) {
		series_free(series);
		return NULL;
	}
	series->group = group;
	series->hash = hash;
	series->attribute_count = (uint16_t)count;
	series->touched = 1;
	series->unseen = metrics_readers(group->metric->metrics);
	series->start_unix_ns = series->used_unix_ns = metrics_clock_unix_ns();
	group->at[group->count++] = series;
	enter(group, group->count - 1);
	return series;
}

/* ---- forgetting ------------------------------------------------------------------------------ */

size_t group_forget(struct group *group,
		    int (*is_over)(const struct series *series, uint64_t now_unix_ns),
		    uint64_t now_unix_ns)
{
	size_t kept = 0, before = group->count;

	for (size_t i = 0; i < before; i++) {
		struct series *series = group->at[i];

		if (!is_over(series, now_unix_ns)) {
			group->at[kept++] = series;
			continue;
		}
		if (group->overflow == series)
			group->overflow = NULL;
		series_free(series);
	}
	group->count = kept;
	if (kept != before)
		enter_all(group);
	return before - kept;
}

void group_free(struct group *group)
{
	if (!group)
		return;
	for (size_t i = 0; i < group->count; i++)
		series_free(group->at[i]);
	free(group->at);
	free(group->table);
	free(group);
}

/* ---- the worst attribute --------------------------------------------------------------------- */

static int by_number(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static size_t distinct(const struct group *group, const char *key, uint64_t *hashes)
{
	size_t count = 0, result = 0;

	for (size_t i = 0; i < group->count; i++) {
		const struct attribute *found = attribute_find(group->at[i]->attributes,
							       group->at[i]->attribute_count, key);

		if (found)
			hashes[count++] = value_hash(found);
	}
	qsort(hashes, count, sizeof(*hashes), by_number);
	for (size_t i = 0; i < count; i++)
		result += i == 0 || hashes[i] != hashes[i - 1];
	return result;
}

/* Of the attributes that the first series has: all of a metric have nearly the same. */
void group_warn(struct group *group)
{
	uint64_t *hashes = group->count ? calloc(group->count, sizeof(*hashes)) : NULL;
	const char *worst = "";
	size_t most = 0;

	group->is_told = 1;
	for (size_t i = 0; hashes && i < group->at[0]->attribute_count; i++) {
		const char *key = group->at[0]->attributes[i].key;
		size_t values = distinct(group, key, hashes);

		if (values > most) {
			most = values;
			worst = key;
		}
	}
	free(hashes);
	log_line(LOG_WARN, "metrics",
		 "%s of %s has reached its limit of %u series, more are counted in one: the "
		 "attribute %s has %zu values",
		 group->metric->definition.name, group->resource->service,
		 metric_series_limit(group->metric), worst, most);
}
