/* connect.c - connections that the program makes: their context, and the failures that are told as
 * spans. */
#include "preload/connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "preload/conn.h"
#include "preload/context.h"
#include "preload/exchange.h"
#include "preload/exchange_list.h"
#include "preload/fd.h"
#include "preload/identity.h"
#include "preload/names.h"
#include "preload/sys.h"

static void target_address(struct span_address *to, const struct sockaddr *from, socklen_t size)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;

	if (from->sa_family == AF_INET && size >= sizeof(*v4)) {
		to->family = ADDRESS_IPV4;
		to->port = ntohs(v4->sin_port);
		memcpy(to->bytes, &v4->sin_addr, 4);
	} else if (from->sa_family == AF_INET6 && size >= sizeof(*v6)) {
		to->family = ADDRESS_IPV6;
		to->port = ntohs(v6->sin6_port);
		memcpy(to->bytes, &v6->sin6_addr, 16);
	}
}

/*
 * A failed connect is often the whole answer to "what happened?": inside a request, or in a program
 * that serves none. A server's attempts of its own (health checks) are not told.
 */
static void tell_failure(struct thread *self, uint64_t context, uint8_t link,
			 const struct span_address *peer, uint64_t since_ns, int error)
{
	struct exchange *server = exchange_of(context);
	struct exchange *exchange;
	struct span *span;
	char name[128];
	size_t size;

	if ((!server && exchange_served()) || peer->family == ADDRESS_NONE)
		return;
	exchange = exchange_new(SPAN_INTERNAL, since_ns);
	if (!exchange)
		return;
	if (server)
		identity_from_context(self, exchange, server, link);
	else
		identity_from_process(self, exchange);
	span = exchange_span(exchange);
	span->protocol = SPAN_CONNECT;
	span->peer = *peer;
	span->failure = (uint8_t)conn_failure_of(error);
	span->error_number = error;
	size = names_find(peer, name, sizeof(name));
	if (size)
		exchange_field(exchange, FIELD_PEER_NAME, name, size);
	exchange_end(exchange, sys_now_ns());
}

static int is_pending(int error)
{
	return error == EINPROGRESS || error == EALREADY || error == EINTR || error == EAGAIN;
}

void connect_called(struct thread *self, int fd, const struct sockaddr *to, socklen_t size,
		    uint64_t since_ns, int error)
{
	struct conn *conn = fd_known_connection(fd);
	int is_stream = conn || fd_entry(fd) == FD_STREAM;
	uint8_t link;
	uint64_t context = context_both(self, &link);

	if (!to || error == EFAULT || size < sizeof(to->sa_family) || to->sa_family == AF_UNSPEC) {
		fd_reset(fd, FD_UNKNOWN);
		return;
	}
	if (conn && conn->connecting && !conn->used &&
	    (error == EALREADY || error == EISCONN || !error)) {
		context_set(self, conn->connect_context, conn->connect_link, 0);
		return;
	}
	fd_reset(fd, is_stream ? FD_STREAM : FD_UNKNOWN);
	if (error && !is_pending(error)) {
		struct span_address peer = {0};

		target_address(&peer, to, size);
		tell_failure(self, context, link, &peer, since_ns, error);
		return;
	}
	conn = fd_connection(fd);
	if (!conn || !conn_lock(conn))
		return;
	conn->connecting = 1;
	conn->connect_ns = since_ns;
	conn->connect_context = context;
	conn->connect_link = context ? link : 0;
	target_address(&conn->peer, to, size);
	conn_unlock(conn);
}

void connect_asked(struct thread *self, int fd, int error)
{
	struct conn *conn = fd_known_connection(fd);

	if (!conn || !conn->connecting || conn->used)
		return;
	context_set(self, conn->connect_context, conn->connect_link, 0);
	if (error)
		tell_failure(self, conn->connect_context, conn->connect_link, &conn->peer,
			     conn->connect_ns, error);
}

uint64_t connect_caller(struct thread *self, uint64_t maker, uint8_t made, enum span_link *link)
{
	uint8_t own_link;
	uint64_t own = context_both(self, &own_link);

	if (self->runtime || !exchange_of(maker) ||
	    (own != maker && context_is_served(self, own, own_link)))
		return 0;
	if (made >= SPAN_LINK_GUESSES)
		*link = (enum span_link)made;
	else if (self->waits == THREAD_LOOPS ? !own || own == maker
					     : own == maker && own_link < SPAN_LINK_GUESSES)
		*link = SPAN_LINK_CONNECT;
	else
		*link = SPAN_LINK_GUESS_CONNECT;
	return maker;
}
