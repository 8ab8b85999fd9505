/* ship.h - payloads of one signal to one collector: one request at a time, retried. */
#ifndef TAGALONG_SHIP_H
#define TAGALONG_SHIP_H

/* OpenTelemetry's OTLP specification 1.11 decides what is retried. Runs on the loop's thread. */

#include <uv.h>

#include "exporter/batch.h"
#include "exporter/drops.h"
#include "exporter/payload.h"
#include "exporter/settings.h"

struct ship;

/*
 * The payload of this batch was accepted, or given up and counted. In the order of ship_push; may
 * come from within it. Nothing may be pushed from here.
 */
typedef void (*ship_answered)(void *context, struct batch *batch);

/* NULL: no memory, or libcurl can't start. Settings and drops must outlive it. */
struct ship *ship_new(uv_loop_t *loop, const struct settings *settings, struct drops *drops,
		      ship_answered answered, void *context);

/*
 * Queues a payload, of which it takes a reference, and the batch that it was made of, which must
 * live until it is answered; NULL: none, nobody is told. 0, or -ENOMEM.
 */
int ship_push(struct ship *ship, struct payload *payload, struct batch *batch);

/* From now on, what is queued is sent without waiting for more. */
void ship_flush(struct ship *ship);

/* Payloads that are not answered yet. */
size_t ship_waiting(const struct ship *ship);

/* Ends all handles on the loop and frees, once the loop has run. Nothing is answered any more. */
void ship_close(struct ship *ship);

#endif
