/* metrics.h - instruments and their series: sums, gauges, histograms, with bounded cardinality. */
#ifndef TAGALONG_METRICS_H
#define TAGALONG_METRICS_H

/*
 * OpenTelemetry's metrics data model. Whoever measures defines instruments once, looks a series up
 * by resource and attributes, and adds to it; metrics_collect tells all points to the encoders of
 * OTLP and Prometheus. One thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "exporter/attribute.h"
#include "exporter/resource.h"

#define METRIC_BOUNDS_MAX 32

struct metrics;
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
	uint8_t bound_count;
	const double *bounds; /* of explicit histograms, ascending */
};

struct exemplar {
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint64_t time_unix_ns;
	double value;
};

/* The instrument of that name, new or as it was defined first. NULL: no memory. */
struct metric *metric_define(struct metrics *metrics, const struct metric_definition *definition);

/*
 * The series of these attributes, in any order, for a process's resource (NULL: the exporter's
 * own). Copies the attributes and takes a reference to the resource. Past the metric's limit it is
 * the overflow series (otel.metric.overflow). Valid until the next metrics_collect or expiry; look
 * it up each time. NULL: no memory.
 */
struct series *metric_series(struct metric *metric, struct resource *resource,
			     const struct attribute *attributes, size_t count);

void series_add(struct series *series, double value); /* counter, up-down counter */
void series_set(struct series *series, double value); /* gauge; a sum: its total so far */
/* Histogram. `exemplar`, which may be NULL, is copied if it is chosen. */
void series_record(struct series *series, double value, const struct exemplar *exemplar);
/*
 * Exponential histogram: adds `counts[i]` values that lie in (scale_unit * 2^i, scale_unit *
 * 2^(i+1)], as kernels count them, and their sum; exact at scale 0.
 */
void series_merge_log2(struct series *series, const uint64_t *counts, size_t count,
		       double scale_unit, double sum);

#endif
