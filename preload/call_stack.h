/* call_stack.h - on request, the stack of a call that failed or is repeated, for the exporter. */
#ifndef TAGALONG_CALL_STACK_H
#define TAGALONG_CALL_STACK_H

/*
 * TAGALONG_CALL_STACKS only. A snapshot goes from the stack into the ring, right before the span of
 * the call: nothing else ever holds it. Its size, and how many a second there are, is bounded.
 */

#include <stddef.h>
#include <stdint.h>

#include "preload/exchange.h"
#include "preload/thread.h"

#define CALL_STACK_REPEATS 10 /* the same statement so often in a row is worth a snapshot */
#define CALL_STACKS_PER_S  20

/*
 * A statement is sent by this thread. Its masked text and its context tell whether it is one of a
 * row; then the exchange is marked as repeated, until a snapshot was taken in this row.
 */
void call_stack_count(struct thread *self, struct exchange *exchange, const char *text,
		      size_t size);

/*
 * Takes the snapshot of a hook that has noted these registers and has not returned yet, if its
 * exchange is repeated or `failed`. Nothing is taken of a stack that is not known, of what is not
 * sampled, or while no exporter reads.
 */
void call_stack_take(struct thread *self, const struct exchange *exchange,
		     const uint64_t registers[8], int failed);

#endif
