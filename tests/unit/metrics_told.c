/* metrics_told.c - for tests: what a collection of metrics has told. */
#include "metrics_told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const double bounds[] = {0.1, 1, 10};

const struct metric_definition told_counter = {
	.name = "test.count",
	.unit = "{thing}",
	.description = "Things.",
	.kind = METRIC_COUNTER,
	.is_integer = 1,
};

const struct metric_definition told_duration = {
	.name = "test.duration",
	.unit = "s",
	.kind = METRIC_HISTOGRAM,
	.bound_count = 3,
	.bounds = bounds,
};

const struct metric_definition told_level = {
	.name = "test.level",
	.unit = "1",
	.kind = METRIC_UPDOWN,
	.is_integer = 1,
	.is_observed = 1,
};

static void keep(void *context, const struct metric_point *point)
{
	struct told *to = context;
	size_t i = to->count++;

	assert_true(i < TOLD_MAX);
	to->at[i] = *point;
	if (point->buckets)
		memcpy(to->buckets[i], point->buckets, sizeof(to->buckets[i]));
	if (point->exponential)
		to->exponential[i] = *point->exponential;
	if (point->attribute_count)
		snprintf(to->key[i], sizeof(to->key[i]), "%s", point->attributes[0].key);
}

struct told told;

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

void collect_at(struct metrics *metrics, enum metrics_reader reader, uint64_t at)
{
	memset(&told, 0, sizeof(told));
	metrics_collect(metrics, reader, at, keep, &told);
}

void collect(struct metrics *metrics, enum metrics_reader reader)
{
	collect_at(metrics, reader, now_ns());
}

struct metrics *with(struct metrics_options options)
{
	struct metrics *metrics;

	options.has_push = options.has_pull = 1;
	metrics = metrics_new(&options);
	assert_non_null(metrics);
	return metrics;
}
