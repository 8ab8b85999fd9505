/* test_fastcgi_stream.c - FastCGI through the hooks: what is told, what is added, byte for byte. */
#include "tests/unit/shim_told.h"
/* Above what it needs: the hooks' prototypes. */
#include "tests/unit/sending_test.h"

#include "preload/context.h"
#include "preload/fastcgi.h"

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

#define BEGIN    "\1\1\0\1\0\10\0\0\0\1\1\0\0\0\0\0"
#define NO_PARAM "\1\4\0\1\0\0\0\0"
#define NO_STDIN "\1\5\0\1\0\0\0\0"
#define METHOD   "\16\3REQUEST_METHODGET"
#define URI      "\13\6REQUEST_URI/a?b=1"
#define HOST     "\11\1HTTP_HOSTh"
#define TRACE    "\20\67HTTP_TRACEPARENT" PARENT
#define ANSWER                                                                                     \
	"\1\6\0\1\0\41\0\0Status: 404 Not Found\r\nX: y\r\n\r\nb\n"                                \
	"\1\3\0\1\0\10\0\0\0\0\0\0\0\0\0\0"

#define TEXT(literal) literal, sizeof(literal) - 1

static const char plain[] = BEGIN "\1\4\0\1\0\62\0\0" METHOD URI HOST NO_PARAM NO_STDIN;
static const char passed[] = BEGIN "\1\4\0\1\0\173\0\0" METHOD URI HOST TRACE NO_PARAM NO_STDIN;

static void receive_bytes(const char *at, size_t size, size_t piece)
{
	for (size_t done = 0; done < size; done += piece) {
		size_t n = piece < size - done ? piece : size - done;

		after_read((ssize_t)n, fd, (void *)(at + done), n);
	}
}

static void requests_are_as_long_as_they_say(void **state)
{
	struct http1_head head;

	(void)state;
	assert_int_equal(fastcgi_head_parse(TEXT(plain), NULL, &head), sizeof(plain) - 1 - 8);
	assert_int_equal(fastcgi_head_parse(TEXT(passed), NULL, &head), sizeof(passed) - 1 - 8);
}

static void assert_told(const struct told *told, enum span_kind kind)
{
	char text[64];

	assert_int_equal(told->span.kind, kind);
	assert_int_equal(told->span.status_code, 404);
	assert_int_equal(told->span.failure, FAILURE_NONE);
	assert_int_equal(told->span.response_body_bytes, 2);
	assert_int_equal(shim_field(told, FIELD_METHOD, text, sizeof(text)), 3);
	assert_int_equal(shim_field(told, FIELD_PATH, text, sizeof(text)), 2);
	assert_string_equal(text, "/a");
	assert_int_equal(shim_field(told, FIELD_QUERY, text, sizeof(text)), 3);
	assert_int_equal(shim_field(told, FIELD_HOST, text, sizeof(text)), 1);
}

static void a_request_that_is_served_is_told_however_it_is_read(void **state)
{
	(void)state;
	for (size_t piece = 1; piece < sizeof(passed); piece++) {
		struct told told;

		fresh_kernel(MOST, MOST);
		receive_bytes(TEXT(passed), piece);
		assert_int_not_equal(context_get(&thread_self), 0);
		send_all(BY_WRITE, TEXT(ANSWER), sizeof(ANSWER) - 1, 1);
		assert_int_equal(kernel.size, sizeof(ANSWER) - 1);
		assert_memory_equal(kernel.out, ANSWER, kernel.size);
		assert_int_equal(shim_next(slot, &told), 1);
		assert_told(&told, SPAN_SERVER);
		assert_int_equal(told.span.link, SPAN_LINK_REMOTE);
		assert_int_equal(told.span.parent_id[0], 0xb7);
		assert_int_equal(context_get(&thread_self), 0);
	}
}

/* What the peer is to see: our parameters in a record before the empty one. */
static size_t expected_bytes(char *to)
{
	const struct exchange *exchange = conn_first(fd_known_connection(fd));
	size_t at = sizeof(plain) - 1 - 16;

	assert_non_null(exchange);
	assert_true(exchange->added_size > 8 + 5 + 11 + TRACEPARENT_SIZE);
	assert_memory_equal(exchange->added, "\1\4\0\1", 4);
	memcpy(to, plain, at);
	memcpy(to + at, exchange->added, exchange->added_size);
	memcpy(to + at + exchange->added_size, plain + at, 16);
	return sizeof(plain) - 1 + exchange->added_size;
}

static void a_call_gets_parameters_of_ours_whatever_the_kernel_takes(void **state)
{
	(void)state;
	for (size_t at_most = 1; at_most < 200; at_most++) {
		char expected[MOST];
		struct told told;
		size_t size;

		fresh_kernel(at_most, at_most % 7 ? MOST : 2 * at_most);
		send_all((enum way)(at_most % WAYS), TEXT(plain), sizeof(plain) - 1,
			 1 + at_most % 3);
		size = expected_bytes(expected);
		assert_int_equal(kernel.size, size);
		assert_memory_equal(kernel.out, expected, size);
		receive_bytes(TEXT(ANSWER), at_most);
		assert_int_equal(shim_next(slot, &told), 1);
		assert_told(&told, SPAN_CLIENT);
	}
}

/* None in flight has that trace. */
static void a_trace_of_the_programs_own_stays(void **state)
{
	size_t size = sizeof(passed) - 1 - 16;

	(void)state;
	fresh_kernel(MOST, MOST);
	send_all(BY_SEND, TEXT(passed), sizeof(passed) - 1, 1);
	assert_memory_equal(kernel.out, passed, size);
	assert_int_equal(conn_first(fd_known_connection(fd))->link, SPAN_LINK_OWN);
}

static void a_refused_request_is_a_failure(void **state)
{
	static const char refused[] = "\1\3\0\1\0\10\0\0\0\0\0\0\2\0\0\0";
	struct told told;

	(void)state;
	fresh_kernel(MOST, MOST);
	send_all(BY_SEND, TEXT(plain), sizeof(plain) - 1, 1);
	receive_bytes(TEXT(refused), 3);
	assert_int_equal(shim_next(slot, &told), 1);
	assert_int_equal(told.span.failure, FAILURE_PROTOCOL);
	assert_int_equal(told.span.status_code, 0);
}

static void a_second_request_before_the_answer_is_given_up(void **state)
{
	struct told told;

	(void)state;
	receive_bytes(TEXT(plain), 1000);
	receive_bytes(TEXT(plain), 1000);
	assert_int_equal(shim_next(slot, &told), 1);
	assert_int_equal(told.span.status_code, 0);
	assert_int_equal(shim_next(slot, &told), 0);
}

#define FASTCGI_TEST(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FASTCGI_TEST(requests_are_as_long_as_they_say),
		FASTCGI_TEST(a_request_that_is_served_is_told_however_it_is_read),
		FASTCGI_TEST(a_call_gets_parameters_of_ours_whatever_the_kernel_takes),
		FASTCGI_TEST(a_trace_of_the_programs_own_stays),
		FASTCGI_TEST(a_refused_request_is_a_failure),
		FASTCGI_TEST(a_second_request_before_the_answer_is_given_up),
	};

	sending_start(__builtin_frame_address(0));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
