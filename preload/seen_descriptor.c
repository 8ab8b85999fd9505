/* seen_descriptor.c - what the hooks on the life of a descriptor do: made, connected, shared,
 * closed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "preload/attach.h"
#include "preload/conn.h"
#include "preload/connect.h"
#include "preload/context.h"
#include "preload/fd.h"
#include "preload/hook.h"
#include "preload/sys.h"
#include "preload/thread.h"

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

static void reset(int fd, enum fd_kind kind)
{
	struct thread *self = thread_enter();

	if (!self)
		return;
	fd_reset(fd, kind);
	thread_leave(self);
}

static int is_stream(int domain, int type)
{
	return (type & 0xf) == SOCK_STREAM &&
	       (domain == AF_INET || domain == AF_INET6 || domain == AF_UNIX);
}

void after_socket(int result, int domain, int type, int protocol)
{
	(void)protocol;
	if (result >= 0)
		reset(result, is_stream(domain, type) ? FD_STREAM : FD_OTHER);
}

/* Both ends in one process, or one for a child: never a network peer. Bytes decide all the same. */
void after_socketpair(int result, int domain, int type, int protocol, int pair[2])
{
	(void)protocol;
	if (result)
		return;
	reset(pair[0], is_stream(domain, type) ? FD_STREAM : FD_OTHER);
	reset(pair[1], is_stream(domain, type) ? FD_STREAM : FD_OTHER);
}

static void accepted(int listener, int fd)
{
	struct thread *self = fd >= 0 ? thread_enter() : NULL;

	if (!self)
		return;
	fd_accepted(listener, fd);
	/* A loop's turn for a client that has not asked anything yet. */
	if (self->waits != THREAD_CALLS)
		context_set(self, 0, 0, 0);
	thread_leave(self);
}

void after_accept(int result, int fd, struct sockaddr *from, socklen_t *size)
{
	(void)from;
	(void)size;
	accepted(fd, result);
}

void after_accept4(int result, int fd, struct sockaddr *from, socklen_t *size, int flags)
{
	(void)from;
	(void)size;
	(void)flags;
	accepted(fd, result);
}

/* libpq's own socket: what goes over it is told by the hooks on libpq. */
static void connected_by_libpq(int fd, int error)
{
	struct thread *self = thread_enter();

	if (!self)
		return;
	if (error)
		self->libpq_error = error;
	fd_reset(fd, FD_OTHER);
	thread_leave(self);
}

int around_connect(int fd, const struct sockaddr *to, socklen_t size)
{
	struct thread *self;
	uint64_t since;
	int result;
	int error;

	if (fd_entry(fd) == FD_OTHER && !thread_inside_libpq())
		return real_connect(fd, to, size);
	since = sys_now_ns();
	result = real_connect(fd, to, size);
	error = errno;
	if (thread_inside_libpq()) {
		connected_by_libpq(fd, result ? error : 0);
		return result;
	}
	self = thread_enter();
	if (self) {
		connect_called(self, fd, to, size, since, result ? error : 0);
		thread_leave(self);
	}
	return result;
}

void after_getsockopt(int result, int fd, int level, int name, void *value, socklen_t *size)
{
	struct thread *self;
	int error = 0;

	(void)level;
	(void)name;
	if (result || *size < sizeof(error) || !(self = thread_enter()))
		return;
	memcpy(&error, value, sizeof(error));
	if (error && thread_inside_libpq())
		self->libpq_error = error;
	connect_asked(self, fd, error);
	thread_leave(self);
}

void before_shutdown(int fd, int how)
{
	struct thread *self = thread_enter();
	struct conn *conn = self ? fd_known_connection(fd) : NULL;

	if (conn && how != SHUT_RD && conn_lock(conn)) {
		conn_eof(conn, &conn->out);
		/* What a server still reads now it throws away (a lingering close): no request of
		 * its. */
		if (conn->role == ROLE_SERVER)
			conn_finish(conn);
		conn_unlock(conn);
	}
	if (self)
		thread_leave(self);
}

/* Before the real close: the number may be another thread's descriptor right after it. */
void before_close(int fd)
{
	reset(fd, FD_UNKNOWN);
}

/* The C library closes the descriptor of a stream by an inner call. */
void before_fclose(FILE *file)
{
	int before = errno;
	int fd = fileno(file);

	errno = before;
	if (!fd_ignored(fd))
		reset(fd, FD_UNKNOWN);
}

static void reset_range(unsigned first, unsigned last)
{
	struct thread *self = thread_enter();

	if (!self)
		return;
	fd_reset_range(first, last);
	thread_leave(self);
}

void before_close_range(unsigned first, unsigned last, int flags)
{
	if (!(flags & CLOSE_RANGE_CLOEXEC) && first <= last)
		reset_range(first, last);
}

void before_closefrom(int first)
{
	reset_range(first < 0 ? 0 : (unsigned)first, UINT32_MAX);
}

static void shared(int from, int to)
{
	struct thread *self = to >= 0 && from != to ? thread_enter() : NULL;

	if (!self)
		return;
	fd_share(from, to);
	thread_leave(self);
}

void after_dup(int result, int fd)
{
	shared(fd, result);
}

int around_dup2(int fd, int to)
{
	int result = real_dup2(fd, to);

	shared(fd, result);
	return result;
}

int around_dup3(int fd, int to, int flags)
{
	int result = real_dup3(fd, to, flags);

	shared(fd, result);
	return result;
}

/* Afterwards the segment's path may not be reachable any more. */
void before_chroot(const char *path)
{
	struct thread *self = thread_enter();

	(void)path;
	if (!self)
		return;
	attach_ready();
	thread_leave(self);
}
