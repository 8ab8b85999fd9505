/* front_libuv.c - the front service's event loop on libuv. */
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "loop.h"

struct waiting {
	struct waiting *next;
	size_t size;
	char text[];
};

struct link {
	struct peer peer;
	uv_tcp_t tcp;
	uv_connect_t connect;
	int connected, closing, unsent;
	struct waiting *first, **last; /* what was sent before it was connected */
};

struct sending {
	uv_write_t write;
	char text[];
};

struct timer {
	uv_timer_t timer;
	void (*then)(void *);
	void *to;
};

static uv_loop_t *loop;

static void gone(uv_handle_t *handle)
{
	free(handle->data);
}

static void drop(struct link *link)
{
	if (!uv_is_closing((uv_handle_t *)&link->tcp))
		uv_close((uv_handle_t *)&link->tcp, gone);
}

static void fail(struct link *link)
{
	if (!link->closing) {
		link->closing = 1;
		front_closed(&link->peer);
	}
	drop(link);
}

static void room(uv_handle_t *handle, size_t wanted, uv_buf_t *buffer)
{
	static char text[16384];

	(void)handle;
	(void)wanted;
	*buffer = uv_buf_init(text, sizeof(text));
}

static void readable(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
	struct link *link = stream->data;

	if (size < 0)
		fail(link);
	else if (size && !link->closing)
		front_read(&link->peer, buffer->base, (size_t)size);
}

static void sent(uv_write_t *write, int status)
{
	struct link *link = write->data;

	free(write);
	link->unsent--;
	if (status < 0)
		fail(link);
	else if (link->closing && !link->unsent)
		drop(link);
}

static struct link *new_link(void)
{
	struct link *link = calloc(1, sizeof(*link));

	link->last = &link->first;
	uv_tcp_init(loop, &link->tcp);
	link->tcp.data = link;
	return link;
}

static void write_now(struct link *link, const char *at, size_t size)
{
	struct sending *sending = malloc(sizeof(*sending) + size);
	uv_buf_t buffer = uv_buf_init(sending->text, (unsigned)size);

	memcpy(sending->text, at, size);
	sending->write.data = link;
	link->unsent++;
	if (uv_write(&sending->write, (uv_stream_t *)&link->tcp, &buffer, 1, sent))
		abort();
}

static void connected(uv_connect_t *connect, int status)
{
	struct link *link = connect->data;

	if (status < 0) {
		fail(link);
		return;
	}
	link->connected = 1;
	uv_read_start((uv_stream_t *)&link->tcp, room, readable);
	while (link->first) {
		struct waiting *first = link->first;

		link->first = first->next;
		write_now(link, first->text, first->size);
		free(first);
	}
}

struct peer *loop_dial(unsigned port)
{
	struct link *link = new_link();
	struct sockaddr_in to;

	uv_ip4_addr("127.0.0.1", (int)port, &to);
	link->connect.data = link;
	if (uv_tcp_connect(&link->connect, &link->tcp, (struct sockaddr *)&to, connected))
		abort();
	return &link->peer;
}

void loop_send(struct peer *peer, const char *at, size_t size)
{
	struct link *link = (struct link *)peer;
	struct waiting *waiting;

	if (link->connected) {
		write_now(link, at, size);
		return;
	}
	waiting = malloc(sizeof(*waiting) + size);
	waiting->next = NULL;
	waiting->size = size;
	memcpy(waiting->text, at, size);
	*link->last = waiting;
	link->last = &waiting->next;
}

void loop_close(struct peer *peer)
{
	struct link *link = (struct link *)peer;

	link->closing = 1;
	if (!link->unsent)
		drop(link);
}

static void rings(uv_timer_t *handle)
{
	struct timer *timer = handle->data;

	timer->then(timer->to);
	uv_close((uv_handle_t *)handle, gone);
}

void loop_after(unsigned ms, void (*then)(void *), void *to)
{
	struct timer *timer = malloc(sizeof(*timer));

	timer->then = then;
	timer->to = to;
	uv_timer_init(loop, &timer->timer);
	timer->timer.data = timer;
	uv_timer_start(&timer->timer, rings, ms, 0);
}

static void incoming(uv_stream_t *server, int status)
{
	struct link *link = new_link();

	if (status || uv_accept(server, (uv_stream_t *)&link->tcp)) {
		drop(link);
		return;
	}
	link->connected = 1;
	front_opened(&link->peer);
	uv_read_start((uv_stream_t *)&link->tcp, room, readable);
}

void loop_serve(unsigned port)
{
	static uv_tcp_t server;
	struct sockaddr_in address;

	loop = uv_default_loop();
	uv_ip4_addr("127.0.0.1", (int)port, &address);
	uv_tcp_init(loop, &server);
	if (uv_tcp_bind(&server, (struct sockaddr *)&address, 0) ||
	    uv_listen((uv_stream_t *)&server, 1024, incoming))
		abort();
	uv_run(loop, UV_RUN_DEFAULT);
}
