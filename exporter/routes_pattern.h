/* routes_pattern.h - templates of paths that the user gives. */
#ifndef TAGALONG_ROUTES_PATTERN_H
#define TAGALONG_ROUTES_PATTERN_H

/*
 * "/users/{id}", "/files/{name}.json", "/static/{path...}". A parameter is one or more bytes within
 * its segment; one that ends in "..." comes last and takes the rest of the path. "*" is a segment,
 * or part of one, and "**" the rest, without a name. One thread.
 */

#include "exporter/routes.h"

struct route_pattern;

/* Copies the text. NULL: no memory, or no pattern: *why says what is wrong, if it is not NULL. */
struct route_pattern *route_pattern_new(struct text text, const char **why);
void route_pattern_free(struct route_pattern *pattern); /* accepts NULL */

/*
 * 1 if the path is one of it; then the match has its parameters, whose names live as long as the
 * pattern, and the text that the user gave as its route.
 */
int route_pattern_match(const struct route_pattern *pattern, struct text path,
			struct route_match *match);

#endif
