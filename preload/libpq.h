/* libpq.h - what the hooks need to know of PostgreSQL's client library, which is not linked. */
#ifndef TAGALONG_LIBPQ_H
#define TAGALONG_LIBPQ_H

/*
 * Names and values are those of libpq-fe.h, which promises that they stay. A process may hold
 * several copies of the library, so the functions belong to one of them.
 */

#include "preload/caller.h"

struct pg_conn;   /* PGconn */
struct pg_result; /* PGresult */
struct pg_cancel; /* PGcancel */

enum pg_connection { /* ConnStatusType */
		     PG_CONNECTION_OK,
		     PG_CONNECTION_BAD,
		     PG_CONNECTION_STARTED,
		     PG_CONNECTION_MADE,
		     PG_CONNECTION_AWAITING_RESPONSE,
		     PG_CONNECTION_AUTH_OK,
		     PG_CONNECTION_SETENV,
		     PG_CONNECTION_SSL_STARTUP,
		     PG_CONNECTION_NEEDED,
		     PG_CONNECTION_CHECK_WRITABLE,
		     PG_CONNECTION_CONSUME,
		     PG_CONNECTION_GSS_STARTUP,
		     PG_CONNECTION_CHECK_TARGET,
		     PG_CONNECTION_CHECK_STANDBY,
		     PG_CONNECTION_ALLOCATED,
		     PG_CONNECTION_AUTHENTICATING,
};

enum pg_status { /* ExecStatusType */
		 PG_EMPTY_QUERY,
		 PG_COMMAND_OK,
		 PG_TUPLES_OK,
		 PG_COPY_OUT,
		 PG_COPY_IN,
		 PG_BAD_RESPONSE,
		 PG_NONFATAL_ERROR,
		 PG_FATAL_ERROR,
		 PG_COPY_BOTH,
		 PG_SINGLE_TUPLE,
		 PG_PIPELINE_SYNC,
		 PG_PIPELINE_ABORTED,
		 PG_TUPLES_CHUNK,
};

#define PG_DIAG_SQLSTATE 'C'

/*
 * Functions that only look, but for `cancel`: none waits, fails or calls back. Those of newer
 * libraries may be NULL.
 */
struct libpq {
	const char *(*db)(const struct pg_conn *conn);
	const char *(*user)(const struct pg_conn *conn);
	const char *(*host)(const struct pg_conn *conn);
	const char *(*port)(const struct pg_conn *conn);
	int (*socket)(const struct pg_conn *conn);
	int (*status)(const struct pg_conn *conn);
	int (*result_status)(const struct pg_result *result);
	const char *(*result_error_field)(const struct pg_result *result, int field);
	const char *(*cmd_tuples)(struct pg_result *result);
	int (*ntuples)(const struct pg_result *result);
	int (*cancel)(struct pg_cancel *cancel, char *text, int room);
	int (*pipeline_status)(const struct pg_conn *conn); /* 14 */
	int (*ssl_in_use)(struct pg_conn *conn);            /* 9.5 */
};

/*
 * The copy that `caller` calls; NULL: it lacks one of the old functions, or there are too many
 * copies. Constant. Any thread; takes the loader's lock at the first call for a copy.
 */
const struct libpq *libpq_of(const struct caller *caller);

/* Any copy that was found so far; NULL: none. Async-signal-safe. */
const struct libpq *libpq_any(void);

#endif
