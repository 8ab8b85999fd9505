/* ring.h - bounded queue between one process's threads and the exporter: the writers' side. */
#ifndef TAGALONG_RING_H
#define TAGALONG_RING_H

#include <stddef.h>
#include <stdint.h>

#include "preload/segment.h"

/*
 * Reserves, fills and commits one span record; never waits, makes no system call. Full, or no slot:
 * counts the drop. Any thread, async-signal-safe.
 */
void ring_push_span(const struct span *span, const uint8_t *fields, size_t fields_size);

/*
 * The same for a stack: copies stack->size bytes from stack->base, which is where they are, into
 * the ring and nowhere else. 0: no slot, or half of the ring is taken, which is not counted.
 */
int ring_push_stack(const struct stack_record *stack);

#endif
