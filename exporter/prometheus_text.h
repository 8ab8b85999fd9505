/* prometheus_text.h - all metrics in Prometheus' text format, or in OpenMetrics'. */
#ifndef TAGALONG_PROMETHEUS_TEXT_H
#define TAGALONG_PROMETHEUS_TEXT_H

/* Text format 0.0.4 and OpenMetrics 1.0; the latter has exemplars. */

#include <stddef.h>
#include <stdint.h>

#include "exporter/metrics.h"

enum prometheus_format { PROMETHEUS_TEXT, PROMETHEUS_OPENMETRICS };

/* The Content-Type of a format. */
const char *prometheus_content_type(enum prometheus_format format);

/*
 * Collects what is to be pulled. The text is the caller's to free. 0, or -ENOMEM. What several
 * resources have is told apart by the labels job and instance. An exponential histogram is shown
 * with the bounds of its scale 0, powers of two, or coarser ones.
 */
int prometheus_text(struct metrics *metrics, uint64_t now_unix_ns, enum prometheus_format format,
		    char **text, size_t *size);

#endif
