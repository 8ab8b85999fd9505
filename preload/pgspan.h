/* pgspan.h - the span of a call of libpq: its trace, its texts, what the server answered. */
#ifndef TAGALONG_PGSPAN_H
#define TAGALONG_PGSPAN_H

/* With the connection's entry locked. `conn` is asked by functions that only look. */

#include <stddef.h>
#include <stdint.h>

#include "preload/exchange.h"
#include "preload/pgcall.h"
#include "preload/pgconn.h"

/*
 * A client exchange that starts now, in the context that the rules give, with who called it.
 * `state` may be NULL. NULL: none could be had.
 */
struct exchange *pgspan_new(struct pgcall *call, const struct pgconn *state);

/* Where it goes: host or socket, database, and the peer's address once the connection is made. */
void pgspan_describe(struct exchange *exchange, struct pgconn *state, struct pg_conn *conn);

/* A field of a C string, NULL and "": none. */
void pgspan_field(struct exchange *exchange, enum span_field id, const char *text);

/*
 * The masked text of a statement, or of the statement of that name; a text is kept by its name. Its
 * size; it stands in exchange->added.
 */
size_t pgspan_text(struct exchange *exchange, const struct pgconn *state,
		   const struct pgrequest *request);

/* One result of the first exchange in flight. */
void pgspan_result(struct pgconn *state, struct exchange *exchange, struct pg_result *result,
		   int status);

/* No result came, or no SQLSTATE told why: the connection is gone, or libpq refused. */
void pgspan_failed(struct pgconn *state, struct exchange *exchange, const struct pg_conn *conn);

#endif
