/* meter_settings.c - what the environment asks of the metrics. */
#include "meter_settings.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "exporter/env.h"
#include "exporter/log.h"

#define SECOND_NS 1000000000ull

/* The place of the variable's value among the words, without case; the first is the default. */
static int choice(const char *name, const char *const *words, int count)
{
	const char *value = env_get(name);

	for (int i = 0; value && i < count; i++)
		if (strcasecmp(value, words[i]) == 0)
			return i;
	if (value)
		log_line(LOG_WARN, "settings", "%s has no known value, %s is used", name, words[0]);
	return 0;
}

/* The other words are destinations.c's. */
static int read_prometheus(void)
{
	const char *at = env_get("OTEL_METRICS_EXPORTER");

	if (!at)
		return -1;
	while (*at) {
		size_t size = strcspn(at, ", ");

		if (size == strlen("prometheus") && strncasecmp(at, "prometheus", size) == 0)
			return 1;
		at += size + (at[size] != '\0');
	}
	return 0;
}

static void read_address(struct meter_settings *settings)
{
	const char *host = env_get("OTEL_EXPORTER_PROMETHEUS_HOST");
	uint32_t port = env_integer("OTEL_EXPORTER_PROMETHEUS_PORT", 9464);

	snprintf(settings->prometheus_host, sizeof(settings->prometheus_host), "%s",
		 host ? host : "127.0.0.1");
	if (port > UINT16_MAX) {
		log_line(LOG_WARN, "settings",
			 "OTEL_EXPORTER_PROMETHEUS_PORT is no port, 9464 is used");
		port = 9464;
	}
	settings->prometheus_port = (uint16_t)port;
}

void meter_settings_read(struct meter_settings *settings)
{
	static const char *const temporalities[] = {"cumulative", "delta", "lowmemory"};
	static const char *const aggregations[] = {"explicit_bucket_histogram",
						   "base2_exponential_bucket_histogram"};
	static const char *const filters[] = {"trace_based", "always_on", "always_off"};
	struct metrics_options *options = &settings->options;

	memset(settings, 0, sizeof(*settings));
	options->temporality = (enum metrics_temporality)choice(
		"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", temporalities, 3);
	options->is_exponential =
		choice("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", aggregations, 2);
	options->exemplars =
		(enum metrics_exemplars)choice("OTEL_METRICS_EXEMPLAR_FILTER", filters, 3);
	options->series_limit = env_positive("TAGALONG_METRICS_SERIES", 2000);
	options->expiry_ns = env_positive("TAGALONG_METRICS_EXPIRY", 3600) * SECOND_NS;
	settings->interval_ms = env_positive("OTEL_METRIC_EXPORT_INTERVAL", 60000);
	settings->prometheus = read_prometheus();
	read_address(settings);
}
