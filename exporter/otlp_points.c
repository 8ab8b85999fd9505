/* otlp_points.c - one point of a metric as OTLP has it. */
#include "otlp_points.h"

#include <string.h>

#include "exporter/packed.h"
#include "exporter/proto/metrics.pb-c.h"

/* The generated names carry their whole package's name. */
#define METRICS(name) Opentelemetry__Proto__Metrics__V1__##name
#define V1(name)      OPENTELEMETRY__PROTO__METRICS__V1__##name

static ProtobufCBinaryData *attributes_of(struct arena *arena, const struct metric_point *from,
					  size_t *count)
{
	*count = from->attribute_count;
	return packed_attributes(arena, from->attributes, from->attribute_count);
}

/* ---- exemplars ------------------------------------------------------------------------------- */

static int fill_exemplar(struct arena *arena, const struct exemplar *from, METRICS(Exemplar) * to)
{
	struct exemplar *copy = arena_take(arena, sizeof(*copy));

	if (!copy)
		return -1;
	*copy = *from;
	*to = (METRICS(Exemplar))V1(EXEMPLAR__INIT);
	to->time_unix_nano = from->time_unix_ns;
	to->value_case = V1(EXEMPLAR__VALUE_AS_DOUBLE);
	to->as_double = from->value;
	to->trace_id = (ProtobufCBinaryData){sizeof(copy->trace_id), copy->trace_id};
	to->span_id = (ProtobufCBinaryData){sizeof(copy->span_id), copy->span_id};
	return 0;
}

/* Returns how many, or -1: no memory. */
static int exemplars_of(struct arena *arena, const struct metric_point *from,
			METRICS(Exemplar) * **exemplars)
{
	int count = __builtin_popcountll(from->exemplar_mask), done = 0;
	METRICS(Exemplar) *at = arena_take(arena, (size_t)count * sizeof(*at) + 1);

	*exemplars = arena_take(arena, (size_t)count * sizeof(METRICS(Exemplar) *) + 1);
	if (!at || !*exemplars)
		return -1;
	for (uint64_t left = from->exemplar_mask; left; left &= left - 1, done++) {
		if (fill_exemplar(arena, &from->exemplars[__builtin_ctzll(left)], &at[done]) != 0)
			return -1;
		(*exemplars)[done] = &at[done];
	}
	return count;
}

/* ---- points ---------------------------------------------------------------------------------- */

static ProtobufCMessage *number_point(struct arena *arena, const struct metric_point *from)
{
	METRICS(NumberDataPoint) *to = arena_take(arena, sizeof(*to));

	if (!to)
		return NULL;
	*to = (METRICS(NumberDataPoint))V1(NUMBER_DATA_POINT__INIT);
	if (from->definition->kind != METRIC_GAUGE)
		to->start_time_unix_nano = from->start_unix_ns;
	to->time_unix_nano = from->time_unix_ns;
	to->attributes = attributes_of(arena, from, &to->n_attributes);
	if (from->definition->is_integer) {
		to->value_case = V1(NUMBER_DATA_POINT__VALUE_AS_INT);
		to->as_int = (int64_t)from->value;
	} else {
		to->value_case = V1(NUMBER_DATA_POINT__VALUE_AS_DOUBLE);
		to->as_double = from->value;
	}
	return to->attributes ? &to->base : NULL;
}

static uint64_t *copied(struct arena *arena, const uint64_t *counts, size_t count)
{
	uint64_t *copy = arena_take(arena, count * sizeof(*copy) + 1);

	return copy ? memcpy(copy, counts, count * sizeof(*copy)) : NULL;
}

static ProtobufCMessage *histogram_point(struct arena *arena, const struct metric_point *from)
{
	const struct metric_definition *definition = from->definition;
	METRICS(HistogramDataPoint) *to = arena_take(arena, sizeof(*to));
	int exemplars;

	if (!to)
		return NULL;
	*to = (METRICS(HistogramDataPoint))V1(HISTOGRAM_DATA_POINT__INIT);
	to->start_time_unix_nano = from->start_unix_ns;
	to->time_unix_nano = from->time_unix_ns;
	to->count = from->count;
	to->sum_presence_case = V1(HISTOGRAM_DATA_POINT__SUM_PRESENCE_SUM);
	to->sum = from->sum;
	if (from->has_range) {
		to->min_presence_case = V1(HISTOGRAM_DATA_POINT__MIN_PRESENCE_MIN);
		to->min = from->min;
		to->max_presence_case = V1(HISTOGRAM_DATA_POINT__MAX_PRESENCE_MAX);
		to->max = from->max;
	}
	to->n_bucket_counts = definition->bound_count + 1u;
	to->bucket_counts = copied(arena, from->buckets, to->n_bucket_counts);
	to->n_explicit_bounds = definition->bound_count;
	/* Only read by protobuf-c. */
	to->explicit_bounds = (double *)(uintptr_t)definition->bounds;
	to->attributes = attributes_of(arena, from, &to->n_attributes);
	exemplars = exemplars_of(arena, from, &to->exemplars);
	to->n_exemplars = exemplars < 0 ? 0 : (size_t)exemplars;
	return to->attributes && to->bucket_counts && exemplars >= 0 ? &to->base : NULL;
}

static METRICS(ExponentialHistogramDataPoint__Buckets) *
	buckets_of(struct arena *arena, const struct exponential *from)
{
	METRICS(ExponentialHistogramDataPoint__Buckets) *to = arena_take(arena, sizeof(*to));

	if (!to)
		return NULL;
	*to = (METRICS(ExponentialHistogramDataPoint__Buckets))V1(
		EXPONENTIAL_HISTOGRAM_DATA_POINT__BUCKETS__INIT);
	to->offset = from->offset;
	to->n_bucket_counts = from->size;
	to->bucket_counts = copied(arena, from->counts, from->size);
	return to->bucket_counts ? to : NULL;
}

static ProtobufCMessage *exponential_point(struct arena *arena, const struct metric_point *from)
{
	METRICS(ExponentialHistogramDataPoint) *to = arena_take(arena, sizeof(*to));
	int exemplars;

	if (!to)
		return NULL;
	*to = (METRICS(ExponentialHistogramDataPoint))V1(EXPONENTIAL_HISTOGRAM_DATA_POINT__INIT);
	to->start_time_unix_nano = from->start_unix_ns;
	to->time_unix_nano = from->time_unix_ns;
	to->count = from->count;
	to->sum_presence_case = V1(EXPONENTIAL_HISTOGRAM_DATA_POINT__SUM_PRESENCE_SUM);
	to->sum = from->sum;
	if (from->has_range) {
		to->min_presence_case = V1(EXPONENTIAL_HISTOGRAM_DATA_POINT__MIN_PRESENCE_MIN);
		to->min = from->min;
		to->max_presence_case = V1(EXPONENTIAL_HISTOGRAM_DATA_POINT__MAX_PRESENCE_MAX);
		to->max = from->max;
	}
	to->scale = from->exponential->scale;
	to->zero_count = from->exponential->zero_count;
	to->positive = buckets_of(arena, from->exponential);
	to->attributes = attributes_of(arena, from, &to->n_attributes);
	exemplars = exemplars_of(arena, from, &to->exemplars);
	to->n_exemplars = exemplars < 0 ? 0 : (size_t)exemplars;
	return to->attributes && to->positive && exemplars >= 0 ? &to->base : NULL;
}

ProtobufCMessage *otlp_point(struct arena *arena, const struct metric_point *from)
{
	if (from->definition->kind != METRIC_HISTOGRAM)
		return number_point(arena, from);
	return from->buckets ? histogram_point(arena, from) : exponential_point(arena, from);
}
