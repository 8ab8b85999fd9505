/* measure.h - what every span means for the metrics, before any sampling. */
#ifndef TAGALONG_MEASURE_H
#define TAGALONG_MEASURE_H

/*
 * Semantic conventions 1.44.0: http.server.request.duration, http.client.request.duration,
 * db.client.operation.duration, http.{server,client}.{request,response}.body.size,
 * http.server.active_requests, with what they require and recommend. Our own:
 * tagalong.db.repeated_queries, tagalong.connection.failures. One thread.
 */

#include "exporter/drain.h"
#include "exporter/metrics.h"
#include "exporter/record.h"

struct measure;

/* One span that was measured; `stream` is the resource of its service. All lent for the call. */
typedef void (*measure_visitor)(void *context, struct resource *stream, const struct record *record,
				const struct batch_span *span);

/*
 * Defines the instruments and has http.server.active_requests read from the drain's processes at
 * each collection. The metrics, the settings, and the drain are borrowed. NULL: no memory.
 */
struct measure *measure_new(struct metrics *metrics, const struct settings *settings,
			    struct drain *drain);
/* The resource of a process's service, lent. NULL: no memory. */
struct resource *measure_stream(struct measure *measure, struct resource *process);

void measure_free(struct measure *measure); /* accepts NULL */

/* The same for all spans: one of further measuring, called after our own. */
void measure_also(struct measure *measure, measure_visitor visitor, void *context);

/*
 * Counts one span, sampled or not. `repeated` is how many queries repeats_visit has found repeated
 * in it.
 */
void measure_span(struct measure *measure, struct resource *process, const struct record *record,
		  const struct batch_span *span, uint32_t repeated);

#endif
