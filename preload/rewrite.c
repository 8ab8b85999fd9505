/* rewrite.c - the bytes that we add to outgoing heads, and their short-write accounts. */
#include "preload/rewrite.h"

#include <string.h>

#include "preload/attach.h"
#include "preload/database.h"
#include "preload/exchange.h"
#include "preload/fastcgi_stream.h"
#include "preload/live.h"
#include "preload/message.h"
#include "preload/stream.h"

#define REPLACED 16u

/*
 * Parses the head if this call completes it, behind what was gathered. The call's bytes are
 * gathered for the look alone; the caller takes them back, for they are not sent yet. 1: plan->head
 * is valid.
 */
static int parse_gathered(struct conn *conn, const struct iovec *iov, size_t count, int kind,
			  struct http1_head *head)
{
	struct stream *out = &conn->out;
	size_t scanned = 0;

	for (size_t i = 0; i < count && out->gathered <= HTTP1_HEAD_MAX; i++) {
		size_t room = HTTP1_HEAD_MAX + 1 - out->gathered;
		size_t n = iov[i].iov_len < room ? iov[i].iov_len : room;
		long end;

		if (n && stream_gather(out, iov[i].iov_base, n))
			return 0;
		if (conn->fastcgi) {
			end = fastcgi_head_parse(stream_gathered(out), out->gathered,
						 live_capture(kind), head);
			if (end != -2)
				return end > 0;
			continue;
		}
		end = http1_head_end(stream_gathered(out), out->gathered, &scanned);
		if (end > 0)
			return http1_head_parse(stream_gathered(out), (size_t)end, kind,
						live_capture(kind), head) > 0;
	}
	return 0;
}

/* As above; the common head lies whole in the first piece and is parsed in place. */
static int parse_head(struct conn *conn, const struct iovec *iov, size_t count, int kind,
		      struct rewrite *plan)
{
	long end = -2;

	if (!conn->out.gathered && count && conn->fastcgi)
		end = fastcgi_head_parse(iov[0].iov_base, iov[0].iov_len, live_capture(kind),
					 &plan->head);
	else if (!conn->out.gathered && count)
		end = http1_head_parse(iov[0].iov_base, iov[0].iov_len, kind, live_capture(kind),
				       &plan->head);
	plan->parsed = end > 0;
	if (end == -2)
		return parse_gathered(conn, iov, count, kind, &plan->head);
	return end > 0;
}

static int may_begin_request(const struct conn *conn, const struct iovec *iov, size_t count)
{
	if (conn->role != ROLE_UNKNOWN)
		return stream_kind(conn, STREAM_OUT) == HTTP1_REQUEST;
	if (conn->out.gathered || !count)
		return conn->out.gathered > 0;
	return http1_looks_like(HTTP1_REQUEST, iov[0].iov_base, iov[0].iov_len) != 0;
}

/* Whether the call's bytes begin a connection that speaks FastCGI, or go on with one. */
static int is_fastcgi(struct conn *conn, const struct iovec *iov, size_t count)
{
	if (conn->role == ROLE_UNKNOWN && !conn->out.gathered && count)
		fastcgi_detect(conn, STREAM_OUT, iov[0].iov_base, iov[0].iov_len);
	return conn->fastcgi;
}

static void plan_request(struct thread *self, struct conn *conn, int fd, struct rewrite *plan)
{
	struct exchange *exchange = exchange_of(conn->sending);

	if (!exchange) {
		exchange = message_request_prepare(self, conn, fd, &plan->head);
		if (!exchange)
			return;
		conn->sending = exchange_reference(exchange);
		conn->replacing = 0;
	}
	/* An edit that would begin in bytes which are gone already can't be made any more. */
	if (exchange->replace_at && (exchange->replace_at >= plan->start || conn->replacing)) {
		plan->replace_at = exchange->replace_at;
		conn->replacing = 1;
		hex_format(exchange->own.span_id, 8, plan->replacement);
	}
	if (exchange->added_size && plan->head.insert_at >= plan->start && !plan->head.bare_lf) {
		plan->insert_at = plan->head.insert_at;
		plan->insert = exchange->added;
		plan->insert_size = exchange->added_size;
	}
}

static void plan_response(struct conn *conn, struct rewrite *plan)
{
	struct exchange *exchange = conn_first(conn);

	if (!exchange || plan->head.insert_at < plan->start)
		return;
	plan->insert_size = message_response_prepare(exchange, &plan->head);
	if (!plan->insert_size)
		return;
	plan->insert_at = plan->head.insert_at;
	plan->insert = exchange->added;
}

/* Where the message ends whose body begins, or goes on, behind `skip` bytes. */
static size_t extent(struct http1_body body, const struct iovec *iov, size_t count, size_t skip)
{
	size_t at = 0;

	if (body.mode == HTTP1_BODY_CLOSE || body.mode == HTTP1_BODY_OPAQUE)
		return SIZE_MAX;
	if (body.mode != HTTP1_BODY_CHUNKED) {
		for (size_t i = 0; i < count; i++)
			at += iov[i].iov_len;
		return at > skip && at - skip > body.left ? skip + body.left : SIZE_MAX;
	}
	for (size_t i = 0; i < count; at += iov[i++].iov_len) {
		size_t size = iov[i].iov_len;
		long taken;

		if (skip >= size) {
			skip -= size;
			continue;
		}
		if (body.done)
			return at + skip;
		taken = http1_body_feed(&body, (const char *)iov[i].iov_base + skip, size - skip);
		if (taken < 0)
			return SIZE_MAX;
		if ((size_t)taken < size - skip)
			return at + skip + (size_t)taken;
		skip = 0;
	}
	return SIZE_MAX;
}

size_t rewrite_extent(const struct conn *conn, const struct iovec *iov, size_t count)
{
	return extent(conn->out.body, iov, count, 0);
}

/* Requests to a database are only looked at. 1: the call is to one. */
static int is_database(struct thread *self, struct conn *conn, int fd, const struct iovec *iov,
		       size_t count)
{
	if (conn->role == ROLE_UNKNOWN && !conn->out.gathered && count &&
	    http1_looks_like(HTTP1_REQUEST, iov[0].iov_base, iov[0].iov_len) == 0)
		database_detect(conn, WIRE_REQUEST, iov[0].iov_base, iov[0].iov_len);
	if (!conn->database)
		return 0;
	if (conn->role == ROLE_CLIENT)
		database_requests(self, conn, fd, iov, count);
	return 1;
}

void rewrite_plan(struct thread *self, struct conn *conn, int fd, const struct iovec *iov,
		  size_t count, struct rewrite *plan)
{
	struct stream *out = &conn->out;
	uint32_t gathered = out->gathered;
	struct http1_body body;
	int kind;

	plan->parsed = 0;
	plan->edits = 0;
	plan->start = gathered;
	plan->insert_at = plan->replace_at = REWRITE_NOWHERE;
	plan->insert_size = 0;
	plan->inserted = conn->inserted;
	plan->extent = SIZE_MAX;
	if (out->phase != PHASE_HEAD || conn->role == ROLE_ENCRYPTED ||
	    (is_fastcgi(conn, iov, count) && conn->role == ROLE_SERVER) ||
	    is_database(self, conn, fd, iov, count) ||
	    (conn->role != ROLE_SERVER && !may_begin_request(conn, iov, count)))
		return;
	kind = conn->role == ROLE_SERVER ? HTTP1_RESPONSE : HTTP1_REQUEST;
	if (parse_head(conn, iov, count, kind, plan)) {
		if (kind == HTTP1_RESPONSE) {
			plan_response(conn, plan);
		} else {
			if (conn->role == ROLE_UNKNOWN)
				attach_count_connection();
			conn->role = ROLE_CLIENT;
			plan_request(self, conn, fd, plan);
		}
		if (!conn->fastcgi) {
			message_body(conn, &plan->head, &body);
			plan->extent = extent(body, iov, count, plan->head.size - plan->start);
		}
	}
	out->gathered = gathered;
	if (!gathered)
		stream_clear(out);
	plan->edits = plan->insert_at != REWRITE_NOWHERE || plan->replace_at != REWRITE_NOWHERE;
}

struct builder {
	struct iovec *out;
	size_t count;
};

static void put(struct builder *builder, const char *at, size_t size)
{
	if (!size)
		return;
	builder->out[builder->count].iov_base = (void *)at;
	builder->out[builder->count++].iov_len = size;
}

/* One piece of the program's bytes, which begins at offset `at` of the head, with the edits in it.
 */
static void put_piece(struct builder *builder, const struct rewrite *plan, const char *bytes,
		      size_t size, size_t at)
{
	size_t done = 0;

	while (done < size) {
		size_t here = at + done;
		size_t stop = at + size;

		if (plan->replace_at != REWRITE_NOWHERE && here >= plan->replace_at &&
		    here < plan->replace_at + REPLACED) {
			size_t n = plan->replace_at + REPLACED - here;

			n = n < size - done ? n : size - done;
			put(builder, plan->replacement + (here - plan->replace_at), n);
			done += n;
			continue;
		}
		if (here == plan->insert_at)
			put(builder, plan->insert + plan->inserted,
			    plan->insert_size - plan->inserted);
		if (plan->replace_at > here && plan->replace_at < stop)
			stop = plan->replace_at;
		if (plan->insert_at > here && plan->insert_at < stop)
			stop = plan->insert_at;
		put(builder, bytes + done, stop - here);
		done += stop - here;
	}
}

size_t rewrite_build(const struct rewrite *plan, const struct iovec *iov, size_t count,
		     struct iovec *out)
{
	struct builder builder = {out, 0};
	size_t at = plan->start;

	for (size_t i = 0; i < count; i++) {
		put_piece(&builder, plan, iov[i].iov_base, iov[i].iov_len, at);
		at += iov[i].iov_len;
	}
	return builder.count;
}

size_t rewrite_account(const struct rewrite *plan, size_t sent, uint32_t *inserted)
{
	size_t before = plan->insert_at - plan->start;
	size_t ours = plan->insert_size - plan->inserted;

	*inserted = plan->inserted;
	if (plan->insert_at == REWRITE_NOWHERE || sent <= before)
		return sent;
	if (sent < before + ours) {
		*inserted = plan->inserted + (uint32_t)(sent - before);
		return before;
	}
	*inserted = plan->insert_size;
	return sent - ours;
}
