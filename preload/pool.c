/* pool.c - fixed-size objects out of one lazily touched mapping, with a ceiling; lock-free. */
#include "preload/pool.h"

#include <errno.h>
#include <stdatomic.h>

#include "preload/sys.h"

int pool_init(struct pool *pool, uint32_t size, uint32_t count)
{
	if (pool->base)
		return 0;
	pool->size = size;
	pool->count = count;
	pool->base = sys_map((size_t)size * count);
	return pool->base ? 0 : -ENOMEM;
}

static _Atomic uint32_t *link_of(const struct pool *pool, uint32_t index)
{
	return pool_at(pool, index);
}

uint32_t pool_get(struct pool *pool)
{
	uint64_t top = atomic_load_explicit(&pool->free, memory_order_acquire);
	uint32_t used;

	if (!pool->base)
		return 0;
	while ((uint32_t)top) {
		/* The link may be stale if another thread was faster; then the tag differs. */
		uint32_t next =
			atomic_load_explicit(link_of(pool, (uint32_t)top), memory_order_relaxed);
		uint64_t replacement = ((top >> 32) + 1) << 32 | next;

		if (atomic_compare_exchange_weak(&pool->free, &top, replacement))
			return (uint32_t)top;
	}
	used = atomic_load_explicit(&pool->used, memory_order_relaxed);
	while (used < pool->count)
		if (atomic_compare_exchange_weak(&pool->used, &used, used + 1))
			return used + 1;
	return 0;
}

void pool_put(struct pool *pool, uint32_t index)
{
	uint64_t top = atomic_load_explicit(&pool->free, memory_order_relaxed);
	uint64_t replacement;

	do {
		atomic_store_explicit(link_of(pool, index), (uint32_t)top, memory_order_relaxed);
		replacement = ((top >> 32) + 1) << 32 | index;
	} while (!atomic_compare_exchange_weak(&pool->free, &top, replacement));
}
