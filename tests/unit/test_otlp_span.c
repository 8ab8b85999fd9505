/* test_otlp_span.c - packed spans: what a decoder reads is what the batch has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/otlp_span.h"
#include "exporter/proto/trace.pb-c.h"

#define READ_SPAN opentelemetry__proto__trace__v1__span__unpack
#define SPAN      Opentelemetry__Proto__Trace__V1__Span

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

static struct batch_span sample(uint8_t seed)
{
	struct batch_span span = {
		.start_unix_ns = 0x1122334455667788u + seed,
		.end_unix_ns = 0x1122334455667799u + seed,
		.name = "SELECT orders",
		.flags = 0x301,
		.kind = SPAN_SERVER,
	};

	memset(span.trace_id, seed, sizeof(span.trace_id));
	memset(span.span_id, seed + 1, sizeof(span.span_id));
	return span;
}

static SPAN *packed_and_read(const struct batch_span *from)
{
	ProtobufCBinaryData packed;
	SPAN *read;

	assert_int_equal(otlp_span(&arena, from, &packed), 0);
	assert_ptr_equal(arena.at, packed.data + packed.len);
	read = READ_SPAN(NULL, packed.len, packed.data);
	assert_non_null(read);
	assert_int_equal(read->base.n_unknown_fields, 0);
	return read;
}

static void assert_bytes(ProtobufCBinaryData read, const uint8_t *expected, size_t size)
{
	assert_int_equal(read.len, size);
	if (size)
		assert_memory_equal(read.data, expected, size);
}

static void assert_is(const SPAN *read, const struct batch_span *from, int has_parent)
{
	assert_bytes(read->trace_id, from->trace_id, 16);
	assert_bytes(read->span_id, from->span_id, 8);
	assert_bytes(read->parent_span_id, from->parent_id, has_parent ? 8 : 0);
	assert_string_equal(read->name, from->name);
	assert_int_equal(read->kind, from->kind);
	assert_int_equal(read->start_time_unix_nano, from->start_unix_ns);
	assert_int_equal(read->end_time_unix_nano, from->end_unix_ns);
	assert_int_equal(read->flags, from->flags);
}

static void roots_and_children_of_all_kinds_are_read_as_they_were(void **state)
{
	(void)state;
	for (uint8_t seed = 1; seed < 100; seed++) {
		struct batch_span from = sample(seed);
		int has_parent = seed % 2;
		SPAN *read;

		from.kind = (uint8_t)(SPAN_INTERNAL + seed % 3);
		from.flags += seed;
		from.name = seed % 5 ? "GET" : "";
		if (has_parent)
			memset(from.parent_id, 0xf0, sizeof(from.parent_id));
		read = packed_and_read(&from);
		assert_is(read, &from, has_parent);
		assert_null(read->status);
		assert_int_equal(read->n_attributes, 0);
		assert_string_equal(read->trace_state, "");
		protobuf_c_message_free_unpacked(&read->base, NULL);
	}
}

static void attributes_events_and_an_error_come_with_it(void **state)
{
	static const struct attribute attributes[] = {
		{.key = "http.route", .text = {"/orders", 7}, .type = ATTRIBUTE_TEXT},
		{.key = "thread.id", .number = 4711, .type = ATTRIBUTE_NUMBER},
	};
	static const struct batch_event events[] = {
		{.time_unix_ns = 5, .name = "one", .attributes = attributes, .attribute_count = 2},
		{.time_unix_ns = 6, .name = "two"},
	};
	struct batch_span from = sample(9);
	SPAN *read;

	(void)state;
	from.attributes = attributes;
	from.attribute_count = 2;
	from.attributes_dropped = 300;
	from.events = events;
	from.event_count = 2;
	from.status = STATUS_ERROR;
	from.status_message = "killed";
	from.trace_state = "vendor=1";
	read = packed_and_read(&from);
	assert_is(read, &from, 0);
	assert_int_equal(read->n_attributes, 2);
	assert_int_equal(read->dropped_attributes_count, 300);
	assert_int_equal(read->n_events, 2);
	assert_string_equal(read->trace_state, "vendor=1");
	assert_non_null(read->status);
	assert_int_equal(read->status->code, STATUS_ERROR);
	assert_string_equal(read->status->message, "killed");
	protobuf_c_message_free_unpacked(&read->base, NULL);
}

static void names_of_any_size_are_whole(void **state)
{
	char name[40001];

	(void)state;
	for (size_t size = 1; size < sizeof(name); size = size * 3 + 1) {
		struct batch_span from = sample(3);
		SPAN *read;

		memset(name, 'n', size);
		name[size] = '\0';
		from.name = name;
		read = packed_and_read(&from);
		assert_is(read, &from, 0);
		protobuf_c_message_free_unpacked(&read->base, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			roots_and_children_of_all_kinds_are_read_as_they_were, set_up, tear_down),
		cmocka_unit_test_setup_teardown(attributes_events_and_an_error_come_with_it, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(names_of_any_size_are_whole, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
