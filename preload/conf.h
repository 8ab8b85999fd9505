/* conf.h - settings of the shim, read once from the environment. */
#ifndef TAGALONG_CONF_H
#define TAGALONG_CONF_H

#include <stddef.h>
#include <stdint.h>

#include "preload/http1.h"
#include "preload/mask.h"
#include "preload/tracecontext.h"

#define CONF_LIST_MAX 32

enum conf_propagators {
	PROPAGATE_TRACECONTEXT = 1,
	PROPAGATE_B3 = 2,
	PROPAGATE_B3MULTI = 4,
};

enum conf_sampler { SAMPLE_ON, SAMPLE_OFF, SAMPLE_RATIO };

/*
 * Written by conf_init before anything else runs, then read-only. Texts point into copies of our
 * own: programs overwrite their environment (setproctitle).
 */
struct conf {
	uint8_t propagators;  /* enum conf_propagators */
	uint8_t extract[3];   /* the same, one by one in the order of the list, 0: end */
	uint8_t no_telemetry; /* OTEL_SDK_DISABLED: headers are still passed on */
	uint8_t request_ids;  /* X-Request-ID is made, forwarded and returned */
	uint8_t sql_comments; /* TAGALONG_SQLCOMMENTER */
	uint8_t node_bridge;  /* TAGALONG_NODE_BRIDGE */
	uint8_t call_stacks;  /* TAGALONG_CALL_STACKS */
	uint8_t publish;      /* TAGALONG_PUBLISH_CONTEXT */
	uint8_t cpu_time;     /* TAGALONG_CPU_TIME */
	uint8_t log;          /* TAGALONG_LOG */
	uint8_t sampler;      /* enum conf_sampler: of traces that begin here */
	uint8_t sample_by_parent;
	uint8_t has_parent;        /* TRACEPARENT was there and valid */
	uint64_t sample_threshold; /* keep if the trace's 56 random bits are >= this */
	struct trace_parent parent;
	uint16_t parent_state_size;
	char parent_state[TRACESTATE_MAX];
	char session[256]; /* TAGALONG_SESSION, "" if unset */
	char run_directory[128];
	char library[256]; /* path by which we were loaded, "" if unknown */
	char service_name[128];
	char resource_attributes[1024];
	char command[128];
	struct mask_keys mask;
	struct http1_capture capture_request, capture_response;
};

extern struct conf conf __attribute__((visibility("hidden")));

/*
 * Reads the environment; 0, or -1: step aside (TAGALONG_DISABLE, a program that is never touched,
 * AT_SECURE). `environment` and `command` are main's. Called once, by the constructor.
 */
int conf_init(char **environment, const char *command);

/* The header fields to capture from messages of that kind; NULL: none. */
static inline const struct http1_capture *conf_capture(int kind)
{
	const struct http1_capture *capture =
		kind == HTTP1_REQUEST ? &conf.capture_request : &conf.capture_response;

	return capture->count ? capture : NULL;
}

/* Whether a program of that name (path allowed) is on the list of those never touched. */
int conf_never_touched(const char *program);

/* Value of NAME in an environment, or NULL. */
const char *conf_environment_get(char *const *environment, const char *name);

/* One line to standard error, only if TAGALONG_LOG asks for it. */
void conf_log(const char *text);

#endif
