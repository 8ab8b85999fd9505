/* pool.h - fixed-size objects out of one lazily touched mapping, with a ceiling; lock-free. */
#ifndef TAGALONG_POOL_H
#define TAGALONG_POOL_H

/*
 * Objects are named by index, 1 .. count; 0 is none. Memory is never given back, so a stale index
 * can be looked at safely: whoever keeps one checks a generation inside the object. Freed
 * objects are reused last in, first out, so that few pages are touched. Any thread, and a signal
 * handler, may allocate and free.
 */

#include <stddef.h>
#include <stdint.h>

struct pool {
	uint8_t *base; /* NULL: not mapped */
	uint32_t size; /* of an object, at least 4 and a multiple of 8 */
	uint32_t count;
	_Atomic uint32_t used; /* high-water mark */
	_Atomic uint64_t free; /* tag << 32 | index of the first free object */
};

/* Reserves the address space, once; 0 or -ENOMEM. Before that, pool_get finds nothing. */
int pool_init(struct pool *pool, uint32_t size, uint32_t count);

/* Index of an object with undefined content, or 0: the ceiling is reached. */
uint32_t pool_get(struct pool *pool);

/* Its first four bytes are used for the list of free objects from now on. */
void pool_put(struct pool *pool, uint32_t index);

static inline void *pool_at(const struct pool *pool, uint32_t index)
{
	return pool->base + (size_t)(index - 1) * pool->size;
}

#endif
