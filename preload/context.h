/* context.h - which request is this thread working for? */
#ifndef TAGALONG_CONTEXT_H
#define TAGALONG_CONTEXT_H

/*
 * A context is a reference to a server exchange (see exchange.h); it dies with its response. The
 * current one is kept per thread. All functions act on the calling thread. On one that a runtime
 * answers for (runtime.h) its word is the current one, and nothing here changes that.
 */

#include <stdint.h>

#include "preload/exchange.h"
#include "preload/thread.h"

/* Remembers where a stack of this process begins; by the constructor, with its own frame. */
void context_init(const void *main_frame);

/*
 * Makes a context (0: none) current. `link` says how sure that is; `reply_from` is the reference of
 * the connection whose reply did it, 0 for another reason.
 */
void context_set(struct thread *self, uint64_t context, uint8_t link, uint64_t reply_from);

/* Bytes of that request were read; it becomes current, unless `is_next` is 0: then none is. */
void context_read(struct thread *self, uint64_t context, int is_next);

/*
 * The thread answers a request. Where others than those that read it do that, a thread that has
 * read one may have turned to another: its links say that they are guesses.
 */
void context_answered(struct thread *self, const struct exchange *exchange);

/* How sure the current context is, enum span_link. */
uint8_t context_link(const struct thread *self);

/*
 * The top of the stack that the thread runs on, 0 if that is not known (coroutines have their own).
 * A coroutine's stack that lies close below the thread's is taken for a part of it.
 */
uintptr_t context_stack_top(void);

/* The current context if it is alive and still holds, else 0. */
uint64_t context_get(struct thread *self);

/* The same, and how sure it is: other threads may hand the request on between two questions. */
uint64_t context_both(struct thread *self, uint8_t *link);

/* The thread has read that request itself, does one thing after the other, and does that still. */
int context_is_served(struct thread *self, uint64_t context, uint8_t link);

/* The thread is about to wait for events; `frame` is the frame address of the hook that it called.
 */
void context_wait(struct thread *self, void *frame, enum thread_waits waits);

/* A wake-up (eventfd, timerfd, pipe) was read: another turn begins. */
void context_woken(struct thread *self);

#endif
