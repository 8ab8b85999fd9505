/* outbox.h - payloads that wait for one collector: in memory, and beyond that in its spool. */
#ifndef TAGALONG_OUTBOX_H
#define TAGALONG_OUTBOX_H

/*
 * In order: what stands in the request, then the spool, then the memory. So once something is
 * spooled, all that is newer goes there too. One thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "exporter/batch.h"
#include "exporter/payload.h"
#include "exporter/spool.h"

#define OUTBOX_GATHER_MAX 64

/* Nobody waits any more for what becomes of this batch's payload. Nothing may be pushed from here.
 */
typedef void (*outbox_answered)(void *context, struct batch *batch);

struct outbox_entry {
	struct payload *payload;
	struct batch *batch; /* NULL: none, or answered */
};

struct outbox {
	enum signal signal;
	struct spool *spool; /* NULL: none */
	outbox_answered answered;
	void *context;
	struct outbox_entry *queue; /* the first `held` are in the request */
	size_t count, room, held;
	size_t bytes;             /* of the queue */
	struct payload *replayed; /* the oldest of the spool, in the request */
	uint64_t lost_items;      /* dropped for newer ones */
	struct payload *gathered[OUTBOX_GATHER_MAX];
	size_t gathered_count;
};

void outbox_init(struct outbox *outbox, enum signal signal, outbox_answered answered,
		 void *context);
void outbox_fini(struct outbox *outbox); /* forgets what waits in memory; closes the spool */

/* Takes a reference. What has no batch is bounded here. 0, or -ENOMEM. */
int outbox_push(struct outbox *outbox, struct payload *payload, struct batch *batch);

/*
 * Holds the next ones, of `items` together if it is more than one: `gathered`, none if there are
 * none. 0, or -errno of the spool: not now.
 */
int outbox_gather(struct outbox *outbox, size_t items);

/* Those that are held were delivered, or given up. */
void outbox_done(struct outbox *outbox);

/* Those that are held are next again. */
void outbox_unhold(struct outbox *outbox);

size_t outbox_held_items(const struct outbox *outbox);

/* Payloads in memory, those in the request included unless they lie in the spool. */
size_t outbox_waiting(const struct outbox *outbox);
size_t outbox_waiting_items(const struct outbox *outbox);

/* 1 if there is nothing to send, in the spool neither. */
int outbox_is_empty(const struct outbox *outbox);

/*
 * Moves to the spool what waits in memory; what is held stays there, but its batches are answered.
 * 0, or -errno: some is left in memory, or there is no spool (-ENOENT).
 */
int outbox_spill(struct outbox *outbox);

/* Answers all batches; payloads stay in memory up to a bound, the oldest are dropped beyond it. */
void outbox_release(struct outbox *outbox);

#endif
