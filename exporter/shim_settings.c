/* shim_settings.c - the settings that the library reads, checked where somebody can be told. */
#include "exporter/shim_settings.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exporter/env.h"
#include "exporter/log.h"
#include "exporter/sampling.h"

static int is_one_of(const char *at, size_t size, const char *const *names)
{
	for (; *names; names++)
		if (strlen(*names) == size && strncasecmp(at, *names, size) == 0)
			return 1;
	return 0;
}

static int check_propagators(void)
{
	static const char *const known[] = {"tracecontext", "baggage", "b3",
					    "b3multi",      "none",    NULL};
	const char *at = env_get("OTEL_PROPAGATORS");
	int bad = 0;

	while (at && *at) {
		size_t size;

		at += strspn(at, ", \t");
		size = strcspn(at, ", \t");
		if (size && !is_one_of(at, size, known)) {
			log_line(LOG_WARN, "settings",
				 "OTEL_PROPAGATORS: %.*s is not supported, ignored", (int)size, at);
			bad++;
		}
		at += size;
	}
	return bad;
}

static int check_sampler(void)
{
	const char *name = env_get("OTEL_TRACES_SAMPLER");
	const char *ratio = env_get("OTEL_TRACES_SAMPLER_ARG");
	char *end;
	double value;

	if (!name)
		return 0;
	if (!is_one_of(name, strlen(name), sampling_names)) {
		log_line(LOG_WARN, "settings",
			 "OTEL_TRACES_SAMPLER is not supported, parentbased_always_on is used");
		return 1;
	}
	if (!ratio || !strstr(name, "ratio"))
		return 0;
	value = strtod(ratio, &end);
	if (*end == 0 && value >= 0 && value <= 1)
		return 0;
	log_line(LOG_WARN, "settings",
		 "OTEL_TRACES_SAMPLER_ARG is no number from 0 to 1, everything is sampled");
	return 1;
}

static int check_request_id(void)
{
	static const char *const known[] = {"true", "false", "1", "0", NULL};
	const char *value = env_get("TAGALONG_REQUEST_ID");

	if (!value || is_one_of(value, strlen(value), known))
		return 0;
	log_line(LOG_WARN, "settings",
		 "TAGALONG_REQUEST_ID is neither true nor false, taken as false");
	return 1;
}

/* A shape that no version of the format has; the library judges the rest. */
static int check_parent(void)
{
	const char *value = env_get("TRACEPARENT");

	if (!value ||
	    (strlen(value) >= 55 && value[2] == '-' && value[35] == '-' && value[52] == '-'))
		return 0;
	log_line(LOG_WARN, "settings", "TRACEPARENT is malformed, calls begin traces of their own");
	return 1;
}

int shim_settings_check(void)
{
	return check_propagators() + check_sampler() + check_request_id() + check_parent();
}
