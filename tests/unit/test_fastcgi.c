/* test_fastcgi.c - FastCGI's records: requests as heads, answers counted, parameters made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "preload/fastcgi.h"

#define MOST 4096

enum record_type { BEGIN = 1, ABORT = 2, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6, STDERR = 7 };

struct bytes {
	char at[MOST];
	size_t size;
};

static void put(struct bytes *to, const void *at, size_t size)
{
	assert_true(to->size + size <= MOST);
	memcpy(to->at + to->size, at, size);
	to->size += size;
}

static void record(struct bytes *to, int type, int id, const char *at, size_t size, size_t padding)
{
	const uint8_t header[8] = {1,
				   (uint8_t)type,
				   (uint8_t)(id >> 8),
				   (uint8_t)id,
				   (uint8_t)(size >> 8),
				   (uint8_t)size,
				   (uint8_t)padding,
				   0};

	put(to, header, sizeof(header));
	put(to, at, size);
	put(to, "\0\0\0\0\0\0\0", padding);
}

static void begin(struct bytes *to, int id, int flags)
{
	const char role[8] = {0, 1, (char)flags};

	record(to, BEGIN, id, role, sizeof(role), 0);
}

static void param(struct bytes *to, const char *name, const char *value)
{
	size_t sizes[] = {strlen(name), strlen(value)};

	for (size_t i = 0; i < 2; i++) {
		const uint8_t large[4] = {0x80, 0, (uint8_t)(sizes[i] >> 8), (uint8_t)sizes[i]};
		const uint8_t small = (uint8_t)sizes[i];

		put(to, sizes[i] < 128 ? &small : large, sizes[i] < 128 ? 1 : 4);
	}
	put(to, name, sizes[0]);
	put(to, value, sizes[1]);
}

/* As nginx's: all parameters, in records of `most` bytes at most, `padding` bytes behind each. */
static void request(struct bytes *to, size_t most, size_t padding)
{
	static const char *const params[][2] = {
		{"REQUEST_METHOD", "POST"},
		{"QUERY_STRING", "a=1"},
		{"REQUEST_URI", "/shop/cart?a=1"},
		{"SCRIPT_NAME", "/index.php"},
		{"SERVER_PROTOCOL", "HTTP/1.1"},
		{"REQUEST_SCHEME", "https"},
		{"REMOTE_ADDR", "203.0.113.9"},
		{"HTTP_HOST", "shop.example"},
		{"HTTP_X_TENANT", "blue"},
		{"HTTP_X_REQUEST_ID", "r-1"},
		{"HTTP_TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	};
	struct bytes all = {.size = 0};

	to->size = 0;
	begin(to, 1, 1);
	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++)
		param(&all, params[i][0], params[i][1]);
	for (size_t at = 0; at < all.size; at += most)
		record(to, PARAMS, 1, all.at + at, all.size - at < most ? all.size - at : most,
		       padding);
	record(to, PARAMS, 1, "", 0, padding);
}

static void assert_text(struct http1_text text, const char *expected)
{
	assert_non_null(text.at);
	assert_int_equal(text.size, strlen(expected));
	assert_memory_equal(text.at, expected, text.size);
}

static void a_request_is_told_as_a_head(void **state)
{
	static const struct http1_text names[] = {{"x-tenant", 8}, {"x-none", 6}};
	const struct http1_capture capture = {names, 2};
	struct http1_head head;
	struct bytes bytes;

	(void)state;
	request(&bytes, 1000, 3);
	put(&bytes, "more", 4);
	assert_int_equal(fastcgi_head_parse(bytes.at, bytes.size, &capture, &head), bytes.size - 4);
	assert_int_equal(head.size, bytes.size - 4);
	assert_int_equal(head.insert_at, bytes.size - 4 - 8 - 3);
	assert_ptr_equal(head.at, bytes.at);
	assert_int_equal(head.fastcgi, 1);
	assert_int_equal(head.kind, HTTP1_REQUEST);
	assert_int_equal(head.version, 11);
	assert_int_equal(head.keep_alive, 1);
	assert_text(head.method, "POST");
	assert_text(head.target, "/shop/cart?a=1");
	assert_text(head.field[HTTP1_HOST], "shop.example");
	assert_text(head.field[HTTP1_REQUEST_ID], "r-1");
	assert_text(head.field[HTTP1_FORWARDED_PROTO], "https");
	assert_text(head.field[HTTP1_FORWARDED_FOR], "203.0.113.9");
	assert_text(head.field[HTTP1_TRACEPARENT],
		    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	assert_int_equal(head.captured_count, 1);
	assert_text(head.captured_name[0], "x-tenant");
	assert_text(head.captured[0], "blue");
	assert_null(head.field[HTTP1_USER_AGENT].at);
}

static void it_is_not_told_before_its_last_byte(void **state)
{
	static const size_t sizes[] = {1000, 64, 7, 1};
	struct http1_head head;
	struct bytes bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		request(&bytes, sizes[i], i);
		for (size_t cut = 0; cut < bytes.size; cut++)
			assert_int_equal(fastcgi_head_parse(bytes.at, cut, NULL, &head), -2);
	}
}

/* What does not lie in one record is left out; without a method and a target there is no story. */
static void parameters_across_records_are_passed_over(void **state)
{
	struct http1_head head;
	struct bytes bytes;
	struct bytes params = {.size = 0};

	(void)state;
	request(&bytes, 7, 0);
	assert_int_equal(fastcgi_head_parse(bytes.at, bytes.size, NULL, &head), -1);
	param(&params, "REQUEST_METHOD", "GET");
	param(&params, "REQUEST_URI", "/a");
	param(&params, "HTTP_HOST", "h");
	bytes.size = 0;
	begin(&bytes, 300, 0);
	record(&bytes, PARAMS, 300, params.at, params.size - 3, 1);
	record(&bytes, PARAMS, 300, params.at + params.size - 3, 3, 2);
	record(&bytes, PARAMS, 300, "", 0, 0);
	assert_int_equal(fastcgi_head_parse(bytes.at, bytes.size, NULL, &head), bytes.size);
	assert_int_equal(head.fastcgi, 300);
	assert_text(head.target, "/a");
	assert_null(head.field[HTTP1_HOST].at);
}

static void the_script_stands_in_for_a_target(void **state)
{
	struct http1_head head;
	struct bytes bytes = {.size = 0};
	struct bytes params = {.size = 0};
	char large[300];

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	large[sizeof(large) - 1] = 0;
	param(&params, "REQUEST_METHOD", "GET");
	param(&params, "SCRIPT_NAME", "/ping");
	param(&params, "HTTP_USER_AGENT", large);
	begin(&bytes, 1, 0);
	record(&bytes, PARAMS, 1, params.at, params.size, 0);
	record(&bytes, PARAMS, 1, "", 0, 0);
	assert_int_equal(fastcgi_head_parse(bytes.at, bytes.size, NULL, &head), bytes.size);
	assert_text(head.target, "/ping");
	assert_text(head.field[HTTP1_USER_AGENT], large);
	assert_int_equal(head.keep_alive, 0);
}

static void what_is_no_request_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t byte;
	} rows[] = {{0, 2}, {1, 9},  {3, 0},  {5, 9},  {6, 1},
		    {9, 0}, {10, 2}, {15, 1}, {17, 6}, {19, 2}};
	struct http1_head head;
	struct bytes bytes;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		request(&bytes, 1000, 0);
		bytes.at[rows[i].at] = (char)rows[i].byte;
		assert_int_equal(fastcgi_head_parse(bytes.at, bytes.size, NULL, &head), -1);
	}
	assert_int_equal(fastcgi_looks_like("GET / HTTP/1.1\r\n", 16), 0);
	assert_int_equal(fastcgi_looks_like("\x16\x03\x01", 3), 0);
}

/* ---- records --------------------------------------------------------------------------------- */

struct told {
	char events[64]; /* one letter each */
	size_t count;
	struct fastcgi_records records;
	size_t taken;
};

typedef size_t feed_function(struct fastcgi_records *records, const char *at, size_t size,
			     enum fastcgi_event *event);

static void feed(struct told *told, feed_function *function, const char *at, size_t size)
{
	enum fastcgi_event event = FASTCGI_MORE;

	for (size_t done = 0; done < size && event != FASTCGI_END && event != FASTCGI_BAD;) {
		size_t taken = function(&told->records, at + done, size - done, &event);

		done += taken;
		told->taken += taken;
		if (event != FASTCGI_MORE)
			told->events[told->count++] = event == FASTCGI_HEAD  ? 'h'
						      : event == FASTCGI_END ? 'e'
									     : 'b';
	}
}

/* The whole at once, and in two pieces cut at every byte. */
static void check(feed_function *function, const struct bytes *bytes, const char *events,
		  uint16_t status, uint64_t body)
{
	for (size_t cut = 0; cut < bytes->size; cut++) {
		struct told told = {.records.id = 1};

		feed(&told, function, bytes->at, cut);
		if (!strpbrk(told.events, "eb"))
			feed(&told, function, bytes->at + cut, bytes->size - cut);
		assert_string_equal(told.events, events);
		assert_int_equal(told.records.status, status);
		assert_int_equal(told.records.bytes, body);
		if (!strchr(events, 'b'))
			assert_int_equal(told.taken, bytes->size);
	}
}

static void the_end_of_a_body_is_an_empty_record(void **state)
{
	struct bytes bytes = {.size = 0};

	(void)state;
	record(&bytes, STDIN, 1, "hello", 5, 3);
	record(&bytes, STDIN, 1, " world", 6, 0);
	record(&bytes, STDIN, 1, "", 0, 7);
	check(fastcgi_request_feed, &bytes, "e", 0, 11);
}

static void an_answer_says_its_status(void **state)
{
	static const struct {
		const char *head;
		uint16_t status;
	} rows[] = {
		{"Status: 404 Not Found\r\nContent-Type: text/html\r\n\r\n", 404},
		{"Content-Type: text/html\nSTATUS:503\n\n", 503},
		{"Content-type: text/html; charset=UTF-8\r\n\r\n", 200},
		{"Location: /there\r\n\r\n", 302},
		{"Location: /there\r\nStatus: 301\r\n\r\n", 301},
		{"X-Status: 500\r\nStatusx: 501\r\n\r\n", 200},
		{"Status: ok\r\n\r\n", 200},
		{"\r\n", 200},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t size = strlen(rows[i].head);
		struct bytes bytes = {.size = 0};

		record(&bytes, STDERR, 1, "PHP message: Status: 999\n\n", 26, 1);
		record(&bytes, STDOUT, 1, rows[i].head, size / 2, 2);
		record(&bytes, STDOUT, 1, rows[i].head + size / 2, size - size / 2, 0);
		record(&bytes, STDOUT, 1, "Status: 999\n\n", 13, 3);
		record(&bytes, STDOUT, 1, "", 0, 0);
		record(&bytes, END, 1, "\0\0\0\0\0\0\0\0", 8, 0);
		check(fastcgi_reply_feed, &bytes, "he", rows[i].status, 13);
	}
}

static void a_request_that_is_not_served_ends_without_a_head(void **state)
{
	struct bytes bytes = {.size = 0};
	struct told told = {.records.id = 1};

	(void)state;
	record(&bytes, END, 1, "\0\0\0\0\2\0\0\0", 8, 0);
	check(fastcgi_reply_feed, &bytes, "e", 0, 0);
	feed(&told, fastcgi_reply_feed, bytes.at, bytes.size);
	assert_int_equal(told.records.failed, 1);
}

static void what_belongs_to_another_request_is_given_up(void **state)
{
	struct bytes bytes = {.size = 0};

	(void)state;
	record(&bytes, STDIN, 2, "hello", 5, 0);
	check(fastcgi_request_feed, &bytes, "b", 0, 0);
	bytes.size = 0;
	record(&bytes, ABORT, 1, "", 0, 0);
	check(fastcgi_request_feed, &bytes, "b", 0, 0);
	bytes.size = 0;
	record(&bytes, STDIN, 1, "x", 1, 0);
	check(fastcgi_reply_feed, &bytes, "b", 0, 0);
}

static void unseen_bytes_are_counted_within_a_record(void **state)
{
	struct fastcgi_records records = {.id = 1};
	enum fastcgi_event event;
	struct bytes bytes = {.size = 0};

	(void)state;
	record(&bytes, STDIN, 1, "hello world", 11, 0);
	assert_int_equal(fastcgi_request_feed(&records, bytes.at, 8, &event), 8);
	assert_int_equal(fastcgi_request_feed(&records, NULL, 11, &event), 11);
	assert_int_equal(event, FASTCGI_MORE);
	assert_int_equal(records.bytes, 11);
	assert_int_equal(fastcgi_request_feed(&records, NULL, 1, &event), 0);
	assert_int_equal(event, FASTCGI_BAD);
}

/* ---- parameters of ours ---------------------------------------------------------------------- */

static void lines_become_parameters(void **state)
{
	static const char lines[] = "traceparent: 00-1-2-01\r\nX-Request-ID: r-1\r\n";
	struct bytes expected = {.size = 0}, params = {.size = 0};
	char text[128];
	size_t size;

	(void)state;
	param(&params, "HTTP_TRACEPARENT", "00-1-2-01");
	param(&params, "HTTP_X_REQUEST_ID", "r-1");
	record(&expected, PARAMS, 258, params.at, params.size, 0);
	memcpy(text, lines, sizeof(lines) - 1);
	size = fastcgi_params_of_lines(text, sizeof(lines) - 1, sizeof(text), 258);
	assert_int_equal(size, expected.size);
	assert_memory_equal(text, expected.at, size);
}

static void there_is_room_for_them_or_none_are_made(void **state)
{
	char line[600];
	char text[1024];

	(void)state;
	for (size_t value = 1; value < 500; value += 7) {
		size_t size =
			(size_t)snprintf(line, sizeof(line), "tracestate: %0*d\r\n", (int)value, 1);
		struct bytes expected = {.size = 0};

		line[size - 2] = 0;
		param(&expected, "HTTP_TRACESTATE", line + 12);
		line[size - 2] = '\r';
		for (size_t room = size; room < size + 40; room++) {
			size_t made;

			memcpy(text, line, size);
			made = fastcgi_params_of_lines(text, size, room, 1);
			assert_true(made <= room);
			if (made || room >= size + 32) {
				assert_int_equal(made, expected.size + 8);
				assert_memory_equal(text + 8, expected.at, expected.size);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_told_as_a_head),
		cmocka_unit_test(it_is_not_told_before_its_last_byte),
		cmocka_unit_test(parameters_across_records_are_passed_over),
		cmocka_unit_test(the_script_stands_in_for_a_target),
		cmocka_unit_test(what_is_no_request_is_refused),
		cmocka_unit_test(the_end_of_a_body_is_an_empty_record),
		cmocka_unit_test(an_answer_says_its_status),
		cmocka_unit_test(a_request_that_is_not_served_ends_without_a_head),
		cmocka_unit_test(what_belongs_to_another_request_is_given_up),
		cmocka_unit_test(unseen_bytes_are_counted_within_a_record),
		cmocka_unit_test(lines_become_parameters),
		cmocka_unit_test(there_is_room_for_them_or_none_are_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
