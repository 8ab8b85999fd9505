/* tail_route.c - how long a route's requests take, and when it was seen: for tail sampling. */
#include "exporter/tail_route.h"

#include <stdlib.h>
#include <string.h>

#include "exporter/text.h"

#define WAYS 8u
#define SETS 128u

/* Four buckets for each doubling, from 8 us to 137 s. */
#define BUCKETS    96u
#define FIRST_BITS 13u

#define ENOUGH        100u  /* requests, for a hundredth to be one */
#define HALVED_AT     4096u /* from so many on all counts are halved */
#define COMPUTE_EVERY 32u

struct tail_route {
	uint64_t key; /* 0: free */
	uint64_t seen_ns;
	uint64_t told_ns; /* when it was rare last, 0: never */
	uint64_t limit_ns;
	uint32_t count, since; /* the limit was computed */
	uint16_t buckets[BUCKETS];
};

struct tail_routes {
	struct tail_route routes[SETS][WAYS];
};

struct tail_routes *tail_routes_new(void)
{
	return calloc(1, sizeof(struct tail_routes));
}

void tail_routes_free(struct tail_routes *routes)
{
	free(routes);
}

static uint64_t key_of(const char *service, const char *name)
{
	uint64_t key = text_hash((struct text){service, (uint32_t)strlen(service)});

	key = key * 0x9e3779b97f4a7c15u ^ text_hash((struct text){name, (uint32_t)strlen(name)});
	return key ? key : 1;
}

struct tail_route *tail_routes_find(struct tail_routes *routes, const char *service,
				    const char *name, uint64_t now_ns)
{
	uint64_t key = key_of(service, name);
	struct tail_route *set = routes->routes[key % SETS], *oldest = set;

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].key == key) {
			set[i].seen_ns = now_ns;
			return &set[i];
		}
		if (set[i].seen_ns < oldest->seen_ns)
			oldest = &set[i];
	}
	memset(oldest, 0, sizeof(*oldest));
	oldest->key = key;
	oldest->seen_ns = now_ns;
	return oldest;
}

static unsigned bucket_of(uint64_t duration_ns)
{
	unsigned bits, bucket;

	if (duration_ns < 1ull << FIRST_BITS)
		return 0;
	bits = 63u - (unsigned)__builtin_clzll(duration_ns);
	bucket = (bits - FIRST_BITS) * 4 + (unsigned)(duration_ns >> (bits - 2) & 3);
	return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/* Where the next bucket begins. */
static uint64_t end_of(unsigned bucket)
{
	return (4ull + (bucket & 3) + 1) << (bucket / 4 + FIRST_BITS - 2);
}

static void compute(struct tail_route *route)
{
	uint32_t above = route->count / 100, seen = 0;
	unsigned bucket = BUCKETS;

	while (bucket > 0 && seen + route->buckets[bucket - 1] <= above)
		seen += route->buckets[--bucket];
	route->limit_ns = bucket ? end_of(bucket - 1) : 0;
	route->since = 0;
}

static void halve(struct tail_route *route)
{
	route->count = 0;
	for (unsigned i = 0; i < BUCKETS; i++) {
		route->buckets[i] /= 2;
		route->count += route->buckets[i];
	}
}

int tail_route_is_slow(struct tail_route *route, uint64_t duration_ns)
{
	int slow = route->limit_ns && duration_ns >= route->limit_ns;

	route->buckets[bucket_of(duration_ns)]++;
	route->since++;
	if (++route->count >= HALVED_AT)
		halve(route);
	if (route->count >= ENOUGH && (!route->limit_ns || route->since >= COMPUTE_EVERY))
		compute(route);
	return slow;
}

int tail_route_is_rare(struct tail_route *route, uint64_t interval_ns, uint64_t now_ns)
{
	if (route->told_ns && now_ns - route->told_ns < interval_ns)
		return 0;
	route->told_ns = now_ns;
	return 1;
}
