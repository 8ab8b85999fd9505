/* ship.h - payloads of one signal to one collector: one request at a time, retried. */
#ifndef TAGALONG_SHIP_H
#define TAGALONG_SHIP_H

/* OpenTelemetry's OTLP specification 1.11 decides what is retried. Runs on the loop's thread. */

#include <uv.h>

#include "exporter/batch.h"
#include "exporter/drops.h"
#include "exporter/outbox.h"
#include "exporter/payload.h"
#include "exporter/settings_otlp.h"
#include "exporter/spool.h"

struct ship;

struct ship_options {
	const struct otlp_settings *otlp; /* must outlive the ship, or its ship_reconfigure */
	const char *name;                 /* of logs; as `otlp` */
	size_t items;         /* payloads are joined up to so many; 1: each goes alone */
	uint32_t delay_ms;    /* they wait to be joined so long */
	uint32_t patience_ms; /* with all retries, then they are spooled or dropped; 0: for ever */
	struct spool *spool;  /* taken over; NULL: none */
	struct drops *drops;  /* where lost spans are counted; NULL: they are no spans */
};

struct ship_stats {
	uint64_t requests, retries, failures; /* failures: answers that were no success */
	uint64_t sent_items, sent_bytes;      /* delivered; bytes as they went over the wire */
	uint64_t rejected_items;              /* by a collector that took the rest */
	uint64_t refused_items;               /* given up: a final answer */
	uint64_t timed_out_items;             /* given up: no success in time */
	uint64_t lost_items;                  /* dropped for newer ones */
	uint64_t waiting_items, waiting_payloads;
	struct spool_stats spool;
};

/*
 * `answered`: the payload of this batch was accepted, spooled, or given up and counted; may come
 * from within all that follows. NULL: no memory, or libcurl can't start; the spool is closed then.
 */
struct ship *ship_new(uv_loop_t *loop, const struct ship_options *options, outbox_answered answered,
		      void *context);

/*
 * Queues a payload, of which it takes a reference, and the batch that it was made of, which must
 * live until it is answered; NULL: none. 0, or -ENOMEM.
 */
int ship_push(struct ship *ship, struct payload *payload, struct batch *batch);

/* From now on, what is queued is sent without waiting for more. */
void ship_flush(struct ship *ship);

/* The queue is full. Nobody else waits for those batches, if `alone`: then they may stay. */
void ship_relieve(struct ship *ship, int alone);

/* Now and then: spools what can't be sent at the end, lets the spool keep its bounds. */
void ship_housekeep(struct ship *ship, uint64_t unix_ns);

/* What is queued goes to the new place from now on. 0, or -ENOMEM: all is as it was. */
int ship_reconfigure(struct ship *ship, const struct ship_options *options);

/* Payloads in memory that are not answered yet. */
size_t ship_waiting(const struct ship *ship);

void ship_stats(const struct ship *ship, struct ship_stats *stats);

/*
 * Spools what waits, if there is a spool, ends all handles on the loop and frees, once the loop has
 * run. Nothing is answered after this.
 */
void ship_close(struct ship *ship);

#endif
