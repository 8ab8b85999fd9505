/* ship.h - batches to the collector over OTLP/HTTP: one request at a time, retried. */
#ifndef TAGALONG_SHIP_H
#define TAGALONG_SHIP_H

/* OpenTelemetry's OTLP specification 1.11 decides what is retried. Runs on the loop's thread. */

#include <uv.h>

#include "exporter/batch.h"
#include "exporter/drops.h"
#include "exporter/settings.h"

struct ship;

/* The batch was accepted (1), or given up and counted (0). In the order of ship_push. */
typedef void (*ship_answered)(void *context, struct batch *batch, int accepted);

/* NULL: no memory, or libcurl can't start. Settings and drops must outlive it. */
struct ship *ship_new(uv_loop_t *loop, const struct settings *settings, struct drops *drops,
		      ship_answered answered, void *context);

/* Queues a batch, which stays the caller's and must live until it is answered. */
void ship_push(struct ship *ship, struct batch *batch);

/* From now on, what is queued is sent without waiting for more. */
void ship_flush(struct ship *ship);

/* Batches that are not answered yet. */
size_t ship_waiting(const struct ship *ship);

/* Ends all handles on the loop and frees, once the loop has run. Unanswered batches are forgotten.
 */
void ship_close(struct ship *ship);

#endif
