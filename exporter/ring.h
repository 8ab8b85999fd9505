/* ring.h - reading one process's ring: committed records, holes, and what may be overwritten. */
#ifndef TAGALONG_EXPORTER_RING_H
#define TAGALONG_EXPORTER_RING_H

/*
 * The protocol is written down in preload/segment.h. The cursor is private; the shared tail follows
 * only when records were delivered, so that an exporter that takes over finds the rest.
 */

#include <stddef.h>
#include <stdint.h>

#include "preload/segment.h"

#define RING_STUCK_NS        5000000000ull /* a record may stay uncommitted while others advance */
#define RING_RECORD_MAX      (sizeof(struct record_head) + SPAN_BYTES)
#define RING_STACK_MAX       (sizeof(struct record_head) + sizeof(struct stack_record) + STACK_BYTES)
#define RING_UNRELEASED_HALF (RING_BYTES / 2)

struct ring_reader {
	struct ring *ring;
	uint64_t cursor;         /* everything before it was read or skipped */
	uint64_t boundaries[2];  /* two record boundaries behind the cursor, a quarter ring apart */
	uint64_t stuck_head;     /* head when the record at the cursor was first seen uncommitted */
	uint64_t stuck_since_ns; /* 0: it was not */
	uint64_t holes;          /* records that were reserved and never committed */
	uint64_t damaged;        /* places with a committed record that makes no sense */
};

enum ring_result {
	RING_EMPTY, /* nothing more for now */
	RING_SPAN,  /* *payload and *size are set, in shared memory: copy before you look */
	RING_STACK, /* the same of a struct stack_record; ring_wipe it when it was looked at */
};

/* Begins at the ring's tail. */
void ring_reader_init(struct ring_reader *reader, struct ring *ring);

/*
 * Goes on to the next record. `writer_gone`: its process has ended, so what is not committed never
 * will be. The bytes stay until the tail is released past them; but a place that nobody committed
 * is wiped at once, for it may hold a part of a stack.
 */
enum ring_result ring_next(struct ring_reader *reader, int writer_gone, uint64_t now_ns,
			   const void **payload, size_t *size);

/* Overwrites the record that ring_next gave last with zeros: nobody finds it there again. */
void ring_wipe(struct ring_reader *reader, const void *payload, size_t size);

/* Bytes that were reserved by writers and not read yet. */
uint64_t ring_pending(const struct ring_reader *reader);

/* Lets writers overwrite everything before `position`. */
void ring_release(struct ring_reader *reader, uint64_t position);

/* Releases what lies far behind if more than half of the ring is held: room comes first then. */
void ring_release_excess(struct ring_reader *reader);

#endif
