/* pgconn.h - what is kept of each of libpq's connections. */
#ifndef TAGALONG_PGCONN_H
#define TAGALONG_PGCONN_H

/*
 * A table of fixed size by the address of the PGconn. An entry is changed only under its lock,
 * which is held around our own code only and given up after a bounded number of tries: libpq lets
 * only one thread at a time use a connection, so it is all but never contended. Past the ceiling a
 * connection is not tracked (counted). Any thread.
 */

#include <stdint.h>

#include "preload/exchange.h"
#include "preload/libpq.h"
#include "preload/segment.h"

/* Longer ones are made anew for each statement. */
#define PGCONN_WHERE_MAX 128

struct pgconn {
	_Atomic uint32_t lock;
	uint32_t first, last; /* exchanges in flight, oldest first */
	const struct libpq *libpq;
	uint64_t owner;           /* of its prepared statements; unique among connections */
	uint64_t connect;         /* exchange of its making, 0: it is made */
	uint64_t connect_context; /* in which it was begun */
	uint64_t phase_ns;        /* when its making was looked at last */
	uint32_t comment;  /* buffer of the statement being sent, see sql_context.h; 0: none */
	int connect_error; /* errno of the last connect() for it, 0: none was made */
	uint8_t connect_link;
	uint8_t phase;          /* enum pg_connection, while it is made */
	uint8_t looked;         /* while it was made it was looked at: the phases are known */
	uint16_t fields_before; /* in `connect`, before the fields that say where it goes */
	uint8_t addressed;      /* the next two are valid */
	uint8_t encrypted;
	uint8_t where_size;           /* of the next one, 0: not known yet */
	char where[PGCONN_WHERE_MAX]; /* the fields that say where it goes, once it is addressed */
	struct span_address peer;
	uint8_t used;    /* an operation was sent */
	uint8_t in_rows; /* of the first exchange: single rows are coming */
	uint8_t failed;  /* of the first exchange: its error is told */
};

/* Reserves the table; 0 or -ENOMEM. */
int pgconns_init(void);

/* The library of a connection that is tracked, or NULL; without a lock, for signal handlers. */
const struct libpq *pgconn_libpq(const struct pg_conn *conn);

/* Locked; NULL: not tracked, or the lock can't be had. */
struct pgconn *pgconn_find(const struct pg_conn *conn);

/* A fresh entry, locked, in place of an older one of that address. NULL: the ceiling. */
struct pgconn *pgconn_new(const struct pg_conn *conn, const struct libpq *libpq);
void pgconn_unlock(struct pgconn *state);

/* Forgets it; what is in flight ends as closed by the program. */
void pgconn_forget(const struct pg_conn *conn);

/* Its socket; -1: none, or it is not tracked. */
int pgconn_socket(const struct pg_conn *conn);

/* The queue of exchanges in flight. */
void pgconn_push(struct pgconn *state, struct exchange *exchange);
struct exchange *pgconn_first(const struct pgconn *state);
void pgconn_end_first(struct pgconn *state, uint64_t end_ns);

/* Takes the newest out of the queue. */
void pgconn_take(struct pgconn *state, struct exchange *exchange);

/* Ends all that was sent before `last` (NULL: all that is in flight): nobody asked for more of it.
 */
void pgconn_end_before(struct pgconn *state, const struct exchange *last);

#endif
