/* stream.c - bytes of a connection, in either direction, become messages. */
#include "preload/stream.h"

#include <string.h>

#include "preload/attach.h"
#include "preload/context.h"
#include "preload/database.h"
#include "preload/exchange.h"
#include "preload/fastcgi_stream.h"
#include "preload/live.h"
#include "preload/message.h"
#include "preload/sys.h"
#include "preload/tls_carrier.h"

int stream_kind(const struct conn *conn, enum stream_way way)
{
	if (conn->role != ROLE_SERVER && conn->role != ROLE_CLIENT)
		return -1;
	return (conn->role == ROLE_SERVER) == (way == STREAM_IN) ? HTTP1_REQUEST : HTTP1_RESPONSE;
}

static struct stream *direction(struct conn *conn, enum stream_way way)
{
	return way == STREAM_IN ? &conn->in : &conn->out;
}

void stream_done(struct conn *conn, enum stream_way way)
{
	struct stream *stream = direction(conn, way);
	struct exchange *exchange;

	stream->phase = PHASE_HEAD;
	if (stream_kind(conn, way) == HTTP1_REQUEST) {
		exchange = exchange_of(conn->requesting);
		if (exchange) {
			exchange->request_done = 1;
			exchange_span(exchange)->request_body_bytes = stream->body.bytes;
		}
		conn->requesting = 0;
		return;
	}
	exchange = conn_first(conn);
	if (!exchange || !exchange->responded)
		return; /* an interim response */
	exchange_span(exchange)->response_body_bytes = stream->body.bytes;
	/* The request's body may still be on its way: an early response. */
	if (!exchange->request_done && exchange_reference(exchange) == conn->requesting)
		exchange_span(exchange)->request_body_bytes =
			direction(conn, way == STREAM_IN ? STREAM_OUT : STREAM_IN)->body.bytes;
	conn_end_first(conn, sys_now_ns());
}

/* A whole head: what it means, by role and direction. */
static void head_done(struct thread *self, struct conn *conn, int fd, enum stream_way way,
		      const struct http1_head *head)
{
	struct stream *stream = direction(conn, way);
	int result = 0;

	if (conn->fastcgi) {
		fastcgi_head_done(self, conn, fd, way, head);
		return;
	}
	stream->phase = PHASE_BODY;
	if (head->kind == HTTP1_RESPONSE && !conn->first) {
		conn_give_up(conn, FAILURE_PROTOCOL);
		return;
	}
	if (way == STREAM_IN && head->kind == HTTP1_REQUEST)
		result = message_request_read(self, conn, fd, head, stream->since_ns);
	else if (way == STREAM_IN)
		message_response_read(self, conn, head);
	else if (head->kind == HTTP1_REQUEST)
		message_request_sent(conn, head);
	else
		message_response_sent(self, conn, head);
	/* Only now: the head may lie in the buffer. */
	stream_clear(stream);
	if (result) {
		conn_give_up(conn, FAILURE_OTHER);
		return;
	}
	if (head->kind == HTTP1_RESPONSE && stream->body.mode == HTTP1_BODY_OPAQUE) {
		/* Upgraded or tunnelled: the story ends here, and not as a failure. */
		conn_end_first(conn, sys_now_ns());
		conn_finish(conn);
		return;
	}
	if (stream->body.mode == HTTP1_BODY_NONE || stream->body.done)
		stream_done(conn, way);
}

/* Decides what the connection is for by the first bytes in either direction. 0: not yet. */
static int decide_role(struct conn *conn, enum stream_way way, const char *at, size_t size)
{
	int answer = http1_looks_like(HTTP1_REQUEST, at, size);

	if (answer == 1) {
		conn->role = way == STREAM_IN ? ROLE_SERVER : ROLE_CLIENT;
		attach_count_connection();
	} else if (answer == 0) {
		answer = fastcgi_detect(conn, way, at, size);
	}
	if (answer == 0) {
		answer = database_detect(conn, way == STREAM_OUT ? WIRE_REQUEST : WIRE_REPLY, at,
					 size);
		if (answer == 0)
			conn->role = ROLE_OPAQUE;
	}
	return answer != -2;
}

/* Bytes of a connection to a database; what was sent of them has been looked at before. */
static void feed_database(struct thread *self, struct conn *conn, int fd, enum stream_way way,
			  const struct iovec *bytes)
{
	if (way == STREAM_OUT)
		database_sent(conn, bytes->iov_len);
	else
		database_replies(self, conn, fd, bytes->iov_base, bytes->iov_len);
}

/* The first bytes of one, which were too few to tell when they were sent. */
static void begin_database(struct thread *self, struct conn *conn, int fd, enum stream_way way,
			   const struct iovec *bytes)
{
	if (way == STREAM_OUT)
		database_requests(self, conn, fd, bytes, 1);
	if (conn->database)
		feed_database(self, conn, fd, way, bytes);
}

/*
 * Whether a head that can't be parsed is judged now: one that comes in pieces is as far as its
 * first line looks right, and when it is whole. So it makes no difference how it comes.
 */
static int is_decided(int kind, const char *at, size_t size)
{
	size_t scanned = 0;
	long end = http1_head_end(at, size, &scanned);

	if (end > (long)HTTP1_HEAD_MAX)
		attach_count(DROP_HEAD_TOO_LARGE);
	return end > 0 || http1_looks_like(kind, at, size) == 0;
}

/*
 * Parses a head at the beginning of the text. Returns its size; -2: not complete; or the size of
 * the text: not HTTP, and given up.
 */
static long parse_head(struct thread *self, struct conn *conn, int fd, enum stream_way way,
		       const struct iovec *text)
{
	/* Ours alone by the guard of re-entry, and too much for the host's stack. */
	static __thread struct http1_head head;
	int kind = stream_kind(conn, way);
	long end = http1_head_parse(text->iov_base, text->iov_len, kind, live_capture(kind), &head);

	if (end == -2 || (end < 0 && !is_decided(kind, text->iov_base, text->iov_len)))
		return -2;
	if (end < 0) {
		conn_give_up(conn, FAILURE_PROTOCOL);
		return (long)text->iov_len;
	}
	/*
	 * A client's exchange is made when its head is about to be sent. It is not there if the
	 * head was not seen whole then: a head in pieces, or the second request of one write.
	 */
	if (way == STREAM_OUT && kind == HTTP1_REQUEST && !conn->sending) {
		struct exchange *exchange = message_request_prepare(self, conn, fd, &head);

		if (!exchange) {
			conn_give_up(conn, FAILURE_OTHER);
			return end;
		}
	}
	if (way == STREAM_OUT) {
		conn->sending = 0;
		conn->inserted = 0;
		conn->replacing = 0;
	}
	head_done(self, conn, fd, way, &head);
	return end;
}

/* Robust servers ignore empty lines before a request (RFC 9112, 2.2). */
static size_t leading_lines(const char *at, size_t size)
{
	size_t n = 0;

	while (n < size && (at[n] == '\r' || at[n] == '\n'))
		n++;
	return n;
}

/* Gathers bytes of a head that comes in pieces; returns how many it took. */
static size_t gather_head(struct thread *self, struct conn *conn, int fd, enum stream_way way,
			  const char *at, size_t size)
{
	struct stream *stream = direction(conn, way);
	size_t before = stream->gathered;
	size_t taken = size;
	long end;

	if (taken > HTTP1_HEAD_MAX + 1 - before)
		taken = HTTP1_HEAD_MAX + 1 - before;
	if (stream_gather(stream, at, taken)) {
		conn_give_up(conn, FAILURE_OTHER);
		return size;
	}
	if (conn->role == ROLE_UNKNOWN &&
	    (!decide_role(conn, way, stream_gathered(stream), stream->gathered) ||
	     conn->role == ROLE_OPAQUE))
		return taken;
	if (conn->fastcgi)
		return fastcgi_gathered(self, conn, fd, way, before);
	if (conn->database) {
		struct iovec bytes = {stream_gathered(stream), stream->gathered};

		begin_database(self, conn, fd, way, &bytes);
		stream_clear(stream);
		return taken;
	}
	end = http1_head_end(stream_gathered(stream), stream->gathered, &stream->scanned);
	if (end > 0) {
		struct iovec text = {stream_gathered(stream), (size_t)end};

		/* Bytes after the head that were gathered with it are given back. */
		parse_head(self, conn, fd, way, &text);
		return (size_t)end - before;
	}
	if (stream->gathered > HTTP1_HEAD_MAX) {
		attach_count(DROP_HEAD_TOO_LARGE);
		conn_give_up(conn, FAILURE_OTHER);
	} else if (!http1_looks_like(stream_kind(conn, way), stream_gathered(stream),
				     stream->gathered)) {
		conn_give_up(conn, FAILURE_PROTOCOL);
	}
	return taken;
}

/* Takes bytes of a head; returns how many, always at least one. */
static size_t feed_head(struct thread *self, struct conn *conn, int fd, enum stream_way way,
			const char *at, size_t size)
{
	struct stream *stream = direction(conn, way);
	long end;

	/*
	 * Nothing was asked: a body after the answer to a HEAD, or a 408 to a connection that
	 * idled. Programs that go on using the connection have thrown it away as well.
	 */
	if (way == STREAM_IN && conn->role == ROLE_CLIENT && !conn->first)
		return size;
	if (!stream->gathered) {
		size_t empty = leading_lines(at, size);

		if (empty)
			return empty;
		stream->scanned = 0;
		stream->since_ns = way == STREAM_IN ? sys_now_ns() : 0;
		if (conn->role == ROLE_UNKNOWN && decide_role(conn, way, at, size) &&
		    conn->role == ROLE_OPAQUE)
			return size;
		if (conn->fastcgi)
			return fastcgi_bytes(self, conn, fd, way, at, size);
		if (conn->database) {
			struct iovec bytes = {(void *)at, size};

			begin_database(self, conn, fd, way, &bytes);
			return size;
		}
		if (conn->role != ROLE_UNKNOWN) {
			struct iovec text = {(void *)at, size};

			end = parse_head(self, conn, fd, way, &text);
			if (end > 0)
				return (size_t)end;
		}
	}
	return gather_head(self, conn, fd, way, at, size);
}

static size_t feed_body(struct thread *self, struct conn *conn, enum stream_way way, const char *at,
			size_t size)
{
	struct stream *stream = direction(conn, way);
	long taken;

	if (way == STREAM_IN && conn->role == ROLE_CLIENT)
		message_reply_context(self, conn);
	else if (way == STREAM_IN && conn->role == ROLE_SERVER && conn_first(conn) &&
		 exchange_of(conn->requesting) == conn_first(conn))
		context_read(self, conn->requesting, 1);
	/* A request whose body can't be framed: its response can still be told. */
	if (stream->body.mode == HTTP1_BODY_OPAQUE)
		return size;
	taken = http1_body_feed(&stream->body, at, size);
	if (taken < 0) {
		conn_give_up(conn, FAILURE_PROTOCOL);
		return size;
	}
	if (stream->body.done)
		stream_done(conn, way);
	return (size_t)taken;
}

static void feed(struct thread *self, struct conn *conn, int fd, enum stream_way way,
		 const char *at, size_t size)
{
	while (size && conn->role != ROLE_OPAQUE && conn->role != ROLE_ENCRYPTED) {
		struct iovec bytes = {(void *)at, size};
		size_t taken;

		if (conn->database) {
			feed_database(self, conn, fd, way, &bytes);
			return;
		}
		if (conn->fastcgi)
			taken = fastcgi_bytes(self, conn, fd, way, at, size);
		else if (direction(conn, way)->phase == PHASE_HEAD)
			taken = feed_head(self, conn, fd, way, at, size);
		else
			taken = feed_body(self, conn, way, at, size);

		at += taken;
		size -= taken;
	}
}

/* Feeds what lies beyond the first `skip` bytes. */
static void feed_vector(struct thread *self, struct conn *conn, int fd, enum stream_way way,
			const struct iovec *iov, size_t count, size_t size, size_t skip)
{
	for (size_t i = 0; i < count && size && conn->role != ROLE_OPAQUE; i++) {
		size_t n = iov[i].iov_len < size ? iov[i].iov_len : size;

		size -= n;
		if (skip >= n) {
			skip -= n;
			continue;
		}
		feed(self, conn, fd, way, (const char *)iov[i].iov_base + skip, n - skip);
		skip = 0;
	}
}

/* Whether they begin a handshake of TLS: then this connection carries an encrypted one. */
static int begins_tls(struct thread *self, struct conn *conn, int fd, enum stream_way way,
		      const struct iovec *iov, size_t size)
{
	const struct stream *stream = direction(conn, way);
	size_t first = iov->iov_len < size ? iov->iov_len : size;
	const uint8_t *at = iov->iov_base;

	return first && at[0] == TLS_HANDSHAKE && stream->phase == PHASE_HEAD &&
	       !stream->gathered && !conn->tls && tls_carries(self, conn, fd, at, first);
}

void stream_bytes(struct thread *self, struct conn *conn, int fd, enum stream_way way,
		  const struct iovec *iov, size_t count, size_t size)
{
	if (!count || !begins_tls(self, conn, fd, way, iov, size))
		feed_vector(self, conn, fd, way, iov, count, size, 0);
	if (self->runtime && way == STREAM_IN)
		self->read_from = conn->role == ROLE_SERVER ? conn_reference(conn) : 0;
}

void stream_sent_head(struct thread *self, struct conn *conn, int fd, const struct http1_head *head,
		      const struct iovec *iov, size_t count, size_t size)
{
	conn->sending = 0;
	conn->inserted = 0;
	conn->replacing = 0;
	head_done(self, conn, fd, STREAM_OUT, head);
	feed_vector(self, conn, fd, STREAM_OUT, iov, count, size, head->size);
}

void stream_skip(struct conn *conn, enum stream_way way, uint64_t size)
{
	struct stream *stream = direction(conn, way);

	if (conn->role == ROLE_OPAQUE || conn->role == ROLE_ENCRYPTED || !size)
		return;
	if (conn->fastcgi) {
		fastcgi_skip(conn, way, size);
		return;
	}
	if (stream->phase == PHASE_HEAD) {
		conn_give_up(conn, FAILURE_OTHER);
		return;
	}
	if (stream->body.mode == HTTP1_BODY_OPAQUE)
		return;
	if (http1_body_skip(&stream->body, size) != (int64_t)size) {
		conn_give_up(conn, FAILURE_OTHER);
		return;
	}
	if (stream->body.done)
		stream_done(conn, way);
}
