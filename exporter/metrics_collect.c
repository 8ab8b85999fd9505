/* metrics_collect.c - all points of all series, told to an encoder; what is over is forgotten. */
#include "metrics_collect.h"

#include <stdlib.h>
#include <string.h>

#include "exporter/metrics_store.h"

/* One collection. */
struct collection {
	struct metrics *metrics;
	enum metrics_reader reader;
	uint64_t now_unix_ns;
	metrics_told told;
	void *context;
};

static void fill_number(const struct series *series, struct metric_point *point)
{
	point->value = series->value;
	if (point->is_delta)
		point->value -= series->told_value;
}

static void fill_exponential(struct metrics *metrics, const struct series *series,
			     struct metric_point *point)
{
	point->exponential = series->exponential;
	if (!point->is_delta)
		return;
	metrics->scratch_exponential = *series->exponential;
	exponential_subtract(&metrics->scratch_exponential, series->told_exponential);
	point->exponential = &metrics->scratch_exponential;
}

static void fill_buckets(struct metrics *metrics, const struct series *series,
			 struct metric_point *point)
{
	point->buckets = series->buckets;
	if (!point->is_delta)
		return;
	for (size_t i = 0; i <= point->definition->bound_count; i++)
		metrics->scratch[i] = series->buckets[i] - series->told_buckets[i];
	point->buckets = metrics->scratch;
}

static void fill_histogram(struct metrics *metrics, const struct series *series,
			   struct metric_point *point)
{
	point->count = series->count;
	point->sum = series->sum;
	point->min = series->min;
	point->max = series->max;
	point->has_range = series->has_range;
	if (point->is_delta) {
		point->count -= series->told_count;
		point->sum -= series->told_sum;
	}
	if (series->exponential)
		fill_exponential(metrics, series, point);
	else
		fill_buckets(metrics, series, point);
}

/* What was pushed is the base of what is new in the next push. */
static void note_pushed(struct series *series, int is_delta)
{
	const struct metric_definition *definition = &series->group->metric->definition;

	series->exemplar_fresh = 0;
	if (!is_delta)
		return;
	series->told_value = series->value;
	series->told_count = series->count;
	series->told_sum = series->sum;
	series->has_range = 0;
	if (series->exponential)
		*series->told_exponential = *series->exponential;
	else if (series->buckets)
		memcpy(series->told_buckets, series->buckets,
		       (definition->bound_count + 1u) * sizeof(*series->buckets));
}

static int has_news(const struct series *series)
{
	return series->count != series->told_count || series->value != series->told_value;
}

static void tell(const struct collection *collection, struct series *series)
{
	struct metrics *metrics = collection->metrics;
	const struct metric *metric = series->group->metric;
	int is_push = collection->reader == READER_PUSH;
	struct metric_point point = {
		.definition = &metric->definition,
		.resource = series->group->resource,
		.attributes = series->attributes,
		.attribute_count = series->attribute_count,
		.start_unix_ns = series->start_unix_ns,
		.time_unix_ns = collection->now_unix_ns,
		.is_delta = is_push && metric_is_delta(metric),
		.exemplars = series->exemplars,
		.exemplar_mask = is_push ? series->exemplar_fresh : series->exemplar_mask,
	};

	series->unseen &= (uint8_t) ~(1u << collection->reader);
	if (point.is_delta && !has_news(series))
		return;
	if (point.is_delta)
		point.start_unix_ns = metrics->pushed_unix_ns;
	if (metric->definition.kind == METRIC_HISTOGRAM)
		fill_histogram(metrics, series, &point);
	else
		fill_number(series, &point);
	collection->told(collection->context, &point);
	if (is_push)
		note_pushed(series, point.is_delta);
}

static void tell_group(const struct collection *collection, const struct owner *owner, size_t index)
{
	struct group *group = index < owner->room ? owner->groups[index] : NULL;

	for (size_t i = 0; group && i < group->count; i++)
		tell(collection, group->at[i]);
}

static void tell_by_resource(const struct collection *collection)
{
	const struct metrics *metrics = collection->metrics;

	for (size_t i = 0; i < metrics->owner_count; i++)
		for (size_t index = 0; index < metrics->metric_count; index++)
			tell_group(collection, metrics->owners[i], index);
}

static void tell_by_metric(const struct collection *collection)
{
	const struct metrics *metrics = collection->metrics;

	for (size_t index = 0; index < metrics->metric_count; index++)
		for (size_t i = 0; i < metrics->owner_count; i++)
			tell_group(collection, metrics->owners[i], index);
}

/* ---- what is over ---------------------------------------------------------------------------- */

static int is_over(const struct series *series, uint64_t now_unix_ns)
{
	const struct metrics *metrics = series->group->metric->metrics;
	uint64_t expiry_ns = metrics->options.expiry_ns;
	unsigned unseen = series->unseen & metrics_readers(metrics);

	if (series->ended && !unseen)
		return 1;
	/* A push comes by itself, so it is waited for. */
	if (unseen & 1u << READER_PUSH)
		return 0;
	return expiry_ns && now_unix_ns >= series->used_unix_ns &&
	       now_unix_ns - series->used_unix_ns >= expiry_ns;
}

static void note_use(struct group *group, uint64_t now_unix_ns)
{
	for (size_t i = 0; i < group->count; i++) {
		struct series *series = group->at[i];

		if (!series->touched)
			continue;
		series->touched = 0;
		series->used_unix_ns = now_unix_ns;
		series->unseen = metrics_readers(group->metric->metrics);
	}
}

static void each_group(struct metrics *metrics, uint64_t now_unix_ns,
		       void (*visit)(struct group *group, uint64_t now_unix_ns))
{
	for (size_t i = 0; i < metrics->owner_count; i++) {
		struct owner *owner = metrics->owners[i];

		for (size_t index = 0; index < owner->room; index++)
			if (owner->groups[index])
				visit(owner->groups[index], now_unix_ns);
	}
}

static void forget_over(struct group *group, uint64_t now_unix_ns)
{
	size_t forgotten = group_forget(group, is_over, now_unix_ns);

	group->metric->metrics->generation += forgotten != 0;
	if (forgotten && group->count < metric_series_limit(group->metric) / 2)
		group->is_told = 0;
}

/* Frees groups without series. Returns whether there are others. */
static int sweep_owner(struct owner *owner)
{
	int used = 0;

	for (size_t index = 0; index < owner->room; index++) {
		struct group *group = owner->groups[index];

		if (group && group->count == 0) {
			group_free(group);
			owner->groups[index] = NULL;
		}
		used |= owner->groups[index] != NULL;
	}
	return used;
}

static void forget_owners(struct metrics *metrics)
{
	size_t kept = 0;

	metrics->recent = NULL;
	for (size_t i = 0; i < metrics->owner_count; i++) {
		struct owner *owner = metrics->owners[i];

		if (sweep_owner(owner)) {
			metrics->owners[kept++] = owner;
			continue;
		}
		resource_put(owner->resource);
		free(owner->groups);
		free(owner);
	}
	metrics->owner_count = kept;
}

static void observe(struct metrics *metrics)
{
	for (size_t i = 0; i < metrics->observer_count && !metrics->is_fresh; i++)
		metrics->observers[i].call(metrics->observers[i].context);
}

void metrics_refresh(struct metrics *metrics, metrics_named named, void *context)
{
	observe(metrics);
	metrics->is_fresh = 1;
	for (size_t i = 0; i < metrics->owner_count; i++)
		named(context, metrics->owners[i]->resource);
}

void metrics_collect(struct metrics *metrics, enum metrics_reader reader, uint64_t now_unix_ns,
		     metrics_told told, void *context)
{
	struct collection collection = {metrics, reader, now_unix_ns, told, context};

	observe(metrics);
	metrics->is_fresh = 0;
	each_group(metrics, now_unix_ns, note_use);
	if (reader == READER_PUSH)
		tell_by_resource(&collection);
	else
		tell_by_metric(&collection);
	if (reader == READER_PUSH)
		metrics->pushed_unix_ns = now_unix_ns;
	each_group(metrics, now_unix_ns, forget_over);
	forget_owners(metrics);
}

void metrics_expire(struct metrics *metrics, uint64_t now_unix_ns)
{
	each_group(metrics, now_unix_ns, note_use);
	each_group(metrics, now_unix_ns, forget_over);
	forget_owners(metrics);
}

/* ---- ends ------------------------------------------------------------------------------------ */

void metrics_end(struct metrics *metrics, const struct resource *resource)
{
	for (size_t i = 0; i < metrics->owner_count; i++) {
		struct owner *owner = metrics->owners[i];

		for (size_t index = 0; owner->resource == resource && index < owner->room; index++)
			for (size_t j = 0; owner->groups[index] && j < owner->groups[index]->count;
			     j++)
				owner->groups[index]->at[j]->ended = 1;
	}
}

void metric_clear(struct metric *metric)
{
	struct metrics *metrics = metric->metrics;

	for (size_t i = 0; i < metrics->owner_count; i++) {
		struct owner *owner = metrics->owners[i];
		struct group *group =
			metric->index < owner->room ? owner->groups[metric->index] : NULL;

		for (size_t j = 0; group && j < group->count; j++)
			group->at[j]->value = 0;
	}
}
