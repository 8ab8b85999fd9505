/* destinations.c - where everything goes, as the environment says. */
#include "destinations.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "exporter/env.h"
#include "exporter/log.h"

#define FILE_MAX_MB  64u
#define FILES_MAX    5u
#define SPOOL_MAX_MB 512u
#define SPOOL_MAX_H  24u
#define ALL_SIGNALS  ((1u << SIGNAL_COUNT) - 1)

/* What OTEL_<SIGNAL>_EXPORTER lists, each as bits of signals. */
struct exporters {
	unsigned otlp, console, standard_output, none;
};

static int has_name(const struct destinations *destinations, const char *name)
{
	for (unsigned i = 0; i < destinations->count; i++)
		if (strcmp(destinations->at[i].name, name) == 0)
			return 1;
	return 0;
}

/* The second one of a name is called NAME-2. NULL: no memory. */
static char *own_name(const struct destinations *destinations, const char *name)
{
	char *own = strdup(name);

	for (unsigned number = 2; own && has_name(destinations, own); number++) {
		free(own);
		if (asprintf(&own, "%s-%u", name, number) < 0)
			return NULL;
	}
	return own;
}

struct destination *destinations_add(struct destinations *destinations, enum destination_kind kind,
				     const char *name)
{
	struct destination *to;

	if (destinations->count == DESTINATIONS_MAX)
		return NULL;
	to = &destinations->at[destinations->count];
	*to = (struct destination){.kind = kind, .name = own_name(destinations, name)};
	to->max_bytes = (uint64_t)FILE_MAX_MB << 20;
	to->max_files = FILES_MAX;
	if (!to->name)
		return NULL;
	destinations->count++;
	return to;
}

void destinations_clear(struct destinations *destinations)
{
	while (destinations->count) {
		struct destination *last = &destinations->at[--destinations->count];

		for (unsigned signal = 0; signal < SIGNAL_COUNT; signal++)
			otlp_settings_fini(&last->otlp[signal]);
		free(last->name);
		free(last->path);
	}
}

void destinations_fini(struct destinations *destinations)
{
	destinations_clear(destinations);
	free(destinations->spool_directory);
	memset(destinations, 0, sizeof(*destinations));
}

int destinations_take(const struct destinations *destinations, enum signal signal)
{
	for (unsigned i = 0; i < destinations->count; i++)
		if (destinations->at[i].signals & 1u << signal)
			return 1;
	return 0;
}

/* ---- OTEL_TRACES_EXPORTER and its like ------------------------------------------------------ */

static int is_word(const char *at, size_t size, const char *word)
{
	return strlen(word) == size && strncasecmp(at, word, size) == 0;
}

static void add_exporter(struct exporters *exporters, const char *at, size_t size, unsigned bit,
			 const char *variable)
{
	if (is_word(at, size, "otlp"))
		exporters->otlp |= bit;
	else if (is_word(at, size, "console"))
		exporters->console |= bit;
	else if (is_word(at, size, "otlp/stdout"))
		exporters->standard_output |= bit;
	else if (is_word(at, size, "none"))
		exporters->none |= bit;
	else if (!is_word(at, size, "prometheus")) {
		log_line(LOG_WARN, "settings",
			 "%s is none of otlp, otlp/stdout, console and none, otlp is used",
			 variable);
		exporters->otlp |= bit;
	}
}

static void read_exporters(struct exporters *exporters)
{
	static const char *const variables[SIGNAL_COUNT] = {
		"OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"};

	for (unsigned signal = 0; signal < SIGNAL_COUNT; signal++) {
		const char *at = env_get(variables[signal]);

		for (at = at ? at : "otlp"; *at;) {
			size_t size = strcspn(at, ", ");

			if (size)
				add_exporter(exporters, at, size, 1u << signal, variables[signal]);
			at += size + (at[size] != '\0');
		}
	}
}

static int add_plain(struct destinations *destinations, enum destination_kind kind,
		     const char *name, unsigned signals)
{
	struct destination *to;

	if (!signals)
		return 0;
	to = destinations_add(destinations, kind, name);
	if (!to)
		return -ENOMEM;
	to->signals = signals;
	return 0;
}

static int add_otlp(struct destinations *destinations, unsigned signals)
{
	struct destination *to = destinations_add(destinations, DESTINATION_OTLP, "otlp");

	if (!to)
		return -ENOMEM;
	for (unsigned signal = 0; signal < SIGNAL_COUNT; signal++) {
		int result = 0;

		if (signals & 1u << signal)
			result = otlp_settings_read(&to->otlp[signal], signal);
		if (result < 0)
			return result;
		if (result > 0)
			to->signals |= 1u << signal;
	}
	/* Without an endpoint there is no collector. */
	if (!to->signals) {
		free(to->name);
		destinations->count--;
	}
	return 0;
}

static int add_file(struct destinations *destinations, unsigned signals)
{
	const char *path = env_get("TAGALONG_FILE");
	struct destination *to;

	if (!path || !signals)
		return 0;
	to = destinations_add(destinations, DESTINATION_FILE, "file");
	if (!to)
		return -ENOMEM;
	to->signals = signals;
	to->max_bytes = (uint64_t)env_integer("TAGALONG_FILE_MAX_MB", FILE_MAX_MB) << 20;
	to->path = strdup(path);
	return to->path ? 0 : -ENOMEM;
}

static int read_spool(struct destinations *destinations)
{
	const char *given = env_get("TAGALONG_SPOOL");

	destinations->spool_max_bytes = (uint64_t)env_integer("TAGALONG_SPOOL_MAX_MB", SPOOL_MAX_MB)
					<< 20;
	destinations->spool_max_age_ms =
		env_integer("TAGALONG_SPOOL_MAX_AGE", SPOOL_MAX_H) * 3600000ull;
	if (!given)
		return 0;
	if (strchr(given, '/')) {
		destinations->spool_directory = strdup(given);
		return destinations->spool_directory ? 0 : -ENOMEM;
	}
	destinations->spool_off = 1;
	if (strcasecmp(given, "off") != 0 && strcasecmp(given, "none") != 0)
		log_line(LOG_WARN, "settings",
			 "TAGALONG_SPOOL is neither a directory's path nor off, taken as off");
	return 0;
}

int destinations_default_spool(struct destinations *destinations)
{
	const char *state = env_get("XDG_STATE_HOME"), *home = env_get("HOME");
	int size = 0;

	if (destinations->spool_off || destinations->spool_directory)
		return 0;
	if (geteuid() == 0)
		size = asprintf(&destinations->spool_directory, "/var/lib/tagalong/spool");
	else if (state)
		size = asprintf(&destinations->spool_directory, "%s/tagalong/spool", state);
	else if (home)
		size = asprintf(&destinations->spool_directory, "%s/.local/state/tagalong/spool",
				home);
	if (size >= 0)
		return 0;
	destinations->spool_directory = NULL;
	return -ENOMEM;
}

int destinations_of_environment(struct destinations *destinations)
{
	struct exporters exporters = {0};
	int result;

	memset(destinations, 0, sizeof(*destinations));
	read_exporters(&exporters);
	destinations->signals_off =
		exporters.none & ~(exporters.otlp | exporters.console | exporters.standard_output);
	result = add_otlp(destinations, exporters.otlp);
	if (result == 0)
		result = add_plain(destinations, DESTINATION_STDOUT, "stdout",
				   exporters.standard_output);
	if (result == 0)
		result = add_plain(destinations, DESTINATION_CONSOLE, "console", exporters.console);
	if (result == 0)
		result = add_file(destinations, ALL_SIGNALS & ~destinations->signals_off);
	return result == 0 ? read_spool(destinations) : result;
}
