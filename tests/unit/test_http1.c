/* test_http1.c - heads of HTTP/1.x: what is recognised, parsed, refused; whole and cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "preload/http1.h"

#define REQ            HTTP1_REQUEST
#define RES            HTTP1_RESPONSE
#define COUNT(a)       (sizeof(a) / sizeof((a)[0]))
#define TEXT(literal)  (literal), sizeof(literal) - 1
#define LINE           "GET / HTTP/1.1\r\n"
#define STATUS         "HTTP/1.1 200 OK\r\n"
#define POST(fields)   TEXT("POST /p HTTP/1.1\r\n" fields "\r\n")
#define ANSWER(fields) TEXT(STATUS fields "\r\n")

static void assert_text(struct http1_text text, const char *expected)
{
	if (!expected) {
		assert_null(text.at);
		return;
	}
	assert_non_null(text.at);
	assert_int_equal(text.size, strlen(expected));
	assert_memory_equal(text.at, expected, text.size);
}

/* Parses a copy that ends where it ends, so that a sanitizer sees each byte read too many. */
static long parse_copy(const char *at, size_t size, enum http1_kind kind)
{
	char *copy = malloc(size ? size : 1);
	struct http1_head head;

	memcpy(copy, at, size);
	long result = http1_head_parse(copy, size, kind, NULL, &head);
	free(copy);
	return result;
}

struct looks_case {
	enum http1_kind kind;
	int expected;
	const char *at;
	size_t size;
};

static const struct looks_case looks_cases[] = {
	{REQ, 1, TEXT(LINE)},
	{REQ, 1, TEXT("OPTIONS * HTTP/1.0\n")},
	{REQ, 1, TEXT("CONNECT example.com:443 HTTP/1.1\r\n")},
	{REQ, 1, TEXT("VERSION-CONTROL /x HTTP/1.1\r\n")},
	{REQ, 1, TEXT("GET /caf\xc3\xa9 HTTP/1.1\r\n")},
	{REQ, -2, TEXT("")},
	{REQ, -2, TEXT("GE")},
	{REQ, -2, TEXT("GET ")},
	{REQ, -2, TEXT("GET /a-long-target-of-more-than-8-bytes")},
	{REQ, -2, TEXT("GET / HTTP/1.1")},
	{REQ, 0, TEXT("get / HTTP/1.1\r\n")},
	{REQ, 0, TEXT("-GET / HTTP/1.1\r\n")},
	{REQ, 0, TEXT(" GET / HTTP/1.1\r\n")},
	{REQ, 0, TEXT("GET  / HTTP/1.1\r\n")},
	{REQ, 0, TEXT("GET /\r\n")},
	{REQ, 0, TEXT("GET /a b HTTP/1.1\r\n")},
	{REQ, 0, TEXT("GET /with\x7f/delete HTTP/1.1\r\n")},
	{REQ, 0, TEXT("GET /with\x01/control HTTP/1.1\r\n")},
	{REQ, 0, TEXT("GET / HTTP/1.2\r\n")},
	{REQ, 0, TEXT("GET / HTTP/1.1 \r\n")},
	{REQ, 0, TEXT("GET / HTTP/11\r\n")},
	{REQ, 0, TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
	{REQ, 0, TEXT("EHLO mail.example\r\n")},
	{REQ, 0, TEXT("*1\r\n$4\r\nPING\r\n")},
	{REQ, 0, TEXT("SET key 0 0 1\r\n")},
	{REQ, 0, TEXT("\x16\x03\x01\x02")},
	{REQ, 0, TEXT("\0\0\0\x08\x04\xd2\x16\x2f")},
	{REQ, -2, TEXT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")},
	{REQ, -2, TEXT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA ")},
	{REQ, 0, TEXT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")},
	{REQ, 0, TEXT(STATUS)},
	{RES, 1, TEXT(STATUS)},
	{RES, 1, TEXT("HTTP/1.0 404\r\n")},
	{RES, 1, TEXT("HTTP/1.1 999 \n")},
	{RES, -2, TEXT("HTTP/1.1 200")},
	{RES, -2, TEXT("HTTP/1.")},
	{RES, 0, TEXT("HTTP/2 200 \r\n")},
	{RES, 0, TEXT("HTTP/1.1  200 OK\r\n")},
	{RES, 0, TEXT("HTTP/1.1 099 no\r\n")},
	{RES, 0, TEXT("HTTP/1.1 2000\r\n")},
	{RES, 0, TEXT("ICY 200 OK\r\n")},
	{RES, 0, TEXT("SSH-2.0-OpenSSH_9.2\r\n")},
	{RES, 0, TEXT("220 mail.example ESMTP\r\n")},
	{RES, 0, TEXT(LINE)},
};

static void start_lines_are_recognised_and_other_protocols_are_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(looks_cases); i++) {
		const struct looks_case *c = &looks_cases[i];
		assert_int_equal(http1_looks_like(c->kind, c->at, c->size), c->expected);
	}
}

static void a_cut_start_line_is_never_judged_otherwise_than_the_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(looks_cases); i++) {
		const struct looks_case *c = &looks_cases[i];
		for (size_t cut = 0; cut <= c->size; cut++) {
			int part = http1_looks_like(c->kind, c->at, cut);
			assert_true(part == -2 || part == c->expected);
		}
	}
}

struct head_case {
	enum http1_kind kind;
	const char *at;
	size_t size;
	int chunked, has_length, bad_framing, upgrade, keep_alive, expect_continue;
	uint64_t length;
};

/* The framing and connection that a head declares: chunked, has_length, bad, upgrade, keep, 100. */
static const struct head_case head_cases[] = {
	{REQ, TEXT(LINE "\r\n"), 0, 0, 0, 0, 1, 0, 0},
	{REQ, TEXT("GET / HTTP/1.0\r\n\r\n"), 0, 0, 0, 0, 0, 0, 0},
	{REQ, TEXT("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), 0, 0, 0, 0, 1, 0, 0},
	{REQ, TEXT("GET / HTTP/1.0\nHost:a\n\n"), 0, 0, 0, 0, 0, 0, 0},
	{REQ, POST("connection: foo , CLOSE\r\n"), 0, 0, 0, 0, 0, 0, 0},
	{REQ, POST("Connection: keep-alive\r\nConnection: close\r\n"), 0, 0, 0, 0, 0, 0, 0},
	{REQ, POST("Content-Length: 5\r\n"), 0, 1, 0, 0, 1, 0, 5},
	{REQ, POST("content-length:\t 0 \r\n"), 0, 1, 0, 0, 1, 0, 0},
	{REQ, POST("Content-Length: 5, 5\r\n"), 0, 1, 0, 0, 1, 0, 5},
	{REQ, POST("Content-Length: 5\r\nContent-Length: 05\r\n"), 0, 1, 0, 0, 1, 0, 5},
	{REQ, POST("Content-Length: 5\r\nContent-Length: 6\r\n"), 0, 0, 1, 0, 1, 0, 0},
	{REQ, POST("Content-Length: 5, 6\r\n"), 0, 0, 1, 0, 1, 0, 0},
	{REQ, POST("Content-Length: 5,\r\n"), 0, 0, 1, 0, 1, 0, 0},
	{REQ, POST("Content-Length:\r\n"), 0, 0, 1, 0, 1, 0, 0},
	{REQ, POST("Content-Length: -1\r\n"), 0, 0, 1, 0, 1, 0, 0},
	{REQ, POST("Content-Length: +5\r\n"), 0, 0, 1, 0, 1, 0, 0},
	{REQ, POST("Content-Length: 0x10\r\n"), 0, 0, 1, 0, 1, 0, 0},
	{REQ, POST("Content-Length: 1 2\r\n"), 0, 0, 1, 0, 1, 0, 0},
	{REQ, POST("Content-Length: 5000000000\r\n"), 0, 1, 0, 0, 1, 0, 5000000000},
	{REQ, POST("Content-Length: 18446744073709551617\r\n"), 0, 0, 1, 0, 1, 0, 0},
	{REQ, POST("Content-Length: 9223372036854775808\r\n"), 0, 0, 1, 0, 1, 0, 0},
	{REQ, POST("Transfer-Encoding: chunked\r\n"), 1, 0, 0, 0, 1, 0, 0},
	{REQ, POST("transfer-encoding: gzip, Chunked\r\n"), 1, 0, 0, 0, 1, 0, 0},
	{REQ, POST("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), 1, 0, 0, 0, 1, 0,
	 0},
	{REQ, POST("Transfer-Encoding: , chunked,\r\n"), 1, 0, 0, 0, 1, 0, 0},
	{REQ, POST("Transfer-Encoding: gzip\r\n"), 0, 0, 1, 0, 1, 0, 0},
	{REQ, POST("Transfer-Encoding: xchunked\r\n"), 0, 0, 1, 0, 1, 0, 0},
	{REQ, POST("Transfer-Encoding: chunked, gzip\r\n"), 0, 0, 1, 0, 1, 0, 0},
	{REQ, POST("Transfer-Encoding: chunked, chunked\r\n"), 1, 0, 1, 0, 1, 0, 0},
	{REQ, POST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 1, 0, 1, 0, 1, 0, 0},
	{REQ, TEXT("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 1, 0, 1, 0, 0, 0, 0},
	{REQ, POST("Expect: 100-Continue\r\n"), 0, 0, 0, 0, 1, 1, 0},
	{REQ, POST("Expect: something\r\n"), 0, 0, 0, 0, 1, 0, 0},
	{REQ, TEXT("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"), 0, 0, 0, 0, 0, 0, 0},
	{REQ, POST("Connection: Upgrade\r\nUpgrade: websocket\r\n"), 0, 0, 0, 1, 1, 0, 0},
	{REQ, POST("Upgrade: h2c\r\n"), 0, 0, 0, 0, 1, 0, 0},
	{REQ, POST("Connection: upgrade\r\n"), 0, 0, 0, 0, 1, 0, 0},
	{RES, ANSWER("Content-Length: 5\r\n"), 0, 1, 0, 0, 1, 0, 5},
	{RES, ANSWER("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 1, 0, 0, 0, 1, 0, 0},
	{RES, ANSWER("Content-Length: 5\r\nTransfer-Encoding: gzip\r\n"), 0, 0, 0, 0, 1, 0, 0},
	{RES, ANSWER("Content-Length: 5\r\nContent-Length: 6\r\n"), 0, 0, 1, 0, 1, 0, 0},
	{RES, TEXT("HTTP/1.0 200 OK\r\n\r\n"), 0, 0, 0, 0, 0, 0, 0},
};

static void framing_and_connection_are_judged_as_the_rfc_has_it(void **state)
{
	struct http1_head head;

	(void)state;
	for (size_t i = 0; i < COUNT(head_cases); i++) {
		const struct head_case *c = &head_cases[i];
		assert_int_equal(http1_head_parse(c->at, c->size, c->kind, NULL, &head), c->size);
		assert_int_equal(head.kind, c->kind);
		assert_int_equal(head.size, c->size);
		assert_int_equal(head.chunked, c->chunked);
		assert_int_equal(head.has_length, c->has_length);
		assert_int_equal(head.bad_framing, c->bad_framing);
		assert_int_equal(head.upgrade, c->upgrade);
		assert_int_equal(head.keep_alive, c->keep_alive);
		assert_int_equal(head.expect_continue, c->expect_continue);
		assert_int_equal(head.length, c->length);
	}
}

static void a_cut_head_asks_for_more_and_a_longer_buffer_changes_nothing(void **state)
{
	static const char after[] = "\r\nGET /next HTTP/1.1\r\n\r\n";
	char joined[512];

	(void)state;
	for (size_t i = 0; i < COUNT(head_cases); i++) {
		const struct head_case *c = &head_cases[i];
		for (size_t cut = 0; cut < c->size; cut++)
			assert_int_equal(parse_copy(c->at, cut, c->kind), -2);
		assert_true(c->size + sizeof(after) <= sizeof(joined));
		memcpy(joined, c->at, c->size);
		memcpy(joined + c->size, after, sizeof(after));
		assert_int_equal(parse_copy(joined, c->size + sizeof(after), c->kind), c->size);
	}
}

static void the_end_is_found_however_the_bytes_arrive(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(head_cases); i++) {
		const struct head_case *c = &head_cases[i];
		for (size_t step = 1; step <= c->size; step++) {
			size_t scanned = 0, size = step;
			while (size < c->size) {
				assert_int_equal(http1_head_end(c->at, size, &scanned), -2);
				assert_true(scanned <= size);
				size += step;
			}
			assert_int_equal(http1_head_end(c->at, c->size, &scanned), c->size);
		}
	}
}

static const struct {
	enum http1_kind kind;
	const char *at;
	size_t size;
} refused[] = {
	{REQ, TEXT(LINE "no colon\r\n\r\n")},
	{REQ, TEXT(LINE ": no name\r\n\r\n")},
	{REQ, TEXT(LINE "Host : a\r\n\r\n")},
	{REQ, TEXT(LINE "Host\t: a\r\n\r\n")},
	{REQ, TEXT(LINE "Host: a\r\n folded: b\r\n\r\n")},
	{REQ, TEXT(LINE "Host: a\r\n\tfolded\r\n\r\n")},
	{REQ, TEXT(LINE " \r\n\r\n")},
	{REQ, TEXT(LINE "Host: a\rContent-Length: 5\r\n\r\n")},
	{REQ, TEXT(LINE "Host: a\r\r\n\r\n")},
	{REQ, TEXT(LINE "\r\r\n\r\n")},
	{REQ, TEXT(LINE "Host: a\0b\r\n\r\n")},
	{REQ, TEXT(LINE "Ho\0st: a\r\n\r\n")},
	{REQ, TEXT("GET / HTTP/1.1\rX\n\r\n")},
	{REQ, TEXT("\r\n" LINE "\r\n")},
	{RES, TEXT("HTTP/1.1 200 a\rb\r\n\r\n")},
	{RES, TEXT("HTTP/1.1 200 a\0b\r\n\r\n")},
	{RES, TEXT(STATUS "Server\r\n\r\n")},
	{RES, TEXT("HTTP/2.0 200 OK\r\n\r\n")},
};

static void malformed_heads_are_refused_whole_and_never_accepted_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refused); i++) {
		assert_int_equal(parse_copy(refused[i].at, refused[i].size, refused[i].kind), -1);
		for (size_t cut = 0; cut < refused[i].size; cut++)
			assert_true(parse_copy(refused[i].at, cut, refused[i].kind) < 0);
	}
}

static void a_request_line_gives_method_target_and_version(void **state)
{
	static const char request[] = "DELETE /a/b?c=d;e HTTP/1.0\r\nHost: h\r\n\r\nbody";
	struct http1_head head;

	(void)state;
	assert_int_equal(http1_head_parse(TEXT(request), REQ, NULL, &head), sizeof(request) - 5);
	assert_text(head.method, "DELETE");
	assert_text(head.target, "/a/b?c=d;e");
	assert_int_equal(head.version, 10);
	assert_int_equal(head.insert_at, head.size - 2);
	assert_int_equal(head.bare_lf, 0);
	assert_int_equal(head.status, 0);
}

static void a_status_line_gives_status_and_version(void **state)
{
	struct http1_head head;

	(void)state;
	assert_int_equal(http1_head_parse(TEXT("HTTP/1.1 404\n\n"), RES, NULL, &head), 14);
	assert_int_equal(head.status, 404);
	assert_int_equal(head.version, 11);
	assert_int_equal(head.insert_at, 13);
	assert_int_equal(head.bare_lf, 1);
	assert_null(head.method.at);
	assert_true(http1_head_parse(TEXT("HTTP/1.0 503 No\r\n\r\n"), RES, NULL, &head) > 0);
	assert_int_equal(head.status, 503);
	assert_int_equal(head.version, 10);
}

static const struct {
	enum http1_field field;
	const char *name;
} field_names[] = {
	{HTTP1_HOST, "Host"},
	{HTTP1_USER_AGENT, "User-Agent"},
	{HTTP1_TRACEPARENT, "traceparent"},
	{HTTP1_TRACESTATE, "TraceState"},
	{HTTP1_REQUEST_ID, "X-Request-ID"},
	{HTTP1_FORWARDED, "Forwarded"},
	{HTTP1_FORWARDED_FOR, "X-Forwarded-For"},
	{HTTP1_FORWARDED_PROTO, "X-Forwarded-Proto"},
	{HTTP1_FORWARDED_HOST, "X-Forwarded-Host"},
	{HTTP1_B3, "b3"},
	{HTTP1_B3_TRACE_ID, "X-B3-TraceId"},
	{HTTP1_B3_SPAN_ID, "X-B3-SpanId"},
	{HTTP1_B3_SAMPLED, "X-B3-Sampled"},
	{HTTP1_B3_FLAGS, "X-B3-Flags"},
};

/* Builds LINE "name: value\r\n" "\r\n" and parses it; `letter` changes each of the name's cases. */
static void parse_field(const char *name, int (*letter)(int), char *buffer, struct http1_head *head)
{
	size_t size = sizeof(LINE) - 1;

	memcpy(buffer, LINE, size);
	for (; *name; name++)
		buffer[size++] = (char)letter((unsigned char)*name);
	memcpy(buffer + size, ": \t value one \r\n\r\n", 18);
	assert_int_equal(http1_head_parse(buffer, size + 18, REQ, NULL, head), size + 18);
}

static int as_is(int c)
{
	return c;
}

static int lowered(int c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static int raised(int c)
{
	return c >= 'a' && c <= 'z' ? c - 32 : c;
}

/* Control characters that differ from '-' and digits by the bit that tells the cases of letters. */
static int disguised(int c)
{
	return c == '-' ? 0x0e : c >= '0' && c <= '9' ? c - 0x20 : c ^ 0x80;
}

static void every_field_is_found_without_regard_to_case_and_no_other_is(void **state)
{
	int (*const spellings[])(int) = {as_is, lowered, raised, disguised};
	struct http1_head head;
	char buffer[256];

	(void)state;
	assert_int_equal(COUNT(field_names), HTTP1_FIELDS);
	for (size_t i = 0; i < COUNT(field_names); i++) {
		for (size_t s = 0; s < COUNT(spellings); s++) {
			parse_field(field_names[i].name, spellings[s], buffer, &head);
			for (size_t f = 0; f < HTTP1_FIELDS; f++) {
				int hit = f == field_names[i].field && spellings[s] != disguised;
				assert_text(head.field[f], hit ? "value one" : NULL);
				assert_int_equal(head.repeats[f], hit);
			}
		}
	}
}

static void names_that_only_resemble_are_not_taken(void **state)
{
	static const char request[] = LINE "Hos: a\r\nHosts: b\r\nxHost: c\r\nX-Request-I: d\r\n"
					   "traceparentx: e\r\ntrace-parent: f\r\nb: g\r\n"
					   "Content-Lengthy: 7\r\nx-forwarded-proto-x: h\r\n\r\n";
	struct http1_head head;

	(void)state;
	assert_true(http1_head_parse(TEXT(request), REQ, NULL, &head) > 0);
	for (size_t f = 0; f < HTTP1_FIELDS; f++)
		assert_int_equal(head.repeats[f], 0);
	assert_int_equal(head.has_length, 0);
}

static void the_first_of_repeated_fields_counts_and_all_are_counted(void **state)
{
	struct http1_head head;

	(void)state;
	assert_true(http1_head_parse(POST("tracestate: a=1\r\ntraceparent:\r\nTracestate: b=2\r\n"),
				     REQ, NULL, &head) > 0);
	assert_text(head.field[HTTP1_TRACESTATE], "a=1");
	assert_int_equal(head.repeats[HTTP1_TRACESTATE], 2);
	assert_text(head.field[HTTP1_TRACEPARENT], "");
	assert_int_equal(head.repeats[HTTP1_TRACEPARENT], 1);
}

static void asked_for_fields_are_captured_in_order_up_to_the_limit(void **state)
{
	static const struct http1_text names[] = {{"x-one", 5}, {"host", 4}};
	const struct http1_capture capture = {names, COUNT(names)};
	struct http1_head head;

	(void)state;
	assert_true(http1_head_parse(POST("Host: h\r\nX-One: 1\r\nX-Two: 2\r\nx-oNe:\r\n"), REQ,
				     &capture, &head) > 0);
	assert_int_equal(head.captured_count, 3);
	assert_text(head.captured_name[0], "Host");
	assert_text(head.captured[0], "h");
	assert_text(head.captured_name[1], "X-One");
	assert_text(head.captured[1], "1");
	assert_text(head.captured_name[2], "x-oNe");
	assert_text(head.captured[2], "");
	assert_text(head.field[HTTP1_HOST], "h");

#define THREE "X-One: a\r\nX-One: b\r\nX-One: c\r\n"
	assert_true(http1_head_parse(POST(THREE THREE THREE), REQ, &capture, &head) > 0);
	assert_int_equal(head.captured_count, HTTP1_CAPTURED_MAX);
	assert_text(head.captured[7], "b");
}

/* A head of exactly `size` bytes, filled up by one long field. */
static char *head_of(size_t size)
{
	static const char begin[] = LINE "x: ";
	char *head = malloc(size);

	memset(head, 'a', size);
	memcpy(head, begin, sizeof(begin) - 1);
	memcpy(head + size - 4, "\r\n\r\n", 4);
	return head;
}

static void a_head_may_have_64_kib_and_not_a_byte_more(void **state)
{
	char *fits = head_of(HTTP1_HEAD_MAX), *too_long = head_of(HTTP1_HEAD_MAX + 1);

	(void)state;
	assert_int_equal(parse_copy(fits, HTTP1_HEAD_MAX, REQ), HTTP1_HEAD_MAX);
	assert_int_equal(parse_copy(fits, HTTP1_HEAD_MAX - 1, REQ), -2);
	assert_int_equal(parse_copy(too_long, HTTP1_HEAD_MAX + 1, REQ), -1);
	free(fits);
	free(too_long);
}

static void an_endless_target_is_given_up(void **state)
{
	size_t size = HTTP1_HEAD_MAX + 4096;
	char *request = malloc(size);

	(void)state;
	memset(request, 'a', size);
	memcpy(request, "GET /", 5);
	assert_int_equal(http1_looks_like(REQ, request, 4096), -2);
	assert_int_equal(http1_looks_like(REQ, request, size), 0);
	assert_int_equal(parse_copy(request, size, REQ), -1);
	free(request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_lines_are_recognised_and_other_protocols_are_not),
		cmocka_unit_test(a_cut_start_line_is_never_judged_otherwise_than_the_whole),
		cmocka_unit_test(framing_and_connection_are_judged_as_the_rfc_has_it),
		cmocka_unit_test(a_cut_head_asks_for_more_and_a_longer_buffer_changes_nothing),
		cmocka_unit_test(the_end_is_found_however_the_bytes_arrive),
		cmocka_unit_test(malformed_heads_are_refused_whole_and_never_accepted_cut),
		cmocka_unit_test(a_request_line_gives_method_target_and_version),
		cmocka_unit_test(a_status_line_gives_status_and_version),
		cmocka_unit_test(every_field_is_found_without_regard_to_case_and_no_other_is),
		cmocka_unit_test(names_that_only_resemble_are_not_taken),
		cmocka_unit_test(the_first_of_repeated_fields_counts_and_all_are_counted),
		cmocka_unit_test(asked_for_fields_are_captured_in_order_up_to_the_limit),
		cmocka_unit_test(a_head_may_have_64_kib_and_not_a_byte_more),
		cmocka_unit_test(an_endless_target_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
