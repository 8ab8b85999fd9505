/* repeats.h - the same statement again and again within one request: the N+1 of object mappers. */
#ifndef TAGALONG_REPEATS_H
#define TAGALONG_REPEATS_H

/*
 * Queries are told before the request that they were made for. So it is enough to remember, for a
 * bounded number of requests, how often each shape of statement was seen: the masked text of SQL,
 * the command of other stores. Only those count that begin after the one before has ended: what
 * runs side by side was meant to. Of requests, the one not seen for longest is forgotten first; of
 * shapes, further ones of a request are not counted. One thread.
 */

#include <stdint.h>

#include "exporter/batch.h"
#include "exporter/record.h"
#include "exporter/settings.h"

#define REPEATS_PARENTS 1024 /* requests */
#define REPEATS_SHAPES  16   /* of one request */

struct repeats;

/*
 * Shapes that are seen settings->repeated_queries times are told. The settings are borrowed. NULL:
 * none is, or no memory; the others accept it.
 */
struct repeats *repeats_new(const struct settings *settings);
void repeats_free(struct repeats *repeats);

/*
 * Counts the span if it is a query. If it is the request of queries that were repeated, gives it
 * the attribute tagalong.db.repeated_queries (how many in all) and for each shape the event
 * tagalong.db.repeated_query: db.system.name, db.query.summary or db.operation.name, db.query.text,
 * tagalong.db.repeated_queries (how many), tagalong.db.repeated_us (microseconds in all), and
 * code.* of one of the calls. Returns how many queries that were, mostly 0. The attribute and the
 * events are in the batch's arena.
 */
uint32_t repeats_visit(struct repeats *repeats, const struct record *record, struct batch *batch,
		       struct batch_span *span);

#endif
