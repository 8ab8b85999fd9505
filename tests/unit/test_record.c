/* test_record.c - records out of the segment: checked, copied, made valid. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/record.h"
#include "tests/unit/segment_writer.h"

static struct arena arena;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static size_t size_of(const struct writer_span *from)
{
	return sizeof(from->span) + from->span.fields_size;
}

static void fields_come_out_as_terminated_texts(void **state)
{
	struct writer_span from;
	struct record record;

	(void)state;
	writer_sample(&from, 7);
	assert_int_equal(record_parse(&arena, &from, size_of(&from), 1, &record), 0);
	assert_string_equal(record.field[FIELD_METHOD].at, "GET");
	assert_string_equal(record.field[FIELD_PATH].at, "/orders/17");
	assert_string_equal(record.field[FIELD_REQUEST_ID].at,
			    "3f2b8a54-7f0e-4e0c-9a86-0f3f4a1b2c3d");
	assert_null(record.field[FIELD_UNIX_PATH].at);
	assert_int_equal(record.span.status_code, 200);
}

static void a_record_cut_anywhere_is_refused(void **state)
{
	struct writer_span from;
	struct record record;

	(void)state;
	writer_sample(&from, 7);
	for (size_t size = 0; size < size_of(&from); size++) {
		/* On the heap, in its exact size, so that a sanitizer sees any step beyond. */
		void *part = malloc(size ? size : 1);

		memcpy(part, &from, size);
		assert_int_equal(record_parse(&arena, part, size, 1, &record), -EINVAL);
		free(part);
	}
}

static void impossible_spans_are_refused(void **state)
{
	struct writer_span good, bad;
	struct record record;

	(void)state;
	writer_sample(&good, 7);
	bad = good;
	bad.span.kind = 4;
	assert_int_equal(record_parse(&arena, &bad, size_of(&bad), 1, &record), -EINVAL);
	bad = good;
	bad.span.protocol = 0;
	assert_int_equal(record_parse(&arena, &bad, size_of(&bad), 1, &record), -EINVAL);
	bad = good;
	bad.span.start_ns = 0;
	assert_int_equal(record_parse(&arena, &bad, size_of(&bad), 1, &record), -EINVAL);
	bad = good;
	memset(bad.span.trace_id, 0, 16);
	assert_int_equal(record_parse(&arena, &bad, size_of(&bad), 1, &record), -EINVAL);
	bad = good;
	bad.span.end_ns = UINT64_MAX;
	assert_int_equal(record_parse(&arena, &bad, size_of(&bad), 1, &record), -EINVAL);
	bad = good;
	memset(bad.span.span_id, 0, 8);
	assert_int_equal(record_parse(&arena, &bad, size_of(&bad), 1, &record), -EINVAL);
}

static void a_field_that_occurs_twice_is_refused(void **state)
{
	struct writer_span from;
	struct record record;

	(void)state;
	writer_sample(&from, 7);
	writer_text(&from, FIELD_METHOD, "PUT");
	assert_int_equal(record_parse(&arena, &from, size_of(&from), 1, &record), -EINVAL);
}

static void a_field_of_a_later_version_is_skipped(void **state)
{
	struct writer_span from;
	struct record record;

	(void)state;
	writer_sample(&from, 7);
	writer_text(&from, 200, "unknown");
	writer_text(&from, FIELD_PEER_NAME, "db.example");
	assert_int_equal(record_parse(&arena, &from, size_of(&from), 1, &record), 0);
	assert_string_equal(record.field[FIELD_PEER_NAME].at, "db.example");
}

static void bytes_that_are_no_utf8_are_replaced(void **state)
{
	static const char bytes[] = {'a', '\xff', '\0', '\xe2', '\x82', '\xac', '\xed', '\xa0'};
	struct writer_span from;
	struct record record;

	(void)state;
	writer_sample(&from, 7);
	writer_field(&from, FIELD_PEER_NAME, bytes, sizeof(bytes));
	assert_int_equal(record_parse(&arena, &from, size_of(&from), 1, &record), 0);
	assert_string_equal(record.field[FIELD_PEER_NAME].at,
			    "a\xef\xbf\xbd\xef\xbf\xbd\xe2\x82\xac\xef\xbf\xbd\xef\xbf\xbd");
}

static void headers_keep_name_value_and_direction(void **state)
{
	struct writer_span from;
	struct record record;

	(void)state;
	writer_sample(&from, 7);
	writer_field(&from, FIELD_REQUEST_HEADER, "accept\0text/html", 16);
	writer_field(&from, FIELD_RESPONSE_HEADER, "server\0nginx", 12);
	assert_int_equal(record_parse(&arena, &from, size_of(&from), 1, &record), 0);
	assert_int_equal(record.header_count, 2);
	assert_string_equal(record.headers[0].name.at, "accept");
	assert_string_equal(record.headers[0].value.at, "text/html");
	assert_int_equal(record.headers[0].of_response, 0);
	assert_string_equal(record.headers[1].value.at, "nginx");
	assert_int_equal(record.headers[1].of_response, 1);
}

static void a_header_without_a_name_is_refused(void **state)
{
	struct writer_span from;
	struct record record;

	(void)state;
	writer_sample(&from, 7);
	writer_field(&from, FIELD_REQUEST_HEADER, "\0value", 6);
	assert_int_equal(record_parse(&arena, &from, size_of(&from), 1, &record), -EINVAL);
}

static void times_never_run_backwards(void **state)
{
	struct writer_span from;
	struct record record;

	(void)state;
	writer_sample(&from, 7);
	from.span.start_ns = 500;
	from.span.end_ns = 400;
	assert_int_equal(record_parse(&arena, &from, size_of(&from), 900, &record), 0);
	assert_int_equal(record.span.end_ns, 500);
	from.span.end_ns = 0;
	assert_int_equal(record_parse(&arena, &from, size_of(&from), 900, &record), 0);
	assert_int_equal(record.span.end_ns, 900);
}

static void stacks_that_cannot_be_are_refused(void **state)
{
	static const struct {
		size_t room; /* behind the struct */
		uint64_t base;
		uint32_t size;
		int result;
		uint8_t id;
	} cases[] = {
		{512, 4096, 512, 0, 1},
		{0, 4096, 0, 0, 1},
		{STACK_BYTES + 32, 8, STACK_BYTES, 0, 1},
		{511, 4096, 512, -EINVAL, 1},
		{STACK_BYTES + 32, 8, STACK_BYTES + 8, -EINVAL, 1},
		{STACK_BYTES, 8, UINT32_MAX, -EINVAL, 1},
		{STACK_BYTES, 8, UINT32_MAX - 7, -EINVAL, 1},
		{512, 4096, 508, -EINVAL, 1},
		{512, 4100, 512, -EINVAL, 1},
		{512, UINT64_MAX - 7, 512, -EINVAL, 1},
		{512, 4096, 512, -EINVAL, 0},
	};
	struct stack_record elsewhere = {.base = 4096, .span_id = {1}, .registers = {0, 8192}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stack_record from = {.size = cases[i].size, .base = cases[i].base};
		struct stack_record to = {.size = 77};

		from.span_id[7] = cases[i].id;
		from.registers[1] = cases[i].base;
		assert_int_equal(record_stack(&from, sizeof(from) + cases[i].room, &to),
				 cases[i].result);
		assert_int_equal(to.size, cases[i].result ? 77 : cases[i].size);
	}
	assert_int_equal(record_stack(&elsewhere, sizeof(elsewhere), &elsewhere), -EINVAL);
	for (size_t size = 0; size < sizeof(struct stack_record); size++)
		assert_int_equal(record_stack("", size, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_come_out_as_terminated_texts),
		cmocka_unit_test(a_record_cut_anywhere_is_refused),
		cmocka_unit_test(impossible_spans_are_refused),
		cmocka_unit_test(a_field_that_occurs_twice_is_refused),
		cmocka_unit_test(a_field_of_a_later_version_is_skipped),
		cmocka_unit_test(bytes_that_are_no_utf8_are_replaced),
		cmocka_unit_test(headers_keep_name_value_and_direction),
		cmocka_unit_test(a_header_without_a_name_is_refused),
		cmocka_unit_test(times_never_run_backwards),
		cmocka_unit_test(stacks_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
