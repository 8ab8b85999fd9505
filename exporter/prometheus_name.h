/* prometheus_name.h - OpenTelemetry's names as Prometheus has them. */
#ifndef TAGALONG_PROMETHEUS_NAME_H
#define TAGALONG_PROMETHEUS_NAME_H

/* OpenTelemetry's Prometheus compatibility, strategy UnderscoreEscapingWithSuffixes. */

#include <stddef.h>

#include "exporter/metrics.h"

#define PROMETHEUS_NAME_MAX 256
#define PROMETHEUS_UNIT_MAX 112

struct prometheus_name {
	char family[PROMETHEUS_NAME_MAX]; /* with its unit, without _total */
	char unit[PROMETHEUS_UNIT_MAX];   /* "seconds"; "": none */
};

/* What is too long is cut. */
void prometheus_name(const struct metric_definition *definition, struct prometheus_name *name);

/* An attribute's key as a label; `label` has room for PROMETHEUS_NAME_MAX. Returns its size. */
size_t prometheus_label(const char *key, char *label);

/* Whether two keys become the same label. */
int prometheus_same_label(const char *key, const char *other);

/* The shortest text that is this double when it is read; at most 32 bytes with the NUL. */
size_t prometheus_number(double value, char *text);

/* A bucket's bound as OpenMetrics wants it: "0.005", "1.0", "1e+06", "+Inf". At most 32 bytes. */
size_t prometheus_bound(double value, char *text);

#endif
