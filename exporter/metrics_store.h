/* metrics_store.h - all instruments, and who owns which series; private to the metrics_* files. */
#ifndef TAGALONG_METRICS_STORE_H
#define TAGALONG_METRICS_STORE_H

#include "exporter/metrics_options.h"
#include "exporter/metrics_series.h"

struct owner {
	struct resource *resource; /* a reference */
	struct group **groups;     /* by metric->index; NULL: no series */
	size_t room;
};

struct metric_limit {
	const char *name; /* NULL: of all others */
	uint32_t series;
};

struct metric {
	struct metrics *metrics;
	struct metric_definition definition;
	size_t index;
};

struct observer {
	metrics_observer call;
	void *context;
};

struct metrics {
	struct metrics_options options;
	struct resource *own;
	struct metric **metrics;
	size_t metric_count, metric_room;
	struct owner **owners;
	size_t owner_count, owner_room;
	struct owner *recent; /* looked up last */
	struct metric_limit *limits;
	size_t limit_count;
	struct observer *observers;
	size_t observer_count;
	int is_fresh; /* the observers were called for the next collection */
	uint64_t generation;
	uint64_t pushed_unix_ns; /* the last push, or the beginning */
	uint64_t scratch[METRIC_BOUNDS_MAX + 1];
	struct exponential scratch_exponential;
};

static inline uint8_t metrics_readers(const struct metrics *metrics)
{
	return (uint8_t)((metrics->options.has_push ? 1u << READER_PUSH : 0) |
			 (metrics->options.has_pull ? 1u << READER_PULL : 0));
}

/* How many series it may have for one resource; 0: any number. */
uint32_t metric_series_limit(const struct metric *metric);

static inline int metric_is_delta(const struct metric *metric)
{
	const struct metric_definition *definition = &metric->definition;
	enum metrics_temporality temporality = metric->metrics->options.temporality;

	if (definition->kind != METRIC_COUNTER && definition->kind != METRIC_HISTOGRAM)
		return 0;
	return temporality == TEMPORALITY_DELTA ||
	       (temporality == TEMPORALITY_LOW_MEMORY && !definition->is_observed);
}

static inline int metric_is_exponential(const struct metric *metric)
{
	return metric->definition.kind == METRIC_HISTOGRAM &&
	       (metric->definition.is_exponential || metric->metrics->options.is_exponential);
}

#endif
