/* exchange_list.c - the live server exchanges, found by what their callers sent. */
#include "preload/exchange_list.h"

#include <errno.h>
#include <string.h>

#include "preload/sys.h"

/*
 * What a look-up of live server exchanges compares, by index, apart from the exchanges themselves
 * so that the search runs through few cache lines.
 */
struct listing {
	_Atomic uint64_t parent; /* last eight bytes of the caller's span ID, 0: not listed */
	_Atomic uint64_t target;
};

static struct listing *listings;
static _Atomic uint32_t listed_to; /* highest index that was ever listed */
static _Atomic uint8_t served;

int exchange_list_init(uint32_t most)
{
	if (!listings)
		listings = sys_map(sizeof(*listings) * (most + 1));
	return listings ? 0 : -ENOMEM;
}

static uint64_t parent_key(const uint8_t span_id[8])
{
	uint64_t key;

	memcpy(&key, span_id, sizeof(key));
	return key;
}

void exchange_list(struct exchange *exchange)
{
	uint32_t seen = atomic_load_explicit(&listed_to, memory_order_relaxed);
	struct listing *listing = &listings[exchange->index];

	atomic_store_explicit(&served, 1, memory_order_relaxed);
	atomic_store_explicit(&listing->parent, parent_key(exchange->incoming.span_id),
			      memory_order_relaxed);
	atomic_store_explicit(&listing->target, exchange->target_hash, memory_order_relaxed);
	while (seen < exchange->index &&
	       !atomic_compare_exchange_weak(&listed_to, &seen, exchange->index))
		;
}

void exchange_unlist(const struct exchange *exchange)
{
	atomic_store_explicit(&listings[exchange->index].parent, 0, memory_order_relaxed);
	atomic_store_explicit(&listings[exchange->index].target, 0, memory_order_relaxed);
}

/* The preferred one or the only one among the listed; `by_target` says which key is compared. */
static struct exchange *find(uint64_t key, int by_target, uint64_t preferred)
{
	uint32_t last = atomic_load_explicit(&listed_to, memory_order_relaxed);
	uint32_t found = 0;
	uint32_t count = 0;

	for (uint32_t i = 1; i <= last; i++) {
		_Atomic uint64_t *at = by_target ? &listings[i].target : &listings[i].parent;

		if (atomic_load_explicit(at, memory_order_relaxed) != key)
			continue;
		if (i == (uint32_t)preferred && exchange_of(preferred))
			return exchange_at(i);
		found = i;
		count++;
	}
	return count == 1 ? exchange_at(found) : NULL;
}

struct exchange *exchange_find_incoming(const struct trace_parent *parent, uint64_t preferred)
{
	uint64_t key = parent_key(parent->span_id);
	struct exchange *found = key ? find(key, 0, preferred) : NULL;

	if (!found || memcmp(found->incoming.trace_id, parent->trace_id, 16) != 0)
		return NULL;
	return found;
}

struct exchange *exchange_find_target(uint64_t target_hash, uint64_t preferred)
{
	return target_hash ? find(target_hash, 1, preferred) : NULL;
}

int exchange_served(void)
{
	return atomic_load_explicit(&served, memory_order_relaxed);
}
