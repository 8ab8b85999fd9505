/* test_http1_body.c - where bodies end: by head, method and status; fed whole and cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "preload/http1.h"

#define COUNT(a)      (sizeof(a) / sizeof((a)[0]))
#define TEXT(literal) (literal), sizeof(literal) - 1
#define CHUNKED_FIELD "Transfer-Encoding: chunked\r\n"
#define NEXT          "HTTP/1.1 200 OK\r\n\r\n"

static void body_of_request(struct http1_body *body, const char *at, size_t size)
{
	struct http1_head head;

	assert_int_equal(http1_head_parse(at, size, HTTP1_REQUEST, NULL, &head), size);
	http1_body_of_request(body, &head);
}

static void body_of_response(struct http1_body *body, const char *method, const char *at,
			     size_t size)
{
	struct http1_head head;

	assert_int_equal(http1_head_parse(at, size, HTTP1_RESPONSE, NULL, &head), size);
	http1_body_of_response(body, &head, method, strlen(method));
}

static void the_mode_of_a_request_body_follows_its_head(void **state)
{
	static const struct {
		const char *at;
		size_t size;
		enum http1_body_mode mode;
		int done;
	} cases[] = {
		{TEXT("GET / HTTP/1.1\r\n\r\n"), HTTP1_BODY_NONE, 1},
		{TEXT("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n"), HTTP1_BODY_LENGTH, 0},
		{TEXT("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"), HTTP1_BODY_LENGTH, 1},
		{TEXT("POST / HTTP/1.1\r\n" CHUNKED_FIELD "\r\n"), HTTP1_BODY_CHUNKED, 0},
		{TEXT("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"), HTTP1_BODY_OPAQUE, 0},
		{TEXT("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n"), HTTP1_BODY_OPAQUE, 0},
		{TEXT("CONNECT a:443 HTTP/1.1\r\n\r\n"), HTTP1_BODY_NONE, 1},
		{TEXT("POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n"
		      "Content-Length: 3\r\n\r\n"),
		 HTTP1_BODY_LENGTH, 0},
	};
	struct http1_body body;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		body_of_request(&body, cases[i].at, cases[i].size);
		assert_int_equal(body.mode, cases[i].mode);
		assert_int_equal(body.done, cases[i].done);
	}
}

static void the_mode_of_a_response_body_follows_status_method_and_head(void **state)
{
	static const struct {
		const char *method;
		const char *at;
		size_t size;
		enum http1_body_mode mode;
	} cases[] = {
		{"GET", TEXT("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"), HTTP1_BODY_LENGTH},
		{"GET", TEXT("HTTP/1.1 200 OK\r\n" CHUNKED_FIELD "\r\n"), HTTP1_BODY_CHUNKED},
		{"GET", TEXT("HTTP/1.1 200 OK\r\n\r\n"), HTTP1_BODY_CLOSE},
		{"GET",
		 TEXT("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 3\r\n\r\n"),
		 HTTP1_BODY_CLOSE},
		{"GET", TEXT("HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\n"), HTTP1_BODY_OPAQUE},
		{"HEAD", TEXT("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"), HTTP1_BODY_NONE},
		{"HEAD", TEXT("HTTP/1.1 200 OK\r\n" CHUNKED_FIELD "\r\n"), HTTP1_BODY_NONE},
		{"HEAD", TEXT("HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\n"), HTTP1_BODY_NONE},
		{"HEADER", TEXT("HTTP/1.1 200 OK\r\n\r\n"), HTTP1_BODY_CLOSE},
		{"POST", TEXT("HTTP/1.1 100 Continue\r\n\r\n"), HTTP1_BODY_NONE},
		{"GET", TEXT("HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\n\r\n"),
		 HTTP1_BODY_NONE},
		{"GET", TEXT("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n"),
		 HTTP1_BODY_NONE},
		{"GET", TEXT("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n"),
		 HTTP1_BODY_NONE},
		{"GET", TEXT("HTTP/1.1 101 Switching Protocols\r\n\r\n"), HTTP1_BODY_OPAQUE},
		{"CONNECT", TEXT("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
		 HTTP1_BODY_OPAQUE},
		{"CONNECT", TEXT("HTTP/1.1 204 OK\r\n\r\n"), HTTP1_BODY_OPAQUE},
		{"CONNECT", TEXT("HTTP/1.1 407 No\r\nContent-Length: 3\r\n\r\n"),
		 HTTP1_BODY_LENGTH},
	};
	struct http1_body body;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		body_of_response(&body, cases[i].method, cases[i].at, cases[i].size);
		assert_int_equal(body.mode, cases[i].mode);
		assert_int_equal(body.done, cases[i].mode == HTTP1_BODY_NONE);
	}
}

/* Bytes after the head of a chunked message: all of its own, then `rest` bytes of the next. */
static const struct stream {
	const char *at;
	size_t size;
	size_t rest;
	uint64_t bytes;
} streams[] = {
	{TEXT("0\r\n\r\n"), 0, 0},
	{TEXT("0\r\n\r\n" NEXT), sizeof(NEXT) - 1, 0},
	{TEXT("5\r\nhello\r\n0\r\n\r\n" NEXT), sizeof(NEXT) - 1, 5},
	{TEXT("5\r\nhello\r\nA\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n" NEXT), sizeof(NEXT) - 1, 15},
	{TEXT("0005\r\nhello\r\n000\r\n\r\nx"), 1, 5},
	{TEXT("5;name=value;\"q\"\r\nhello\r\n0;last\r\n\r\nx"), 1, 5},
	{TEXT("5 \t \r\nhello\r\n0  ;a\r\n\r\nx"), 1, 5},
	{TEXT("1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\nx"), 1, 26},
	{TEXT("1B\r\nabcdefghijklmnopqrstuvwxyz-\r\n0\r\n\r\nx"), 1, 27},
	{TEXT("1\r\na\r\n0\r\nTrailer: one\r\nX: two\r\n\r\nx"), 1, 1},
	{TEXT("5\nhello\n0\nTrailer: one\n\nx"), 1, 5},
	{TEXT("2\r\n\r\n\r\n0\r\n\r\nx"), 1, 2},
};

static void chunked_body(struct http1_body *body)
{
	body_of_response(body, "GET", TEXT("HTTP/1.1 200 OK\r\n" CHUNKED_FIELD "\r\n"));
}

static void a_chunked_body_ends_after_its_trailers(void **state)
{
	struct http1_body body;

	(void)state;
	for (size_t i = 0; i < COUNT(streams); i++) {
		size_t own = streams[i].size - streams[i].rest;
		chunked_body(&body);
		assert_int_equal(http1_body_feed(&body, streams[i].at, streams[i].size), own);
		assert_int_equal(body.done, 1);
		assert_int_equal(body.bytes, streams[i].bytes);
		assert_int_equal(http1_body_feed(&body, "more", 4), 0);
		assert_int_equal(http1_body_skip(&body, 4), 0);
		assert_int_equal(http1_body_eof(&body), 0);
	}
}

/* Feeds in pieces; returns what belonged to the message, or -1. */
static long feed_pieces(struct http1_body *body, const char *at, size_t first, size_t size)
{
	long one = http1_body_feed(body, at, first);
	long two = one < 0 ? -1 : http1_body_feed(body, at + one, size - (size_t)one);

	return two < 0 ? -1 : one + two;
}

static void a_chunked_body_cut_anywhere_ends_at_the_same_byte(void **state)
{
	struct http1_body whole, cut;

	(void)state;
	for (size_t i = 0; i < COUNT(streams); i++) {
		chunked_body(&whole);
		long own = http1_body_feed(&whole, streams[i].at, streams[i].size);
		for (size_t at = 0; at <= streams[i].size; at++) {
			chunked_body(&cut);
			assert_int_equal(feed_pieces(&cut, streams[i].at, at, streams[i].size),
					 own);
			assert_memory_equal(&cut, &whole, sizeof(whole));
		}
	}
}

static void a_chunked_body_fed_byte_by_byte_is_done_at_its_last_byte(void **state)
{
	struct http1_body body;

	(void)state;
	for (size_t i = 0; i < COUNT(streams); i++) {
		size_t own = streams[i].size - streams[i].rest;
		chunked_body(&body);
		for (size_t at = 0; at < own; at++) {
			assert_int_equal(body.done, 0);
			assert_int_equal(http1_body_feed(&body, streams[i].at + at, 1), 1);
		}
		assert_int_equal(body.done, 1);
		assert_int_equal(body.bytes, streams[i].bytes);
	}
}

static const struct {
	const char *at;
	size_t size;
} broken[] = {
	{TEXT("\r\n")},
	{TEXT("x\r\n")},
	{TEXT(" 5\r\nhello")},
	{TEXT("-5\r\nhello")},
	{TEXT("0x5\r\nhello")},
	{TEXT("5 6\r\nhello")},
	{TEXT("5\rhello")},
	{TEXT("5\r\nhelloX")},
	{TEXT("5\r\nhello\rX")},
	{TEXT("5\r\nhello\r\n\r\n")},
	{TEXT(";a\r\n")},
	{TEXT("0\r\n\rX")},
	{TEXT("8000000000000000\r\n")},
	{TEXT("fffffffffffffffff\r\n")},
	{TEXT("10000000000000005\r\nhello")},
	{TEXT("5\0\r\nhello")},
};

static void broken_chunk_framing_is_refused_cut_or_whole_and_stays_refused(void **state)
{
	struct http1_body body;

	(void)state;
	for (size_t i = 0; i < COUNT(broken); i++) {
		for (size_t at = 0; at <= broken[i].size; at++) {
			chunked_body(&body);
			assert_int_equal(feed_pieces(&body, broken[i].at, at, broken[i].size), -1);
			assert_int_equal(http1_body_feed(&body, TEXT("0\r\n\r\n")), -1);
			assert_int_equal(http1_body_eof(&body), -1);
		}
	}
}

static void the_largest_chunk_is_counted_and_skipped(void **state)
{
	struct http1_body body;

	(void)state;
	chunked_body(&body);
	assert_int_equal(http1_body_feed(&body, TEXT("7fffffffffffffff\r\nab")), 20);
	assert_int_equal(body.left, INT64_MAX - 2);
	assert_int_equal(http1_body_skip(&body, INT64_MAX - 2), INT64_MAX - 2);
	assert_int_equal(http1_body_feed(&body, TEXT("\r\n0\r\n\r\n")), 7);
	assert_int_equal(body.done, 1);
	assert_int_equal(body.bytes, INT64_MAX);
}

static void bytes_that_were_not_seen_count_inside_a_chunk_only(void **state)
{
	struct http1_body body;

	(void)state;
	chunked_body(&body);
	assert_int_equal(http1_body_skip(&body, 0), 0);
	assert_int_equal(http1_body_feed(&body, TEXT("5\r\n")), 3);
	assert_int_equal(http1_body_skip(&body, 5), 5);
	assert_int_equal(http1_body_skip(&body, 1), -1);
	assert_int_equal(http1_body_feed(&body, TEXT("\r\n0\r\n\r\n")), -1);

	chunked_body(&body);
	assert_int_equal(http1_body_feed(&body, TEXT("5\r\nh")), 4);
	assert_int_equal(http1_body_skip(&body, 5), -1);
	chunked_body(&body);
	assert_int_equal(http1_body_skip(&body, 1), -1);
}

static void a_counted_body_ends_at_its_length_seen_or_not(void **state)
{
	struct http1_body body;

	(void)state;
	body_of_request(&body, TEXT("POST / HTTP/1.1\r\nContent-Length: 5000000005\r\n\r\n"));
	assert_int_equal(http1_body_eof(&body), -1);
	assert_int_equal(http1_body_skip(&body, 5000000000), 5000000000);
	assert_int_equal(body.done, 0);
	assert_int_equal(http1_body_feed(&body, "abc", 3), 3);
	assert_int_equal(http1_body_feed(&body, "defgh", 5), 2);
	assert_int_equal(body.done, 1);
	assert_int_equal(body.bytes, 5000000005);
	assert_int_equal(http1_body_feed(&body, "x", 1), 0);
	assert_int_equal(http1_body_skip(&body, UINT64_MAX), -1);
	assert_int_equal(http1_body_eof(&body), 0);

	body_of_request(&body, TEXT("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"));
	assert_int_equal(http1_body_skip(&body, 100), 5);
	assert_int_equal(body.done, 1);
}

static void a_body_until_close_takes_everything_and_ends_there(void **state)
{
	struct http1_body body;

	(void)state;
	body_of_response(&body, "GET", TEXT("HTTP/1.0 200 OK\r\n\r\n"));
	assert_int_equal(http1_body_feed(&body, TEXT("0\r\n\r\n" NEXT)), 24);
	assert_int_equal(http1_body_skip(&body, 1u << 20), 1 << 20);
	assert_int_equal(body.done, 0);
	assert_int_equal(http1_body_eof(&body), 0);
	assert_int_equal(body.done, 1);
	assert_int_equal(body.bytes, 24 + (1 << 20));
	assert_int_equal(http1_body_feed(&body, "x", 1), 0);
}

static void a_message_without_body_takes_nothing(void **state)
{
	struct http1_body body;

	(void)state;
	body_of_request(&body, TEXT("GET / HTTP/1.1\r\n\r\n"));
	assert_int_equal(http1_body_feed(&body, "GET", 3), 0);
	assert_int_equal(http1_body_skip(&body, 3), 0);
	assert_int_equal(http1_body_eof(&body), 0);
	assert_int_equal(body.bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_mode_of_a_request_body_follows_its_head),
		cmocka_unit_test(the_mode_of_a_response_body_follows_status_method_and_head),
		cmocka_unit_test(a_chunked_body_ends_after_its_trailers),
		cmocka_unit_test(a_chunked_body_cut_anywhere_ends_at_the_same_byte),
		cmocka_unit_test(a_chunked_body_fed_byte_by_byte_is_done_at_its_last_byte),
		cmocka_unit_test(broken_chunk_framing_is_refused_cut_or_whole_and_stays_refused),
		cmocka_unit_test(the_largest_chunk_is_counted_and_skipped),
		cmocka_unit_test(bytes_that_were_not_seen_count_inside_a_chunk_only),
		cmocka_unit_test(a_counted_body_ends_at_its_length_seen_or_not),
		cmocka_unit_test(a_body_until_close_takes_everything_and_ends_there),
		cmocka_unit_test(a_message_without_body_takes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
