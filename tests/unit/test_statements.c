/* test_statements.c - prepared statements by name: kept, replaced, forgotten, pushed out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "preload/statements.h"

#define NAME(literal) (literal), sizeof(literal) - 1

static void keep(uint64_t owner, const char *name, const char *text)
{
	statements_keep(owner, name, strlen(name), text, strlen(text));
}

static void assert_text(uint64_t owner, const char *name, const char *text)
{
	char found[STATEMENT_TEXT_MAX];
	size_t size = statements_find(owner, name, strlen(name), found, sizeof(found));

	assert_int_equal(size, strlen(text));
	assert_memory_equal(found, text, size);
}

static void a_text_is_found_by_owner_and_name(void **state)
{
	uint64_t one = statements_owner(), other = statements_owner();

	(void)state;
	assert_int_not_equal(one, other);
	keep(one, "s1", "SELECT ?");
	keep(one, "", "SELECT unnamed");
	keep(other, "s1", "DELETE FROM t");
	assert_text(one, "s1", "SELECT ?");
	assert_text(one, "", "SELECT unnamed");
	assert_text(other, "s1", "DELETE FROM t");
	assert_text(other, "", "");
}

static void a_name_that_is_given_again_has_the_new_text(void **state)
{
	uint64_t owner = statements_owner();

	(void)state;
	keep(owner, "s", "SELECT first");
	keep(owner, "s", "SELECT 2");
	assert_text(owner, "s", "SELECT 2");
	statements_forget(owner, NAME("s"));
	assert_text(owner, "s", "");
	statements_forget(owner, NAME("never"));
}

static void long_texts_are_cut_and_little_room_is_respected(void **state)
{
	static char text[STATEMENT_TEXT_MAX + 10];
	char found[sizeof(text)];
	uint64_t owner = statements_owner();

	(void)state;
	memset(text, 'x', sizeof(text));
	statements_keep(owner, NAME("long"), text, sizeof(text));
	assert_int_equal(statements_find(owner, NAME("long"), found, sizeof(found)),
			 STATEMENT_TEXT_MAX);
	found[3] = '!';
	assert_int_equal(statements_find(owner, NAME("long"), found, 3), 3);
	assert_int_equal(found[3], '!');
}

/* More than there is room for: the newest are there, and whatever is there is right. */
static void what_is_used_stays_and_nothing_is_mixed_up(void **state)
{
	uint64_t owner = statements_owner();
	char name[16], text[32], found[STATEMENT_TEXT_MAX];
	unsigned known = 0;

	(void)state;
	keep(owner, "used", "SELECT used");
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		snprintf(text, sizeof(text), "SELECT %u", i);
		keep(owner, name, text);
		if (i % 16 == 0)
			assert_text(owner, "used", "SELECT used");
	}
	for (unsigned i = 0; i < 20000; i++) {
		size_t size;

		snprintf(name, sizeof(name), "n%u", i);
		snprintf(text, sizeof(text), "SELECT %u", i);
		size = statements_find(owner, name, strlen(name), found, sizeof(found));
		if (!size)
			continue;
		known++;
		assert_int_equal(size, strlen(text));
		assert_memory_equal(found, text, size);
	}
	assert_in_range(known, 4000, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_found_by_owner_and_name),
		cmocka_unit_test(a_name_that_is_given_again_has_the_new_text),
		cmocka_unit_test(long_texts_are_cut_and_little_room_is_respected),
		cmocka_unit_test(what_is_used_stays_and_nothing_is_mixed_up),
	};

	if (statements_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
