/* pgconnect.h - the making of libpq's connections: the span of it, and its phases. */
#ifndef TAGALONG_PGCONNECT_H
#define TAGALONG_PGCONNECT_H

/*
 * Between pgcall_enter and pgcall_wait: pgconnect_begin, or pgconnect_again for a connection that
 * is made anew. After the real call pgconnect_made, if it waited until the connection was made,
 * else pgconnect_started and, after each PQconnectPoll, pgconnect_polled.
 */

#include "preload/pgcall.h"

void pgconnect_begin(struct pgcall *call);
void pgconnect_again(struct pgcall *call);
void pgconnect_made(struct pgcall *call, struct pg_conn *conn);
void pgconnect_started(struct pgcall *call, struct pg_conn *conn);
void pgconnect_polled(struct pgcall *call);

/*
 * After a hook that passed through because libpq called it while it makes a connection: what is
 * known by now goes into the span in flight.
 */
void pgconnect_progress(const struct caller *caller, struct pg_conn *conn);

/* PQcancel's connection is its own; where it goes is taken over from the one that it is for. */
void pgconnect_cancel_made(struct pgcall *call, struct pg_conn *cancel);
void pgconnect_cancel(struct pgcall *call);
void pgconnect_cancelled(struct pgcall *call, int succeeded);

#endif
