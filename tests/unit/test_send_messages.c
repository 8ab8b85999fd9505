/* test_send_messages.c - several messages in one call: each gets its own lines. */
#include "tests/unit/sending_test.h"

#define COUNT 3

/* A length, chunks, and nothing at all; the heads end at the first empty line. */
static const char *const requests[COUNT] = {
	"POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
	"PUT /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	"GET /3 HTTP/1.1\r\nHost: x\r\n\r\n",
};
static const char *const responses[COUNT] = {
	"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	"1\r\nx\r\n0\r\n\r\n",
	"HTTP/1.1 204 No Content\r\n\r\n",
};

/* All of them, as the program sends them. */
static size_t join(const char *const *messages, char *out)
{
	size_t size = 0;

	for (unsigned i = 0; i < COUNT; i++) {
		memcpy(out + size, messages[i], strlen(messages[i]));
		size += strlen(messages[i]);
	}
	return size;
}

static char *append(char *to, const char *at, size_t size)
{
	memcpy(to, at, size);
	return to + size;
}

/* A message with lines before the empty line of its last head. */
static char *append_with(char *to, const char *message, const char *lines)
{
	const char *head = message;
	const char *empty;

	if (strncmp(message, "HTTP/1.1 100", 12) == 0)
		head = strstr(message, "\r\n\r\n") + 4;
	empty = strstr(head, "\r\n\r\n") + 2;
	to = append(to, message, (size_t)(empty - message));
	to = append(to, lines, strlen(lines));
	return append(to, empty, strlen(empty));
}

static void receive_requests(void)
{
	char text[128];

	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(text, sizeof(text), "GET /%u HTTP/1.1\r\nX-Request-ID: id-%u\r\n\r\n", i,
			 i);
		receive(text);
	}
}

/* The lines of the n-th request in flight. */
static void lines_of(unsigned n, char out[256])
{
	const struct exchange *exchange = conn_first(fd_known_connection(fd));
	char parent[TRACEPARENT_SIZE];

	while (n-- && exchange)
		exchange = exchange_at(exchange->next);
	assert_non_null(exchange);
	if (!exchange) /* which the analyzer does not know to be impossible */
		return;
	traceparent_format(&exchange->own, parent);
	snprintf(out, 256, "traceparent: %.*s\r\nX-Request-ID: %.*s\r\n", TRACEPARENT_SIZE, parent,
		 exchange->request_id_size, exchange->request_id);
}

static void assert_responses(void)
{
	char expected[MOST], lines[64];
	char *end = expected;

	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(lines, sizeof(lines), "X-Request-ID: id-%u\r\n", i);
		end = append_with(end, responses[i], lines);
	}
	assert_int_equal(kernel.size, end - expected);
	assert_memory_equal(kernel.out, expected, kernel.size);
}

static void assert_requests(void)
{
	char expected[MOST], lines[256];
	char *end = expected;

	for (unsigned i = 0; i < COUNT; i++) {
		lines_of(i, lines);
		end = append_with(end, requests[i], lines);
	}
	assert_int_equal(kernel.size, end - expected);
	assert_memory_equal(kernel.out, expected, kernel.size);
}

static void responses_in_one_call_get_their_own_lines(void **state)
{
	char text[MOST];
	size_t size = join(responses, text);

	(void)state;
	for (enum way way = BY_WRITE; way < WAYS; way++)
		for (size_t most = 1; most < 2 * size; most++) {
			fresh_kernel(most, most % 3 ? SIZE_MAX : most);
			receive_requests();
			send_all(way, text, size, size, 3);
			assert_responses();
			tear_down(NULL);
		}
}

static void requests_in_one_call_get_their_own_lines(void **state)
{
	char text[MOST];
	size_t size = join(requests, text);

	(void)state;
	for (enum way way = BY_WRITE; way < WAYS; way++)
		for (size_t most = 1; most < 2 * size; most++) {
			fresh_kernel(most, most % 3 ? SIZE_MAX : most);
			send_all(way, text, size, size, 5);
			assert_requests();
			tear_down(NULL);
		}
}

/* The call after the cut begins inside a body, and goes on with further heads. */
static void a_call_that_ends_a_body_brings_the_next_lines(void **state)
{
	char text[MOST];
	size_t size = join(requests, text);
	size_t body = strlen(requests[0]) - 5;

	(void)state;
	for (size_t stop = body; stop <= strlen(requests[0]); stop++) {
		fresh_kernel(SIZE_MAX, SIZE_MAX);
		send_all(BY_SEND, text, size, stop, 1);
		assert_requests();
		tear_down(NULL);
	}
}

static void the_kernel_is_told_that_more_follows_until_the_last(void **state)
{
	char text[MOST];
	size_t size = join(requests, text);

	(void)state;
	fresh_kernel(SIZE_MAX, SIZE_MAX);
	assert_int_equal(around_send(fd, text, size, MSG_NOSIGNAL), size);
	assert_int_equal(kernel.calls, COUNT);
	assert_int_equal(kernel.flags, MSG_NOSIGNAL);
	tear_down(NULL);
	/* The last message can't be taken whole: what the program sends next is what is missing. */
	fresh_kernel(SIZE_MAX, strlen(requests[0]) + 110);
	assert_in_range(around_send(fd, text, size, MSG_NOSIGNAL), 1, size - 1);
	assert_int_equal(kernel.flags, MSG_NOSIGNAL | MSG_MORE);
}

/* What was taken is a success, whatever becomes of the rest. */
static void a_later_message_that_fails_raises_no_signal_and_no_errno(void **state)
{
	char text[MOST];
	size_t size = join(requests, text);

	(void)state;
	fresh_kernel(SIZE_MAX, strlen(requests[0]) + 122);
	errno = ENOTTY;
	assert_int_equal(around_write(fd, text, size), strlen(requests[0]));
	assert_int_equal(errno, ENOTTY);
	assert_int_equal(kernel.flags & MSG_NOSIGNAL, MSG_NOSIGNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define SEND_TEST(name) cmocka_unit_test_teardown(name, tear_down)
		SEND_TEST(responses_in_one_call_get_their_own_lines),
		SEND_TEST(requests_in_one_call_get_their_own_lines),
		SEND_TEST(a_call_that_ends_a_body_brings_the_next_lines),
		SEND_TEST(the_kernel_is_told_that_more_follows_until_the_last),
		SEND_TEST(a_later_message_that_fails_raises_no_signal_and_no_errno),
	};

	sending_start(__builtin_frame_address(0));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
