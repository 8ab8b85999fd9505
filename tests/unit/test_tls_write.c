/* test_tls_write.c - clear text with lines of ours, through libraries that take it as they please.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "preload/hook.h"
#include "preload/tls.h"
#include "tests/unit/shim_test.h"
#include "tests/unit/tls_model.h"

static struct slot *slot;
static void *const handle = MODEL_HANDLE;

/* ---- programs -------------------------------------------------------------------------------- */

enum way { BY_WRITE, BY_WRITE_EX, BY_SEND, BY_SEND_NOTHING, WAYS };

static const struct caller places[] = {
	{.address = 1, .real = (void *)model_SSL_write},
	{.address = 2, .real = (void *)model_SSL_write_ex},
	{.address = 3, .real = (void *)model_gnutls_record_send},
	{.address = 4, .real = (void *)model_SSL_read},
};

static int is_gnutls(enum way way)
{
	return way == BY_SEND || way == BY_SEND_NOTHING;
}

/* One call; bytes taken, or -1: call again, or -2: it failed. */
static ssize_t call(enum way way, const char *at, size_t size, int again)
{
	size_t done = 0;
	ssize_t result;

	if (is_gnutls(way)) {
		if (again && way == BY_SEND_NOTHING)
			result = around_gnutls_record_send(&places[2], handle, NULL, 0);
		else
			result = around_gnutls_record_send(&places[2], handle, at, size);
		return result < 0 ? (result == GNUTLS_AGAIN ? -1 : -2) : result;
	}
	if (way == BY_WRITE_EX)
		result = around_SSL_write_ex(&places[1], handle, at, size, &done) ? (ssize_t)done
										  : -1;
	else
		result = around_SSL_write(&places[0], handle, at, (int)size);
	return result > 0 ? result : (library.error == ERROR_SSL ? -2 : -1);
}

/* Sends all, as programs do. Calls end at `stop` first; a call that is repeated may move. */
static void send_all(enum way way, const char *text, size_t size, size_t stop)
{
	static char copies[2][MOST];
	size_t sent = 0;
	unsigned calls = 0;
	int again = 0;

	stop = stop < size ? stop : size;

	while (sent < size) {
		size_t asked = (sent < stop ? stop : size) - sent;
		char *copy = copies[library.moving && calls % 2];
		ssize_t n;

		calls++;
		memcpy(copy + sent, text + sent, asked);
		n = call(way, copy + sent, asked, again);
		if (library.moving)
			memset(copy + sent, '#', asked);
		again = n < 0;
		assert_int_not_equal(n, -2);
		if (n < 0)
			continue;
		assert_in_range(n, 1, asked);
		if (!library.partial && !is_gnutls(way))
			assert_int_equal(n, asked);
		sent += (size_t)n;
	}
}

static void fresh(size_t most, unsigned partial, unsigned moving)
{
	struct told told;

	tls_close(handle);
	while (shim_next(slot, &told))
		;
	memset(&library, 0, sizeof(library));
	library.most = most;
	library.partial = partial;
	library.moving = moving;
}

static struct conn *connection(void)
{
	const struct tls_session *session = tls_find(handle);

	return session && session->conn ? conn_at(session->conn) : NULL;
}

static void receive(void)
{
	char buffer[4096];

	library.server = 1;
	assert_true(around_SSL_read(&places[3], handle, buffer, sizeof(buffer)) > 0);
}

static int tear_down(void **state)
{
	struct told told;

	(void)state;
	tls_close(handle);
	while (shim_next(slot, &told))
		;
	return 0;
}

/* ---- what must have come out ----------------------------------------------------------------- */

static const char request[] = "POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
static const char line[] = "X-Request-ID: ab-7\r\n";

#define EMPTY_LINE(text) ((size_t)(strstr(text, "\r\n\r\n") + 2 - (text)))

/* The program's bytes with `added` before the empty line of their head. */
static void assert_out(const char *text, size_t size, const char *added)
{
	size_t head = EMPTY_LINE(text);
	size_t more = strlen(added);

	assert_int_equal(library.violations, 0);
	assert_int_equal(library.size, size + more);
	assert_memory_equal(library.out, text, head);
	assert_memory_equal(library.out + head, added, more);
	assert_memory_equal(library.out + head + more, text + head, size - head);
}

static void client_lines(char out[EXCHANGE_ADDED_MAX + 1])
{
	const struct exchange *exchange = conn_first(connection());
	char parent[TRACEPARENT_SIZE];

	assert_non_null(exchange);
	traceparent_format(&exchange->own, parent);
	snprintf(out, EXCHANGE_ADDED_MAX + 1, "traceparent: %.*s\r\nX-Request-ID: %.*s\r\n",
		 TRACEPARENT_SIZE, parent, REQUEST_ID_SIZE, exchange->request_id);
}

/* A call that ends inside the empty line leaves no place to add anything. */
static int leaves_no_place(const char *text, size_t stop)
{
	return stop == EMPTY_LINE(text) + 1;
}

static void send_request(enum way way, size_t stop)
{
	char lines[EXCHANGE_ADDED_MAX + 1];

	send_all(way, request, sizeof(request) - 1, stop);
	client_lines(lines);
	assert_out(request, sizeof(request) - 1, leaves_no_place(request, stop) ? "" : lines);
	assert_int_equal(connection()->out.phase, PHASE_HEAD);
	assert_int_equal(tls_find(handle)->writer.buffer, 0);
}

static void send_response(enum way way, const char *text, size_t size, size_t stop)
{
	struct told told;

	receive();
	send_all(way, text, size, stop);
	assert_out(text, size, leaves_no_place(text, stop) ? "" : line);
	assert_true(shim_next(slot, &told));
	assert_int_equal(told.span.status_code, 200);
	assert_int_equal(told.span.response_body_bytes, size - EMPTY_LINE(text) - 2);
	assert_true(told.span.flags & SPAN_ENCRYPTED);
	assert_false(shim_next(slot, &told));
}

/* A response with a body of that size. */
static size_t large(char *to, size_t body)
{
	size_t size =
		(size_t)snprintf(to, MOST, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body);

	for (size_t i = 0; i < body; i++)
		to[size + i] = (char)('a' + (i * 7 + i / 251) % 26);
	return size + body;
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void a_head_in_one_call_gets_its_lines_in_one_record(void **state)
{
	(void)state;
	for (enum way way = BY_WRITE; way <= BY_WRITE_EX; way++) {
		fresh(RECORD, 0, 0);
		send_request(way, sizeof(request) - 1);
		assert_int_equal(library.records, 1);
		fresh(RECORD, 0, 0);
		send_response(way, response, sizeof(response) - 1, sizeof(response) - 1);
		assert_int_equal(library.records, 1);
	}
}

static void every_split_and_size_of_record_gives_the_same_bytes(void **state)
{
	(void)state;
	for (size_t stop = 1; stop < sizeof(request); stop++)
		for (size_t most = 1; most < sizeof(request) + 120; most++) {
			enum way way = (enum way)(most % WAYS);

			fresh(most, stop & 1, stop >> 1 & 1);
			library.refuse_each = stop % 4;
			/* One that refuses each record never gets anywhere. */
			library.refuse_each += library.refuse_each == 1;
			send_request(way, stop);
		}
}

static void a_full_socket_at_every_record_changes_nothing(void **state)
{
	static char text[MOST];

	(void)state;
	for (unsigned mode = 0; mode < 4; mode++)
		for (enum way way = BY_WRITE; way <= BY_WRITE_EX; way++)
			for (unsigned refuse = 1; refuse < 12; refuse++) {
				size_t size = large(text, 40000);

				fresh(refuse & 1 ? RECORD : 5000, mode & 1, mode >> 1);
				library.refuse = refuse;
				send_response(way, text, size, size);
				fresh(refuse & 1 ? RECORD : 5000, mode & 1, mode >> 1);
				library.refuse_each = 2;
				send_response(way, text, size, (size_t)refuse * 10);
			}
}

static void each_of_several_messages_in_one_call_gets_its_line(void **state)
{
	char expected[1024] = "";
	char text[1024] = "";

	(void)state;
	for (int i = 0; i < 4; i++) {
		snprintf(text + strlen(text), 200, "%s", response);
		snprintf(expected + strlen(expected), 200, "%.*s%s%s", (int)EMPTY_LINE(response),
			 response, line, response + EMPTY_LINE(response));
	}
	for (unsigned mode = 0; mode < 4; mode++)
		for (unsigned refuse = 0; refuse < 6; refuse++)
			for (enum way way = BY_WRITE; way < WAYS; way++) {
				fresh(RECORD, mode & 1, mode >> 1);
				library.refuse = refuse;
				for (int i = 0; i < 4; i++)
					receive();
				send_all(way, text, strlen(text), strlen(text));
				assert_int_equal(library.violations, 0);
				assert_int_equal(library.size, strlen(expected));
				assert_memory_equal(library.out, expected, library.size);
			}
}

static void no_more_records_than_the_bytes_need(void **state)
{
	static char text[MOST];

	(void)state;
	for (size_t body = 16200; body < 16500; body++) {
		size_t size = large(text, body);

		fresh(RECORD, 0, 0);
		send_response(BY_WRITE, text, size, size);
		assert_int_equal(library.records, (size + strlen(line) + RECORD - 1) / RECORD);
	}
}

static void a_head_larger_than_a_record_gets_its_lines(void **state)
{
	static char text[MOST];
	size_t size;

	(void)state;
	for (unsigned mode = 0; mode < 4; mode++)
		for (size_t fill = 16100; fill < 16420; fill++) {
			memcpy(text, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-Fill: ", 44);
			memset(text + 44, 'y', fill);
			memcpy(text + 44 + fill, "\r\n\r\nabc", 8);
			size = 44 + fill + 7;
			fresh(RECORD, mode & 1, mode >> 1);
			library.refuse = (unsigned)fill % 4;
			send_response(BY_WRITE, text, size, size);
		}
}

static void gnutls_goes_on_with_the_same_or_with_nothing(void **state)
{
	static char text[MOST];

	(void)state;
	for (enum way way = BY_SEND; way <= BY_SEND_NOTHING; way++)
		for (unsigned refuse = 1; refuse < 12; refuse++) {
			fresh((size_t)refuse * 9, 0, 1);
			library.refuse_each = 2;
			send_request(way, sizeof(request) - 1);
			fresh(RECORD, 0, 1);
			library.refuse = refuse;
			send_request(way, (size_t)refuse * 6);
		}
	/* Bodies that are kept count once. */
	for (enum way way = BY_SEND; way <= BY_SEND_NOTHING; way++) {
		size_t size = (size_t)snprintf(text, MOST,
					       "PUT / HTTP/1.1\r\nContent-Length: 50000\r\n\r\n");

		memset(text + size, 'b', 50000);
		fresh(RECORD, 0, 1);
		library.refuse_each = 2;
		send_all(way, text, size + 50000, size);
		assert_int_equal(conn_first(connection())->request_done, 1);
		assert_int_equal(exchange_span(conn_first(connection()))->request_body_bytes,
				 50000);
	}
}

static void what_an_unready_library_did_not_take_may_change(void **state)
{
	static const char other[] = "\x01 some other protocol, and as many bytes as there were";

	(void)state;
	fresh(RECORD, 0, 1);
	library.not_ready = 3;
	assert_int_equal(call(BY_WRITE, request, sizeof(request) - 1, 0), -1);
	assert_int_equal(call(BY_WRITE, request, sizeof(request) - 1, 1), -1);
	assert_int_equal(library.size, 0);
	library.not_ready = 0;
	assert_int_equal(call(BY_WRITE, other, sizeof(other) - 1, 0), sizeof(other) - 1);
	assert_int_equal(library.size, sizeof(other) - 1);
	assert_memory_equal(library.out, other, sizeof(other) - 1);
	assert_null(connection());
}

static void a_failure_in_between_is_no_success(void **state)
{
	static char text[MOST];

	(void)state;
	for (unsigned breaks_at = 1; breaks_at <= 3; breaks_at++) {
		size_t size = large(text, 40000);
		struct told told;

		fresh(RECORD, 0, 0);
		library.breaks_at = breaks_at;
		receive();
		assert_int_equal(call(BY_WRITE, text, size, 0), -2);
		assert_int_equal(library.size, (breaks_at - 1) * RECORD);
		assert_true(shim_next(slot, &told));
		assert_int_equal(told.span.failure, FAILURE_PROTOCOL);
	}
}

static void a_repeated_call_with_another_buffer_is_the_programs_own_error(void **state)
{
	static char text[2][MOST];
	size_t size = large(text[0], 40000);

	(void)state;
	fresh(RECORD, 0, 0);
	receive();
	memcpy(text[1], text[0], size);
	library.refuse = 2;
	assert_int_equal(call(BY_WRITE, text[0], size, 0), -1);
	assert_int_equal(call(BY_WRITE, text[1], size, 1), -2);
	assert_int_equal(library.violations, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_head_in_one_call_gets_its_lines_in_one_record,
					  tear_down),
		cmocka_unit_test_teardown(every_split_and_size_of_record_gives_the_same_bytes,
					  tear_down),
		cmocka_unit_test_teardown(a_full_socket_at_every_record_changes_nothing, tear_down),
		cmocka_unit_test_teardown(each_of_several_messages_in_one_call_gets_its_line,
					  tear_down),
		cmocka_unit_test_teardown(no_more_records_than_the_bytes_need, tear_down),
		cmocka_unit_test_teardown(a_head_larger_than_a_record_gets_its_lines, tear_down),
		cmocka_unit_test_teardown(gnutls_goes_on_with_the_same_or_with_nothing, tear_down),
		cmocka_unit_test_teardown(what_an_unready_library_did_not_take_may_change,
					  tear_down),
		cmocka_unit_test_teardown(a_failure_in_between_is_no_success, tear_down),
		cmocka_unit_test_teardown(
			a_repeated_call_with_another_buffer_is_the_programs_own_error, tear_down),
	};

	slot = shim_attach(__builtin_frame_address(0));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
