/* threads.c - a new thread starts in its creator's context. */
#include "preload/threads.h"

#include "preload/context.h"
#include "preload/pool.h"

#define BIRTHS 1024 /* threads that were made and have not run yet */

struct birth {
	uint32_t free_link; /* of the pool */
	uint8_t link;
	uint64_t context;
	void *(*start)(void *);
	void *argument;
};

static struct pool births;

int threads_init(void)
{
	return pool_init(&births, sizeof(struct birth), BIRTHS);
}

uint32_t threads_birth(struct thread *self, void *(*start)(void *), void *argument)
{
	uint8_t link;
	uint64_t context = context_both(self, &link);
	uint32_t index = context ? pool_get(&births) : 0;
	struct birth *birth;

	if (!index)
		return 0;
	birth = pool_at(&births, index);
	birth->context = context;
	birth->link = link;
	birth->start = start;
	birth->argument = argument;
	return index;
}

void threads_unborn(uint32_t birth)
{
	pool_put(&births, birth);
}

void *threads_argument(uint32_t birth)
{
	return pool_at(&births, birth);
}

void *threads_start(void *argument)
{
	struct birth *at = argument;
	struct birth birth = *at;
	struct thread *self = thread_enter();
	uint32_t index = (uint32_t)(((uint8_t *)at - births.base) / births.size) + 1;

	pool_put(&births, index);
	if (self) {
		/* Sure for the first call, a guess afterwards: the thread may be a worker of a
		 * pool. */
		context_set(self, birth.context,
			    birth.link >= SPAN_LINK_GUESSES ? SPAN_LINK_GUESS_INHERITED
							    : SPAN_LINK_GUESS_THREAD,
			    0);
		thread_leave(self);
	}
	return birth.start(birth.argument);
}
