/* scratch.c - room for a long vector of iovecs, outside the host's stack. */
#include "preload/scratch.h"

#include <limits.h>
#include <stddef.h>

#include "preload/pool.h"
#include "preload/thread.h"

#define SCRATCHES 64

static struct pool pool;

int scratch_init(void)
{
	return pool_init(&pool, sizeof(struct iovec) * IOV_MAX, SCRATCHES);
}

struct iovec *scratch_get(enum scratch_use use)
{
	uint32_t *index = &thread_self.scratch[use];

	if (!*index)
		*index = pool_get(&pool);
	return *index ? pool_at(&pool, *index) : NULL;
}

void scratch_put(enum scratch_use use)
{
	uint32_t *index = &thread_self.scratch[use];

	if (*index)
		pool_put(&pool, *index);
	*index = 0;
}
