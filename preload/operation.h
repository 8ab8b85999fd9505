/* operation.h - requests to a database become client spans, alone or as batches. */
#ifndef TAGALONG_OPERATION_H
#define TAGALONG_OPERATION_H

/*
 * A unit is what one span tells: what a program sends in one call, or, for PostgreSQL, up to a
 * Sync. All under the lock of its connection.
 */

#include <stdint.h>

#include "preload/conn.h"
#include "preload/segment.h"
#include "preload/sql_mask.h"
#include "preload/statements.h"
#include "preload/thread.h"
#include "preload/wire.h"

#define OPERATION_NAME_MAX 48

/* The unit under construction, and what is known of the session. */
struct operations {
	uint8_t protocol;   /* enum span_protocol */
	uint8_t by_flush;   /* units end by wire_calls.flush, not with the call that sends them */
	uint8_t in_request; /* between wire_calls.begin and .request */
	uint8_t is_raw;     /* the text of the request goes through the mask */
	uint8_t told;       /* something in the unit is worth a span */
	uint8_t mixed;      /* its operations have different names */
	uint8_t is_multi;   /* Redis: it begins with MULTI */
	uint32_t framing;   /* of them MULTI and EXEC, which are no operations */
	uint32_t count;     /* executions in the unit */
	uint32_t closed;    /* PostgreSQL: units closed, and units answered, modulo 2^32 */
	uint32_t answered;
	uint64_t owner; /* of prepared statements */
	uint64_t unit;  /* exchange of the open unit, 0: none is open */
	char operation[OPERATION_NAME_MAX];
	uint8_t operation_size;
	uint8_t namespace_size, next_namespace_size, user_size;
	char namespace[64];
	char next_namespace[64];
	char user[64];
	uint32_t text_size, unit_size, last_size; /* last: of the text that was joined last */
	struct sql_mask mask;
	char text[STATEMENT_TEXT_MAX];      /* of the request that is being sent */
	char unit_text[STATEMENT_TEXT_MAX]; /* of the unit so far */
};

/* What the calls of a parser need to know. */
struct operation_feed {
	struct thread *self;
	struct conn *conn;
	int fd;
	uint8_t failed; /* no exchange could be had */
	struct operations *operations;
};

void operations_init(struct operations *operations, enum span_protocol protocol);

/* For the parsers; `to` is a struct operation_feed. */
extern const struct wire_calls operation_calls __attribute__((visibility("hidden")));

/* The call's bytes were all fed: what they hold is one unit, unless it ends in mid-request. */
void operations_sent(const struct operation_feed *feed);

/* The connection is over: what is known of the open unit goes into its span. */
void operations_close(struct operations *operations);

#endif
