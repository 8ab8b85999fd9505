/* test_packed.c - attributes of spans: as protobuf-c alone would pack them, again and again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/packed.h"
#include "exporter/proto/trace.pb-c.h"

#define SPAN(name)   Opentelemetry__Proto__Trace__V1__##name
#define SPAN_UNPACK  opentelemetry__proto__trace__v1__span__unpack
#define MANY_KEYS    900 /* several times what the table has room for */
#define KEY_STEP     8
#define LONGEST_TEXT 20000

static struct arena arena;
static char text_bytes[LONGEST_TEXT + 1];

/* In this program's image, as literals are. */
static char many_keys[MANY_KEYS * KEY_STEP];

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena);
	memset(text_bytes, 'x', LONGEST_TEXT);
	for (size_t i = 0; i < MANY_KEYS; i++)
		snprintf(many_keys + i * KEY_STEP, KEY_STEP, "key.%zu", i % 1000);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

static struct attribute text_of(const char *key, uint8_t type, uint32_t size)
{
	return (struct attribute){.key = key, .text = {text_bytes, size}, .type = type};
}

static struct attribute number_of(const char *key, uint8_t type, int64_t number)
{
	return (struct attribute){.key = key, .number = number, .type = type};
}

/* Writes these, and compares what a decoder reads with each attribute packed alone. */
static void assert_packs(const struct attribute *attributes, size_t count)
{
	size_t room = packed_attributes_room(attributes, count);
	/* On the heap, in its exact size, so that a sanitizer sees any step beyond. */
	uint8_t *bytes = malloc(room);
	uint8_t *end = packed_write_attributes(bytes, attributes, count);
	ProtobufCBinaryData alone;
	SPAN(Span) * read;

	assert_true(end <= bytes + room);
	read = SPAN_UNPACK(NULL, (size_t)(end - bytes), bytes);
	assert_non_null(read);
	assert_int_equal(read->n_attributes, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(packed_attribute(&arena, &attributes[i], &alone), 0);
		assert_int_equal(read->attributes[i].len, alone.len);
		assert_memory_equal(read->attributes[i].data, alone.data, alone.len);
	}
	protobuf_c_message_free_unpacked(&read->base, NULL);
	free(bytes);
}

static void assert_packs_twice(struct attribute attribute)
{
	assert_packs(&attribute, 1);
	assert_packs(&attribute, 1);
}

static void texts_of_all_sizes_are_packed_as_protobuf_packs_them(void **state)
{
	static const uint32_t large[] = {1000, 16383, 16384, LONGEST_TEXT};

	(void)state;
	for (uint32_t size = 0; size < 300; size++) {
		assert_packs_twice(text_of("text", ATTRIBUTE_TEXT, size));
		assert_packs_twice(text_of("text", ATTRIBUTE_TEXTS, size));
	}
	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++)
		assert_packs_twice(text_of("text", ATTRIBUTE_TEXT, large[i]));
}

static void numbers_of_all_sizes_are_packed_as_protobuf_packs_them(void **state)
{
	(void)state;
	for (int bit = 0; bit < 64; bit++) {
		assert_packs_twice(number_of("number", ATTRIBUTE_NUMBER, (int64_t)(1ull << bit)));
		assert_packs_twice(
			number_of("number", ATTRIBUTE_NUMBER, (int64_t)((1ull << bit) - 1)));
	}
	assert_packs_twice(number_of("number", ATTRIBUTE_NUMBER, -1));
	assert_packs_twice(number_of("boolean", ATTRIBUTE_BOOLEAN, 0));
	assert_packs_twice(number_of("boolean", ATTRIBUTE_BOOLEAN, 1));
}

static void values_of_one_size_are_not_mixed_up(void **state)
{
	static const struct attribute attributes[] = {
		{.key = "same", .text = {"one", 3}, .type = ATTRIBUTE_TEXT},
		{.key = "same", .text = {"two", 3}, .type = ATTRIBUTE_TEXT},
		{.key = "same", .text = {"two", 3}, .type = ATTRIBUTE_TEXTS},
		{.key = "same", .number = 1, .type = ATTRIBUTE_NUMBER},
		{.key = "same", .number = 1, .type = ATTRIBUTE_BOOLEAN},
		{.key = "other", .text = {"one", 3}, .type = ATTRIBUTE_TEXT},
	};

	(void)state;
	for (int round = 0; round < 3; round++)
		assert_packs(attributes, sizeof(attributes) / sizeof(attributes[0]));
}

static void more_keys_than_are_remembered_are_packed_all_the_same(void **state)
{
	struct attribute attributes[MANY_KEYS];

	(void)state;
	for (size_t i = 0; i < MANY_KEYS; i++)
		attributes[i] = text_of(many_keys + i * KEY_STEP, ATTRIBUTE_TEXT, 5);
	for (int round = 0; round < 3; round++)
		assert_packs(attributes, MANY_KEYS);
}

static void a_made_key_is_never_taken_for_another_in_its_place(void **state)
{
	char *made = malloc(300);

	(void)state;
	assert_non_null(made);
	for (int i = 0; i < 3; i++) {
		memset(made, 'a' + i, 299);
		made[299] = '\0';
		assert_packs_twice(text_of(made, ATTRIBUTE_TEXTS, 7));
		assert_packs_twice(number_of(made, ATTRIBUTE_NUMBER, INT64_MIN));
	}
	free(made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			texts_of_all_sizes_are_packed_as_protobuf_packs_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			numbers_of_all_sizes_are_packed_as_protobuf_packs_them, set_up, tear_down),
		cmocka_unit_test_setup_teardown(values_of_one_size_are_not_mixed_up, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			more_keys_than_are_remembered_are_packed_all_the_same, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_made_key_is_never_taken_for_another_in_its_place,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
