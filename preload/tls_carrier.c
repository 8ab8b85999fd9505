/* tls_carrier.c - which socket is below an encrypted session? */
#include "preload/tls_carrier.h"
#include "preload/tls_library.h"

#include <stdatomic.h>
#include <string.h>

#include "preload/database.h"
#include "preload/fd.h"

/* ClientHellos that a program moved itself, and whose session has not been asked for yet. */
#define HELLOS     128u
#define LOCK_TRIES 1000

/* Of a record with a ClientHello (RFC 8446, 4.1.2): type and version, then these. */
#define HELLO_TYPE    5
#define HELLO_RANDOM  11
#define CLIENT_HELLO  1
#define FRAMES_REACH  (64u << 10)
#define VERSION_MAJOR 3

static struct {
	uint8_t random[TLS_RANDOM_SIZE];
	uint32_t conn; /* a reference to it is held; 0: empty */
} hellos[HELLOS];
static uint32_t hello_next;
static _Atomic uint32_t hello_lock;

static int lock_hellos(void)
{
	for (int i = 0; i < LOCK_TRIES; i++)
		if (!atomic_exchange_explicit(&hello_lock, 1, memory_order_acquire))
			return 1;
	return 0;
}

static void unlock_hellos(void)
{
	atomic_store_explicit(&hello_lock, 0, memory_order_release);
}

/* Keeps the connection for the session that asks for it; the oldest one goes. */
static void put_hello(struct conn *carrier, const uint8_t *random)
{
	uint32_t old = 0;

	if (!lock_hellos())
		return;
	old = hellos[hello_next % HELLOS].conn;
	conn_get(carrier);
	hellos[hello_next % HELLOS].conn = carrier->index;
	memcpy(hellos[hello_next % HELLOS].random, random, TLS_RANDOM_SIZE);
	hello_next++;
	unlock_hellos();
	if (old)
		conn_put(conn_at(old));
}

/* Its connection, whose reference is the caller's now, or NULL. */
static struct conn *take_hello(const uint8_t *random)
{
	uint32_t found = 0;

	if (!lock_hellos())
		return NULL;
	for (uint32_t i = 0; i < HELLOS && !found; i++) {
		if (!hellos[i].conn || memcmp(hellos[i].random, random, TLS_RANDOM_SIZE) != 0)
			continue;
		found = hellos[i].conn;
		hellos[i].conn = 0;
	}
	unlock_hellos();
	return found ? conn_at(found) : NULL;
}

void tls_associate(struct conn *conn, struct conn *carrier)
{
	conn->peer = carrier->peer;
	conn->local = carrier->local;
	memcpy(conn->unix_path, carrier->unix_path, sizeof(conn->unix_path));
	conn->unix_path_size = carrier->unix_path_size;
	conn->addressed = 1;
	conn->connecting = carrier->connecting;
	conn->used = carrier->used;
	conn->connect_context = carrier->connect_context;
	conn->connect_link = carrier->connect_link;
	conn->connect_ns = carrier->connect_ns;
	if (!carrier->database || carrier->role != ROLE_ENCRYPTED || conn->database)
		return;
	/* A log-in that began in the clear goes on. */
	database_move(carrier, conn);
	conn->first = carrier->first;
	conn->last = carrier->last;
	carrier->first = carrier->last = 0;
}

/* With the carrier locked. */
static void carried_by(struct tls_session *session, struct conn *carrier)
{
	uint32_t index = session->conn;
	struct conn *conn = index ? conn_at(index) : NULL;

	session->carried = 1;
	if (!conn || !conn_lock(conn))
		return;
	if (conn->tls == session->index)
		tls_associate(conn, carrier);
	conn_unlock(conn);
}

/* The session whose real function runs now, if it has no socket yet. */
static struct tls_session *session_inside(const struct thread *self)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	struct tls_session *session = tls_at(self->tls);

	/* A longjmp out of the call leaves the mark behind. */
	if (!session || session->carried || here >= self->tls_frame ||
	    self->tls_frame - here >= FRAMES_REACH)
		return NULL;
	return session;
}

int tls_carries(struct thread *self, struct conn *carrier, int fd, const uint8_t *at, size_t size)
{
	struct tls_session *session;

	if (size < HELLO_TYPE || at[1] != VERSION_MAJOR || at[2] > 4)
		return 0;
	session = session_inside(self);
	if (session) {
		if (conn_address(carrier, fd) == 0)
			carried_by(session, carrier);
		conn_finish(carrier);
		return 1;
	}
	if (size < HELLO_RANDOM + TLS_RANDOM_SIZE || at[HELLO_TYPE] != CLIENT_HELLO ||
	    conn_address(carrier, fd))
		return 0;
	put_hello(carrier, at + HELLO_RANDOM);
	/* What a database's log-in has told so far is the session's, once that is known. */
	if (carrier->role != ROLE_ENCRYPTED)
		carrier->role = ROLE_OPAQUE;
	return 1;
}

/* By the descriptor that the library says it reads from. */
static void find_descriptor(const struct tls_call *call)
{
	int fd = call->session->library->descriptor(call->session);
	struct conn *carrier = fd >= 0 && !fd_ignored(fd) ? fd_lock(fd) : NULL;

	if (carrier) {
		if (conn_address(carrier, fd) == 0)
			carried_by(call->session, carrier);
		conn_finish(carrier);
		conn_unlock(carrier);
		fd_ignore(fd, carrier);
	} else if (fd >= 0 && tls_lock(call)) {
		conn_address(call->conn, fd);
		tls_unlock(call);
	}
}

void tls_find_carrier(const struct tls_call *call)
{
	uint8_t random[TLS_RANDOM_SIZE];
	struct conn *carrier = NULL;

	if (call->session->library->client_random(call->session, random) == 0)
		carrier = take_hello(random);
	if (carrier) {
		if (conn_lock(carrier)) {
			carried_by(call->session, carrier);
			conn_finish(carrier);
			conn_unlock(carrier);
		}
		conn_put(carrier);
	} else {
		find_descriptor(call);
	}
	/* Asked once: else it stays unknown. */
	if (tls_lock(call)) {
		call->conn->addressed = 1;
		tls_unlock(call);
	}
}
