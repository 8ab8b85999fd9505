/* deliver.h - what was read to all destinations, and when it is safe with all of them. */
#ifndef TAGALONG_DELIVER_H
#define TAGALONG_DELIVER_H

/*
 * Batches go to the store and, encoded once as a payload, to each collector and file. Their spans
 * stay in the rings until all of them have answered. If one collector lags and others don't, it
 * gets a queue of its own: beyond that it spools, or loses the oldest. Runs on the loop's thread.
 */

#include <uv.h>

#include "exporter/batch.h"
#include "exporter/destinations.h"
#include "exporter/drops.h"
#include "exporter/payload.h"
#include "exporter/settings.h"
#include "exporter/ship.h"

struct deliver;

/* Every destination has taken the batch, or given it up and counted it; in the order of
 * deliver_batch. The batch is the receiver's again. May come from within deliver's functions.
 */
typedef void (*deliver_safe)(void *context, struct batch *batch);

/* Settings and drops must outlive it. NULL: no memory. */
struct deliver *deliver_new(uv_loop_t *loop, const struct settings *settings, struct drops *drops,
			    deliver_safe safe, void *context);

/* Takes a filled batch, which may have marks alone. */
void deliver_batch(struct deliver *deliver, struct batch *batch);

/*
 * Shares metrics or logs with all their destinations; the reference stays the caller's. Of metrics
 * only the newest few wait for a destination that can't take them.
 */
void deliver_payload(struct deliver *deliver, struct payload *payload);

/* 1 if somebody takes payloads of this signal. */
int deliver_takes(const struct deliver *deliver, enum signal signal);

/* 1 if the queue has room: else what comes next is better left in the rings. */
int deliver_has_room(const struct deliver *deliver);

/* How long a batch may wait to be filled. */
uint64_t deliver_delay_ns(const struct deliver *deliver);

/* Each pass, at this monotonic time: the store is tried again, and cleared of what is too old. */
void deliver_pass(struct deliver *deliver, uint64_t now_ns, uint64_t unix_ns);

/* From now on nothing waits for more to come. */
void deliver_flush(struct deliver *deliver);

/* 1 if all has been answered. */
int deliver_is_idle(const struct deliver *deliver);

/*
 * Goes on with what the settings file (its root, NULL: none) and the environment say now. Those
 * destinations that are not named any more get what was taken before; the spool stays as it is. 0,
 * or -ENOMEM: some could not be opened.
 */
int deliver_take(struct deliver *deliver, const struct config_node *root);

struct deliver_stats {
	const char *name;   /* of the destination; lives until the next deliver_take */
	const char *target; /* its URL or path, "stdout" */
	enum destination_kind kind;
	enum signal signal;
	struct ship_stats sent; /* of a file or stdout: items and bytes sent, refused, lost alone */
};

/* Tells of each way out, `index` from 0 on. 1, or 0: there are no more. */
int deliver_stats(const struct deliver *deliver, unsigned index, struct deliver_stats *stats);

/* Counts what is not delivered, ends all handles on the loop and frees, once the loop has run. */
void deliver_close(struct deliver *deliver);

#endif
