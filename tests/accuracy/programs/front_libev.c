/* front_libev.c - the front service's event loop on libev and plain non-blocking sockets. */
#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"

struct link {
	struct peer peer;
	ev_io in, out;
	int fd, closing;
	char *unsent;
	size_t size;
};

struct timer {
	ev_timer timer;
	void (*then)(void *);
	void *to;
};

static struct ev_loop *loop;

static void drop(struct link *link)
{
	ev_io_stop(loop, &link->in);
	ev_io_stop(loop, &link->out);
	close(link->fd);
	free(link->unsent);
	free(link);
}

static void fail(struct link *link)
{
	if (!link->closing)
		front_closed(&link->peer);
	drop(link);
}

static void readable(struct ev_loop *of, ev_io *watcher, int events)
{
	struct link *link = watcher->data;
	char text[16384];
	ssize_t size = read(link->fd, text, sizeof(text));

	(void)of;
	(void)events;
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (size <= 0)
		fail(link);
	else if (!link->closing)
		front_read(&link->peer, text, (size_t)size);
}

static void writable(struct ev_loop *of, ev_io *watcher, int events)
{
	struct link *link = watcher->data;
	ssize_t size = write(link->fd, link->unsent, link->size);

	(void)of;
	(void)events;
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (size < 0) {
		fail(link);
		return;
	}
	link->size -= (size_t)size;
	memmove(link->unsent, link->unsent + size, link->size);
	if (link->size)
		return;
	ev_io_stop(loop, &link->out);
	if (link->closing)
		drop(link);
}

static struct link *new_link(int fd)
{
	struct link *link = calloc(1, sizeof(*link));

	link->fd = fd;
	ev_io_init(&link->in, readable, fd, EV_READ);
	ev_io_init(&link->out, writable, fd, EV_WRITE);
	link->in.data = link->out.data = link;
	ev_io_start(loop, &link->in);
	return link;
}

static struct sockaddr_in local(unsigned port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

struct peer *loop_dial(unsigned port)
{
	struct sockaddr_in to = local(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS)
		abort();
	return &new_link(fd)->peer;
}

/* Never written at once: the loop says when there is room. */
void loop_send(struct peer *peer, const char *at, size_t size)
{
	struct link *link = (struct link *)peer;

	link->unsent = realloc(link->unsent, link->size + size);
	memcpy(link->unsent + link->size, at, size);
	link->size += size;
	ev_io_start(loop, &link->out);
}

void loop_close(struct peer *peer)
{
	struct link *link = (struct link *)peer;

	link->closing = 1;
	if (!link->size)
		drop(link);
}

static void rings(struct ev_loop *of, ev_timer *watcher, int events)
{
	struct timer timer = *(struct timer *)watcher->data;

	(void)of;
	(void)events;
	free(watcher->data);
	timer.then(timer.to);
}

void loop_after(unsigned ms, void (*then)(void *), void *to)
{
	struct timer *timer = malloc(sizeof(*timer));

	timer->then = then;
	timer->to = to;
	ev_timer_init(&timer->timer, rings, ms / 1000.0, 0.);
	timer->timer.data = timer;
	ev_timer_start(loop, &timer->timer);
}

static void incoming(struct ev_loop *of, ev_io *watcher, int events)
{
	int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)of;
	(void)events;
	if (fd >= 0)
		front_opened(&new_link(fd)->peer);
}

void loop_serve(unsigned port)
{
	static ev_io watcher;
	struct sockaddr_in address = local(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	loop = ev_default_loop(0);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 1024))
		abort();
	ev_io_init(&watcher, incoming, fd, EV_READ);
	ev_io_start(loop, &watcher);
	ev_run(loop, 0);
}
