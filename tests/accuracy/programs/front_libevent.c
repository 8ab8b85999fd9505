/* front_libevent.c - the front service's event loop on libevent's bufferevents. */
#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>

#include "loop.h"

struct link {
	struct peer peer;
	struct bufferevent *events;
	int closing;
};

struct timer {
	void (*then)(void *);
	void *to;
};

static struct event_base *base;

static void drop(struct link *link)
{
	bufferevent_free(link->events);
	free(link);
}

static void readable(struct bufferevent *events, void *to)
{
	struct link *link = to;
	char text[16384];
	size_t size = bufferevent_read(events, text, sizeof(text));

	if (!link->closing && size)
		front_read(&link->peer, text, size);
}

static void written(struct bufferevent *events, void *to)
{
	struct link *link = to;

	if (link->closing && !evbuffer_get_length(bufferevent_get_output(events)))
		drop(link);
}

static void happened(struct bufferevent *events, short what, void *to)
{
	struct link *link = to;

	(void)events;
	if (!(what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)))
		return;
	if (!link->closing)
		front_closed(&link->peer);
	drop(link);
}

static struct link *new_link(int fd)
{
	struct link *link = calloc(1, sizeof(*link));

	link->events = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(link->events, readable, written, happened, link);
	bufferevent_enable(link->events, EV_READ | EV_WRITE);
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
	struct link *link = new_link(-1);

	bufferevent_socket_connect(link->events, (struct sockaddr *)&to, sizeof(to));
	return &link->peer;
}

void loop_send(struct peer *peer, const char *at, size_t size)
{
	bufferevent_write(((struct link *)peer)->events, at, size);
}

static void drop_later(evutil_socket_t fd, short what, void *to)
{
	(void)fd;
	(void)what;
	drop(to);
}

void loop_close(struct peer *peer)
{
	struct link *link = (struct link *)peer;
	static const struct timeval now = {0, 0};

	link->closing = 1;
	bufferevent_setcb(link->events, NULL, written, happened, link);
	if (!evbuffer_get_length(bufferevent_get_output(link->events))) {
		bufferevent_setcb(link->events, NULL, NULL, NULL, NULL);
		event_base_once(base, -1, EV_TIMEOUT, drop_later, link, &now);
	}
}

static void rings(evutil_socket_t fd, short what, void *to)
{
	struct timer timer = *(struct timer *)to;

	(void)fd;
	(void)what;
	free(to);
	timer.then(timer.to);
}

void loop_after(unsigned ms, void (*then)(void *), void *to)
{
	struct timer *timer = malloc(sizeof(*timer));
	struct timeval in = {0, (suseconds_t)ms * 1000};

	*timer = (struct timer){then, to};
	event_base_once(base, -1, EV_TIMEOUT, rings, timer, &in);
}

static void accepted(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
		     int size, void *to)
{
	(void)listener;
	(void)from;
	(void)size;
	(void)to;
	front_opened(&new_link(fd)->peer);
}

void loop_serve(unsigned port)
{
	struct sockaddr_in address = local(port);

	base = event_base_new();
	if (!evconnlistener_new_bind(base, accepted, NULL,
				     LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 1024,
				     (struct sockaddr *)&address, sizeof(address)))
		abort();
	event_base_dispatch(base);
}
