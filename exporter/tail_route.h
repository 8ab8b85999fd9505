/* tail_route.h - how long a route's requests take, and when it was seen: for tail sampling. */
#ifndef TAGALONG_TAIL_ROUTE_H
#define TAGALONG_TAIL_ROUTE_H

/*
 * A route is a service and the name of a local root ("GET /users/{id}"). 1024 are kept; among those
 * that share a place the one that was not seen for longest goes. One thread.
 */

#include <stdint.h>

struct tail_routes;
struct tail_route;

struct tail_routes *tail_routes_new(void); /* NULL: no memory */
void tail_routes_free(struct tail_routes *routes);

/* The route, a new one at its first request. Valid until the next call. */
struct tail_route *tail_routes_find(struct tail_routes *routes, const char *service,
				    const char *name, uint64_t now_ns);

/*
 * Whether a request took longer than 99 % of the route's earlier ones, of which there must be 100;
 * then counts it. Durations are known to a fifth; older ones count for less and less.
 */
int tail_route_is_slow(struct tail_route *route, uint64_t duration_ns);

/* 1 for the first request, and for the first after each `interval_ns` since it was 1. */
int tail_route_is_rare(struct tail_route *route, uint64_t interval_ns, uint64_t now_ns);

#endif
