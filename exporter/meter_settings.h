/* meter_settings.h - what the environment asks of the metrics. */
#ifndef TAGALONG_METER_SETTINGS_H
#define TAGALONG_METER_SETTINGS_H

/* OpenTelemetry's environment variable specification decides names, defaults and parsing. */

#include <stdint.h>

#include "exporter/metrics.h"
#include "exporter/metrics_options.h"

struct meter_settings {
	struct metrics_options options; /* but for has_push and has_pull */
	uint32_t interval_ms;           /* between two pushes, > 0 */
	int prometheus;                 /* 1: asked for, 0: asked for something else, -1: neither */
	char prometheus_host[256];
	uint16_t prometheus_port; /* 0: any that is free */
};

/* Warns (log_line) of each bad value once and takes its default. */
void meter_settings_read(struct meter_settings *settings);

#endif
