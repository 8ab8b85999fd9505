/* context.c - which request is this thread working for? */
#include "preload/context.h"

#include <stdatomic.h>
#include <stddef.h>

#include "preload/conf.h"
#include "preload/published.h"
#include "preload/runtime.h"
#include "preload/runtime_take.h"
#include "preload/sys.h"

/* As far above the current frame as a loop's frame is looked for: the default stack limit. */
#define STACK_REACH (8u << 20)
/* As far from each other as two calls of one function are taken to be, in bytes of its code. */
#define CODE_REACH (16u << 10)

static uintptr_t main_stack_top;
/* A thread of this process has answered a request that another one had read. */
static _Atomic uint8_t hands_on;

void context_init(const void *main_frame)
{
	main_stack_top = (uintptr_t)main_frame;
}

/*
 * The top of the native stack that the thread runs on, 0 if it runs on another one (coroutines).
 * The main thread's lies above its first frame; glibc puts that of others right below their thread
 * pointer. Between a frame on it and its top everything is mapped, so words in between may be read.
 */
uintptr_t context_stack_top(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	uintptr_t pointer = (uintptr_t)__builtin_thread_pointer();

	if (here < pointer && pointer - here < STACK_REACH)
		return pointer;
	if (here < main_stack_top && main_stack_top - here < STACK_REACH)
		return main_stack_top;
	return 0;
}

/*
 * Where the call that the loop now makes has left its return address, or 0. The loop's frame ended
 * at the slot when it waited, so a call made from that frame, at the same depth, writes there. The
 * word is only compared, never followed.
 */
static uintptr_t loop_call(const struct thread *self)
{
	uintptr_t slot = (uintptr_t)self->loop_slot;

	if (!slot || slot <= (uintptr_t)__builtin_frame_address(0) || slot >= context_stack_top())
		return 0;
	return *(const volatile uintptr_t *)slot;
}

static void publish(struct thread *self, uint64_t context)
{
	struct exchange *exchange = exchange_of(context);

	published_set(self, exchange ? &exchange->own : NULL);
}

/* Nothing is current any more. */
static void clear(struct thread *self)
{
	if (self->context)
		published_set(self, NULL);
	self->context = 0;
	self->reply_from = 0;
}

void context_set(struct thread *self, uint64_t context, uint8_t link, uint64_t reply_from)
{
	if (self->runtime)
		return;
	self->context = context;
	self->link = link;
	self->reply_from = reply_from;
	self->loop_call = self->waits == THREAD_LOOPS ? loop_call(self) : 0;
	publish(self, context);
}

void context_read(struct thread *self, uint64_t context, int is_next)
{
	struct exchange *exchange = exchange_of(context);

	if (self->runtime) {
		self->last_read = context;
		if (self->reading_switches)
			runtime_read(is_next ? context : 0);
	} else {
		context_set(self, is_next ? context : 0, SPAN_LINK_CONTEXT, 0);
	}
	self->reading = self->context;
	if (exchange)
		exchange->reader = thread_id(self);
	atomic_thread_fence(memory_order_release);
}

/*
 * Another thread has read on: pools hand a request that does not come at once to a thread that
 * waits for the rest, and whoever serves it then, it is not this one.
 */
static int is_handed_over(struct thread *self, const struct exchange *exchange)
{
	return self->context == self->reading && exchange->reader != thread_id(self);
}

/* It reads its request still, or has handed it on and turned to another one, as others here do. */
static int may_have_turned(const struct thread *self)
{
	const struct exchange *exchange = exchange_of(self->context);

	return exchange && self->context == self->reading &&
	       (!exchange->request_done || atomic_load_explicit(&hands_on, memory_order_relaxed));
}

void context_answered(struct thread *self, const struct exchange *exchange)
{
	if (exchange && !self->runtime && exchange->reader != thread_id(self))
		atomic_store_explicit(&hands_on, 1, memory_order_relaxed);
}

/*
 * Whether the loop calls its handlers from the very frame that it waits in, as those of libuv and
 * nginx do: only then it is seen when one handler has ended and another, perhaps a timer's, runs.
 */
static int calls_directly(const struct thread *self)
{
	uintptr_t apart = self->loop_call - self->loop_return;

	return self->loop_slot && self->loop_call && (apart < CODE_REACH || -apart < CODE_REACH);
}

uint8_t context_link(const struct thread *self)
{
	if (self->runtime)
		return SPAN_LINK_CONTEXT;
	if (self->link >= SPAN_LINK_GUESSES)
		return self->link;
	/* Node's timers run where its handlers ran, in frames that need not touch what those left.
	 */
	if (self->waits == THREAD_LOOPS ? conf.is_node || !calls_directly(self)
					: may_have_turned(self))
		return SPAN_LINK_GUESS_READ;
	return self->link;
}

uint64_t context_get(struct thread *self)
{
	const struct exchange *exchange;

	if (self->runtime)
		return exchange_of(self->runtime->reference) ? self->runtime->reference : 0;
	exchange = exchange_of(self->context);
	if (!exchange || is_handed_over(self, exchange))
		return 0;
	if (self->waits == THREAD_LOOPS && self->loop_slot &&
	    (!self->loop_call || loop_call(self) != self->loop_call))
		return 0;
	return self->context;
}

/* Whoever reads on says so before the request is done: what is sure now is looked at after that. */
uint64_t context_both(struct thread *self, uint8_t *link)
{
	*link = context_link(self);
	atomic_thread_fence(memory_order_acquire);
	return context_get(self);
}

int context_is_served(struct thread *self, uint64_t context, uint8_t link)
{
	return context && context == self->reading && link < SPAN_LINK_GUESSES &&
	       self->waits != THREAD_LOOPS;
}

void context_wait(struct thread *self, void *frame, enum thread_waits waits)
{
	self->turns++;
	/* A loop inside a request, such as asyncio.run(), leaves the thread as it was. */
	if (self->runtime)
		return;
	if (waits > self->waits)
		self->waits = (uint8_t)waits;
	clear(self);
#if defined(__x86_64__)
	/* Above the saved frame pointer lies the return address of the call that the loop made. */
	if (waits == THREAD_LOOPS) {
		uintptr_t slot = (uintptr_t)((uintptr_t *)frame + 1);

		self->loop_slot = slot < context_stack_top() ? (uintptr_t *)slot : NULL;
		self->loop_return = *(uintptr_t *)slot;
	}
#else
	(void)frame;
#endif
}

void context_woken(struct thread *self)
{
	if (self->runtime || self->waits != THREAD_LOOPS)
		return;
	clear(self);
}
