/* conf.h - settings of the shim, read once from the environment. */
#ifndef TAGALONG_CONF_H
#define TAGALONG_CONF_H

#include <stddef.h>
#include <stdint.h>

#include "preload/tracecontext.h"

enum conf_propagators {
	PROPAGATE_TRACECONTEXT = 1,
	PROPAGATE_B3 = 2,
	PROPAGATE_B3MULTI = 4,
};

/*
 * Written by conf_init before anything else runs, then read-only; what may change later is in
 * live.h. Texts point into copies of our
 * own: programs overwrite their environment (setproctitle).
 */
struct conf {
	uint8_t propagators;  /* enum conf_propagators */
	uint8_t extract[3];   /* the same, one by one in the order of the list, 0: end */
	uint8_t no_telemetry; /* OTEL_SDK_DISABLED: headers are still passed on */
	uint8_t node_bridge;  /* TAGALONG_NODE_BRIDGE */
	uint8_t is_node;      /* no setting: this is Node.js, see node.h */
	uint8_t publish;      /* TAGALONG_PUBLISH_CONTEXT */
	uint8_t cpu_time;     /* TAGALONG_CPU_TIME */
	uint8_t log;          /* TAGALONG_LOG */
	uint8_t has_parent;   /* TRACEPARENT was there and valid */

	uint8_t python_bridge; /* TAGALONG_PYTHON_BRIDGE */

	struct trace_parent parent;
	uint16_t parent_state_size;
	char parent_state[TRACESTATE_MAX];
	char session[256]; /* TAGALONG_SESSION, "" if unset */
	char run_directory[128];
	char library[256]; /* path by which we were loaded, "" if unknown */
	char service_name[128];
	char resource_attributes[1024];
	char command[128];
};

extern struct conf conf __attribute__((visibility("hidden")));

/*
 * Reads the environment; 0, or -1: step aside (TAGALONG_DISABLE, a program that is never touched,
 * AT_SECURE). `environment` and `command` are main's. Called once, by the constructor.
 */
int conf_init(char **environment, const char *command);

/* Whether a program of that name (path allowed) is on the list of those never touched. */
int conf_never_touched(const char *program);

/* Value of NAME in an environment, or NULL. */
const char *conf_environment_get(char *const *environment, const char *name);

/* One line to standard error, only if TAGALONG_LOG asks for it. */
void conf_log(const char *text);

#endif
