/* test_runtime.c - a runtime's word goes before the rules. */
/* First, for its parameters have names that another one declares. */
#include "tests/unit/shim_told.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "preload/connect.h"
#include "preload/context.h"
#include "preload/fd.h"
#include "preload/runtime.h"
#include "preload/runtime_take.h"
#include "preload/thread.h"
#include "tests/unit/sending_test.h"

#define GET(path)  "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
#define PARENT     "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define OK         "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static struct runtime_context current;
static int server;

static int set_up(void **state)
{
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[1]);
	server = pair[0];
	current = (struct runtime_context){0};
	thread_self.waits = THREAD_LOOPS;
	runtime_manage(&current);
	return 0;
}

static int clean_up(void **state)
{
	struct told told;

	runtime_manage(NULL);
	context_set(&thread_self, 0, 0, 0);
	thread_self.waits = THREAD_CALLS;
	fd_reset(server, FD_UNKNOWN);
	close(server);
	while (shim_next(slot, &told))
		;
	return tear_down(state);
}

static void serve(const char *text)
{
	after_read((ssize_t)strlen(text), server, (void *)text, strlen(text));
}

/* The server's response; the hooks on writing only look at it after the real call. */
static void respond(void)
{
	struct thread *self = thread_enter();
	struct iovec bytes = {(void *)OK, strlen(OK)};
	struct conn *conn = fd_lock(server);

	stream_bytes(self, conn, server, STREAM_OUT, &bytes, 1, bytes.iov_len);
	conn_unlock(conn);
	thread_leave(self);
}

static void send_text(const char *text)
{
	fresh_kernel(SIZE_MAX, SIZE_MAX);
	send_all(BY_WRITE, text, strlen(text), 0, 1);
}

/* Of the call that was sent last, which is answered by this. */
static struct span answered(void)
{
	struct told told;

	receive(OK);
	while (shim_next(slot, &told))
		if (told.span.kind == SPAN_CLIENT)
			return told.span;
	fail();
	return told.span;
}

static void assert_parent(const struct span *span, const struct runtime_context *parent)
{
	assert_memory_equal(span->trace_id, parent->own.trace_id, 16);
	assert_memory_equal(span->parent_id, parent->own.span_id, 8);
	assert_int_equal(span->link, SPAN_LINK_CONTEXT);
}

/* After thousands of others only the IDs that the runtime keeps are left. */
static void the_oldest_requests_are_forgotten_but_for_their_trace(void **state)
{
	struct runtime_context one;
	struct runtime_context other;
	struct span span;

	(void)state;
	serve("GET /a HTTP/1.1\r\nHost: x\r\nX-Request-ID: old-1\r\n\r\n");
	assert_int_equal(runtime_take(server, &one), 1);
	respond();
	for (int i = 0; i < 5000; i++) {
		struct told told;

		serve(GET("/b"));
		assert_int_equal(runtime_take(server, &other), 1);
		respond();
		while (shim_next(slot, &told))
			;
	}
	runtime_switch(&one);
	send_text(GET("/late"));
	kernel.out[kernel.size] = 0;
	assert_null(strstr(kernel.out, "old-1"));
	assert_non_null(strstr(kernel.out, "\r\nX-Request-ID: "));
	span = answered();
	assert_parent(&span, &one);
}

static void each_request_is_taken_once_and_in_order(void **state)
{
	struct runtime_context one = {0};
	struct runtime_context two = {0};
	struct runtime_context none = {0};

	(void)state;
	assert_int_equal(runtime_take(server, &one), 0);
	serve(GET("/a") GET("/b"));
	assert_int_equal(runtime_take(server, &one), 1);
	respond();
	assert_int_equal(runtime_take(server, &two), 1);
	assert_int_equal(runtime_take(server, &none), 0);
	assert_int_equal(none.reference, 0);
	assert_int_equal(runtime_alive(&one), 0);
	assert_int_equal(runtime_alive(&two), 1);
	assert_memory_not_equal(one.own.span_id, two.own.span_id, 8);
	/* A descriptor that is no connection of a server has none. */
	assert_int_equal(runtime_take(fd, &none), 0);
	assert_int_equal(runtime_take(-1, &none), 0);
}

static void reading_makes_nothing_current(void **state)
{
	struct runtime_context last;

	(void)state;
	assert_int_equal(runtime_last_read(1, &last), 0);
	serve(POST("/a"));
	assert_int_equal(context_get(&thread_self), 0);
	assert_int_equal(runtime_last_read(1, &last), 1);
	assert_int_equal(runtime_last_read(1, &last), 0);
	serve("body");
	assert_int_equal(context_get(&thread_self), 0);
	assert_int_equal(runtime_last_read(0, &last), 1);
	assert_int_equal(runtime_last_read(0, &last), 1);
}

static void what_was_switched_to_lasts_until_the_next_word(void **state)
{
	struct runtime_context one;
	struct runtime_context two;

	(void)state;
	serve(GET("/a") GET("/b"));
	assert_int_equal(runtime_take(server, &one) + runtime_take(server, &two), 2);
	runtime_switch(&one);
	assert_ptr_equal(runtime_current(), &current);
	context_wait(&thread_self, __builtin_frame_address(0), THREAD_LOOPS);
	context_woken(&thread_self);
	context_set(&thread_self, two.reference, SPAN_LINK_GUESS_THREAD, 0);
	assert_int_equal(context_get(&thread_self), one.reference);
	assert_int_equal(context_link(&thread_self), SPAN_LINK_CONTEXT);
	runtime_switch(NULL);
	assert_int_equal(context_get(&thread_self), 0);
	/* With the rules back in charge it is forgotten. */
	runtime_switch(&one);
	runtime_manage(NULL);
	assert_int_equal(context_get(&thread_self), 0);
	assert_null(runtime_current());
}

static void a_call_belongs_to_the_word_at_its_sending(void **state)
{
	struct runtime_context one;
	struct runtime_context two;
	struct span span;

	(void)state;
	serve(GET("/a") GET("/b"));
	assert_int_equal(runtime_take(server, &one) + runtime_take(server, &two), 2);
	runtime_switch(&one);
	send_text(GET("/x"));
	runtime_switch(NULL);
	span = answered();
	assert_parent(&span, &one);
	/* Nor is it a guess on the very connection whose reply was just read. */
	runtime_switch(&two);
	send_text(GET("/y"));
	span = answered();
	assert_parent(&span, &two);
	runtime_switch(NULL);
	send_text(GET("/z"));
	span = answered();
	assert_int_equal(span.link, SPAN_LINK_ROOT);
}

/* A pool's connection is made for one request, and may serve another one first. */
static void who_had_the_connection_made_does_not_matter(void **state)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};
	struct runtime_context one;
	struct runtime_context two;
	struct span span;

	(void)state;
	serve(GET("/a") GET("/b"));
	assert_int_equal(runtime_take(server, &one) + runtime_take(server, &two), 2);
	runtime_switch(&one);
	connect_called(&thread_self, fd, (struct sockaddr *)&to, sizeof(to), 1, EINPROGRESS);
	connect_asked(&thread_self, fd, 0);
	assert_int_equal(fd_known_connection(fd)->connect_context, one.reference);
	runtime_switch(&two);
	send_text(GET("/x"));
	span = answered();
	assert_parent(&span, &two);
}

static void a_request_with_the_same_target_is_no_hint(void **state)
{
	struct span span;

	(void)state;
	serve(GET("/same"));
	send_text(GET("/same"));
	span = answered();
	assert_int_equal(span.link, SPAN_LINK_ROOT);
}

static void a_call_after_the_response_still_finds_its_parent(void **state)
{
	struct runtime_context one;
	struct span span;

	(void)state;
	serve("GET /a HTTP/1.1\r\nHost: x\r\nX-Request-ID: late-1\r\n"
	      "tracestate: a=b\r\ntraceparent: " PARENT "\r\n\r\n");
	assert_int_equal(runtime_take(server, &one), 1);
	respond();
	serve(GET("/b"));
	assert_int_equal(runtime_alive(&one), 0);
	runtime_switch(&one);
	assert_int_equal(context_get(&thread_self), 0);
	send_text(GET("/late"));
	kernel.out[kernel.size] = 0;
	assert_non_null(strstr(kernel.out, "\r\nX-Request-ID: late-1\r\n"));
	assert_non_null(strstr(kernel.out, "\r\ntracestate: a=b\r\n"));
	span = answered();
	assert_parent(&span, &one);
}

static void a_word_without_its_ids_ends_with_the_response(void **state)
{
	struct runtime_context one;
	struct span span;

	(void)state;
	serve(GET("/a"));
	assert_int_equal(runtime_take(server, &one), 1);
	memset(&one.own, 0, sizeof(one.own));
	runtime_switch(&one);
	send_text(GET("/x"));
	span = answered();
	assert_int_equal(span.link, SPAN_LINK_CONTEXT);
	respond();
	send_text(GET("/y"));
	span = answered();
	assert_int_equal(span.link, SPAN_LINK_ROOT);
}

static void what_is_read_becomes_the_word_if_the_runtime_wants_it(void **state)
{
	struct runtime_context taken;

	(void)state;
	runtime_reading_switches(1);
	serve(GET("/a"));
	assert_int_equal(runtime_take(server, &taken), 1);
	assert_memory_equal(&current, &taken, sizeof(taken));
	/* Pipelined: which of them the code goes on with can't be told. */
	serve(GET("/b"));
	assert_int_equal(current.reference, 0);
	runtime_manage(&current);
	respond();
	respond();
	serve(GET("/c"));
	assert_int_equal(current.reference, 0);
}

static void a_connection_is_told_apart_from_those_read_since(void **state)
{
	(void)state;
	serve(GET("/a"));
	assert_int_equal(thread_self.read_from, conn_reference(fd_known_connection(server)));
	send_text(GET("/x"));
	answered();
	assert_int_equal(thread_self.read_from, 0);
}

/* uvloop: out of nobody's callback. */
static void what_goes_out_later_belongs_to_who_has_written_it(void **state)
{
	struct runtime_context one;
	struct runtime_context two;
	struct span span;

	(void)state;
	serve(GET("/a") GET("/b"));
	assert_int_equal(runtime_take(server, &one) + runtime_take(server, &two), 2);
	runtime_switch(&one);
	runtime_sends(fd, 0);
	runtime_switch(&two);
	send_text(GET("/x"));
	assert_int_equal(current.reference, two.reference);
	span = answered();
	assert_parent(&span, &one);
	/* The next use of the connection. */
	runtime_sends(fd, 0);
	runtime_switch(NULL);
	send_text(GET("/y"));
	span = answered();
	assert_parent(&span, &two);
}

static void several_who_wait_for_one_connection_make_an_orphan(void **state)
{
	struct runtime_context one;
	struct runtime_context two;
	struct span span;

	(void)state;
	serve(GET("/a") GET("/b"));
	assert_int_equal(runtime_take(server, &one) + runtime_take(server, &two), 2);
	runtime_switch(&one);
	runtime_sends(fd, 0);
	runtime_sends(fd, 1);
	runtime_switch(&two);
	runtime_sends(fd, 1);
	send_text(GET("/x"));
	span = answered();
	assert_int_equal(span.link, SPAN_LINK_ROOT);
}

#define RUNTIME_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		RUNTIME_TEST(each_request_is_taken_once_and_in_order),
		RUNTIME_TEST(reading_makes_nothing_current),
		RUNTIME_TEST(what_was_switched_to_lasts_until_the_next_word),
		RUNTIME_TEST(a_call_belongs_to_the_word_at_its_sending),
		RUNTIME_TEST(who_had_the_connection_made_does_not_matter),
		RUNTIME_TEST(a_request_with_the_same_target_is_no_hint),
		RUNTIME_TEST(a_call_after_the_response_still_finds_its_parent),
		RUNTIME_TEST(the_oldest_requests_are_forgotten_but_for_their_trace),
		RUNTIME_TEST(a_word_without_its_ids_ends_with_the_response),
		RUNTIME_TEST(what_is_read_becomes_the_word_if_the_runtime_wants_it),
		RUNTIME_TEST(a_connection_is_told_apart_from_those_read_since),
		RUNTIME_TEST(what_goes_out_later_belongs_to_who_has_written_it),
		RUNTIME_TEST(several_who_wait_for_one_connection_make_an_orphan),
	};

	sending_start(__builtin_frame_address(0));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
