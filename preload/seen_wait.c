/* seen_wait.c - what the hooks on waiting do: a thread that waits for events has no current
 * request. */
#include "preload/conn.h"
#include "preload/context.h"
#include "preload/fd.h"
#include "preload/hook.h"
#include "preload/thread.h"

/* Descriptors of a set that are looked at: a server with more has a listener among the first. */
#define LOOKED_AT 256

static void loops(void *frame)
{
	struct thread *self = thread_enter();

	if (!self)
		return;
	context_wait(self, frame, THREAD_LOOPS);
	thread_leave(self);
}

void wait_epoll_wait(void *frame, int fd, struct epoll_event *events, int count, int timeout)
{
	(void)fd;
	(void)events;
	(void)count;
	(void)timeout;
	loops(frame);
}

void wait_epoll_pwait(void *frame, int fd, struct epoll_event *events, int count, int timeout,
		      const sigset_t *mask)
{
	(void)mask;
	wait_epoll_wait(frame, fd, events, count, timeout);
}

void wait_epoll_pwait2(void *frame, int fd, struct epoll_event *events, int count,
		       const struct timespec *timeout, const sigset_t *mask)
{
	(void)timeout;
	(void)mask;
	wait_epoll_wait(frame, fd, events, count, 0);
}

/*
 * A loop that is told of a connection's room for bytes may send them then, in a turn that belongs
 * to none of the requests that were read in it. With edges all loops ask for both, whatever they
 * do.
 */
void after_epoll_ctl(int result, int set, int operation, int fd, struct epoll_event *event)
{
	struct thread *self = result ? NULL : thread_enter();
	struct conn *conn;

	(void)set;
	if (!self)
		return;
	conn = fd_known_connection(fd);
	if (conn)
		conn->deferred = operation != EPOLL_CTL_DEL && event &&
				 (event->events & (EPOLLOUT | EPOLLET)) == EPOLLOUT;
	thread_leave(self);
}

/*
 * poll and select inside a request look alike to those of a server's loop, but for what is in the
 * set: a listener, or two connections that requests came in on.
 */
struct look {
	uint32_t servers;
	uint32_t listeners;
};

static void look_at(struct look *look, int fd, int room)
{
	struct conn *conn;

	if (fd < 0 || fd_ignored(fd))
		return;
	conn = fd_known_connection(fd);
	if (conn) {
		look->servers += conn->role == ROLE_SERVER;
		conn->deferred = room != 0;
	} else {
		look->listeners += fd_classify(fd) == FD_LISTENER;
	}
}

static void waited(struct thread *self, void *frame, const struct look *look)
{
	if (look->listeners || look->servers >= 2)
		context_wait(self, frame, look->servers >= 2 ? THREAD_LOOPS : THREAD_SELECTS);
}

void wait_poll(void *frame, struct pollfd *fds, nfds_t count, int timeout)
{
	struct thread *self = fds ? thread_enter() : NULL;
	struct look look = {0};

	(void)timeout;
	if (!self)
		return;
	for (nfds_t i = 0; i < count && i < LOOKED_AT; i++)
		look_at(&look, fds[i].fd, fds[i].events & POLLOUT);
	waited(self, frame, &look);
	thread_leave(self);
}

void wait___poll_chk(void *frame, struct pollfd *fds, nfds_t count, int timeout, size_t room)
{
	(void)room;
	wait_poll(frame, fds, count, timeout);
}

void wait_ppoll(void *frame, struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		const sigset_t *mask)
{
	(void)timeout;
	(void)mask;
	wait_poll(frame, fds, count, 0);
}

void wait___ppoll_chk(void *frame, struct pollfd *fds, nfds_t count, const struct timespec *timeout,
		      const sigset_t *mask, size_t room)
{
	(void)timeout;
	(void)mask;
	(void)room;
	wait_poll(frame, fds, count, 0);
}

void wait_select(void *frame, int count, fd_set *in, fd_set *out, fd_set *other,
		 struct timeval *timeout)
{
	struct thread *self = in ? thread_enter() : NULL;
	struct look look = {0};

	(void)other;
	(void)timeout;
	if (!self)
		return;
	for (int fd = 0; fd < count && fd < FD_SETSIZE; fd++)
		if (in->fds_bits[fd / NFDBITS] & (fd_mask)(1ul << fd % NFDBITS))
			look_at(&look, fd, out && FD_ISSET(fd, out));
	waited(self, frame, &look);
	thread_leave(self);
}

void wait_pselect(void *frame, int count, fd_set *in, fd_set *out, fd_set *other,
		  const struct timespec *timeout, const sigset_t *mask)
{
	(void)timeout;
	(void)mask;
	wait_select(frame, count, in, out, other, NULL);
}
