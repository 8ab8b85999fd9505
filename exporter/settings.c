/* settings.c - what the environment asks of the exporter. */
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporter/env.h"
#include "exporter/log.h"

#define DEFAULT_METHODS "GET,HEAD,POST,PUT,DELETE,CONNECT,OPTIONS,TRACE,PATCH,QUERY"

static void read_batching(struct settings *settings)
{
	settings->schedule_delay_ms = env_integer("OTEL_BSP_SCHEDULE_DELAY", 5000);
	settings->export_timeout_ms = env_integer("OTEL_BSP_EXPORT_TIMEOUT", 30000);
	settings->metric_timeout_ms = env_integer("OTEL_METRIC_EXPORT_TIMEOUT", 30000);
	settings->queue_spans = env_positive("OTEL_BSP_MAX_QUEUE_SIZE", 2048);
	settings->batch_spans = env_positive("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512);
	if (settings->batch_spans <= settings->queue_spans)
		return;
	if (env_get("OTEL_BSP_MAX_EXPORT_BATCH_SIZE"))
		log_line(LOG_WARN, "settings",
			 "OTEL_BSP_MAX_EXPORT_BATCH_SIZE is more than the queue holds, %u is used",
			 settings->queue_spans);
	settings->batch_spans = settings->queue_spans;
}

static void read_limits(struct settings *settings)
{
	settings->attribute_count_limit = env_integer(
		"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", env_integer("OTEL_ATTRIBUTE_COUNT_LIMIT", 128));
	settings->attribute_length_limit =
		env_integer("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
			    env_integer("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", SETTINGS_NO_LIMIT));
}

static void read_methods(struct settings *settings)
{
	const char *at = env_get("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS");

	for (at = at ? at : DEFAULT_METHODS; *at;) {
		size_t size = strcspn(at, ", ");

		if (size && settings->method_count < SETTINGS_METHODS_MAX) {
			settings->methods[settings->method_count] = strndup(at, size);
			if (settings->methods[settings->method_count])
				settings->method_count++;
		}
		at += size + (at[size] != '\0');
	}
}

char *settings_store_path(void)
{
	const char *given = env_get("TAGALONG_STORE");
	const char *state = env_get("XDG_STATE_HOME");
	const char *home = env_get("HOME");
	char *path = NULL;
	int size;

	/* A plain "1" or "true" asks for the store where it usually is. */
	if (given && strchr(given, '/'))
		return strdup(given);
	if (geteuid() == 0)
		return strdup("/var/lib/tagalong/traces.db");
	if (state)
		size = asprintf(&path, "%s/tagalong/traces.db", state);
	else if (home)
		size = asprintf(&path, "%s/.local/state/tagalong/traces.db", home);
	else
		return NULL;
	return size < 0 ? NULL : path;
}

static void read_store(struct settings *settings)
{
	settings->store_path = settings_store_path();
	settings->store_max_mb = env_positive("TAGALONG_STORE_MAX_MB", 256);
	settings->store_max_age_hours = env_positive("TAGALONG_STORE_MAX_AGE", 72);
}

/* Beside the store, but where a path is given; any other value means: nowhere. */
static void read_routes(struct settings *settings)
{
	const char *given = env_get("TAGALONG_ROUTES_TABLE");
	const char *slash = settings->store_path ? strrchr(settings->store_path, '/') : NULL;

	settings->url_template = env_boolean("TAGALONG_URL_TEMPLATE");
	if (given)
		settings->routes_path = strchr(given, '/') ? strdup(given) : NULL;
	else if (slash && asprintf(&settings->routes_path, "%.*s/routes",
				   (int)(slash - settings->store_path), settings->store_path) < 0)
		settings->routes_path = NULL;
}

static void decide_store(struct settings *settings)
{
	const struct destinations *destinations = &settings->destinations;

	/* Spans that go nowhere else go into the store, unless that is what was asked for. */
	settings->store_enabled =
		!settings->disabled &&
		(env_get("TAGALONG_STORE") || (!destinations_take(destinations, SIGNAL_TRACES) &&
					       !(destinations->signals_off & 1u << SIGNAL_TRACES)));
	if (settings->store_enabled && !settings->store_path) {
		log_line(LOG_WARN, "settings",
			 "no HOME and no XDG_STATE_HOME, so there is no place for the store");
		settings->store_enabled = 0;
	}
}

static void read_log_level(struct settings *settings)
{
	const char *value = env_get("OTEL_LOG_LEVEL");

	settings->log_level = LOG_INFO;
	if (value && log_level_parse(value, &settings->log_level) != 0)
		log_line(LOG_WARN, "settings",
			 "OTEL_LOG_LEVEL is none of none, error, warn, info and debug, ignored");
}

int settings_read(struct settings *settings)
{
	int result;

	memset(settings, 0, sizeof(*settings));
	read_log_level(settings);
	if (env_get("OTEL_CONFIG_FILE") || env_get("OTEL_EXPERIMENTAL_CONFIG_FILE"))
		log_line(LOG_WARN, "settings",
			 "OTEL_CONFIG_FILE is not supported yet, the other variables are used");
	settings->disabled = env_boolean("OTEL_SDK_DISABLED");
	read_batching(settings);
	read_limits(settings);
	read_methods(settings);
	read_store(settings);
	read_routes(settings);
	result = destinations_of_environment(&settings->destinations);
	if (settings->disabled)
		destinations_clear(&settings->destinations);
	decide_store(settings);
	settings->run_directory =
		strdup(env_get("TAGALONG_RUN_DIR") ? env_get("TAGALONG_RUN_DIR") : "/run/tagalong");
	settings->reserved_slots = env_positive("TAGALONG_RESERVED_SLOTS", 2);
	settings->shutdown_timeout_ms = env_integer("TAGALONG_SHUTDOWN_TIMEOUT", 5000);
	settings->slow_call_ms = env_integer("TAGALONG_SLOW_CALL_MS", 100);
	settings->repeated_queries = env_integer("TAGALONG_REPEATED_QUERIES", 10);
	return settings->run_directory ? result : -ENOMEM;
}

void settings_free(struct settings *settings)
{
	for (unsigned i = 0; i < settings->method_count; i++)
		free(settings->methods[i]);
	destinations_fini(&settings->destinations);
	free(settings->store_path);
	free(settings->routes_path);
	free(settings->run_directory);
	memset(settings, 0, sizeof(*settings));
}
