/* test_tail_pack.c - spans as they wait for the decision on their trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/tail_pack.h"

static struct resource resource = {.references = 1000000};

static void assert_same_attributes(const struct batch_span *to, const struct batch_span *from)
{
	assert_int_equal(to->attribute_count, from->attribute_count);
	for (int i = 0; i < from->attribute_count; i++) {
		const struct attribute *one = &to->attributes[i], *other = &from->attributes[i];

		assert_string_equal(one->key, other->key);
		assert_int_equal(one->type, other->type);
		assert_int_equal(one->number, other->number);
		assert_int_equal(one->text.size, other->text.size);
	}
}

static void a_packed_span_is_the_same_again(void **state)
{
	static const struct attribute of_event = {
		.key = "count", .type = ATTRIBUTE_NUMBER, .number = -5};
	static const struct batch_event event = {7, "repeated", &of_event, 1};
	char key[] = "http.request.header.x", value[] = "\xc3\xa9t\xc3\xa9";
	const struct attribute attributes[] = {
		{.key = key, .type = ATTRIBUTE_TEXTS, .text = {value, 5}},
		{.key = "big", .type = ATTRIBUTE_NUMBER, .number = INT64_MIN},
		{.key = "true", .type = ATTRIBUTE_BOOLEAN, .number = 1},
		{.key = "empty", .type = ATTRIBUTE_TEXT, .text = TEXT_OF("")},
	};
	const struct batch_span from = {.resource = &resource,
					.start_unix_ns = 1ull << 60,
					.end_unix_ns = (1ull << 60) + 5,
					.name = value,
					.error_type = "500",
					.request_id = key,
					.attributes = attributes,
					.events = &event,
					.flags = 0x303,
					.attribute_count = 4,
					.attributes_dropped = 9,
					.event_count = 1,
					.http_status = 503,
					.kind = 2,
					.status = STATUS_ERROR,
					.span_id = {1, 2, 3},
					.parent_id = {4}};
	struct tail_head head;
	struct batch_span to;
	struct arena arena;
	size_t size;
	const uint8_t *bytes = tail_pack(&from, &size);

	(void)state;
	assert_non_null(bytes);
	memcpy(&head, bytes, sizeof(head));
	assert_int_equal(head.size + sizeof(head), size);
	arena_init(&arena);
	assert_int_equal(tail_unpack(&arena, &head, bytes + sizeof(head), &to), 0);
	assert_ptr_equal(to.resource, &resource);
	assert_int_equal(to.end_unix_ns, from.end_unix_ns);
	assert_string_equal(to.name, value);
	assert_ptr_not_equal(to.name, value);
	assert_string_equal(to.error_type, "500");
	assert_null(to.status_message);
	assert_null(to.target);
	assert_memory_equal(to.span_id, from.span_id, 8);
	assert_memory_equal(to.parent_id, from.parent_id, 8);
	assert_int_equal(to.flags, 0x303);
	assert_int_equal(to.http_status, 503);
	assert_int_equal(to.attributes_dropped, 9);
	assert_same_attributes(&to, &from);
	assert_string_equal(to.attributes[0].text.at, value);
	assert_int_equal(to.events[0].time_unix_ns, 7);
	assert_string_equal(to.events[0].name, "repeated");
	assert_int_equal(to.events[0].attributes[0].number, -5);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packed_span_is_the_same_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
