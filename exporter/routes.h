/* routes.h - which route is a path: templates that users give, and templates that are learned. */
#ifndef TAGALONG_ROUTES_H
#define TAGALONG_ROUTES_H

/*
 * A template has parameters in braces: "/users/{id}". Templates that the user gives win, in their
 * order. Else each segment is judged by its class (digits, hex, UUID, ULID, e-mail, date, file name
 * with a hash) and by how many siblings were seen in its place over time. One thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "exporter/arena.h"
#include "exporter/config.h"
#include "exporter/text.h"

#define ROUTE_PARAMETERS_MAX 16

struct routes;

struct route_match {
	struct text route; /* the template; lives as long as the arena; absent: no route */
	/* Parameters in their order; values are parts of the path, not terminated. */
	struct text name[ROUTE_PARAMETERS_MAX], value[ROUTE_PARAMETERS_MAX];
	uint32_t parameters;
	int is_learned;
};

/* `path` is the file that the learned table is kept in, NULL: in memory only. NULL: no memory. */
struct routes *routes_new(const char *path);
void routes_free(struct routes *routes); /* saves; accepts NULL */

/* Takes the section "routes" of the settings file, NULL: none; replaces what it took before. */
int routes_configure(struct routes *routes, const struct config_node *section);

/*
 * Finds the route of a path without its query, for one service and host, and learns from it.
 * `status` is the response's, 0: none; paths that were answered with 404 teach nothing.
 */
void routes_find(struct routes *routes, struct arena *arena, struct text service, struct text path,
		 unsigned status, struct route_match *match);

/* Now and then: writes the learned table if it changed, ages what has not been seen. */
void routes_housekeep(struct routes *routes, uint64_t now_ns);

#endif
