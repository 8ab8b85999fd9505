/* routes.h - which route is a path: templates that users give, and templates that are learned. */
#ifndef TAGALONG_ROUTES_H
#define TAGALONG_ROUTES_H

/*
 * A template has parameters in braces: "/users/{id}". Templates that the user gives win, in their
 * order (routes_pattern.h says what they look like). Else each segment is judged by its class
 * (digits, hex, UUID, ULID, e-mail, date, file name with a hash) and by how many siblings were seen
 * in its place over time (routes_tree.h). Learned parameters are {id}, {id2}, ... A place that is
 * judged to hold values stays so. Where a word may be either, there is no route until it has come
 * back or the place is judged. One thread.
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
	/*
	 * Parameters in their order, `parameters` of them, the rest is not set. Names live as long
	 * as the arena and may be absent ("*"); values are parts of the path, not terminated.
	 */
	struct text name[ROUTE_PARAMETERS_MAX], value[ROUTE_PARAMETERS_MAX];
	uint32_t parameters;
	int is_learned;
};

/*
 * `path` is the file that the learned table is kept in, which several exporters may share; NULL: in
 * memory only. Reads the environment as routes_configure does. NULL: no memory.
 */
struct routes *routes_new(const char *path);
void routes_free(struct routes *routes); /* saves; accepts NULL */

/*
 * Takes the section "routes" of the settings file, NULL: none, and TAGALONG_ROUTES (patterns with
 * commas, which come first) and TAGALONG_ROUTES_LEARN; replaces what it took before. With `routes`
 * NULL it only complains of what is wrong with the section.
 */
void routes_configure(struct routes *routes, const struct config_node *section);

/*
 * Finds the route of a path without its query, for one service, and learns from it. `status` is the
 * response's, 0: none; paths that were answered with 404 and the like, or not at all, teach
 * nothing.
 */
void routes_find(struct routes *routes, struct arena *arena, struct text service, struct text path,
		 unsigned status, struct route_match *match);

/*
 * Accepts NULL. Now and then, with Unix time: takes over what other exporters wrote, writes the
 * learned table if it changed, forgets what has not been seen for long.
 */
void routes_housekeep(struct routes *routes, uint64_t now_unix_ns);

#endif
