/* seen_libpq.c - what the hooks on libpq's statements do. */
#include "preload/hook.h"
#include "preload/pgcall.h"

#define FRAME __builtin_frame_address(0)

/* ---- calls that wait for their result ----------------------------------------------------- */

struct pg_result *around_PQexec(const struct caller *caller, struct pg_conn *conn, const char *sql)
{
	struct pgrequest request = {.sql = sql, .comments = 1};
	struct pgcall call;
	struct pg_result *result;

	if (!pgcall_enter(&call, caller, conn, FRAME))
		return HOOK_REAL(PQexec, caller)(conn, sql);
	sql = pgcall_begin(&call, &request);
	pgcall_wait(&call, "PQexec");
	result = HOOK_REAL(PQexec, caller)(conn, sql);
	pgcall_executed(&call, result);
	return result;
}

/* libpq's own parameters and one. */
/* NOLINTNEXTLINE(readability-function-size) */
struct pg_result *around_PQexecParams(const struct caller *caller, struct pg_conn *conn,
				      const char *sql, int count, const unsigned *types,
				      const char *const *values, const int *sizes,
				      const int *formats, int format)
{
	struct pgrequest request = {.sql = sql, .comments = 1};
	struct pgcall call;
	struct pg_result *result;

	if (!pgcall_enter(&call, caller, conn, FRAME))
		return HOOK_REAL(PQexecParams, caller)(conn, sql, count, types, values, sizes,
						       formats, format);
	sql = pgcall_begin(&call, &request);
	pgcall_wait(&call, "PQexecParams");
	result = HOOK_REAL(PQexecParams, caller)(conn, sql, count, types, values, sizes, formats,
						 format);
	pgcall_executed(&call, result);
	return result;
}

struct pg_result *around_PQprepare(const struct caller *caller, struct pg_conn *conn,
				   const char *name, const char *sql, int count,
				   const unsigned *types)
{
	struct pgrequest request = {.operation = "PREPARE", .sql = sql, .name = name};
	struct pgcall call;
	struct pg_result *result;

	if (!pgcall_enter(&call, caller, conn, FRAME))
		return HOOK_REAL(PQprepare, caller)(conn, name, sql, count, types);
	pgcall_begin(&call, &request);
	pgcall_wait(&call, "PQprepare");
	result = HOOK_REAL(PQprepare, caller)(conn, name, sql, count, types);
	pgcall_executed(&call, result);
	return result;
}

struct pg_result *around_PQexecPrepared(const struct caller *caller, struct pg_conn *conn,
					const char *name, int count, const char *const *values,
					const int *sizes, const int *formats, int format)
{
	struct pgrequest request = {.name = name};
	struct pgcall call;
	struct pg_result *result;

	if (!pgcall_enter(&call, caller, conn, FRAME))
		return HOOK_REAL(PQexecPrepared, caller)(conn, name, count, values, sizes, formats,
							 format);
	pgcall_begin(&call, &request);
	pgcall_wait(&call, "PQexecPrepared");
	result = HOOK_REAL(PQexecPrepared, caller)(conn, name, count, values, sizes, formats,
						   format);
	pgcall_executed(&call, result);
	return result;
}

/* PQdescribePrepared and its kin: a name goes in, a result comes out. */
static struct pg_result *named(const struct caller *caller, struct pg_conn *conn, const char *name,
			       const struct pgrequest *request)
{
	real_type_PQdescribePrepared real = (real_type_PQdescribePrepared)caller->real;
	struct pgcall call;
	struct pg_result *result;

	if (!pgcall_enter(&call, caller, conn, FRAME))
		return real(conn, name);
	pgcall_begin(&call, request);
	pgcall_wait(&call, "PQdescribe");
	result = real(conn, name);
	pgcall_executed(&call, result);
	return result;
}

struct pg_result *around_PQdescribePrepared(const struct caller *caller, struct pg_conn *conn,
					    const char *name)
{
	struct pgrequest request = {.operation = "DESCRIBE", .name = name};

	return named(caller, conn, name, &request);
}

struct pg_result *around_PQdescribePortal(const struct caller *caller, struct pg_conn *conn,
					  const char *name)
{
	struct pgrequest request = {.operation = "DESCRIBE"};

	return named(caller, conn, name, &request);
}

struct pg_result *around_PQclosePrepared(const struct caller *caller, struct pg_conn *conn,
					 const char *name)
{
	struct pgrequest request = {.operation = "CLOSE", .name = name};

	return named(caller, conn, name, &request);
}

struct pg_result *around_PQclosePortal(const struct caller *caller, struct pg_conn *conn,
				       const char *name)
{
	struct pgrequest request = {.operation = "CLOSE"};

	return named(caller, conn, name, &request);
}

/* By function number: large objects. */
struct pg_result *around_PQfn(const struct caller *caller, struct pg_conn *conn, int function,
			      int *answer, int *size, int is_number, const void *arguments,
			      int count)
{
	struct pgrequest request = {.operation = "FUNCTION"};
	struct pgcall call;
	struct pg_result *result;

	if (!pgcall_enter(&call, caller, conn, FRAME))
		return HOOK_REAL(PQfn, caller)(conn, function, answer, size, is_number, arguments,
					       count);
	pgcall_begin(&call, &request);
	pgcall_wait(&call, "PQfn");
	result = HOOK_REAL(PQfn, caller)(conn, function, answer, size, is_number, arguments, count);
	pgcall_executed(&call, result);
	return result;
}

/* Those functions on large objects that libpq does not call PQfn for. */

int around_lo_read(const struct caller *caller, struct pg_conn *conn, int object, char *to,
		   size_t size)
{
	struct pgrequest request = {.operation = "FUNCTION"};
	struct pgcall call;
	int result;

	if (!pgcall_enter(&call, caller, conn, FRAME))
		return HOOK_REAL(lo_read, caller)(conn, object, to, size);
	pgcall_begin(&call, &request);
	pgcall_wait(&call, "lo_read");
	result = HOOK_REAL(lo_read, caller)(conn, object, to, size);
	pgcall_returned(&call, result >= 0);
	return result;
}

int64_t around_lo_lseek64(const struct caller *caller, struct pg_conn *conn, int object,
			  int64_t offset, int whence)
{
	struct pgrequest request = {.operation = "FUNCTION"};
	struct pgcall call;
	int64_t result;

	if (!pgcall_enter(&call, caller, conn, FRAME))
		return HOOK_REAL(lo_lseek64, caller)(conn, object, offset, whence);
	pgcall_begin(&call, &request);
	pgcall_wait(&call, "lo_lseek64");
	result = HOOK_REAL(lo_lseek64, caller)(conn, object, offset, whence);
	pgcall_returned(&call, result >= 0);
	return result;
}

int64_t around_lo_tell64(const struct caller *caller, struct pg_conn *conn, int object)
{
	struct pgrequest request = {.operation = "FUNCTION"};
	struct pgcall call;
	int64_t result;

	if (!pgcall_enter(&call, caller, conn, FRAME))
		return HOOK_REAL(lo_tell64, caller)(conn, object);
	pgcall_begin(&call, &request);
	pgcall_wait(&call, "lo_tell64");
	result = HOOK_REAL(lo_tell64, caller)(conn, object);
	pgcall_returned(&call, result >= 0);
	return result;
}

/* ---- calls that send, and the one that asks for what came ---------------------------------- */

int around_PQsendQuery(const struct caller *caller, struct pg_conn *conn, const char *sql)
{
	struct pgrequest request = {.sql = sql, .comments = 1, .sends = 1};
	struct pgcall call;
	int sent;

	if (!pgcall_enter(&call, caller, conn, FRAME))
		return HOOK_REAL(PQsendQuery, caller)(conn, sql);
	sql = pgcall_begin(&call, &request);
	pgcall_send(&call);
	sent = HOOK_REAL(PQsendQuery, caller)(conn, sql);
	pgcall_sent(&call, sent);
	return sent;
}

/* NOLINTNEXTLINE(readability-function-size) */
int around_PQsendQueryParams(const struct caller *caller, struct pg_conn *conn, const char *sql,
			     int count, const unsigned *types, const char *const *values,
			     const int *sizes, const int *formats, int format)
{
	struct pgrequest request = {.sql = sql, .comments = 1, .sends = 1};
	struct pgcall call;
	int sent;

	if (!pgcall_enter(&call, caller, conn, FRAME))
		return HOOK_REAL(PQsendQueryParams, caller)(conn, sql, count, types, values, sizes,
							    formats, format);
	sql = pgcall_begin(&call, &request);
	pgcall_send(&call);
	sent = HOOK_REAL(PQsendQueryParams, caller)(conn, sql, count, types, values, sizes, formats,
						    format);
	pgcall_sent(&call, sent);
	return sent;
}

int around_PQsendPrepare(const struct caller *caller, struct pg_conn *conn, const char *name,
			 const char *sql, int count, const unsigned *types)
{
	struct pgrequest request = {.operation = "PREPARE", .sql = sql, .name = name, .sends = 1};
	struct pgcall call;
	int sent;

	if (!pgcall_enter(&call, caller, conn, FRAME))
		return HOOK_REAL(PQsendPrepare, caller)(conn, name, sql, count, types);
	pgcall_begin(&call, &request);
	pgcall_send(&call);
	sent = HOOK_REAL(PQsendPrepare, caller)(conn, name, sql, count, types);
	pgcall_sent(&call, sent);
	return sent;
}

int around_PQsendQueryPrepared(const struct caller *caller, struct pg_conn *conn, const char *name,
			       int count, const char *const *values, const int *sizes,
			       const int *formats, int format)
{
	struct pgrequest request = {.name = name, .sends = 1};
	struct pgcall call;
	int sent;

	if (!pgcall_enter(&call, caller, conn, FRAME))
		return HOOK_REAL(PQsendQueryPrepared, caller)(conn, name, count, values, sizes,
							      formats, format);
	pgcall_begin(&call, &request);
	pgcall_send(&call);
	sent = HOOK_REAL(PQsendQueryPrepared, caller)(conn, name, count, values, sizes, formats,
						      format);
	pgcall_sent(&call, sent);
	return sent;
}

/* PQsendDescribePrepared and its kin. */
static int send_named(const struct caller *caller, struct pg_conn *conn, const char *name,
		      const struct pgrequest *request)
{
	real_type_PQsendDescribePrepared real = (real_type_PQsendDescribePrepared)caller->real;
	struct pgcall call;
	int sent;

	if (!pgcall_enter(&call, caller, conn, FRAME))
		return real(conn, name);
	pgcall_begin(&call, request);
	pgcall_send(&call);
	sent = real(conn, name);
	pgcall_sent(&call, sent);
	return sent;
}

int around_PQsendDescribePrepared(const struct caller *caller, struct pg_conn *conn,
				  const char *name)
{
	struct pgrequest request = {.operation = "DESCRIBE", .name = name, .sends = 1};

	return send_named(caller, conn, name, &request);
}

int around_PQsendDescribePortal(const struct caller *caller, struct pg_conn *conn, const char *name)
{
	struct pgrequest request = {.operation = "DESCRIBE", .sends = 1};

	return send_named(caller, conn, name, &request);
}

int around_PQsendClosePrepared(const struct caller *caller, struct pg_conn *conn, const char *name)
{
	struct pgrequest request = {.operation = "CLOSE", .name = name, .sends = 1};

	return send_named(caller, conn, name, &request);
}

int around_PQsendClosePortal(const struct caller *caller, struct pg_conn *conn, const char *name)
{
	struct pgrequest request = {.operation = "CLOSE", .sends = 1};

	return send_named(caller, conn, name, &request);
}

struct pg_result *around_PQgetResult(const struct caller *caller, struct pg_conn *conn)
{
	struct pgcall call;
	struct pg_result *result;

	if (!pgcall_enter(&call, caller, conn, FRAME))
		return HOOK_REAL(PQgetResult, caller)(conn);
	pgcall_resume(&call);
	pgcall_wait(&call, "PQgetResult");
	result = HOOK_REAL(PQgetResult, caller)(conn);
	pgcall_got(&call, result);
	return result;
}
