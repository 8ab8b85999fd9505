/* seen_send.c - what the hooks on writing do: requests sent, responses given, headers added. */
#include <errno.h>
#include <limits.h>
#include <stdatomic.h>

#include "preload/attach.h"
#include "preload/conn.h"
#include "preload/fd.h"
#include "preload/hook.h"
#include "preload/rewrite.h"
#include "preload/scratch.h"
#include "preload/stream.h"
#include "preload/thread.h"

/* Vectors of a rewritten call that fit the stack; longer ones use a buffer of the pool. */
#define VECTORS_HERE 16

/* One call that sends bytes, whatever its name. */
struct sending {
	int fd;
	int flags;
	const struct iovec *iov;
	size_t count;
	const struct msghdr *message; /* sendmsg's, else NULL */
	uint8_t by_writev; /* write and writev: no flags, SIGPIPE as the program has it */
};

static ssize_t real_call(const struct sending *call, struct iovec *iov, size_t count)
{
	struct msghdr message = {0};

	if (call->by_writev)
		return real_writev(call->fd, iov, (int)count);
	if (call->message)
		message = *call->message;
	message.msg_iov = iov;
	message.msg_iovlen = count;
	return real_sendmsg(call->fd, &message, call->flags);
}

/*
 * A rewritten call. Bytes of ours alone are no success that the program could be told of: then it
 * is called again, and a socket that is full answers EAGAIN, as it would have.
 */
static ssize_t send_rewritten(const struct sending *call, struct rewrite *plan, uint32_t *inserted)
{
	struct iovec here[VECTORS_HERE];
	struct iovec *vector = here;
	size_t count;
	ssize_t sent;
	size_t own;

	if (call->count + REWRITE_VECTORS > VECTORS_HERE)
		vector = scratch_get(SCRATCH_REWRITE);
	do {
		count = rewrite_build(plan, call->iov, call->count, vector);
		sent = real_call(call, vector, count);
		if (sent <= 0)
			break;
		own = rewrite_account(plan, (size_t)sent, inserted);
		plan->inserted = *inserted;
	} while (!own);
	if (vector != here)
		scratch_put(SCRATCH_REWRITE);
	return sent <= 0 ? sent : (ssize_t)own;
}

/*
 * Whether the rewritten vector can be built and will be accepted by the kernel. Bytes that are lent
 * to it (MSG_ZEROCOPY) have to outlive the call, which ours don't, and control data would go out
 * twice when it takes bytes of ours alone; but what earlier calls began is to be finished.
 */
static int can_rewrite(const struct sending *call, int begun)
{
	size_t count = call->count + REWRITE_VECTORS;

	if (!begun &&
	    (call->flags & MSG_ZEROCOPY || (call->message && call->message->msg_controllen)))
		return 0;
	return count <= IOV_MAX && (count <= VECTORS_HERE || scratch_get(SCRATCH_REWRITE));
}

/* What the kernel took, or why it did not. */
static void account(struct thread *self, struct conn *conn, const struct sending *call,
		    const struct rewrite *plan, uint32_t inserted, ssize_t result)
{
	int error = result < 0 ? errno : 0;

	if (conn->role == ROLE_OPAQUE)
		return;
	conn->inserted = inserted;
	if (result > 0)
		attach_count_bytes(1, (uint64_t)result);
	if (result > 0 && plan && plan->parsed && (size_t)result >= plan->head.size)
		stream_sent_head(self, conn, call->fd, &plan->head, call->iov, call->count,
				 (size_t)result);
	else if (result > 0)
		stream_bytes(self, conn, call->fd, STREAM_OUT, call->iov, call->count,
			     (size_t)result);
	else if (result < 0 && conn_is_over(error))
		conn_fail(conn, conn_failure_of(error), error);
}

/*
 * The connection of a call, if there is something to do about it. plan->extent is how much of it
 * belongs to one message.
 */
static struct conn *look(const struct sending *call, struct rewrite *plan, uint32_t *generation)
{
	struct thread *self = thread_enter();
	struct conn *conn;
	uint8_t replacing;

	plan->edits = 0;
	plan->parsed = 0;
	plan->extent = SIZE_MAX;
	if (!self)
		return NULL;
	conn = fd_connection(call->fd);
	if (conn) {
		*generation = atomic_load(&conn->generation);
		/* Only writers change the phase. */
		if (conn->out.phase == PHASE_BODY) {
			plan->extent = rewrite_extent(conn, call->iov, call->count);
		} else if (conn_lock(conn)) {
			replacing = conn->replacing;
			/* Closed meanwhile, it may be another descriptor's already. */
			if (conn->role != ROLE_OPAQUE && fd_known_connection(call->fd) == conn)
				rewrite_plan(self, conn, call->fd, call->iov, call->count, plan);
			if (plan->edits && !can_rewrite(call, replacing || conn->inserted)) {
				plan->edits = 0;
				conn->replacing = replacing;
			}
			conn_unlock(conn);
		}
	}
	thread_leave(self);
	return conn;
}

static void look_after(struct conn *conn, const struct sending *call, const struct rewrite *plan,
		       uint32_t generation, uint32_t inserted, ssize_t result)
{
	struct thread *self = thread_enter();

	if (!self)
		return;
	if (conn_lock(conn)) {
		if (atomic_load(&conn->generation) == generation)
			account(self, conn, call, plan, inserted, result);
		conn_unlock(conn);
		if (conn->role == ROLE_OPAQUE)
			fd_ignore(call->fd, conn);
	}
	thread_leave(self);
}

/* The bytes of a call from `from` on, `size` of them, as a vector of its own; how many entries. */
static size_t slice(const struct sending *call, size_t from, size_t size, struct iovec *to)
{
	size_t count = 0;

	for (size_t i = 0; i < call->count && size; i++) {
		size_t n = call->iov[i].iov_len;

		if (from >= n) {
			from -= n;
			continue;
		}
		n = n - from < size ? n - from : size;
		to[count].iov_base = (char *)call->iov[i].iov_base + from;
		to[count++].iov_len = n;
		size -= n;
		from = 0;
	}
	return count;
}

static size_t vector_size(const struct sending *call)
{
	size_t size = 0;

	for (size_t i = 0; i < call->count; i++)
		size += call->iov[i].iov_len;
	return size;
}

static ssize_t plain_part(const struct sending *call)
{
	return real_call(call, (struct iovec *)call->iov, call->count);
}

/* One call for the bytes of one message; `plan` is of those, and conn is not NULL. */
static ssize_t send_message(const struct sending *call, struct conn *conn, struct rewrite *plan,
			    uint32_t generation, ssize_t (*plain)(const struct sending *call))
{
	uint32_t inserted = conn->inserted;
	ssize_t result;

	result = plan->edits ? send_rewritten(call, plan, &inserted) : plain(call);
	look_after(conn, call, plan->parsed ? plan : NULL, generation, inserted, result);
	return result;
}

/*
 * Several messages in one call: each goes out in a call of its own, for each gets its own lines.
 * The kernel is told that more follows, so that packets are filled as before. A later one that the
 * kernel does not take makes a short count, which a stream may always answer: as in one call that
 * took some bytes, there is no SIGPIPE and errno stays.
 */
static ssize_t send_messages(const struct sending *call, struct conn *conn, struct rewrite *plan,
			     uint32_t generation, struct iovec *part)
{
	size_t total = vector_size(call);
	size_t done = 0;
	int error = errno;

	for (;;) {
		size_t size = plan->extent < total - done ? plan->extent : total - done;
		struct sending message = {.fd = call->fd, .flags = call->flags, .iov = part};
		ssize_t sent;

		if (done)
			message.flags |= MSG_NOSIGNAL;
		message.count = slice(call, done, size, part);
		if (done + size < total)
			message.flags |= MSG_MORE;
		sent = send_message(&message, conn, plan, generation, plain_part);
		if (sent > 0)
			done += (size_t)sent;
		if (!done)
			return sent;
		errno = error;
		if (sent < (ssize_t)size || done == total)
			return (ssize_t)done;
		message.count = slice(call, done, total - done, part);
		conn = look(&message, plan, &generation);
		if (!conn) {
			message.flags |= MSG_NOSIGNAL;
			sent = plain_part(&message);
			errno = error;
			return (ssize_t)done + (sent > 0 ? sent : 0);
		}
	}
}

/* Apart, for its vector is on the stack of these calls alone. -2: there is no room for one. */
__attribute__((noinline)) static ssize_t send_several(const struct sending *call, struct conn *conn,
						      struct rewrite *plan, uint32_t generation)
{
	struct iovec here[VECTORS_HERE];
	struct iovec *part = call->count > VECTORS_HERE ? scratch_get(SCRATCH_PART) : here;
	ssize_t result;

	if (!part)
		return -2;
	result = send_messages(call, conn, plan, generation, part);
	scratch_put(SCRATCH_PART);
	return result;
}

/* The common way of every call that sends; `plain` makes the call as the program did. */
static ssize_t send_out(const struct sending *call, ssize_t (*plain)(const struct sending *call))
{
	struct rewrite plan;
	uint32_t generation;
	struct conn *conn = look(call, &plan, &generation);
	ssize_t result = -2;

	if (!conn)
		return plain(call);
	if (plan.extent != SIZE_MAX && !(call->message && call->message->msg_controllen) &&
	    !(call->flags & MSG_ZEROCOPY))
		result = send_several(call, conn, &plan, generation);
	return result == -2 ? send_message(call, conn, &plan, generation, plain) : result;
}

static ssize_t plain_write(const struct sending *call)
{
	return real_write(call->fd, call->iov->iov_base, call->iov->iov_len);
}

static ssize_t plain_writev(const struct sending *call)
{
	return real_writev(call->fd, call->iov, (int)call->count);
}

static ssize_t plain_send(const struct sending *call)
{
	return real_send(call->fd, call->iov->iov_base, call->iov->iov_len, call->flags);
}

static ssize_t plain_sendmsg(const struct sending *call)
{
	return real_sendmsg(call->fd, call->message, call->flags);
}

ssize_t around_write(int fd, const void *buf, size_t n)
{
	struct iovec one = {(void *)buf, n};
	struct sending call = {.fd = fd, .iov = &one, .count = 1, .by_writev = 1};

	return send_out(&call, plain_write);
}

ssize_t around_writev(int fd, const struct iovec *iov, int count)
{
	struct sending call = {.fd = fd, .iov = iov, .count = (size_t)count, .by_writev = 1};

	if (count <= 0 || count > IOV_MAX)
		return real_writev(fd, iov, count);
	return send_out(&call, plain_writev);
}

ssize_t around_send(int fd, const void *buf, size_t n, int flags)
{
	struct iovec one = {(void *)buf, n};
	struct sending call = {.fd = fd, .iov = &one, .count = 1, .flags = flags};

	if (flags & MSG_OOB)
		return real_send(fd, buf, n, flags);
	return send_out(&call, plain_send);
}

ssize_t around_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *to,
		      socklen_t size)
{
	/* An address means a datagram, or TCP Fast Open, whose first bytes must stay as they are.
	 */
	if (to)
		return real_sendto(fd, buf, n, flags, to, size);
	return around_send(fd, buf, n, flags);
}

ssize_t around_sendmsg(int fd, const struct msghdr *message, int flags)
{
	struct sending call = {.fd = fd,
			       .iov = message->msg_iov,
			       .count = message->msg_iovlen,
			       .message = message,
			       .flags = flags};

	if (flags & (MSG_OOB | MSG_FASTOPEN) || message->msg_name || message->msg_iovlen > IOV_MAX)
		return real_sendmsg(fd, message, flags);
	return send_out(&call, plain_sendmsg);
}

/* Bytes that went through without being seen, in one direction of a descriptor. */
static void skipped(int fd, enum stream_way way, ssize_t size)
{
	struct thread *self;
	struct conn *conn;
	int error = size < 0 ? errno : 0;

	if (fd_ignored(fd) || !(self = thread_enter()))
		return;
	conn = fd_lock(fd);
	if (conn) {
		if (size > 0)
			attach_count_bytes(way == STREAM_OUT, (uint64_t)size);
		if (size > 0)
			stream_skip(conn, way, (uint64_t)size);
		else if (size == 0 && way == STREAM_IN)
			conn_eof(conn, &conn->in);
		else if (size < 0 && (error == EPIPE || error == ECONNRESET) && way == STREAM_OUT)
			conn_fail(conn, conn_failure_of(error), error);
		conn_unlock(conn);
		if (conn->role == ROLE_OPAQUE)
			fd_ignore(fd, conn);
	}
	thread_leave(self);
}

ssize_t around_sendfile(int out, int in, off_t *offset, size_t n)
{
	ssize_t result = real_sendfile(out, in, offset, n);

	skipped(out, STREAM_OUT, result);
	return result;
}

ssize_t around_sendfile64(int out, int in, off64_t *offset, size_t n)
{
	ssize_t result = real_sendfile64(out, in, offset, n);

	skipped(out, STREAM_OUT, result);
	return result;
}

ssize_t around_splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags)
{
	ssize_t result = real_splice(in, in_at, out, out_at, n, flags);

	/* A failure doesn't say which end it belongs to; the next call on that end will. */
	if (result >= 0)
		skipped(in, STREAM_IN, result);
	if (result > 0)
		skipped(out, STREAM_OUT, result);
	return result;
}
