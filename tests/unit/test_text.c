/* test_text.c - what is valid UTF-8 at every place of a text, and hashes of texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/text.h"

#define LONGEST 40u

/* Looks at a copy on the heap, in its exact size, so that a sanitizer sees any step beyond. */
static int is_valid(const char *at, size_t size)
{
	char *copy = malloc(size ? size : 1);
	int valid;

	assert_non_null(copy);
	memcpy(copy, at, size);
	valid = text_valid(copy, size);
	free(copy);
	return valid;
}

static void one_bad_byte_anywhere_makes_a_text_invalid(void **state)
{
	static const char bad[] = {'\0', '\x80', '\xbf', '\xc0', '\xf5', '\xff'};
	char text[LONGEST];

	(void)state;
	for (size_t size = 0; size <= LONGEST; size++) {
		memset(text, 'a', sizeof(text));
		assert_true(is_valid(text, size));
		for (size_t at = 0; at < size; at++) {
			for (size_t i = 0; i < sizeof(bad); i++) {
				text[at] = bad[i];
				assert_false(is_valid(text, size));
			}
			text[at] = '\x7f';
			assert_true(is_valid(text, size));
		}
	}
}

static void a_character_of_several_bytes_is_valid_where_it_is_whole(void **state)
{
	static const char *const characters[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x90\xa2"};
	char text[LONGEST];

	(void)state;
	for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]); i++) {
		size_t bytes = strlen(characters[i]);

		for (size_t at = 0; at + bytes <= LONGEST; at++) {
			memset(text, 'a', sizeof(text));
			memcpy(text + at, characters[i], bytes);
			for (size_t size = 0; size <= LONGEST; size++)
				assert_int_equal(is_valid(text, size),
						 size <= at || size >= at + bytes);
		}
	}
}

static uint64_t hash_of(const char *at, size_t size)
{
	return text_hash((struct text){at, (uint32_t)size});
}

static void each_byte_and_the_size_count_in_a_hash(void **state)
{
	char text[LONGEST + 1];

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t size = 1; size <= LONGEST; size++) {
		uint64_t hash = hash_of(text, size);

		assert_true(hash != hash_of(text, size - 1));
		for (size_t at = 0; at < size; at++) {
			text[at] = 'b';
			assert_true(hash != hash_of(text, size));
			text[at] = 'a';
		}
		/* What lies behind the text does not count. */
		text[size] = 'z';
		assert_true(hash == hash_of(text, size));
		text[size] = 'a';
	}
}

/* Tables take the low bits, and the high ones. */
static void hashes_of_like_texts_spread(void **state)
{
	static unsigned low[64], high[64];
	char text[] = "INSERT INTO t00 VALUES (?)";

	(void)state;
	for (int i = 0; i < 6400; i++) {
		uint64_t hash;

		text[13] = (char)('0' + i / 80);
		text[14] = (char)('0' + i % 80);
		hash = hash_of(text, sizeof(text) - 1);
		low[hash % 64]++;
		high[hash >> 58]++;
	}
	for (int i = 0; i < 64; i++) {
		assert_in_range(low[i], 40, 200);
		assert_in_range(high[i], 40, 200);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_bad_byte_anywhere_makes_a_text_invalid),
		cmocka_unit_test(a_character_of_several_bytes_is_valid_where_it_is_whole),
		cmocka_unit_test(each_byte_and_the_size_count_in_a_hash),
		cmocka_unit_test(hashes_of_like_texts_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
