/* metrics.c - instruments and the way to their series; what is added to these. */
#include "metrics.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporter/metrics_store.h"
#include "exporter/process.h"

#define ATTRIBUTES_OF_SERIES 32

/* The exporter's own resource: it is a service, too. */
static struct resource *own_resource(void)
{
	struct slot_identity identity = {
		.pid = (uint32_t)getpid(),
		.parent_pid = (uint32_t)getppid(),
		.start_ticks = process_start_ticks((uint32_t)getpid()),
		.uid = geteuid(),
		.command = TELEMETRY_NAME,
		.service_name = TELEMETRY_NAME,
	};

	if (readlink("/proc/self/exe", identity.executable, sizeof(identity.executable) - 1) < 0)
		identity.executable[0] = '\0';
	return resource_new(&identity);
}

struct metrics *metrics_new(const struct metrics_options *options)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return NULL;
	metrics->options = *options;
	metrics->own = own_resource();
	metrics->pushed_unix_ns = metrics_clock_unix_ns();
	if (metrics->own)
		return metrics;
	metrics_free(metrics);
	return NULL;
}

static void owner_free(struct owner *owner)
{
	for (size_t i = 0; i < owner->room; i++)
		group_free(owner->groups[i]);
	resource_put(owner->resource);
	free(owner->groups);
	free(owner);
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	for (size_t i = 0; i < metrics->owner_count; i++)
		owner_free(metrics->owners[i]);
	for (size_t i = 0; i < metrics->metric_count; i++)
		free(metrics->metrics[i]);
	resource_put(metrics->own);
	free(metrics->owners);
	free(metrics->metrics);
	free(metrics->observers);
	free(metrics->limits);
	free(metrics);
}

const struct metrics_options *metrics_options(const struct metrics *metrics)
{
	return &metrics->options;
}

void metrics_set_readers(struct metrics *metrics, int has_push, int has_pull)
{
	metrics->options.has_push = has_push;
	metrics->options.has_pull = has_pull;
}

uint64_t metrics_generation(const struct metrics *metrics)
{
	return metrics->generation;
}

int metrics_observe(struct metrics *metrics, metrics_observer observer, void *context)
{
	struct observer *grown =
		realloc(metrics->observers, (metrics->observer_count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	metrics->observers = grown;
	grown[metrics->observer_count++] = (struct observer){observer, context};
	return 0;
}

/* One more pointer in an array of them. 0, or -ENOMEM. */
static int push(void ***array, size_t *count, size_t *room, void *item)
{
	if (*count == *room) {
		size_t more = *room ? *room * 2 : 16;
		void **grown = realloc(*array, more * sizeof(void *));

		if (!grown)
			return -ENOMEM;
		*array = grown;
		*room = more;
	}
	(*array)[(*count)++] = item;
	return 0;
}

struct metric *metric_define(struct metrics *metrics, const struct metric_definition *definition)
{
	struct metric *metric;

	for (size_t i = 0; i < metrics->metric_count; i++)
		if (strcmp(metrics->metrics[i]->definition.name, definition->name) == 0)
			return metrics->metrics[i];
	metric = calloc(1, sizeof(*metric));
	if (!metric)
		return NULL;
	metric->metrics = metrics;
	metric->definition = *definition;
	metric->index = metrics->metric_count;
	if (push((void ***)&metrics->metrics, &metrics->metric_count, &metrics->metric_room,
		 metric) != 0) {
		free(metric);
		return NULL;
	}
	return metric;
}

/* ---- limits ---------------------------------------------------------------------------------- */

int metrics_limit(struct metrics *metrics, const char *name, uint32_t limit)
{
	struct metric_limit *grown =
		realloc(metrics->limits, (metrics->limit_count + 1) * sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	metrics->limits = grown;
	grown[metrics->limit_count++] = (struct metric_limit){name, limit};
	return 0;
}

void metrics_unlimit(struct metrics *metrics)
{
	metrics->limit_count = 0;
}

uint32_t metric_series_limit(const struct metric *metric)
{
	const struct metrics *metrics = metric->metrics;
	uint32_t limit = metrics->options.series_limit;

	for (size_t i = 0; i < metrics->limit_count; i++) {
		const char *name = metrics->limits[i].name;

		if (name && strcmp(name, metric->definition.name) == 0)
			return metrics->limits[i].series;
		if (!name)
			limit = metrics->limits[i].series;
	}
	return limit;
}

/* ---- finding --------------------------------------------------------------------------------- */

static struct owner *new_owner(struct metrics *metrics, struct resource *resource)
{
	struct owner *owner = calloc(1, sizeof(*owner));

	if (!owner)
		return NULL;
	if (push((void ***)&metrics->owners, &metrics->owner_count, &metrics->owner_room, owner) !=
	    0) {
		free(owner);
		return NULL;
	}
	owner->resource = resource_get(resource);
	return owner;
}

static struct owner *owner_of(struct metrics *metrics, struct resource *resource)
{
	if (metrics->recent && metrics->recent->resource == resource)
		return metrics->recent;
	metrics->recent = NULL;
	for (size_t i = 0; i < metrics->owner_count && !metrics->recent; i++)
		if (metrics->owners[i]->resource == resource)
			metrics->recent = metrics->owners[i];
	if (!metrics->recent)
		metrics->recent = new_owner(metrics, resource);
	return metrics->recent;
}

static struct group *group_of(struct metric *metric, struct owner *owner)
{
	struct group *group;

	if (metric->index >= owner->room) {
		size_t room = metric->metrics->metric_count;
		struct group **grown = realloc(owner->groups, room * sizeof(struct group *));

		if (!grown)
			return NULL;
		memset(grown + owner->room, 0, (room - owner->room) * sizeof(struct group *));
		owner->groups = grown;
		owner->room = room;
	}
	group = owner->groups[metric->index];
	if (group)
		return group;
	group = calloc(1, sizeof(*group));
	if (!group)
		return NULL;
	group->metric = metric;
	group->resource = owner->resource;
	owner->groups[metric->index] = group;
	return group;
}

static void sort(const struct attribute *attributes, size_t count, const struct attribute **sorted)
{
	for (size_t i = 0; i < count; i++) {
		size_t at = i;

		for (; at && strcmp(sorted[at - 1]->key, attributes[i].key) > 0; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = &attributes[i];
	}
}

static struct series *overflow(struct group *group)
{
	static const struct attribute mark = {
		.key = "otel.metric.overflow",
		.number = 1,
		.type = ATTRIBUTE_BOOLEAN,
	};
	const struct attribute *sorted[] = {&mark};

	if (!group->is_told)
		group_warn(group);
	if (!group->overflow)
		group->overflow = group_add(group, series_hash(sorted, 1), sorted, 1);
	return group->overflow;
}

struct series *metric_series(struct metric *metric, struct resource *resource,
			     const struct attribute *attributes, size_t count)
{
	const struct attribute *sorted[ATTRIBUTES_OF_SERIES];
	struct owner *owner = owner_of(metric->metrics, resource ? resource : metric->metrics->own);
	struct group *group = owner ? group_of(metric, owner) : NULL;
	struct series *series;
	uint32_t limit;
	uint64_t hash;

	if (!group)
		return NULL;
	if (count > ATTRIBUTES_OF_SERIES)
		count = ATTRIBUTES_OF_SERIES;
	sort(attributes, count, sorted);
	hash = series_hash(sorted, count);
	series = group_find(group, hash, sorted, count);
	if (series)
		return series;
	limit = metric_series_limit(metric);
	if (limit && group->count + (group->overflow == NULL) >= limit)
		return overflow(group);
	return group_add(group, hash, sorted, count);
}

/* ---- adding ---------------------------------------------------------------------------------- */

void series_add(struct series *series, double value)
{
	series->value += value;
	series->touched = 1;
}

void series_set(struct series *series, double value)
{
	series->value = value;
	series->touched = 1;
}

static size_t bucket_of(const struct metric_definition *definition, double value)
{
	size_t bucket = 0;

	while (bucket < definition->bound_count && value > definition->bounds[bucket])
		bucket++;
	return bucket;
}

static void keep_exemplar(struct series *series, size_t at, const struct exemplar *exemplar)
{
	size_t room = series->exponential ? EXPONENTIAL_EXEMPLARS
					  : series->group->metric->definition.bound_count + 1u;

	if (!series->exemplars)
		series->exemplars = calloc(room, sizeof(*series->exemplars));
	if (!series->exemplars)
		return;
	series->exemplars[at] = *exemplar;
	series->exemplar_mask |= 1ull << at;
	series->exemplar_fresh |= 1ull << at;
}

static void widen(struct series *series, double value)
{
	if (!series->has_range || value < series->min)
		series->min = value;
	if (!series->has_range || value > series->max)
		series->max = value;
	series->has_range = 1;
}

void series_record(struct series *series, double value, const struct exemplar *exemplar)
{
	size_t at;

	if (!(value >= 0) || isinf(value))
		return;
	widen(series, value);
	series->count++;
	series->sum += value;
	series->touched = 1;
	if (series->exponential) {
		exponential_add(series->exponential, value);
		/* Neighbours in size share a place, whatever the scale is by now. */
		at = (size_t)((uint32_t)exponential_index(value > 0 ? value : 1, 1) %
			      EXPONENTIAL_EXEMPLARS);
	} else {
		at = bucket_of(&series->group->metric->definition, value);
		series->buckets[at]++;
	}
	if (exemplar)
		keep_exemplar(series, at, exemplar);
}

void series_merge_log2(struct series *series, const uint64_t *counts, size_t count,
		       double scale_unit, double sum)
{
	if (!series->exponential)
		return;
	exponential_coarsen(series->exponential, 0);
	series->sum += sum;
	series->touched = 1;
	for (size_t i = 0; i < count; i++) {
		double middle = ldexp(scale_unit * M_SQRT2, (int)i);

		if (!counts[i])
			continue;
		exponential_add_at(series->exponential,
				   exponential_index(middle, series->exponential->scale),
				   counts[i]);
		series->count += counts[i];
	}
}
