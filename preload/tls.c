/* tls.c - encrypted sessions: the clear text of each is a connection of its own. */
#include "preload/tls.h"
#include "preload/tls_library.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "preload/attach.h"
#include "preload/context.h"
#include "preload/exchange_list.h"
#include "preload/identity.h"
#include "preload/names.h"
#include "preload/pool.h"
#include "preload/stream.h"
#include "preload/sys.h"
#include "preload/tls_carrier.h"

#define SESSIONS    16384u
#define TABLE       65536u /* words; a power of two */
#define WINDOW      16u    /* words that a pointer may lie in */
#define INDEX_BITS  16
#define POINTER_LOW 4 /* bits that are zero in what malloc gives */
/* Frames of a library between two of its own functions: a deeper call was not made by it. */
#define FRAMES_REACH (64u << 10)

static struct pool sessions;
/*
 * A word is pointer and index. A pointer lies anywhere in its window, which a look-up always runs
 * through, so that a word can be taken out again.
 */
static _Atomic uint64_t *table;

int tls_init(void)
{
	if (!table)
		table = sys_map(sizeof(*table) * TABLE);
	if (!table || pool_init(&sessions, sizeof(struct tls_session), SESSIONS))
		return -ENOMEM;
	return tls_writers_init();
}

struct tls_session *tls_at(uint32_t index)
{
	return index ? pool_at(&sessions, index) : NULL;
}

static uint64_t word_for(const void *handle, uint32_t index)
{
	return (uint64_t)(uintptr_t)handle >> POINTER_LOW << INDEX_BITS | index;
}

static _Atomic uint64_t *window_of(const void *handle)
{
	uint64_t hash = ((uintptr_t)handle >> POINTER_LOW) * 0x9e3779b97f4a7c15ull;

	return table + ((hash >> 32) & (TABLE - 1) & ~(uint64_t)(WINDOW - 1));
}

/* Its word, the first if there are two; NULL: none. */
static _Atomic uint64_t *look_up(const void *handle, uint64_t *word)
{
	_Atomic uint64_t *at = table ? window_of(handle) : NULL;
	uint64_t wanted = word_for(handle, 0);

	for (unsigned i = 0; at && i < WINDOW; i++) {
		*word = atomic_load_explicit(&at[i], memory_order_acquire);
		if (*word && (*word & ~((1ull << INDEX_BITS) - 1)) == wanted)
			return &at[i];
	}
	return NULL;
}

static struct tls_session *session_in(uint64_t word)
{
	return tls_at(word & ((1u << INDEX_BITS) - 1));
}

struct tls_session *tls_find(const void *handle)
{
	uint64_t word;

	return look_up(handle, &word) ? session_in(word) : NULL;
}

/* Gives up what a session has; the connection is taken once, by whoever comes first. */
static void release(struct tls_session *session)
{
	uint32_t conn = __atomic_exchange_n(&session->conn, 0, __ATOMIC_ACQ_REL);

	if (conn)
		conn_put(conn_at(conn));
}

static int insert(struct tls_session *session)
{
	_Atomic uint64_t *at = window_of(session->handle);

	for (unsigned i = 0; i < WINDOW; i++) {
		uint64_t empty = 0;

		if (!atomic_load_explicit(&at[i], memory_order_relaxed) &&
		    atomic_compare_exchange_strong(&at[i], &empty,
						   word_for(session->handle, session->index)))
			return 0;
	}
	return -1;
}

struct tls_session *tls_open(void *handle, const struct tls_library *library)
{
	struct tls_session *session;
	struct conn *conn;
	uint32_t index;

	if (!library || !attach_ready() || !(index = pool_get(&sessions)))
		return NULL;
	session = tls_at(index);
	memset(&session->index, 0, sizeof(*session) - offsetof(struct tls_session, index));
	session->index = index;
	session->handle = handle;
	session->library = library;
	conn = conn_new();
	if (conn) {
		session->conn = conn->index;
		conn->tls = index;
	}
	/* One whose handshake was not seen has no time to tell. */
	session->established = (uint8_t)library->established(session);
	if (conn && !insert(session))
		return session;
	release(session);
	pool_put(&sessions, index);
	attach_count(DROP_CONNECTIONS);
	return NULL;
}

void tls_close(const void *handle)
{
	uint64_t word;
	_Atomic uint64_t *at = look_up(handle, &word);
	struct tls_session *session;

	if (!at || !atomic_compare_exchange_strong(at, &word, 0))
		return;
	session = session_in(word);
	release(session);
	tls_writer_clear(&session->writer);
	pool_put(&sessions, session->index);
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* A session inside another one's call: TLS in TLS, as through an encrypted proxy. */
static void carry(struct tls_session *outer, const struct tls_call *call)
{
	uint32_t index = outer->conn;
	struct conn *conn = index ? conn_at(index) : NULL;

	if (!conn || outer->carried || !tls_lock(call))
		return;
	if (conn_lock(conn)) {
		if (conn->tls == outer->index)
			tls_associate(conn, call->conn);
		outer->carried = 1;
		conn_unlock(conn);
	}
	tls_unlock(call);
}

/* The session whose call is under way around that frame, 0: none. */
static uint32_t inside_of(const struct thread *self, uintptr_t here)
{
	return here < self->tls_frame && self->tls_frame - here < FRAMES_REACH ? self->tls : 0;
}

int tls_is_inside(const struct tls_session *session, const void *frame)
{
	return inside_of(&thread_self, (uintptr_t)frame) == session->index;
}

int tls_enter(struct tls_call *call, struct tls_session *session, void *frame)
{
	struct thread *self = &thread_self;
	uintptr_t here = (uintptr_t)frame;
	uint32_t conn = session->conn;
	uint32_t outer = inside_of(self, here);

	if (!conn || outer == session->index)
		return 0;
	call->session = session;
	call->conn = conn_at(conn);
	call->generation = atomic_load(&call->conn->generation);
	call->outer = self->tls;
	call->outer_frame = self->tls_frame;
	if (outer)
		carry(tls_at(outer), call);
	if (!session->established && !session->since_ns)
		session->since_ns = sys_now_ns();
	self->tls = session->index;
	self->tls_frame = here;
	return 1;
}

void tls_leave(const struct tls_call *call)
{
	thread_self.tls = call->outer;
	thread_self.tls_frame = call->outer_frame;
}

struct conn *tls_lock(const struct tls_call *call)
{
	if (!conn_lock(call->conn))
		return NULL;
	if (atomic_load(&call->conn->generation) == call->generation &&
	    call->conn->role != ROLE_OPAQUE)
		return call->conn;
	conn_unlock(call->conn);
	return NULL;
}

void tls_unlock(const struct tls_call *call)
{
	int is_opaque = call->conn->role == ROLE_OPAQUE;

	conn_unlock(call->conn);
	if (is_opaque && atomic_load(&call->conn->generation) == call->generation)
		release(call->session);
}

static void describe(struct tls_session *session)
{
	session->library->describe(session);
	session->described = 1;
}

/* As the completion of a connect: see design, what a request that is sent next belongs to. */
static void restore_context(struct thread *self, const struct tls_call *call)
{
	const struct conn *conn = call->conn;

	if (conn->connecting && !conn->used)
		context_set(self, conn->connect_context, conn->connect_link, 0);
}

void tls_progress(struct thread *self, const struct tls_call *call, enum tls_outcome outcome)
{
	struct tls_session *session = call->session;
	uint64_t took_us;

	if (outcome == TLS_AGAIN || (!session->established && outcome == TLS_DONE))
		restore_context(self, call);
	if (session->established || !session->library->established(session))
		return;
	took_us = (sys_now_ns() - session->since_ns) / 1000;
	session->handshake_us = took_us > UINT32_MAX ? UINT32_MAX : (uint32_t)took_us + 1;
	session->established = 1;
	describe(session);
	/* Datagrams, and versions that are too old to be met. */
	if (!session->version[0] && tls_lock(call)) {
		conn_finish(call->conn);
		tls_unlock(call);
	}
}

void tls_received(struct thread *self, const struct tls_call *call, const void *at, size_t size)
{
	struct iovec one = {(void *)at, size};

	if (!call->session->described)
		describe(call->session);
	if (!call->conn->addressed)
		tls_find_carrier(call);
	if (!tls_lock(call))
		return;
	stream_bytes(self, call->conn, -1, STREAM_IN, &one, 1, size);
	tls_unlock(call);
}

void tls_shut(const struct tls_call *call)
{
	if (!tls_lock(call))
		return;
	conn_eof(call->conn, &call->conn->out);
	/* What a server still reads now it throws away. */
	if (call->conn->role == ROLE_SERVER)
		conn_finish(call->conn);
	tls_unlock(call);
}

/* ---- failures -------------------------------------------------------------------------------- */

static enum span_failure failure_of(enum tls_outcome outcome, int error)
{
	if (outcome == TLS_FAILED)
		return FAILURE_PROTOCOL;
	if (outcome == TLS_END || !error)
		return FAILURE_PEER_CLOSED;
	return conn_failure_of(error);
}

static void add_fields(struct exchange *exchange, struct tls_session *session)
{
	struct span *span = exchange_span(exchange);

	span->flags |= session->resumed ? SPAN_ENCRYPTED | SPAN_RESUMED : SPAN_ENCRYPTED;
	if (session->version[0])
		exchange_field(exchange, FIELD_TLS_VERSION, session->version, 3);
	if (session->protocol_size)
		exchange_field(exchange, FIELD_TLS_PROTOCOL, session->protocol,
			       session->protocol_size);
	if (session->server_name_size)
		exchange_field(exchange, FIELD_TLS_SERVER_NAME, session->server_name,
			       session->server_name_size);
}

void tls_describe(struct exchange *exchange, const struct conn *conn)
{
	struct tls_session *session = tls_at(conn->tls);

	add_fields(exchange, session);
	exchange_span(exchange)->phase_us[PHASE_TLS] = session->handshake_us;
	session->handshake_us = 0;
}

/* A span of its own; the context is the one that the connection was made in, else the current. */
static void tell(struct thread *self, const struct tls_call *call, enum tls_outcome outcome,
		 int error, const char *why)
{
	struct tls_session *session = call->session;
	const struct conn *conn = call->conn;
	struct exchange *server = exchange_of(conn->connect_context);
	uint8_t link = conn->connect_link;
	struct exchange *exchange;
	struct span *span;
	char name[128];
	size_t size;

	if (!server) {
		server = exchange_of(context_get(self));
		link = context_link(self);
	}
	/* As with connect(): a server's attempts of its own (health checks) are not told. */
	if (!server && exchange_served() && !session->library->is_server(session))
		return;
	exchange = exchange_new(SPAN_INTERNAL, session->since_ns);
	if (!exchange)
		return;
	if (server)
		identity_from_context(self, exchange, server, link);
	else
		identity_from_process(self, exchange);
	span = exchange_span(exchange);
	span->protocol = SPAN_TLS;
	span->peer = conn->peer;
	span->local = conn->local;
	span->failure = (uint8_t)failure_of(outcome, error);
	span->error_number = error;
	add_fields(exchange, session);
	if (why)
		exchange_field(exchange, FIELD_STATUS, why, strnlen(why, 128));
	size = session->library->is_server(session) ? 0
						    : names_find(&conn->peer, name, sizeof(name));
	if (size)
		exchange_field(exchange, FIELD_PEER_NAME, name, size);
	exchange_end(exchange, sys_now_ns());
}

static void handshake_failed(struct thread *self, const struct tls_call *call,
			     enum tls_outcome outcome, long result, int error)
{
	struct tls_session *session = call->session;
	int is_server = session->library->is_server(session);

	if (session->failed)
		return;
	session->failed = 1;
	/* Who only looks whether somebody listens is no failure of the server's. */
	if (is_server && outcome != TLS_FAILED)
		return;
	if (!call->conn->addressed)
		tls_find_carrier(call);
	describe(session);
	if (!tls_lock(call))
		return;
	tell(self, call, outcome, error,
	     outcome == TLS_FAILED ? session->library->why(session, result) : NULL);
	conn_finish(call->conn);
	tls_unlock(call);
}

void tls_failed(struct thread *self, const struct tls_call *call, enum tls_outcome outcome,
		long result, int error)
{
	struct conn *conn = call->conn;

	if (outcome == TLS_AGAIN)
		return;
	if (!call->session->established) {
		handshake_failed(self, call, outcome, result, error);
		return;
	}
	if (!tls_lock(call))
		return;
	if (outcome == TLS_FAILED || (outcome == TLS_BROKEN && error)) {
		if (outcome == TLS_FAILED || conn_is_over(error))
			conn_fail(conn, failure_of(outcome, error), error);
	} else {
		conn_eof(conn, &conn->in);
		/* A server may still answer a client that has only finished sending. */
		if (conn->role == ROLE_CLIENT)
			conn_fail(conn, FAILURE_PEER_CLOSED, 0);
	}
	tls_unlock(call);
}
