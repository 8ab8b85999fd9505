/* slow.h - stacks of calls that take long, or sent a snapshot, kept until their spans come. */
#ifndef TAGALONG_SLOW_H
#define TAGALONG_SLOW_H

/*
 * TAGALONG_SLOW_CALL_MS says what is long. Every call is unwound once at most, all of them
 * together take a twentieth of the exporter's time at most, and so many stacks are kept. One
 * thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "exporter/arena.h"
#include "exporter/process.h"
#include "exporter/text.h"
#include "preload/segment.h"

#define SLOW_KEPT 256

struct slow_calls;

/*
 * With 0 no call is slow: only snapshots are kept. NULL: no memory. All functions accept NULL.
 */
struct slow_calls *slow_calls_new(uint32_t slow_ms);
void slow_calls_free(struct slow_calls *slow);

/*
 * Looks through the requests in flight of one process, if it is time to. `now_ns` is that of the
 * pass: the same for all slots of one pass. Without permission to read a process's memory this is
 * said once, and not tried with it again.
 */
void slow_calls_visit(struct slow_calls *slow, uint32_t slot, const struct process *process,
		      const struct slot *shared, uint64_t now_ns);

/*
 * A record of the ring with a snapshot, in shared memory: what it says is not trusted, and the
 * caller wipes it afterwards. Without permission, or time, or sense in it, nothing is kept.
 */
void slow_calls_snapshot(struct slow_calls *slow, uint32_t slot, const struct process *process,
			 const void *payload, size_t size);

/* The stack of a span that is finished, copied into the arena and forgotten; else absent. */
struct text slow_calls_take(struct slow_calls *slow, const uint8_t span_id[8], struct arena *arena);

/* The process of this slot is gone, and all its spans are told. */
void slow_calls_forget(struct slow_calls *slow, uint32_t slot);

#endif
