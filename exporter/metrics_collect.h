/* metrics_collect.h - all points of all series, told to an encoder. */
#ifndef TAGALONG_METRICS_COLLECT_H
#define TAGALONG_METRICS_COLLECT_H

#include "exporter/exponential.h"
#include "exporter/metrics.h"

enum metrics_reader {
	READER_PUSH, /* OTLP, console; ordered by resource, then metric */
	READER_PULL, /* Prometheus; ordered by metric, then resource; cumulative */
	READERS,
};

/* Everything is lent for the call. */
struct metric_point {
	const struct metric_definition *definition;
	struct resource *resource;
	const struct attribute *attributes; /* sorted by key */
	size_t attribute_count;
	uint64_t start_unix_ns, time_unix_ns;
	int is_delta;
	double value; /* of sums and gauges */
	/* Histograms. */
	uint64_t count;
	double sum, min, max;
	int has_range;           /* min and max are known */
	const uint64_t *buckets; /* bound_count + 1, or NULL: it is exponential */
	const struct exponential *exponential;
	const struct exemplar *exemplars; /* by bucket; EXPONENTIAL_EXEMPLARS of exponential ones */
	uint64_t exemplar_mask;           /* which of them are there */
};

/*
 * Has all that is observed read now; the collection that follows doesn't again. What it is going to
 * tell is of these resources then.
 */
typedef void (*metrics_named)(void *context, const struct resource *resource);
void metrics_refresh(struct metrics *metrics, metrics_named named, void *context);

typedef void (*metrics_told)(void *context, const struct metric_point *point);

/*
 * Calls the observers, tells each point, and forgets idle and ended series. A point that is delta
 * and has nothing new is left out. Pushed points have the exemplars since the last push, pulled
 * ones the latest of all.
 */
void metrics_collect(struct metrics *metrics, enum metrics_reader reader, uint64_t now_unix_ns,
		     metrics_told told, void *context);

#endif
