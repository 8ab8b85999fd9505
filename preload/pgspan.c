/* pgspan.c - the span of a call of libpq: its trace, its texts, what the server answered. */
#include "preload/pgspan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "preload/connect.h"
#include "preload/context.h"
#include "preload/identity.h"
#include "preload/sql_mask.h"
#include "preload/statements.h"
#include "preload/sys.h"

#define TEXT_MAX_BYTES 256
#define PATH_MAX_BYTES 108 /* of a Unix socket */

/* ---- identity and caller ------------------------------------------------------------------ */

/*
 * In an event loop the first operation on a connection belongs to whoever began to make it. A
 * thread that waits in its calls works for whom it worked when it called.
 */
static uint64_t context_for(struct thread *self, const struct pgconn *state, enum span_link *link)
{
	uint64_t context = 0;
	uint8_t now;

	if (state && !state->used && self->waits == THREAD_LOOPS)
		context = connect_caller(self, state->connect_context, state->connect_link, link);
	if (context)
		return context;
	context = context_both(self, &now);
	if (context && now >= SPAN_LINK_GUESSES)
		*link = (enum span_link)now;
	else if (!self->runtime && state && self->waits == THREAD_LOOPS &&
		 self->reply_from == state->owner)
		*link = SPAN_LINK_GUESS_REUSED;
	return context;
}

/* libpq's own calls of its exports have no place in the program. */
static void tell_caller(struct exchange *exchange, const struct caller *caller)
{
	size_t size = strlen(caller->object);

	if (caller->base == caller->library)
		return;
	exchange_span(exchange)->call_offset = caller->address - caller->base;
	exchange_field(exchange, FIELD_CALLER, caller->object,
		       size < TEXT_MAX_BYTES ? size : TEXT_MAX_BYTES);
}

struct exchange *pgspan_new(struct pgcall *call, const struct pgconn *state)
{
	enum span_link link = SPAN_LINK_CONTEXT;
	uint64_t context = context_for(call->self, state, &link);
	struct exchange *exchange = exchange_new(SPAN_CLIENT, sys_now_ns());

	if (!exchange)
		return NULL;
	exchange->is_operation = 1;
	exchange_span(exchange)->protocol = SPAN_POSTGRESQL;
	identity_by_context(call->self, exchange, context, link);
	if (exchange->request_id_size)
		exchange_field(exchange, FIELD_REQUEST_ID, exchange->request_id,
			       exchange->request_id_size);
	if (exchange->tracestate_size)
		exchange_field(exchange, FIELD_TRACE_STATE, exchange->tracestate,
			       exchange->tracestate_size);
	tell_caller(exchange, call->caller);
	return exchange;
}

/* ---- where it goes ------------------------------------------------------------------------ */

void pgspan_field(struct exchange *exchange, enum span_field id, const char *text)
{
	size_t size = text ? strlen(text) : 0;

	if (size)
		exchange_field(exchange, id, text, size < TEXT_MAX_BYTES ? size : TEXT_MAX_BYTES);
}

static void take_peer(struct pgconn *state, const struct sockaddr_storage *from)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;

	if (from->ss_family == AF_INET) {
		state->peer.family = ADDRESS_IPV4;
		state->peer.port = ntohs(v4->sin_port);
		memcpy(state->peer.bytes, &v4->sin_addr, 4);
	} else if (from->ss_family == AF_INET6) {
		state->peer.family = ADDRESS_IPV6;
		state->peer.port = ntohs(v6->sin6_port);
		memcpy(state->peer.bytes, &v6->sin6_addr, 16);
	} else if (from->ss_family == AF_UNIX) {
		state->peer.family = ADDRESS_UNIX;
	}
}

/* Once a connection: who is at the other end, and whether TLS is in between. */
static void take_address(struct pgconn *state, struct pg_conn *conn)
{
	struct sockaddr_storage name;
	socklen_t size = sizeof(name);

	if (state->addressed || state->connect)
		return;
	state->addressed = 1;
	state->where_size = 0;
	state->encrypted = state->libpq->ssl_in_use && state->libpq->ssl_in_use(conn);
	if (sys_call3(SYS_getpeername, state->libpq->socket(conn), (long)&name, (long)&size) == 0)
		take_peer(state, &name);
}

/* libpq names a Unix socket by its directory and the port. */
static void tell_path(struct exchange *exchange, const char *directory, const char *port)
{
	static const char name[] = "/.s.PGSQL.";
	/* Unused by databases: no such buffer on the host's stack. */
	char *path = exchange->added;
	size_t size = strlen(directory);
	size_t port_size = strlen(port);

	if (size + sizeof(name) + port_size > PATH_MAX_BYTES)
		return;
	memcpy(path, directory, size);
	memcpy(path + size, name, sizeof(name) - 1);
	size += sizeof(name) - 1;
	memcpy(path + size, port, port_size);
	exchange_field(exchange, FIELD_UNIX_PATH, path, size + port_size);
}

static uint16_t number(const char *text)
{
	uint32_t value = 0;

	for (; *text >= '0' && *text <= '9' && value < 65536; text++)
		value = value * 10 + (uint32_t)(*text - '0');
	return (uint16_t)value;
}

/* What libpq knows of the other end. It stays the same until a connection is made anew. */
static void tell_names(struct exchange *exchange, const struct pgconn *state,
		       const struct pg_conn *conn)
{
	const char *host = state->libpq->host(conn);
	const char *port = state->libpq->port(conn);
	struct span *span = exchange_span(exchange);

	if (!port)
		port = "";
	if (host && (*host == '/' || *host == '@')) {
		span->peer.family = ADDRESS_UNIX;
		tell_path(exchange, host, port);
	} else {
		span->peer.port = number(port);
		pgspan_field(exchange, FIELD_HOST, host);
	}
	pgspan_field(exchange, FIELD_NAMESPACE, state->libpq->db(conn));
}

void pgspan_describe(struct exchange *exchange, struct pgconn *state, struct pg_conn *conn)
{
	struct span *span = exchange_span(exchange);
	size_t before = exchange->fields_size;
	size_t size;

	if (exchange->epoch != process_epoch)
		return;
	take_address(state, conn);
	span->peer = state->peer;
	span->flags |= state->encrypted ? SPAN_ENCRYPTED : 0;
	if (state->addressed && state->where_size) {
		exchange_fields(exchange, state->where, state->where_size);
		return;
	}
	tell_names(exchange, state, conn);
	size = exchange->fields_size - before;
	if (state->addressed && size <= sizeof(state->where)) {
		memcpy(state->where, exchange->inflight->fields + before, size);
		state->where_size = (uint8_t)size;
		state->peer = span->peer;
	}
}

/* ---- statements --------------------------------------------------------------------------- */

static size_t masked(struct exchange *exchange, const char *sql)
{
	struct sql_mask mask;
	size_t size;

	sql_mask_begin(&mask, SQL_POSTGRESQL, exchange->added, STATEMENT_TEXT_MAX);
	sql_mask_feed(&mask, sql, strlen(sql));
	size = sql_mask_end(&mask);
	if (mask.cut)
		exchange_span(exchange)->flags |= SPAN_TEXT_CUT;
	return size;
}

size_t pgspan_text(struct exchange *exchange, const struct pgconn *state,
		   const struct pgrequest *request)
{
	size_t name_size = request->name ? strlen(request->name) : 0;
	size_t size = 0;

	_Static_assert(STATEMENT_TEXT_MAX <= EXCHANGE_ADDED_MAX, "a statement fits");
	if (request->sql) {
		size = masked(exchange, request->sql);
		if (request->name)
			statements_keep(state->owner, request->name, name_size, exchange->added,
					size);
	} else if (request->name) {
		size = statements_find(state->owner, request->name, name_size, exchange->added,
				       STATEMENT_TEXT_MAX);
	}
	if (size)
		exchange_field(exchange, FIELD_QUERY_TEXT, exchange->added, size);
	return size;
}

/* ---- results ------------------------------------------------------------------------------ */

static uint64_t decimal(const char *text)
{
	uint64_t value = 0;

	for (; *text >= '0' && *text <= '9'; text++)
		value = value * 10 + (uint64_t)(*text - '0');
	return value;
}

/* Of several statements in one text, the rows of the last that has any. */
static void tell_rows(struct pgconn *state, struct span *span, struct pg_result *result, int status)
{
	int is_single = status == PG_SINGLE_TUPLE || status == PG_TUPLES_CHUNK;

	if (is_single || status == PG_TUPLES_OK) {
		uint64_t rows = (uint64_t)state->libpq->ntuples(result);

		span->rows = state->in_rows ? span->rows + rows : rows;
		state->in_rows = (uint8_t)is_single;
	} else {
		const char *count = state->libpq->cmd_tuples(result);

		if (!count || !*count)
			return;
		span->rows = decimal(count);
	}
	span->flags |= SPAN_ROWS_KNOWN;
}

static void tell_error(struct pgconn *state, struct exchange *exchange, struct pg_result *result)
{
	const char *code = state->libpq->result_error_field(result, PG_DIAG_SQLSTATE);

	if (state->failed || !code || !*code)
		return;
	state->failed = 1;
	pgspan_field(exchange, FIELD_STATUS, code);
}

void pgspan_result(struct pgconn *state, struct exchange *exchange, struct pg_result *result,
		   int status)
{
	struct span *span = exchange_span(exchange);

	exchange->responded = 1;
	if (exchange->epoch != process_epoch)
		return;
	switch (status) {
	case PG_COMMAND_OK:
	case PG_TUPLES_OK:
	case PG_SINGLE_TUPLE:
	case PG_TUPLES_CHUNK:
		tell_rows(state, span, result, status);
		break;
	case PG_BAD_RESPONSE:
	case PG_FATAL_ERROR:
		tell_error(state, exchange, result);
		break;
	case PG_PIPELINE_ABORTED:
		/* One before it in the pipeline failed; this one never ran. */
		span->failure = FAILURE_OTHER;
		span->error_number = ECANCELED;
		break;
	default:
		break;
	}
}

void pgspan_failed(struct pgconn *state, struct exchange *exchange, const struct pg_conn *conn)
{
	struct span *span = exchange_span(exchange);

	if (state->failed || span->failure || exchange->epoch != process_epoch)
		return;
	span->failure = state->libpq->status(conn) == PG_CONNECTION_BAD ? FAILURE_PEER_CLOSED
									: FAILURE_OTHER;
}
