/* settings.h - what the environment asks of the exporter: OTEL_* first, TAGALONG_* for the rest. */
#ifndef TAGALONG_SETTINGS_H
#define TAGALONG_SETTINGS_H

/* OpenTelemetry's environment variable specification decides names, defaults and parsing. */

#include <stdint.h>

#include "exporter/destinations.h"

#define SETTINGS_METHODS_MAX 32
#define SETTINGS_NO_LIMIT    UINT32_MAX

struct settings_file;

struct settings {
	int disabled;      /* OTEL_SDK_DISABLED: drain and forget */
	int store_enabled; /* spans go to `store_path` */
	struct destinations destinations;
	uint32_t export_timeout_ms; /* one batch with its retries; 0: none */
	uint32_t metric_timeout_ms; /* the same of one push of metrics */

	uint32_t schedule_delay_ms;
	uint32_t queue_spans;
	uint32_t batch_spans;            /* <= queue_spans */
	uint32_t attribute_count_limit;  /* SETTINGS_NO_LIMIT: none */
	uint32_t attribute_length_limit; /* characters; SETTINGS_NO_LIMIT: none */

	char *methods[SETTINGS_METHODS_MAX]; /* known HTTP methods */
	unsigned method_count;

	char *store_path; /* NULL if no directory is known */
	uint32_t store_max_mb;
	uint32_t store_max_age_hours;

	char *routes_path; /* of the table of learned routes, NULL: it is kept in memory only */
	int url_template;  /* requests that are sent have their route told, too */

	char *run_directory;
	uint32_t reserved_slots;
	uint32_t shutdown_timeout_ms;
	uint32_t slow_call_ms;     /* a call that waits longer is told with its stack; 0: none is */
	uint32_t repeated_queries; /* within one request, from so many on they are told; 0: never */
	int log_level;

	int changed; /* slow_call_ms or repeated_queries, by the file's last change */
	struct settings_file *file; /* for those who register for a section; NULL: none */
};

/*
 * Reads the environment; warns (log_line) of each bad value once and takes its default. Never
 * fails but for want of memory (-ENOMEM). Sets nothing of the process itself.
 */
int settings_read(struct settings *settings);

/* Frees what settings_read allocated; harmless on a zeroed struct. */
void settings_free(struct settings *settings);

/* The store's path by the environment alone, allocated; NULL if no directory is known. */
char *settings_store_path(void);

#endif
