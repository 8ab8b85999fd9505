/* routes_span.h - the route of a record, before it becomes a span. */
#ifndef TAGALONG_ROUTES_SPAN_H
#define TAGALONG_ROUTES_SPAN_H

#include "exporter/record.h"
#include "exporter/resource.h"
#include "exporter/routes.h"

/*
 * Finds the route of a request that was served, or, if `of_clients`, of one that was sent, and
 * learns from it. Then record->route is `match`, which must live as long as the record is used;
 * else it is NULL. `routes` may be NULL.
 */
void routes_span(struct routes *routes, struct arena *arena, const struct resource *resource,
		 int of_clients, struct record *record, struct route_match *match);

#endif
