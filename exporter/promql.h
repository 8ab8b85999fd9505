/* promql.h - the queries of a service level objective. */
#ifndef TAGALONG_PROMQL_H
#define TAGALONG_PROMQL_H

/* PromQL over the names that OpenTelemetry's metrics have in Prometheus. Each prints one line. */

#include <stdio.h>

#include "exporter/slo.h"

/* The share of bad requests over a window ("5m"), by job. */
void promql_bad_ratio(FILE *to, const struct slo *slo, const char *window);

/* Requests a second, by job. */
void promql_rate(FILE *to, const struct slo *slo, const char *window);

#endif
