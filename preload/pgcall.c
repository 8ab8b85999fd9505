/* pgcall.c - a call of libpq by the program: what surrounds the real call. */
#include "preload/pgcall.h"

#include "preload/attach.h"
#include "preload/call_stack.h"
#include "preload/context.h"
#include "preload/fd.h"
#include "preload/live.h"
#include "preload/pgspan.h"
#include "preload/sql_context.h"
#include "preload/sys.h"

/* Where we are loaded: the linker's name for it. */
extern const char our_header[] __asm__("__ehdr_start") __attribute__((visibility("hidden")));

/*
 * libpq calls one of its exports; or returns into ours, for such a call was its last. Whoever else
 * calls in the middle of a call is a notice handler, with a connection of its own.
 */
static int is_nested(const struct thread *self, const struct caller *caller, uintptr_t frame)
{
	return self->inside_libpq && frame < self->inside_libpq &&
	       (caller->base == self->libpq_base || caller->base == (uintptr_t)our_header);
}

/*
 * The program has called libpq past us (by a pointer that it looked up in that library), or it asks
 * for a sign of life only. The bytes on the socket tell the rest.
 */
static int is_unseen(const struct caller *caller, const struct pg_conn *conn)
{
	return caller->base == caller->library && !pgconn_libpq(conn);
}

int pgcall_enter(struct pgcall *call, const struct caller *caller, struct pg_conn *conn,
		 void *frame)
{
	struct thread *self = thread_enter();

	if (!self)
		return 0;
	if (is_nested(self, caller, (uintptr_t)frame) || is_unseen(caller, conn)) {
		thread_leave(self);
		return 0;
	}
	call->self = self;
	call->caller = caller;
	call->conn = conn;
	call->exchange = 0;
	call->wait = NULL;
	call->noted = 0;
	/* One that is noted below us was left without a return. */
	call->outer = self->inside_libpq > (uintptr_t)frame ? self->inside_libpq : 0;
	call->outer_base = self->libpq_base;
	self->inside_libpq = (uintptr_t)frame;
	self->libpq_base = caller->library;
	return 1;
}

void pgcall_pass(struct pgcall *call)
{
	thread_leave(call->self);
}

static inline int enter_again(struct pgcall *call)
{
	call->self->inside_libpq = call->outer;
	call->self->libpq_base = call->outer_base;
	return thread_enter() != NULL;
}

/* The wait is over; the exchange of the call, if it still lives. */
static inline struct exchange *awaited(struct pgcall *call)
{
	struct exchange *exchange = exchange_of(call->exchange);

	if (call->wait && exchange)
		atomic_store_explicit(&call->wait->since_ns, 0, memory_order_release);
	return exchange;
}

int pgcall_back(struct pgcall *call)
{
	if (!enter_again(call))
		return 0;
	awaited(call);
	return 1;
}

void pgcall_leave(struct pgcall *call)
{
	thread_leave(call->self);
}

void pgcall_exchange(struct pgcall *call, struct exchange *exchange)
{
	call->exchange = exchange_reference(exchange);
	call->wait = &exchange->inflight->wait;
}

struct pgconn *pgcall_state(const struct pgcall *call)
{
	struct pgconn *state = pgconn_find(call->conn);
	const struct libpq *libpq;
	int fd;

	if (state || !call->conn || !attach_ready() || !(libpq = libpq_of(call->caller)))
		return state;
	/* Made past us (by a function looked up by hand): its bytes are looked at instead. */
	fd = libpq->socket(call->conn);
	if (fd >= 0 && fd_known_connection(fd))
		return NULL;
	return pgconn_new(call->conn, libpq);
}

static int in_pipeline(const struct pgconn *state, const struct pg_conn *conn)
{
	return state->libpq->pipeline_status && state->libpq->pipeline_status(conn);
}

/* ---- before the real call ----------------------------------------------------------------- */

static void put_comment(struct pgconn *state)
{
	if (!state->comment)
		return;
	sql_context_put(state->comment);
	state->comment = 0;
}

/* The statement with the exchange's trace context, in a buffer that lasts for the call. */
static const char *commented(struct pgconn *state, const struct exchange *exchange, const char *sql)
{
	char parent[TRACEPARENT_SIZE];
	char *text;

	put_comment(state);
	state->comment = sql_context_get();
	if (!state->comment)
		return sql;
	text = sql_context_at(state->comment);
	traceparent_format(&exchange->own, parent);
	if (sql_context(sql, parent, exchange->tracestate, exchange->tracestate_size, text,
			SQL_CONTEXT_ROOM))
		return text;
	put_comment(state);
	return sql;
}

const char *pgcall_begin(struct pgcall *call, const struct pgrequest *request)
{
	struct pgconn *state = pgcall_state(call);
	const char *sql = request->sql;
	struct exchange *exchange;
	size_t size;

	if (!state)
		return sql;
	if (!request->sends && !in_pipeline(state, call->conn))
		pgconn_end_before(state, NULL);
	exchange = pgspan_new(call, state);
	if (exchange) {
		pgspan_describe(exchange, state, call->conn);
		pgspan_field(exchange, FIELD_OPERATION, request->operation);
		size = pgspan_text(exchange, state, request);
		if (live_now()->call_stacks)
			call_stack_count(call->self, exchange, exchange->added, size);
		state->used = 1;
		pgconn_push(state, exchange);
		exchange_publish(exchange);
		pgcall_exchange(call, exchange);
		if (request->comments && sql && live_now()->sql_comments)
			sql = commented(state, exchange, sql);
	}
	pgconn_unlock(state);
	return sql;
}

void pgcall_resume(struct pgcall *call)
{
	struct pgconn *state = pgconn_find(call->conn);

	if (!state)
		return;
	if (state->first)
		pgcall_exchange(call, pgconn_first(state));
	pgconn_unlock(state);
}

/* ---- after the real call ------------------------------------------------------------------ */

static int is_copy(int status)
{
	return status == PG_COPY_IN || status == PG_COPY_OUT;
}

void pgcall_stack(const struct pgcall *call, const struct pgconn *state, struct exchange *exchange)
{
	if (live_now()->call_stacks && call->noted)
		call_stack_take(call->self, exchange, call->wait->registers,
				state->failed || exchange_span(exchange)->failure);
}

static void end(const struct pgcall *call, struct pgconn *state, struct exchange *exchange)
{
	pgcall_stack(call, state, exchange);
	pgconn_take(state, exchange);
	exchange_end(exchange, sys_now_ns());
}

/* The state and the exchange of a call that has returned; 0: there is nothing to tell. */
static int back_with(struct pgcall *call, struct pgconn **state, struct exchange **exchange)
{
	if (!enter_again(call))
		return 0;
	*state = call->exchange ? pgconn_find(call->conn) : NULL;
	*exchange = awaited(call);
	if (*state) {
		put_comment(*state);
		if (*exchange)
			return 1;
		pgconn_unlock(*state);
	}
	pgcall_leave(call);
	return 0;
}

static void take_result(const struct pgcall *call, struct pgconn *state, struct exchange *exchange,
			struct pg_result *result, int status)
{
	pgspan_result(state, exchange, result, status);
	if (status == PG_FATAL_ERROR || status == PG_BAD_RESPONSE)
		pgspan_failed(state, exchange, call->conn);
}

void pgcall_executed(struct pgcall *call, struct pg_result *result)
{
	struct pgconn *state;
	struct exchange *exchange;
	int status = 0;

	if (!back_with(call, &state, &exchange))
		return;
	if (result) {
		status = state->libpq->result_status(result);
		take_result(call, state, exchange, result, status);
	} else {
		pgspan_failed(state, exchange, call->conn);
	}
	if (!is_copy(status))
		end(call, state, exchange);
	pgconn_unlock(state);
	pgcall_leave(call);
}

void pgcall_returned(struct pgcall *call, int succeeded)
{
	struct pgconn *state;
	struct exchange *exchange;

	if (!back_with(call, &state, &exchange))
		return;
	if (!succeeded)
		pgspan_failed(state, exchange, call->conn);
	end(call, state, exchange);
	pgconn_unlock(state);
	pgcall_leave(call);
}

void pgcall_sent(struct pgcall *call, int sent)
{
	struct pgconn *state;
	struct exchange *exchange;

	if (!back_with(call, &state, &exchange))
		return;
	if (sent) {
		if (!in_pipeline(state, call->conn))
			pgconn_end_before(state, exchange);
	} else if (state->libpq->status(call->conn) == PG_CONNECTION_BAD) {
		pgspan_failed(state, exchange, call->conn);
		end(call, state, exchange);
	} else {
		/* Refused without a word to the server. */
		pgconn_take(state, exchange);
		exchange_drop(exchange);
	}
	pgconn_unlock(state);
	pgcall_leave(call);
}

/* A reply was read: whoever sent the request is current again. */
static void reply_context(struct thread *self, const struct pgconn *state,
			  const struct exchange *exchange)
{
	if (exchange->parent)
		context_set(self, exchange->parent,
			    exchange->link >= SPAN_LINK_GUESSES ? SPAN_LINK_GUESS_INHERITED
								: SPAN_LINK_CONTEXT,
			    state->owner);
	else if (self->waits == THREAD_LOOPS)
		context_set(self, 0, 0, 0);
}

/* No more results of the oldest; in a pipeline also: none has come yet. */
static void got_none(const struct pgcall *call, struct pgconn *state, struct exchange *exchange)
{
	if (!exchange->responded) {
		if (in_pipeline(state, call->conn))
			return;
		pgspan_failed(state, exchange, call->conn);
	}
	end(call, state, exchange);
}

void pgcall_got(struct pgcall *call, struct pg_result *result)
{
	struct pgconn *state;
	struct exchange *exchange;
	int status;

	if (!back_with(call, &state, &exchange))
		return;
	status = result ? state->libpq->result_status(result) : 0;
	if (!result) {
		got_none(call, state, exchange);
	} else if (status != PG_PIPELINE_SYNC) {
		take_result(call, state, exchange, result, status);
		reply_context(call->self, state, exchange);
		/* Replication has no end. */
		if (status == PG_COPY_BOTH)
			end(call, state, exchange);
	}
	pgconn_unlock(state);
	pgcall_leave(call);
}
