/* test_seen_send.c - the bytes that we add: right place, once, and never in the program's counts.
 */
/* First, for its parameters have names that the other one declares. */
#include "tests/unit/shim_told.h"

#include "tests/unit/sending_test.h"

/* ---- what must have come out ----------------------------------------------------------------- */

static const char request[] = "POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";

/*
 * A call that ends inside the empty line leaves no place to add anything: its first half went out
 * before the head was known to be whole.
 */
#define EMPTY_LINE(text) ((size_t)(strstr(text, "\r\n\r\n") + 2 - (text)))

/* The program's bytes with `added` before the empty line of their head. */
static void assert_out(const char *program, const char *added)
{
	size_t head = EMPTY_LINE(program);
	char expected[MOST];
	int size = snprintf(expected, sizeof(expected), "%.*s%s%s", (int)head, program, added,
			    program + head);

	assert_int_equal(kernel.size, size);
	assert_memory_equal(kernel.out, expected, kernel.size);
}

/* The lines that the request in flight on the connection is to have. */
static void client_lines(char out[EXCHANGE_ADDED_MAX + 1])
{
	const struct exchange *exchange = conn_first(fd_known_connection(fd));
	char parent[TRACEPARENT_SIZE];

	assert_non_null(exchange);
	traceparent_format(&exchange->own, parent);
	assert_int_equal(exchange->request_id_size, REQUEST_ID_SIZE);
	snprintf(out, EXCHANGE_ADDED_MAX + 1, "traceparent: %.*s\r\nX-Request-ID: %.*s\r\n",
		 TRACEPARENT_SIZE, parent, REQUEST_ID_SIZE, exchange->request_id);
}

#define ADDED_TO_REQUEST  (13 + 55 + 2 + 14 + 36 + 2)
#define ADDED_TO_RESPONSE (14 + 4 + 2)

static void send_request(enum way way, size_t stop, size_t vectors)
{
	char lines[EXCHANGE_ADDED_MAX + 1];

	send_all(way, request, sizeof(request) - 1, stop, vectors);
	client_lines(lines);
	assert_out(request, stop == EMPTY_LINE(request) + 1 ? "" : lines);
	hang_up();
}

static void send_response(enum way way, size_t stop, size_t vectors)
{
	receive("GET /p HTTP/1.1\r\nX-Request-ID: ab-7\r\n\r\n");
	send_all(way, response, sizeof(response) - 1, stop, vectors);
	assert_out(response, stop == EMPTY_LINE(response) + 1 ? "" : "X-Request-ID: ab-7\r\n");
	hang_up();
}

/* ---- tests: the whole way -------------------------------------------------------------------- */

static void a_head_in_one_call_gets_its_lines(void **state)
{
	(void)state;
	for (enum way way = BY_WRITE; way < WAYS; way++)
		for (size_t vectors = 1; vectors < 30; vectors++) {
			fresh_kernel(SIZE_MAX, SIZE_MAX);
			send_request(way, sizeof(request) - 1, vectors);
			fresh_kernel(SIZE_MAX, SIZE_MAX);
			send_response(way, sizeof(response) - 1, vectors);
		}
}

static void every_split_and_every_count_taken_gives_the_same_bytes(void **state)
{
	(void)state;
	for (size_t stop = 1; stop < sizeof(request); stop++)
		for (size_t most = 1; most < sizeof(request) + ADDED_TO_REQUEST; most++) {
			fresh_kernel(most, SIZE_MAX);
			send_request((enum way)(most % WAYS), stop, 3);
		}
	for (size_t stop = 1; stop < sizeof(response); stop++)
		for (size_t most = 1; most < sizeof(response) + ADDED_TO_RESPONSE; most++) {
			fresh_kernel(most, SIZE_MAX);
			send_response((enum way)(most % WAYS), stop, 3);
		}
}

static void eagain_at_every_point_changes_nothing(void **state)
{
	(void)state;
	for (size_t stop = 1; stop < sizeof(request); stop++)
		for (size_t room = 0; room < sizeof(request) - 1 + ADDED_TO_REQUEST; room++) {
			fresh_kernel(SIZE_MAX, room);
			send_request((enum way)(room % WAYS), stop, 2);
			assert_int_equal(kernel.refused, room < kernel.size);
		}
	for (size_t stop = 1; stop < sizeof(response); stop++)
		for (size_t room = 0; room < sizeof(response) - 1 + ADDED_TO_RESPONSE; room++) {
			fresh_kernel(SIZE_MAX, room);
			send_response((enum way)(room % WAYS), stop, 2);
			assert_int_equal(kernel.refused, room < kernel.size);
		}
}

static void a_call_that_begins_at_the_empty_line_brings_the_lines(void **state)
{
	size_t head = EMPTY_LINE(request);

	(void)state;
	fresh_kernel(SIZE_MAX, SIZE_MAX);
	assert_int_equal(around_write(fd, request, head), head);
	assert_int_equal(kernel.size, head);
	assert_int_equal(around_write(fd, request + head, 2), 2);
	assert_int_equal(kernel.size, head + ADDED_TO_REQUEST + 2);
	assert_memory_equal(kernel.out + head, "traceparent: 00-", 16);
	hang_up();
}

static void added_bytes_alone_are_no_success(void **state)
{
	size_t head = EMPTY_LINE(request);

	(void)state;
	/* All the room goes to bytes of ours: the program hears of a full socket, not of 0. */
	fresh_kernel(SIZE_MAX, head + 10);
	assert_int_equal(around_write(fd, request, head), head);
	assert_int_equal(around_write(fd, request + head, 7), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(kernel.size, head + 10);
	assert_int_equal(around_write(fd, request + head, 7), 7);
	assert_int_equal(kernel.size, sizeof(request) - 1 + ADDED_TO_REQUEST);
	hang_up();
}

static void a_thousand_vectors_are_rewritten(void **state)
{
	char lines[EXCHANGE_ADDED_MAX + 1];
	char text[1200] = "GET / HTTP/1.1\r\nHost: x\r\nX-Fill: ";

	(void)state;
	memset(text + strlen(text), 'y', 950);
	memcpy(text + strlen(text), "\r\n\r\n", 5);
	for (size_t most = 1; most < 1300; most += 31) {
		fresh_kernel(most, SIZE_MAX);
		send_all(BY_WRITEV, text, strlen(text), strlen(text), 1000);
		client_lines(lines);
		assert_out(text, lines);
		hang_up();
	}
}

static void more_vectors_than_the_kernel_takes_go_out_unchanged(void **state)
{
	char text[1100] = "GET / HTTP/1.1\r\nHost: x\r\nX-Fill: ";

	(void)state;
	memset(text + strlen(text), 'y', 1010);
	memcpy(text + strlen(text), "\r\n\r\n", 5);
	for (size_t vectors = IOV_MAX - REWRITE_VECTORS + 1; vectors <= IOV_MAX; vectors++) {
		fresh_kernel(SIZE_MAX, SIZE_MAX);
		send_all(BY_WRITEV, text, strlen(text), strlen(text), vectors);
		assert_out(text, "");
		hang_up();
	}
}

/* A proxy: the incoming trace header is in the outgoing request. */
static void check_passed(const char *header)
{
	char passed[256], expected[256];
	size_t size = (size_t)snprintf(passed, sizeof(passed),
				       "GET /proxied HTTP/1.1\r\n%s\r\n"
				       "X-Request-ID: kept\r\nHost: x\r\n\r\n",
				       header);
	size_t digits = (size_t)(strstr(passed, "b7ad") - passed);
	struct iovec in = {passed, size};
	struct conn *served = conn_new();

	stream_bytes(&thread_self, served, -1, STREAM_IN, &in, 1, size);
	assert_non_null(conn_first(served));
	for (size_t stop = 1; stop <= size; stop++)
		for (size_t most = 1; most <= size; most++) {
			fresh_kernel(most, most % 5 ? SIZE_MAX : most);
			send_all((enum way)(most % WAYS), passed, size, stop, 3);
			memcpy(expected, passed, sizeof(passed));
			/* Digits that began to leave before the head was whole stay as they were.
			 */
			if (stop <= digits || stop == size)
				hex_format(conn_first(fd_known_connection(fd))->own.span_id, 8,
					   expected + digits);
			assert_int_equal(kernel.size, size);
			assert_memory_equal(kernel.out, expected, size);
			hang_up();
		}
	conn_put(served);
	hang_up();
}

static void a_passed_traceparent_is_replaced_in_place_however_it_is_cut(void **state)
{
	(void)state;
	check_passed("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
}

static void a_passed_b3_is_replaced_in_place_where_it_was_asked_for(void **state)
{
	struct conf before = conf;

	(void)state;
	conf.propagators = conf.extract[0] = PROPAGATE_B3;
	conf.extract[1] = 0;
	check_passed("b3: 0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1-05e3ac9a4f6e3b90");
	conf.propagators = conf.extract[0] = PROPAGATE_B3MULTI;
	check_passed("X-B3-TraceId: 8448eb211c80319c\r\nX-B3-SpanId: b7ad6b7169203331\r\n"
		     "X-B3-Sampled: 1");
	conf = before;
}

/* A peer may close its sending side early; what the program still sends is to stay one head. */
static void an_early_end_of_file_amid_our_lines_keeps_them_whole(void **state)
{
	size_t head = EMPTY_LINE(request);
	char lines[EXCHANGE_ADDED_MAX + 1];

	(void)state;
	for (size_t room = head + 1; room < head + ADDED_TO_REQUEST; room++) {
		size_t most = sizeof(request) - 1;

		fresh_kernel(SIZE_MAX, room);
		assert_int_equal(around_write(fd, request, most), head);
		client_lines(lines);
		after_read(0, fd, kernel.out, 1);
		send_all(BY_WRITE, request + head, most - head, most - head, 1);
		assert_out(request, lines);
		hang_up();
	}
}

static void an_early_answer_amid_our_lines_keeps_them_whole(void **state)
{
	size_t head = EMPTY_LINE(request);
	size_t most = sizeof(request) - 1;
	char lines[EXCHANGE_ADDED_MAX + 1];
	struct told told;

	(void)state;
	fresh_kernel(SIZE_MAX, head + 10);
	assert_int_equal(around_write(fd, request, most), head);
	client_lines(lines);
	receive("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
	send_all(BY_WRITE, request + head, most - head, most - head, 1);
	assert_out(request, lines);
	fd_reset(fd, FD_UNKNOWN);
	assert_int_equal(shim_next(slot, &told), 1);
	assert_int_equal(told.span.status_code, 408);
	assert_int_equal(told.span.failure, FAILURE_NONE);
	assert_int_equal(shim_next(slot, &told), 0);
}

/* The request is sent in a context with a long tracestate, which is gone when the rest follows. */
static void lines_that_began_in_a_context_that_ended_are_finished(void **state)
{
	size_t head = EMPTY_LINE(request);
	size_t most = sizeof(request) - 1;
	char served[700] =
		"GET /s HTTP/1.1\r\ntraceparent: "
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\ntracestate: a=";
	struct conn *conn = conn_new();
	struct iovec in = {served, 0};

	(void)state;
	memset(served + strlen(served), 'v', 200);
	memcpy(served + strlen(served), "\r\n\r\n", 5);
	in.iov_len = strlen(served);
	stream_bytes(&thread_self, conn, -1, STREAM_IN, &in, 1, in.iov_len);
	fresh_kernel(SIZE_MAX, head + ADDED_TO_REQUEST + 100);
	assert_int_equal(around_write(fd, request, most), head);
	after_read(0, fd, kernel.out, 1);
	conn_put(conn);
	send_all(BY_WRITE, request + head, most - head, most - head, 1);
	assert_int_equal(kernel.size,
			 most + ADDED_TO_REQUEST + sizeof("tracestate: a=\r\n") - 1 + 200);
	assert_memory_equal(kernel.out + kernel.size - 9, "\r\n\r\nhello", 9);
}

static void a_client_connection_is_counted_once(void **state)
{
	uint64_t before = slot->counters.connections;

	(void)state;
	fresh_kernel(SIZE_MAX, SIZE_MAX);
	send_all(BY_WRITE, request, sizeof(request) - 1, sizeof(request) - 1, 1);
	send_all(BY_WRITE, request, sizeof(request) - 1, sizeof(request) - 1, 1);
	assert_int_equal(slot->counters.connections, before + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define SEND_TEST(name) cmocka_unit_test_teardown(name, tear_down)
		SEND_TEST(a_head_in_one_call_gets_its_lines),
		SEND_TEST(every_split_and_every_count_taken_gives_the_same_bytes),
		SEND_TEST(eagain_at_every_point_changes_nothing),
		SEND_TEST(a_call_that_begins_at_the_empty_line_brings_the_lines),
		SEND_TEST(added_bytes_alone_are_no_success),
		SEND_TEST(an_early_end_of_file_amid_our_lines_keeps_them_whole),
		SEND_TEST(an_early_answer_amid_our_lines_keeps_them_whole),
		SEND_TEST(lines_that_began_in_a_context_that_ended_are_finished),
		SEND_TEST(a_client_connection_is_counted_once),
		SEND_TEST(a_thousand_vectors_are_rewritten),
		SEND_TEST(more_vectors_than_the_kernel_takes_go_out_unchanged),
		SEND_TEST(a_passed_traceparent_is_replaced_in_place_however_it_is_cut),
		SEND_TEST(a_passed_b3_is_replaced_in_place_where_it_was_asked_for),
	};

	sending_start(__builtin_frame_address(0));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
