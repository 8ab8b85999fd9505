/* otlp_metrics.h - all metrics as OTLP's ExportMetricsServiceRequest. */
#ifndef TAGALONG_OTLP_METRICS_H
#define TAGALONG_OTLP_METRICS_H

/* opentelemetry-proto 1.11, in protobuf. */

#include "exporter/metrics.h"
#include "exporter/payload.h"

/*
 * Collects what is to be pushed. The payload is the caller's; NULL in it: there are no points. 0,
 * or -ENOMEM.
 */
int otlp_metrics(struct metrics *metrics, uint64_t now_unix_ns, struct payload **payload);

#endif
