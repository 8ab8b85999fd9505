/* fastcgi_stream.c - connections that speak FastCGI: their bytes become messages. */
#include "preload/fastcgi_stream.h"

#include "preload/attach.h"
#include "preload/context.h"
#include "preload/exchange.h"
#include "preload/fastcgi.h"
#include "preload/live.h"
#include "preload/message.h"
#include "preload/sys.h"

int fastcgi_detect(struct conn *conn, enum stream_way way, const char *at, size_t size)
{
	int answer = fastcgi_looks_like(at, size);

	if (answer != 1)
		return answer;
	conn->fastcgi = 1;
	conn->role = way == STREAM_IN ? ROLE_SERVER : ROLE_CLIENT;
	attach_count_connection();
	return 1;
}

static struct stream *direction(struct conn *conn, enum stream_way way)
{
	return way == STREAM_IN ? &conn->in : &conn->out;
}

/* Neither HTTP's lengths nor its chunks: nothing that knows those is to look for an end. */
static void leave_body_to_records(struct stream *stream)
{
	stream->body = (struct http1_body){.mode = HTTP1_BODY_OPAQUE};
}

void fastcgi_head_done(struct thread *self, struct conn *conn, int fd, enum stream_way way,
		       const struct http1_head *head)
{
	struct stream *stream = direction(conn, way);
	int result = 0;

	/* The one before is not answered: its records could not be told from this one's. */
	if (way == STREAM_IN ? conn->first != 0 : conn->first != conn->last)
		result = -1;
	else if (way == STREAM_IN)
		result = message_request_read(self, conn, fd, head, stream->since_ns);
	conn->request = (struct fastcgi_records){.id = head->fastcgi};
	conn->reply = (struct fastcgi_records){.id = head->fastcgi};
	/* Only now: the head may lie in the buffer. */
	stream_clear(stream);
	if (result) {
		conn_give_up(conn, FAILURE_OTHER);
		return;
	}
	leave_body_to_records(stream);
	leave_body_to_records(direction(conn, way == STREAM_IN ? STREAM_OUT : STREAM_IN));
	stream->phase = PHASE_BODY;
}

/* As parse_head of stream.c. */
static long parse_head(struct thread *self, struct conn *conn, int fd, enum stream_way way,
		       const char *at, size_t size)
{
	/* Ours alone by the guard of re-entry, and too much for the host's stack. */
	static __thread struct http1_head head;
	long end = fastcgi_head_parse(at, size, live_capture(HTTP1_REQUEST), &head);

	if (end == -2)
		return -2;
	if (end < 0) {
		conn_give_up(conn, FAILURE_PROTOCOL);
		return (long)size;
	}
	if (way == STREAM_OUT) {
		if (!conn->sending && !message_request_prepare(self, conn, fd, &head)) {
			conn_give_up(conn, FAILURE_OTHER);
			return end;
		}
		conn->sending = 0;
		conn->inserted = 0;
		conn->replacing = 0;
	}
	fastcgi_head_done(self, conn, fd, way, &head);
	return end;
}

size_t fastcgi_gathered(struct thread *self, struct conn *conn, int fd, enum stream_way way,
			size_t before)
{
	struct stream *stream = direction(conn, way);
	size_t size = stream->gathered;
	long end = parse_head(self, conn, fd, way, stream_gathered(stream), size);

	return (end < 0 ? size : (size_t)end) - before;
}

static size_t feed_head(struct thread *self, struct conn *conn, int fd, enum stream_way way,
			const char *at, size_t size)
{
	struct stream *stream = direction(conn, way);
	size_t before = stream->gathered;

	if (!before) {
		long end;

		stream->since_ns = way == STREAM_IN ? sys_now_ns() : 0;
		end = parse_head(self, conn, fd, way, at, size);
		if (end >= 0)
			return (size_t)end;
	}
	if (size > HTTP1_HEAD_MAX + 1 - before)
		size = HTTP1_HEAD_MAX + 1 - before;
	if (stream_gather(stream, at, size)) {
		conn_give_up(conn, FAILURE_OTHER);
		return size;
	}
	return fastcgi_gathered(self, conn, fd, way, before);
}

static size_t feed_request(struct thread *self, struct conn *conn, enum stream_way way,
			   const char *at, size_t size)
{
	enum fastcgi_event event;
	size_t taken = fastcgi_request_feed(&conn->request, at, size, &event);

	if (way == STREAM_IN && conn_first(conn) &&
	    exchange_of(conn->requesting) == conn_first(conn))
		context_read(self, conn->requesting, 1);
	direction(conn, way)->body.bytes = conn->request.bytes;
	if (event == FASTCGI_END)
		stream_done(conn, way);
	else if (event != FASTCGI_MORE)
		conn_give_up(conn, FAILURE_PROTOCOL);
	return taken ? taken : size;
}

static void reply_head(struct thread *self, struct conn *conn, enum stream_way way)
{
	static __thread struct http1_head head;

	head.kind = HTTP1_RESPONSE;
	head.status = conn->reply.status;
	if (way == STREAM_IN)
		message_response_read(self, conn, &head);
	else
		message_response_sent(self, conn, &head);
	leave_body_to_records(direction(conn, way));
}

/* The last byte of an answer, which may have refused to serve the request at all. */
static void reply_end(struct conn *conn, enum stream_way way)
{
	struct exchange *exchange = conn_first(conn);

	if (exchange->responded && !conn->reply.failed) {
		stream_done(conn, way);
		return;
	}
	exchange_span(exchange)->failure = FAILURE_PROTOCOL;
	conn_end_first(conn, sys_now_ns());
}

static size_t feed_reply(struct thread *self, struct conn *conn, enum stream_way way,
			 const char *at, size_t size)
{
	enum fastcgi_event event = FASTCGI_BAD;
	size_t taken = 0;

	if (way == STREAM_IN)
		message_reply_context(self, conn);
	if (conn->first)
		taken = fastcgi_reply_feed(&conn->reply, at, size, &event);
	direction(conn, way)->body.bytes = conn->reply.bytes;
	if (event == FASTCGI_HEAD)
		reply_head(self, conn, way);
	else if (event == FASTCGI_END)
		reply_end(conn, way);
	else if (event == FASTCGI_BAD)
		conn_give_up(conn, FAILURE_PROTOCOL);
	return taken ? taken : size;
}

size_t fastcgi_bytes(struct thread *self, struct conn *conn, int fd, enum stream_way way,
		     const char *at, size_t size)
{
	if (stream_kind(conn, way) == HTTP1_RESPONSE)
		return feed_reply(self, conn, way, at, size);
	if (direction(conn, way)->phase == PHASE_HEAD)
		return feed_head(self, conn, fd, way, at, size);
	return feed_request(self, conn, way, at, size);
}

void fastcgi_skip(struct conn *conn, enum stream_way way, uint64_t size)
{
	int is_reply = stream_kind(conn, way) == HTTP1_RESPONSE;
	enum fastcgi_event event = FASTCGI_BAD;

	if (is_reply && conn->first)
		fastcgi_reply_feed(&conn->reply, NULL, size, &event);
	else if (!is_reply && direction(conn, way)->phase == PHASE_BODY)
		fastcgi_request_feed(&conn->request, NULL, size, &event);
	if (event != FASTCGI_MORE)
		conn_give_up(conn, FAILURE_OTHER);
}
