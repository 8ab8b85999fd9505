/* conn.c - a tracked connection: pool, lock, addresses, the requests in flight on it. */
#include "preload/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "preload/attach.h"
#include "preload/database.h"
#include "preload/exchange.h"
#include "preload/pool.h"
#include "preload/sys.h"
#include "preload/thread.h"

#define CONNECTIONS 32768
#define LOCK_TRIES  2000
#define LOCK_YIELDS 1900 /* tries before the processor is given up between them */

static struct pool conns;

int conns_init(void)
{
	if (pool_init(&conns, sizeof(struct conn), CONNECTIONS) || gathers_init())
		return -ENOMEM;
	return 0;
}

struct conn *conn_at(uint32_t index)
{
	return pool_at(&conns, index);
}

struct conn *conn_new(void)
{
	uint32_t index = pool_get(&conns);
	struct conn *conn;

	if (!index) {
		attach_count(DROP_CONNECTIONS);
		return NULL;
	}
	conn = conn_at(index);
	conn->index = index;
	memset(&conn->role, 0, sizeof(*conn) - offsetof(struct conn, role));
	atomic_store(&conn->lock, 0);
	atomic_store(&conn->references, 1);
	return conn;
}

void conn_get(struct conn *conn)
{
	atomic_fetch_add(&conn->references, 1);
}

int conn_lock(struct conn *conn)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (!atomic_exchange_explicit(&conn->lock, 1, memory_order_acquire))
			return 1;
		if (i >= LOCK_YIELDS)
			sys_call3(SYS_sched_yield, 0, 0, 0);
		else
			__asm__ volatile("" ::: "memory");
	}
	/* Bytes are missed now, so no boundary on it can be trusted any more. */
	conn->role = ROLE_OPAQUE;
	attach_count(DROP_GAVE_UP);
	return 0;
}

void conn_unlock(struct conn *conn)
{
	atomic_store_explicit(&conn->lock, 0, memory_order_release);
}

static void take_address(struct span_address *to, const struct sockaddr_storage *from)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;

	if (from->ss_family == AF_INET) {
		to->family = ADDRESS_IPV4;
		to->port = ntohs(v4->sin_port);
		memcpy(to->bytes, &v4->sin_addr, 4);
	} else if (from->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		to->family = ADDRESS_IPV4;
		to->port = ntohs(v6->sin6_port);
		memcpy(to->bytes, v6->sin6_addr.s6_addr + 12, 4);
	} else if (from->ss_family == AF_INET6) {
		to->family = ADDRESS_IPV6;
		to->port = ntohs(v6->sin6_port);
		memcpy(to->bytes, &v6->sin6_addr, 16);
	} else if (from->ss_family == AF_UNIX) {
		to->family = ADDRESS_UNIX;
	}
}

/* Of a Unix socket, the end that has a name: the peer's for a client, ours for a server. */
static void take_path(struct conn *conn, const struct sockaddr_storage *from, socklen_t size)
{
	const struct sockaddr_un *unix_name = (const struct sockaddr_un *)from;
	size_t prefix = offsetof(struct sockaddr_un, sun_path);
	size_t length;

	if (from->ss_family != AF_UNIX || size <= prefix || conn->unix_path_size)
		return;
	length = size - prefix;
	if (length > sizeof(conn->unix_path))
		length = sizeof(conn->unix_path);
	memcpy(conn->unix_path, unix_name->sun_path, length);
	if (conn->unix_path[0])
		length = strnlen(conn->unix_path, length);
	else
		conn->unix_path[0] = '@';
	conn->unix_path_size = (uint8_t)length;
}

int conn_address(struct conn *conn, int fd)
{
	static const int calls[] = {SYS_getpeername, SYS_getsockname};

	if (conn->addressed)
		return 0;
	for (int i = 0; i < 2; i++) {
		struct sockaddr_storage name;
		socklen_t size = sizeof(name);
		long result = sys_call3(calls[i], fd, (long)&name, (long)&size);

		if (result == -ENOTSOCK)
			return -1;
		if (result)
			continue;
		take_address(i ? &conn->local : &conn->peer, &name);
		take_path(conn, &name, size);
	}
	conn->addressed = 1;
	return 0;
}

void conn_push(struct conn *conn, struct exchange *exchange)
{
	exchange->next = 0;
	if (conn->last)
		exchange_at(conn->last)->next = exchange->index;
	else
		conn->first = exchange->index;
	conn->last = exchange->index;
}

struct exchange *conn_first(struct conn *conn)
{
	return exchange_at(conn->first);
}

static struct exchange *pop(struct conn *conn)
{
	struct exchange *exchange = conn_first(conn);

	conn->first = exchange->next;
	if (!conn->first)
		conn->last = 0;
	return exchange;
}

/* The rest of our lines in a head that is half out comes from the exchange: it can't end yet. */
static int is_needed(const struct conn *conn, const struct exchange *exchange)
{
	return conn->inserted && conn->sending == exchange_reference(exchange);
}

/* Log-ins and the like are paired with their answers, but are no story to tell. */
static void end(struct exchange *exchange, uint64_t end_ns)
{
	if (exchange->is_operation && !exchange->told)
		exchange_drop(exchange);
	else
		exchange_end(exchange, end_ns);
}

void conn_end_first(struct conn *conn, uint64_t end_ns)
{
	const struct exchange *first = conn_first(conn);

	if (first && !is_needed(conn, first))
		end(pop(conn), end_ns);
}

void conn_fail(struct conn *conn, enum span_failure failure, int error_number)
{
	uint64_t now = conn->first ? sys_now_ns() : 0;

	if (conn->first && conn->database)
		database_close(conn);
	while (conn->first) {
		struct exchange *exchange = conn_first(conn);
		struct span *span = exchange_span(exchange);

		/* Who got an answer and then hangs up has not failed. */
		if (failure == FAILURE_CLOSED && exchange->kind == SPAN_CLIENT &&
		    exchange->responded) {
			span->response_body_bytes = conn->in.body.bytes;
		} else if (!span->failure) {
			span->failure = (uint8_t)failure;
			span->error_number = error_number;
		}
		if (failure != FAILURE_CLOSED && is_needed(conn, exchange))
			return;
		end(pop(conn), now);
	}
	conn->sending = 0;
}

void conn_eof(struct conn *conn, struct stream *stream)
{
	struct exchange *exchange = conn_first(conn);
	int is_response = stream == (conn->role == ROLE_CLIENT ? &conn->in : &conn->out);

	stream->eof = 1;
	if (!is_response || !exchange || stream->phase != PHASE_BODY ||
	    http1_body_eof(&stream->body))
		return;
	exchange_span(exchange)->response_body_bytes = stream->body.bytes;
	stream->phase = PHASE_HEAD;
	conn_end_first(conn, sys_now_ns());
}

void conn_finish(struct conn *conn)
{
	conn_fail(conn, FAILURE_CLOSED, 0);
	database_free(conn);
	stream_clear(&conn->in);
	stream_clear(&conn->out);
	conn->role = ROLE_OPAQUE;
}

void conn_give_up(struct conn *conn, enum span_failure failure)
{
	if (conn->role == ROLE_SERVER || conn->role == ROLE_CLIENT)
		attach_count(DROP_GAVE_UP);
	conn_fail(conn, failure, 0);
	conn_finish(conn);
}

enum span_failure conn_failure_of(int error_number)
{
	switch (error_number) {
	case ECONNRESET:
		return FAILURE_CONNECTION_RESET;
	case EPIPE:
		return FAILURE_BROKEN_PIPE;
	case ETIMEDOUT:
		return FAILURE_TIMED_OUT;
	case ECONNREFUSED:
		return FAILURE_CONNECTION_REFUSED;
	case EHOSTUNREACH:
	case ENETUNREACH:
		return FAILURE_UNREACHABLE;
	default:
		return FAILURE_OTHER;
	}
}

int conn_is_over(int error_number)
{
	return error_number == ECONNABORTED || error_number == ENETDOWN ||
	       conn_failure_of(error_number) != FAILURE_OTHER;
}

void conn_put(struct conn *conn)
{
	if (atomic_fetch_sub(&conn->references, 1) != 1)
		return;
	atomic_fetch_add(&conn->generation, 1);
	/* Whoever has the lock for so long may still use it: then it is lost for good. */
	if (!conn_lock(conn))
		return;
	conn_eof(conn, &conn->out);
	conn_finish(conn);
	conn_unlock(conn);
	pool_put(&conns, conn->index);
}
