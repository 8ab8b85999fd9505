/* pgconnect.c - the making of libpq's connections: the span of it, and its phases. */
#include "preload/pgconnect.h"

#include <errno.h>

#include "preload/attach.h"
#include "preload/conn.h"
#include "preload/pgspan.h"
#include "preload/statements.h"
#include "preload/sys.h"

/* ---- phases ------------------------------------------------------------------------------- */

/* What a connection in that state waits for. */
static enum span_phase phase_of(uint8_t status)
{
	switch (status) {
	case PG_CONNECTION_SSL_STARTUP:
	case PG_CONNECTION_GSS_STARTUP:
		return PHASE_TLS;
	case PG_CONNECTION_MADE:
	case PG_CONNECTION_AWAITING_RESPONSE:
	case PG_CONNECTION_AUTHENTICATING:
		return PHASE_LOGIN;
	case PG_CONNECTION_AUTH_OK:
	case PG_CONNECTION_SETENV:
	case PG_CONNECTION_CHECK_WRITABLE:
	case PG_CONNECTION_CONSUME:
	case PG_CONNECTION_CHECK_TARGET:
	case PG_CONNECTION_CHECK_STANDBY:
		return PHASE_SETTLE;
	default:
		return PHASE_CONNECT;
	}
}

/*
 * The time since the last look belongs to what was waited for then. `is_between`: by PQconnectPoll;
 * if it is never seen (libpq was bound to itself when it was loaded), the phases are unknown.
 * Returns the state that the connection is in.
 */
static int look(struct thread *self, struct pgconn *state, struct exchange *exchange,
		const struct pg_conn *conn, int is_between)
{
	int status = state->libpq->status(conn);
	uint64_t now = sys_now_ns();

	state->looked |= (uint8_t)is_between;
	if (state->looked) {
		if (exchange->epoch == process_epoch)
			exchange_span(exchange)->phase_us[phase_of(state->phase)] +=
				(uint32_t)((now - state->phase_ns) / 1000);
		state->phase_ns = now;
	}
	if (self->libpq_error)
		state->connect_error = self->libpq_error;
	if (status != PG_CONNECTION_BAD)
		state->phase = (uint8_t)status;
	return status;
}

/* libpq says why only in words, in the user's language. */
static void tell_failure(const struct pgconn *state, struct exchange *exchange)
{
	struct span *span = exchange_span(exchange);

	if (exchange->epoch != process_epoch)
		return;
	switch (phase_of(state->phase)) {
	case PHASE_CONNECT:
		/* Nothing came of it: the program's own time-out. No connect at all: no such name.
		 */
		span->failure = (uint8_t)(state->connect_error == EINPROGRESS
						  ? FAILURE_TIMED_OUT
						  : conn_failure_of(state->connect_error));
		span->error_number = state->connect_error;
		break;
	case PHASE_TLS:
		span->failure = FAILURE_PROTOCOL;
		break;
	default:
		span->failure = FAILURE_LOGIN;
		break;
	}
}

/* ---- beginnings --------------------------------------------------------------------------- */

static struct exchange *new_exchange(struct pgcall *call, const struct pgconn *state)
{
	struct exchange *exchange = pgspan_new(call, state);

	if (!exchange)
		return NULL;
	pgspan_field(exchange, FIELD_OPERATION, "CONNECT");
	exchange_publish(exchange);
	pgcall_exchange(call, exchange);
	return exchange;
}

static void begin_in(struct pgconn *state, struct exchange *exchange, struct pg_conn *conn)
{
	state->connect = exchange_reference(exchange);
	state->connect_context = exchange->parent;
	state->connect_link = exchange->link;
	state->phase = PG_CONNECTION_STARTED;
	state->phase_ns = exchange_span(exchange)->start_ns;
	state->connect_error = 0;
	state->looked = 0;
	state->addressed = 0;
	state->used = 0;
	state->fields_before = exchange->fields_size;
	pgspan_describe(exchange, state, conn);
}

void pgconnect_begin(struct pgcall *call)
{
	struct thread *self = call->self;
	struct exchange *left = exchange_of(self->libpq_begins);

	/* Its call never returned. */
	if (left)
		exchange_end(left, sys_now_ns());
	self->libpq_begins = 0;
	self->libpq_error = 0;
	if (attach_ready() && new_exchange(call, NULL))
		self->libpq_begins = call->exchange;
}

void pgconnect_again(struct pgcall *call)
{
	struct pgconn *state = pgcall_state(call);
	struct exchange *exchange;

	call->self->libpq_error = 0;
	if (!state)
		return;
	pgconn_end_before(state, NULL);
	exchange = new_exchange(call, state);
	if (exchange) {
		/* Nothing is prepared on the new connection. */
		state->owner = statements_owner();
		begin_in(state, exchange, call->conn);
	}
	pgconn_unlock(state);
}

/* The entry of a connection that is being made, locked. */
static struct pgconn *state_of(const struct caller *caller, uint64_t begun, struct pg_conn *conn)
{
	struct exchange *exchange = exchange_of(begun);
	struct pgconn *state = pgconn_find(conn);
	const struct libpq *libpq;

	if (state && state->connect == begun)
		return state;
	if (state)
		pgconn_unlock(state);
	libpq = exchange && conn ? libpq_of(caller) : NULL;
	state = libpq ? pgconn_new(conn, libpq) : NULL;
	if (state)
		begin_in(state, exchange, conn);
	return state;
}

/* ---- ends --------------------------------------------------------------------------------- */

static void finish(const struct pgcall *call, struct pgconn *state, struct exchange *exchange,
		   struct pg_conn *conn, int status)
{
	state->connect = 0;
	if (status != PG_CONNECTION_OK)
		tell_failure(state, exchange);
	/* Of several hosts it has found one by now. */
	exchange->fields_size = state->fields_before;
	pgspan_describe(exchange, state, conn);
	pgspan_field(exchange, FIELD_USER, state->libpq->user(conn));
	pgcall_stack(call, state, exchange);
	exchange_end(exchange, sys_now_ns());
}

static int is_over(int status)
{
	return status == PG_CONNECTION_OK || status == PG_CONNECTION_BAD;
}

/* Without a connection there was no memory for one, or it can't be tracked. */
static void look_and_finish(struct pgcall *call, struct pg_conn *conn, int waited)
{
	struct exchange *exchange = exchange_of(call->exchange);
	struct pgconn *state = exchange ? state_of(call->caller, call->exchange, conn) : NULL;
	int status;

	call->self->libpq_begins = 0;
	if (!state) {
		if (exchange)
			exchange_end(exchange, sys_now_ns());
		return;
	}
	status = look(call->self, state, exchange, conn, 0);
	if (waited || is_over(status))
		finish(call, state, exchange, conn, status);
	pgconn_unlock(state);
}

void pgconnect_made(struct pgcall *call, struct pg_conn *conn)
{
	if (!pgcall_back(call))
		return;
	look_and_finish(call, conn, 1);
	pgcall_leave(call);
}

void pgconnect_started(struct pgcall *call, struct pg_conn *conn)
{
	if (!pgcall_back(call))
		return;
	look_and_finish(call, conn, 0);
	pgcall_leave(call);
}

void pgconnect_polled(struct pgcall *call)
{
	struct pgconn *state;
	struct exchange *exchange;
	int status;

	if (!pgcall_back(call))
		return;
	state = pgconn_find(call->conn);
	exchange = state ? exchange_of(state->connect) : NULL;
	if (exchange) {
		status = look(call->self, state, exchange, call->conn, 1);
		if (is_over(status))
			finish(call, state, exchange, call->conn, status);
	}
	if (state)
		pgconn_unlock(state);
	pgcall_leave(call);
}

void pgconnect_progress(const struct caller *caller, struct pg_conn *conn)
{
	struct thread *self = thread_inside_libpq() ? thread_enter() : NULL;
	struct pgconn *state;
	struct exchange *exchange;

	if (!self)
		return;
	state = self->libpq_begins ? state_of(caller, self->libpq_begins, conn) : pgconn_find(conn);
	exchange = state ? exchange_of(state->connect) : NULL;
	if (exchange)
		look(self, state, exchange, conn, 1);
	if (state)
		pgconn_unlock(state);
	thread_leave(self);
}

/* ---- cancelling --------------------------------------------------------------------------- */

void pgconnect_cancel_made(struct pgcall *call, struct pg_conn *cancel)
{
	struct pgconn *of;
	struct pgconn *state;
	struct span_address peer;
	uint8_t encrypted;

	if (!pgcall_back(call))
		return;
	of = cancel ? pgcall_state(call) : NULL;
	if (of) {
		const struct libpq *libpq = of->libpq;

		peer = of->peer;
		encrypted = of->encrypted;
		pgconn_unlock(of);
		state = pgconn_new(cancel, libpq);
		if (state) {
			state->addressed = 1;
			state->peer = peer;
			state->encrypted = encrypted;
			pgconn_unlock(state);
		}
	}
	pgcall_leave(call);
}

void pgconnect_cancel(struct pgcall *call)
{
	struct pgconn *state = pgconn_find(call->conn);
	struct exchange *exchange = state ? pgspan_new(call, NULL) : NULL;

	if (exchange) {
		exchange_span(exchange)->peer = state->peer;
		pgspan_field(exchange, FIELD_OPERATION, "CANCEL");
		exchange_publish(exchange);
		pgcall_exchange(call, exchange);
	}
	if (state)
		pgconn_unlock(state);
}

void pgconnect_cancelled(struct pgcall *call, int succeeded)
{
	struct exchange *exchange;

	if (!pgcall_back(call))
		return;
	exchange = exchange_of(call->exchange);
	if (exchange) {
		if (!succeeded && exchange->epoch == process_epoch)
			exchange_span(exchange)->failure = FAILURE_OTHER;
		exchange_end(exchange, sys_now_ns());
	}
	pgcall_leave(call);
}
