/* seen_libpq_connect.c - what the hooks on the life of libpq's connections do. */
#include "preload/hook.h"
#include "preload/pgcall.h"
#include "preload/pgconnect.h"

struct pg_conn *around_PQconnectdb(const struct caller *caller, const char *text)
{
	struct pgcall call;
	struct pg_conn *conn;

	if (!pgcall_enter(&call, caller, NULL, __builtin_frame_address(0)))
		return HOOK_REAL(PQconnectdb, caller)(text);
	pgconnect_begin(&call);
	pgcall_wait(&call, "PQconnectdb");
	conn = HOOK_REAL(PQconnectdb, caller)(text);
	pgconnect_made(&call, conn);
	return conn;
}

struct pg_conn *around_PQconnectdbParams(const struct caller *caller, const char *const *keywords,
					 const char *const *values, int expand)
{
	struct pgcall call;
	struct pg_conn *conn;

	if (!pgcall_enter(&call, caller, NULL, __builtin_frame_address(0)))
		return HOOK_REAL(PQconnectdbParams, caller)(keywords, values, expand);
	pgconnect_begin(&call);
	pgcall_wait(&call, "PQconnectdbParams");
	conn = HOOK_REAL(PQconnectdbParams, caller)(keywords, values, expand);
	pgconnect_made(&call, conn);
	return conn;
}

struct pg_conn *around_PQsetdbLogin(const struct caller *caller, const char *host, const char *port,
				    const char *options, const char *tty, const char *db,
				    const char *user, const char *password)
{
	struct pgcall call;
	struct pg_conn *conn;

	if (!pgcall_enter(&call, caller, NULL, __builtin_frame_address(0)))
		return HOOK_REAL(PQsetdbLogin, caller)(host, port, options, tty, db, user,
						       password);
	pgconnect_begin(&call);
	pgcall_wait(&call, "PQsetdbLogin");
	conn = HOOK_REAL(PQsetdbLogin, caller)(host, port, options, tty, db, user, password);
	pgconnect_made(&call, conn);
	return conn;
}

struct pg_conn *around_PQconnectStart(const struct caller *caller, const char *text)
{
	struct pgcall call;
	struct pg_conn *conn;

	if (!pgcall_enter(&call, caller, NULL, __builtin_frame_address(0))) {
		conn = HOOK_REAL(PQconnectStart, caller)(text);
		pgconnect_progress(caller, conn);
		return conn;
	}
	pgconnect_begin(&call);
	pgcall_wait(&call, "PQconnectStart");
	conn = HOOK_REAL(PQconnectStart, caller)(text);
	pgconnect_started(&call, conn);
	return conn;
}

struct pg_conn *around_PQconnectStartParams(const struct caller *caller,
					    const char *const *keywords, const char *const *values,
					    int expand)
{
	struct pgcall call;
	struct pg_conn *conn;

	if (!pgcall_enter(&call, caller, NULL, __builtin_frame_address(0))) {
		conn = HOOK_REAL(PQconnectStartParams, caller)(keywords, values, expand);
		pgconnect_progress(caller, conn);
		return conn;
	}
	pgconnect_begin(&call);
	pgcall_wait(&call, "PQconnectStart");
	conn = HOOK_REAL(PQconnectStartParams, caller)(keywords, values, expand);
	pgconnect_started(&call, conn);
	return conn;
}

int around_PQconnectPoll(const struct caller *caller, struct pg_conn *conn)
{
	struct pgcall call;
	int result;

	if (!pgcall_enter(&call, caller, conn, __builtin_frame_address(0))) {
		result = HOOK_REAL(PQconnectPoll, caller)(conn);
		pgconnect_progress(caller, conn);
		return result;
	}
	pgcall_pass(&call);
	result = HOOK_REAL(PQconnectPoll, caller)(conn);
	pgconnect_polled(&call);
	return result;
}

void around_PQreset(const struct caller *caller, struct pg_conn *conn)
{
	struct pgcall call;

	if (!pgcall_enter(&call, caller, conn, __builtin_frame_address(0))) {
		HOOK_REAL(PQreset, caller)(conn);
		return;
	}
	pgconnect_again(&call);
	pgcall_wait(&call, "PQreset");
	HOOK_REAL(PQreset, caller)(conn);
	pgconnect_made(&call, conn);
}

int around_PQresetStart(const struct caller *caller, struct pg_conn *conn)
{
	struct pgcall call;
	int result;

	if (!pgcall_enter(&call, caller, conn, __builtin_frame_address(0)))
		return HOOK_REAL(PQresetStart, caller)(conn);
	pgconnect_again(&call);
	pgcall_wait(&call, "PQresetStart");
	result = HOOK_REAL(PQresetStart, caller)(conn);
	pgconnect_started(&call, conn);
	return result;
}

int around_PQresetPoll(const struct caller *caller, struct pg_conn *conn)
{
	struct pgcall call;
	int result;

	if (!pgcall_enter(&call, caller, conn, __builtin_frame_address(0)))
		return HOOK_REAL(PQresetPoll, caller)(conn);
	pgcall_pass(&call);
	result = HOOK_REAL(PQresetPoll, caller)(conn);
	pgconnect_polled(&call);
	return result;
}

/*
 * Forgotten before the real call, which frees it: the next connection may have its address. What
 * gets the number of its socket next is looked at afresh.
 */
void around_PQfinish(const struct caller *caller, struct pg_conn *conn)
{
	struct pgcall call;
	int fd;

	if (!pgcall_enter(&call, caller, conn, __builtin_frame_address(0))) {
		HOOK_REAL(PQfinish, caller)(conn);
		return;
	}
	fd = pgconn_socket(conn);
	pgconn_forget(conn);
	pgcall_pass(&call);
	HOOK_REAL(PQfinish, caller)(conn);
	if (!pgcall_back(&call))
		return;
	if (fd >= 0 && fd_entry(fd) == FD_OTHER)
		fd_reset(fd, FD_UNKNOWN);
	pgcall_leave(&call);
}

/* ---- cancelling --------------------------------------------------------------------------- */

struct pg_cancel *around_PQgetCancel(const struct caller *caller, struct pg_conn *conn)
{
	struct pgcall call;
	struct pg_cancel *cancel;

	if (!pgcall_enter(&call, caller, conn, __builtin_frame_address(0)))
		return HOOK_REAL(PQgetCancel, caller)(conn);
	pgcall_pass(&call);
	cancel = HOOK_REAL(PQgetCancel, caller)(conn);
	pgconnect_cancel_made(&call, (struct pg_conn *)cancel);
	return cancel;
}

void around_PQfreeCancel(const struct caller *caller, struct pg_cancel *cancel)
{
	struct thread *self = thread_enter();

	if (self) {
		pgconn_forget((struct pg_conn *)cancel);
		thread_leave(self);
	}
	HOOK_REAL(PQfreeCancel, caller)(cancel);
}

/* NOLINTNEXTLINE(readability-identifier-naming): libpq's name */
int PQcancel(struct pg_cancel *cancel, char *text, int room);

/*
 * It may be called by a signal handler, where the loader can't be asked for the caller's copy: the
 * real function is that of the connection which the request was made for.
 */
__attribute__((visibility("default"))) int PQcancel(struct pg_cancel *cancel, char *text, int room)
{
	static const struct caller unknown = {.object = "", .base = 1, .library = 1};
	struct pg_conn *conn = (struct pg_conn *)cancel;
	const struct libpq *libpq = pgconn_libpq(conn);
	struct pgcall call;
	int result;

	if (!libpq)
		libpq = libpq_any();
	if (!libpq)
		return 0;
	if (hooks_off() || !pgcall_enter(&call, &unknown, conn, __builtin_frame_address(0)))
		return libpq->cancel(cancel, text, room);
	pgconnect_cancel(&call);
	pgcall_wait(&call, "PQcancel");
	result = libpq->cancel(cancel, text, room);
	pgconnect_cancelled(&call, result);
	return result;
}
