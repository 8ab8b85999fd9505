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

struct iovec *scratch_get(void)
{
	if (!thread_self.scratch)
		thread_self.scratch = pool_get(&pool);
	return thread_self.scratch ? pool_at(&pool, thread_self.scratch) : NULL;
}

void scratch_put(void)
{
	if (thread_self.scratch)
		pool_put(&pool, thread_self.scratch);
	thread_self.scratch = 0;
}
