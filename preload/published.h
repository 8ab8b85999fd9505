/* published.h - which request a thread works for, where eBPF programs and profilers can read it. */
#ifndef TAGALONG_PUBLISHED_H
#define TAGALONG_PUBLISHED_H

/*
 * OpenTelemetry's enhancement proposals 4947 (thread context) and 4719 (process context). Readers
 * stop the thread or run in its place, so that the order in which a thread writes is enough.
 * Without system calls, but for published_process.
 */

#include <stdint.h>

#include "preload/thread.h"
#include "preload/tracecontext.h"

/* The record of a thread, as the proposal lays it out; never freed while the thread lives. */
struct published {
	uint8_t trace_id[16]; /* zeros: no request */
	uint8_t span_id[8];
	volatile uint8_t valid; /* 1: the rest holds */
	uint8_t trace_flags;
	uint16_t attributes_size; /* of what would follow; always 0 */
};

/* Once this process has its slot: tells how threads tell. Again in a fork child. */
void published_process(void);

/* From now on the calling thread works for the request of that span; NULL: for none. */
void published_set(struct thread *self, const struct trace_parent *own);

/* That request is over: if the calling thread was said to work for it, it does no more. */
void published_end(struct thread *self, const struct trace_parent *own);

#endif
