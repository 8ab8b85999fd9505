/* thread.h - what the shim keeps per thread, and the guard against re-entry. */
#ifndef TAGALONG_THREAD_H
#define TAGALONG_THREAD_H

#include <stddef.h>
#include <stdint.h>

#include "preload/process.h"

struct runtime_context;

/*
 * Lives in static TLS (initial-exec), so that access is an offset from the thread pointer: no
 * allocation, safe in signal handlers. Zero is the right beginning for a new thread.
 */
struct thread {
	uint8_t busy;     /* our own code is running: a hook that is entered now passes through */
	uint8_t in_vfork; /* until the vfork child execs or exits: it shares our memory */
	uint8_t waits;    /* enum thread_waits */
	uint8_t link;     /* enum span_link: how sure `context` is */
	uint32_t id;      /* kernel thread ID, 0: not asked yet */
	uint32_t epoch;   /* process_epoch when `id` was taken */
	uint32_t calls;   /* requests sent in the context that the thread was born with */
	uint64_t context; /* current context, see context.h; 0: none */
	uint64_t reading,
		reply_from;   /* the request, or the connection whose reply, that made it so */
	uintptr_t *loop_slot; /* where the loop's calls leave their return address, NULL: unknown */
	uintptr_t loop_return, loop_call; /* what stood there as it waited; as it was set */
	struct runtime_context *runtime;  /* its word, see runtime.h; NULL: the rules answer */
	uint8_t reading_switches;         /* managed: what is read becomes the word */
	uint64_t last_read; /* managed: the request of which bytes were read last, 0: none */
	uint32_t turns;     /* how often it has waited for events */
	uint64_t read_from; /* managed: the server connection read last, 0: another one since */
	uint64_t random[4];
	uint32_t tls; /* the encrypted session that a call is inside of, see tls.h; 0: none */
	uintptr_t tls_frame; /* of that call's hook */
	uint32_t scratch[2]; /* indices of the buffers in use, see scratch.h */
	void *environment;   /* scratch for exec in a vfork child, freed by the parent */
	size_t environment_size;
	uintptr_t inside_libpq; /* the frame of the hook on a call into libpq; see pgcall.h */
	uintptr_t libpq_base;   /* where that copy of libpq is loaded */
	uint64_t libpq_begins;  /* the exchange of the connection that it makes, 0: none */
	int libpq_error;        /* of the last connect in it; EINPROGRESS while nothing is known */
	uint64_t repeat_hash;   /* of the last statement and its context, see call_stack.h */
	uint32_t repeat_count;  /* so many times in a row */
	uint32_t published_epoch; /* process_epoch when `publishes` was decided, see published.h */
	uint8_t publishes;
};

enum thread_waits {
	THREAD_CALLS,   /* does one thing after the other */
	THREAD_SELECTS, /* polls a listener */
	THREAD_LOOPS,   /* has entered epoll_wait, or polls several server connections */
};

extern __thread struct thread thread_self __attribute__((visibility("hidden")));

/*
 * Whether the calling code was called by libpq, in its turn called by the program. A longjmp or a
 * cancellation out of libpq leaves the frame noted; it is gone when a frame above it is active.
 */
static inline __attribute__((always_inline)) int thread_inside_libpq(void)
{
	return thread_self.inside_libpq &&
	       (uintptr_t)__builtin_frame_address(0) < thread_self.inside_libpq;
}

/*
 * Enters our own code: NULL means pass through. Never held across a real call: a signal handler may
 * longjmp out of that, and a cancellation may end it.
 */
static inline struct thread *thread_enter(void)
{
	struct thread *self = &thread_self;

	if (self->busy || self->in_vfork)
		return NULL;
	self->busy = 1;
	__asm__ volatile("" ::: "memory");
	if (process_alive && !*process_alive)
		process_forked();
	return self;
}

static inline void thread_leave(struct thread *self)
{
	__asm__ volatile("" ::: "memory");
	self->busy = 0;
}

/* Takes the ID and the seed of random numbers of a new thread, or of one in a fork child. */
void thread_refresh(struct thread *self);

/* Kernel ID of the calling thread, cached. */
static inline uint32_t thread_id(struct thread *self)
{
	if (self->epoch != process_epoch)
		thread_refresh(self);
	return self->id;
}

/* Random bytes for IDs (xoshiro256**, seeded per thread and per fork from the kernel); not for
 * keys. */
void thread_random(struct thread *self, void *out, size_t size);

#endif
