/* message.c - what a request or response head means: it begins, answers or ends an exchange. */
#include "preload/message.h"

#include <stdatomic.h>
#include <string.h>

#include "preload/attach.h"
#include "preload/connect.h"
#include "preload/context.h"
#include "preload/describe.h"
#include "preload/exchange_cpu.h"
#include "preload/exchange_list.h"
#include "preload/identity.h"
#include "preload/sys.h"

static int is_method(const struct http1_head *head, const char *name)
{
	size_t size = strlen(name);

	return head->method.size == size && memcmp(head->method.at, name, size) == 0;
}

static void take_method(struct exchange *exchange, const struct http1_head *head)
{
	exchange->is_head = (uint8_t)is_method(head, "HEAD");
	exchange->is_connect = (uint8_t)is_method(head, "CONNECT");
}

int message_request_read(struct thread *self, struct conn *conn, int fd,
			 const struct http1_head *head, uint64_t since_ns)
{
	struct exchange *exchange;

	if (conn_address(conn, fd))
		return -1;
	exchange = exchange_new(SPAN_SERVER, since_ns);
	if (!exchange)
		return -1;
	take_method(exchange, head);
	identity_from_request(self, exchange, head);
	describe_request(exchange, conn, head);
	exchange->target_hash = describe_target_hash(head);
	conn_push(conn, exchange);
	exchange_list(exchange);
	exchange_publish(exchange);
	conn->requesting = exchange_reference(exchange);
	exchange_count_cpu(self, exchange);
	/* Which of several unanswered requests the program turns to next can't be told. */
	context_read(self, conn->requesting, conn_first(conn) == exchange);
	http1_body_of_request(&conn->in.body, head);
	return 0;
}

static int is_interim(const struct http1_head *head)
{
	return head->status < 200 && head->status != 101;
}

/* The framing of a response depends on the request's method. */
static void response_body(struct http1_body *body, const struct http1_head *head,
			  const struct exchange *exchange)
{
	if (exchange->is_head)
		http1_body_of_response(body, head, "HEAD", 4);
	else if (exchange->is_connect)
		http1_body_of_response(body, head, "CONNECT", 7);
	else
		http1_body_of_response(body, head, "GET", 3);
}

void message_body(const struct conn *conn, const struct http1_head *head, struct http1_body *body)
{
	const struct exchange *exchange = conn_first((struct conn *)conn);

	memset(body, 0, sizeof(*body));
	body->done = 1;
	if (head->kind == HTTP1_REQUEST)
		http1_body_of_request(body, head);
	else if (!is_interim(head) && exchange)
		response_body(body, head, exchange);
}

/* Common to both sides: the oldest exchange is answered. 0: it was an interim response. */
static int answer(struct conn *conn, struct http1_body *body, const struct http1_head *head)
{
	struct exchange *exchange = conn_first(conn);

	if (is_interim(head)) {
		memset(body, 0, sizeof(*body));
		body->done = 1;
		return 0;
	}
	exchange->responded = 1;
	describe_response(exchange, head);
	response_body(body, head, exchange);
	return 1;
}

void message_response_sent(struct thread *self, struct conn *conn, const struct http1_head *head)
{
	context_answered(self, conn_first(conn));
	answer(conn, &conn->out.body, head);
}

uint32_t message_response_prepare(struct exchange *exchange, const struct http1_head *head)
{
	exchange->added_size = 0;
	if (is_interim(head) || head->bare_lf || !exchange->request_id_size ||
	    head->field[HTTP1_REQUEST_ID].at)
		return 0;
	identity_add_line(exchange, "X-Request-ID", exchange->request_id,
			  exchange->request_id_size);
	return exchange->added_size;
}

/* ---- client ---------------------------------------------------------------------------------- */

/* How sure a context of that sureness is for a request on that connection. */
static enum span_link current_link(const struct thread *self, const struct conn *conn, uint8_t link)
{
	if (link >= SPAN_LINK_GUESSES)
		return (enum span_link)link;
	if (!self->runtime && self->waits == THREAD_LOOPS &&
	    self->reply_from == conn_reference(conn))
		return SPAN_LINK_GUESS_REUSED;
	return SPAN_LINK_CONTEXT;
}

/*
 * By connect(), on a connection's first request, or by the thread; 0: none. A runtime knows who
 * sends it, which need not be who had the connection made for a pool. What waited until the
 * connection could be written to is sent in a turn of its own: there the rules know nobody.
 */
static uint64_t context_for(struct thread *self, const struct conn *conn, enum span_link *link)
{
	uint64_t context = 0;
	uint8_t now;

	if (!conn->used)
		context = connect_caller(self, conn->connect_context, conn->connect_link, link);
	if (context || (!self->runtime && conn->deferred && self->waits == THREAD_LOOPS))
		return context;
	context = context_both(self, &now);
	if (context)
		*link = current_link(self, conn, now);
	return context;
}

/*
 * The request carries a trace header already: passed on by a proxy, or by the program's own
 * tracing. 0: it says nothing.
 */
static int identify_by_header(struct thread *self, struct exchange *exchange, struct conn *conn,
			      const struct http1_head *head)
{
	struct trace_parent parent;
	enum span_link link = SPAN_LINK_CONTEXT;
	const char *digits = NULL;
	uint64_t context = context_for(self, conn, &link);
	struct exchange *passed;

	if (!identity_of_head(exchange, head, &parent, &digits)) {
		if (!head->field[HTTP1_TRACEPARENT].at)
			return 0;
		identity_by_context(self, exchange, context, link);
		return 1;
	}
	passed = exchange_find_incoming(&parent, context);
	if (!passed) {
		exchange_identify(exchange, parent.trace_id, parent.span_id, parent.flags,
				  SPAN_LINK_OWN);
		return 1;
	}
	identity_by_context(self, exchange, exchange_reference(passed), SPAN_LINK_PASSED);
	if (digits && !head->bare_lf)
		exchange->replace_at = (uint32_t)(digits - head->at);
	return 1;
}

/*
 * A proxy passes method, target and Host on unchanged. If the context is another request's, or
 * there is none, the one request in flight that looks the same is the better guess: HAProxy
 * interleaves its tasks.
 */
static void identify_by_rules(struct thread *self, struct exchange *exchange, struct conn *conn,
			      const struct http1_head *head)
{
	enum span_link link = SPAN_LINK_CONTEXT;
	uint64_t context = context_for(self, conn, &link);
	struct exchange *same = NULL;

	if (!self->runtime)
		same = exchange_find_target(describe_target_hash(head), context);
	if (same && exchange_reference(same) != context) {
		context = exchange_reference(same);
		link = SPAN_LINK_GUESS_TARGET;
	}
	identity_by_context(self, exchange, context, link);
}

/*
 * What a runtime has buffered goes out between its callbacks, in nobody's name: it has said whose
 * it is. Returns the word that is to be put back.
 */
static struct runtime_context *speak_for_sender(struct thread *self, struct conn *conn)
{
	struct runtime_context *before = self->runtime;

	if (before && conn->has_sender)
		self->runtime = &conn->sender;
	return before;
}

struct exchange *message_request_prepare(struct thread *self, struct conn *conn, int fd,
					 const struct http1_head *head)
{
	struct runtime_context *word;
	struct exchange *exchange;
	int own_trace = head->field[HTTP1_TRACEPARENT].at || head->field[HTTP1_B3].at ||
			head->field[HTTP1_B3_TRACE_ID].at;

	if (conn_address(conn, fd))
		return NULL;
	exchange = exchange_new(SPAN_CLIENT, sys_now_ns());
	if (!exchange)
		return NULL;
	take_method(exchange, head);
	word = speak_for_sender(self, conn);
	if (!own_trace || !identify_by_header(self, exchange, conn, head))
		identify_by_rules(self, exchange, conn, head);
	self->runtime = word;
	identity_take_request_id(exchange, head);
	describe_request(exchange, conn, head);
	identity_write_headers(exchange, head, own_trace);
	conn->used = 1;
	conn->connecting = 0;
	conn_push(conn, exchange);
	exchange_publish(exchange);
	conn->requesting = exchange_reference(exchange);
	return exchange;
}

struct exchange *message_operation_prepare(struct thread *self, struct conn *conn, int fd)
{
	enum span_link link = SPAN_LINK_CONTEXT;
	struct runtime_context *word;
	struct exchange *exchange;

	if (conn_address(conn, fd))
		return NULL;
	exchange = exchange_new(SPAN_CLIENT, sys_now_ns());
	if (!exchange)
		return NULL;
	exchange->is_operation = 1;
	word = speak_for_sender(self, conn);
	identity_by_context(self, exchange, context_for(self, conn, &link), link);
	self->runtime = word;
	describe_peer(exchange, conn);
	conn->used = 1;
	conn->connecting = 0;
	conn_push(conn, exchange);
	return exchange;
}

void message_request_sent(struct conn *conn, const struct http1_head *head)
{
	http1_body_of_request(&conn->out.body, head);
}

void message_reply_context(struct thread *self, struct conn *conn)
{
	struct exchange *exchange = conn_first(conn);

	if (exchange && exchange->parent)
		context_set(self, exchange->parent,
			    exchange->link >= SPAN_LINK_GUESSES ? SPAN_LINK_GUESS_INHERITED
								: SPAN_LINK_CONTEXT,
			    conn_reference(conn));
	else if (self->waits == THREAD_LOOPS)
		context_set(self, 0, 0, 0);
}

void message_response_read(struct thread *self, struct conn *conn, const struct http1_head *head)
{
	message_reply_context(self, conn);
	answer(conn, &conn->in.body, head);
}
