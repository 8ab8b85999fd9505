/* seen_receive.c - what the hooks on reading do: requests served, replies received. */
#include <errno.h>
#include <string.h>

#include "preload/attach.h"
#include "preload/conn.h"
#include "preload/context.h"
#include "preload/exchange.h"
#include "preload/fd.h"
#include "preload/hook.h"
#include "preload/message.h"
#include "preload/stream.h"
#include "preload/thread.h"

/* A connection's end is read: an event loop works for whoever uses it, or for nobody. */
static void its_turn(struct thread *self, struct conn *conn)
{
	if (self->waits == THREAD_CALLS)
		return;
	if (conn->role == ROLE_CLIENT)
		message_reply_context(self, conn);
	else
		context_set(self, conn->first ? exchange_reference(conn_first(conn)) : 0,
			    SPAN_LINK_CONTEXT, 0);
}

/* A failed read: the end of all that is in flight, or, on a connection being made, a sign of life.
 */
static void read_failed(struct thread *self, struct conn *conn, int error)
{
	if (error == EAGAIN || error == EWOULDBLOCK) {
		if (conn->connecting && !conn->used)
			context_set(self, conn->connect_context, conn->connect_link, 0);
		return;
	}
	if (!conn_is_over(error))
		return;
	its_turn(self, conn);
	conn_fail(conn, conn_failure_of(error), error);
}

static void read_ended(struct thread *self, struct conn *conn)
{
	its_turn(self, conn);
	conn_eof(conn, &conn->in);
	/* A server may still answer a client that has only finished sending. */
	if (conn->role == ROLE_CLIENT)
		conn_fail(conn, FAILURE_PEER_CLOSED, 0);
}

/*
 * The common end of every read: `size` bytes arrived in the first bytes of the vector, or, without
 * a vector, were thrown away by the kernel.
 */
static void seen(int fd, ssize_t size, const struct iovec *iov, size_t count, int error)
{
	struct thread *self = thread_enter();
	struct conn *conn;

	if (!self)
		return;
	conn = fd_lock(fd);
	if (conn) {
		if (size > 0)
			attach_count_bytes(0, (uint64_t)size);
		if (size > 0 && !iov)
			stream_skip(conn, STREAM_IN, (uint64_t)size);
		else if (size > 0)
			stream_bytes(self, conn, fd, STREAM_IN, iov, count, (size_t)size);
		else if (size == 0)
			read_ended(self, conn);
		else
			read_failed(self, conn, error);
		if (conn->role == ROLE_OPAQUE) {
			conn_unlock(conn);
			fd_ignore(fd, conn);
		} else {
			conn_unlock(conn);
		}
	} else if (size > 0 && fd_entry(fd) == FD_WAKE) {
		context_woken(self);
	}
	thread_leave(self);
}

static void seen_buffer(int fd, ssize_t result, const void *buf, size_t n, int flags)
{
	struct iovec one = {(void *)buf, n};
	int error = result < 0 ? errno : 0;

	/* A peek is followed by the read itself; out-of-band bytes are no part of the stream. */
	if (flags & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE) || (result == 0 && n == 0))
		return;
	/* With MSG_TRUNC a stream's bytes are dropped and the buffer, which may be NULL, stays. */
	seen(fd, result, flags & MSG_TRUNC ? NULL : &one, 1, error);
}

void after_read(ssize_t result, int fd, void *buf, size_t n)
{
	seen_buffer(fd, result, buf, n, 0);
}

void after___read_chk(ssize_t result, int fd, void *buf, size_t n, size_t room)
{
	(void)room;
	seen_buffer(fd, result, buf, n, 0);
}

void after_recv(ssize_t result, int fd, void *buf, size_t n, int flags)
{
	seen_buffer(fd, result, buf, n, flags);
}

void after___recv_chk(ssize_t result, int fd, void *buf, size_t n, size_t room, int flags)
{
	(void)room;
	seen_buffer(fd, result, buf, n, flags);
}

void after_recvfrom(ssize_t result, int fd, void *buf, size_t n, int flags, struct sockaddr *from,
		    socklen_t *size)
{
	(void)from;
	(void)size;
	seen_buffer(fd, result, buf, n, flags);
}

void after___recvfrom_chk(ssize_t result, int fd, void *buf, size_t n, size_t room, int flags,
			  struct sockaddr *from, socklen_t *size)
{
	(void)room;
	(void)from;
	(void)size;
	seen_buffer(fd, result, buf, n, flags);
}

static size_t vector_size(const struct iovec *iov, size_t count)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++)
		size += iov[i].iov_len;
	return size;
}

void after_readv(ssize_t result, int fd, const struct iovec *iov, int count)
{
	int error = result < 0 ? errno : 0;

	if (result == 0 && (count <= 0 || !vector_size(iov, (size_t)count)))
		return;
	seen(fd, result, iov, (size_t)count, error);
}

/* Descriptors that came with a message are new, whatever their numbers were before. */
static void passed_descriptors(struct msghdr *message)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part;
	     part = CMSG_NXTHDR(message, part)) {
		size_t count;

		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
			continue;
		count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(part) + i * sizeof(fd), sizeof(fd));
			fd_reset(fd, FD_UNKNOWN);
		}
	}
}

void after_recvmsg(ssize_t result, int fd, struct msghdr *message, int flags)
{
	int error = result < 0 ? errno : 0;
	struct thread *self;

	if (result >= 0 && message->msg_control && message->msg_controllen) {
		self = thread_enter();
		if (self) {
			passed_descriptors(message);
			thread_leave(self);
		}
	}
	if (flags & (MSG_PEEK | MSG_OOB | MSG_ERRQUEUE) || fd_ignored(fd))
		return;
	if (result == 0 && !vector_size(message->msg_iov, message->msg_iovlen))
		return;
	seen(fd, result, flags & MSG_TRUNC ? NULL : message->msg_iov, message->msg_iovlen, error);
}
