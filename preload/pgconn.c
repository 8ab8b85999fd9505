/* pgconn.c - what is kept of each of libpq's connections. */
#include "preload/pgconn.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "preload/attach.h"
#include "preload/statements.h"
#include "preload/sys.h"
#include "preload/thread.h"

#define CONNECTIONS 8192u /* power of two */
#define PROBES      16u
#define LOCK_TRIES  1000

/* The addresses lie apart from what is kept, so that a look-up runs through few cache lines. */
static _Atomic uintptr_t *keys;
static struct pgconn *states;

int pgconns_init(void)
{
	if (!keys)
		keys = sys_map(sizeof(*keys) * CONNECTIONS);
	if (!states)
		states = sys_map(sizeof(*states) * CONNECTIONS);
	return keys && states ? 0 : -ENOMEM;
}

static inline uint32_t place_of(const struct pg_conn *conn, unsigned probe)
{
	uint64_t hash = (uintptr_t)conn * 0x9e3779b97f4a7c15ull;

	return (uint32_t)((hash >> 40) + probe) & (CONNECTIONS - 1);
}

/* Its place in the table, or CONNECTIONS. */
static inline uint32_t look_up(const struct pg_conn *conn)
{
	if (!conn || !keys)
		return CONNECTIONS;
	for (unsigned probe = 0; probe < PROBES; probe++) {
		uint32_t place = place_of(conn, probe);

		if (atomic_load_explicit(&keys[place], memory_order_acquire) == (uintptr_t)conn)
			return place;
	}
	return CONNECTIONS;
}

static uint32_t claim(const struct pg_conn *conn)
{
	for (unsigned probe = 0; keys && probe < PROBES; probe++) {
		uint32_t place = place_of(conn, probe);
		uintptr_t none = 0;

		if (atomic_compare_exchange_strong(&keys[place], &none, (uintptr_t)conn))
			return place;
	}
	return CONNECTIONS;
}

static __attribute__((noinline)) int wait_for(struct pgconn *state)
{
	for (int i = 1; i < LOCK_TRIES; i++) {
		sys_call3(SYS_sched_yield, 0, 0, 0);
		if (!atomic_exchange_explicit(&state->lock, 1, memory_order_acquire))
			return 1;
	}
	return 0;
}

static inline int lock(struct pgconn *state)
{
	return !atomic_exchange_explicit(&state->lock, 1, memory_order_acquire) || wait_for(state);
}

void pgconn_unlock(struct pgconn *state)
{
	atomic_store_explicit(&state->lock, 0, memory_order_release);
}

const struct libpq *pgconn_libpq(const struct pg_conn *conn)
{
	uint32_t place = look_up(conn);

	return place < CONNECTIONS ? states[place].libpq : NULL;
}

int pgconn_socket(const struct pg_conn *conn)
{
	const struct libpq *libpq = pgconn_libpq(conn);

	return libpq ? libpq->socket(conn) : -1;
}

struct pgconn *pgconn_find(const struct pg_conn *conn)
{
	uint32_t place = look_up(conn);

	return place < CONNECTIONS && lock(&states[place]) ? &states[place] : NULL;
}

struct pgconn *pgconn_new(const struct pg_conn *conn, const struct libpq *libpq)
{
	struct pgconn *state;
	uint32_t place;

	/* The end of an older one was missed: its address is another connection's now. */
	pgconn_forget(conn);
	place = look_up(conn) == CONNECTIONS ? claim(conn) : CONNECTIONS;
	if (place == CONNECTIONS) {
		attach_count(DROP_CONNECTIONS);
		return NULL;
	}
	state = &states[place];
	if (!lock(state))
		return NULL;
	memset(&state->first, 0, sizeof(*state) - offsetof(struct pgconn, first));
	state->libpq = libpq;
	state->owner = statements_owner();
	return state;
}

struct exchange *pgconn_first(const struct pgconn *state)
{
	return exchange_at(state->first);
}

void pgconn_push(struct pgconn *state, struct exchange *exchange)
{
	exchange->next = 0;
	if (state->last)
		exchange_at(state->last)->next = exchange->index;
	else
		state->first = exchange->index;
	state->last = exchange->index;
}

static struct exchange *pop(struct pgconn *state)
{
	struct exchange *exchange = pgconn_first(state);

	state->first = exchange->next;
	if (!state->first)
		state->last = 0;
	state->in_rows = 0;
	state->failed = 0;
	return exchange;
}

void pgconn_take(struct pgconn *state, struct exchange *exchange)
{
	struct exchange *before = pgconn_first(state);

	if (before == exchange) {
		pop(state);
		return;
	}
	while (before && before->next != exchange->index)
		before = exchange_at(before->next);
	if (before) {
		before->next = 0;
		state->last = before->index;
	}
}

void pgconn_end_first(struct pgconn *state, uint64_t end_ns)
{
	exchange_end(pop(state), end_ns);
}

void pgconn_end_before(struct pgconn *state, const struct exchange *last)
{
	uint64_t now;

	if (!state->first || pgconn_first(state) == last)
		return;
	now = sys_now_ns();
	while (state->first && pgconn_first(state) != last)
		pgconn_end_first(state, now);
}

static void end_closed(struct exchange *exchange, uint64_t end_ns)
{
	struct span *span = exchange_span(exchange);

	if (!exchange->responded && !span->failure && exchange->epoch == process_epoch)
		span->failure = FAILURE_CLOSED;
	exchange_end(exchange, end_ns);
}

void pgconn_forget(const struct pg_conn *conn)
{
	uint32_t place = look_up(conn);
	struct pgconn *state = &states[place];
	struct exchange *connect;
	uint64_t now;

	if (place == CONNECTIONS || !lock(state))
		return;
	now = sys_now_ns();
	connect = exchange_of(state->connect);
	if (connect)
		end_closed(connect, now);
	while (state->first)
		end_closed(pop(state), now);
	atomic_store_explicit(&keys[place], 0, memory_order_release);
	pgconn_unlock(state);
}
