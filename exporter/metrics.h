/* metrics.h - instruments and their series: sums, gauges, histograms, with bounded cardinality. */
#ifndef TAGALONG_METRICS_H
#define TAGALONG_METRICS_H

/*
 * OpenTelemetry's metrics data model. Whoever measures defines instruments once, looks a series up
 * by resource and attributes, and adds to it; metrics_collect (metrics_collect.h) tells all points
 * to the encoders of OTLP and Prometheus. One thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "exporter/attribute.h"
#include "exporter/resource.h"

#define METRIC_BOUNDS_MAX 32

struct metrics;
struct metrics_options;
struct metric;
struct series;

enum metric_kind {
	METRIC_COUNTER,   /* monotonic sum */
	METRIC_UPDOWN,    /* sum that falls as well */
	METRIC_GAUGE,     /* last value */
	METRIC_HISTOGRAM, /* explicit bounds, or exponential if the settings ask for it */
};

struct metric_definition {
	const char *name; /* OpenTelemetry's, "http.server.request.duration"; lives for ever */
	const char *unit; /* UCUM, "s" */
	const char *description;
	enum metric_kind kind;
	uint8_t is_integer;     /* of sums and gauges */
	uint8_t is_exponential; /* a histogram that is exponential whatever the settings say */
	uint8_t is_observed;    /* read when it is collected: an asynchronous instrument */
	uint8_t bound_count;    /* <= METRIC_BOUNDS_MAX */
	const double *bounds;   /* of explicit histograms, ascending */
};

struct exemplar {
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint64_t time_unix_ns;
	double value;
};

/* NULL: no memory. */
struct metrics *metrics_new(const struct metrics_options *options);
void metrics_free(struct metrics *metrics); /* accepts NULL */

/* The instrument of that name, new or as it was defined first. NULL: no memory. */
struct metric *metric_define(struct metrics *metrics, const struct metric_definition *definition);

/*
 * The series of these attributes, in any order, for a resource (NULL: the exporter's own). Copies
 * the attributes and takes a reference to the resource. Past the limit of one metric and resource
 * it is the overflow series (otel.metric.overflow). Valid until metrics_generation changes. NULL:
 * no memory.
 */
struct series *metric_series(struct metric *metric, struct resource *resource,
			     const struct attribute *attributes, size_t count);

/* Changes when series are forgotten: at the end of a collection, or in metrics_expire. */
uint64_t metrics_generation(const struct metrics *metrics);

void series_add(struct series *series, double value); /* counter, up-down counter */
void series_set(struct series *series, double value); /* gauge; a sum: its total so far */
/*
 * Histogram; negative values and what is no number are left out. `exemplar`, which may be NULL, is
 * copied: it is the bucket's latest.
 */
void series_record(struct series *series, double value, const struct exemplar *exemplar);
/*
 * Exponential histogram: adds `counts[i]` values that lie in (scale_unit * 2^i, scale_unit *
 * 2^(i+1)], as kernels count them, and their sum. Exact if the unit is a power of two; else a value
 * is in the right bucket of scale 0 or the one beside it.
 */
void series_merge_log2(struct series *series, const uint64_t *counts, size_t count,
		       double scale_unit, double sum);

/* Sets all series of a sum or a gauge to 0: those that are not set again have ended. */
void metric_clear(struct metric *metric);

/* The resource has come to its end: its series are forgotten once all readers have seen them. */
void metrics_end(struct metrics *metrics, const struct resource *resource);

/* Forgets what is idle or ended, as a collection does; for the time when there is none. */
void metrics_expire(struct metrics *metrics, uint64_t now_unix_ns);

/* Called at the beginning of each collection, to set what is_observed. 0, or -ENOMEM. */
typedef void (*metrics_observer)(void *context);
int metrics_observe(struct metrics *metrics, metrics_observer observer, void *context);

#endif
