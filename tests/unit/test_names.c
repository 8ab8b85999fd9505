/* test_names.c - the names that the program resolved lately, by address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "preload/names.h"

static struct span_address address_of(uint32_t number)
{
	struct span_address address = {.family = ADDRESS_IPV4, .port = 80};

	memcpy(address.bytes, &number, sizeof(number));
	return address;
}

/* The name of an address as a text, "" if there is none. */
static const char *name_of(struct span_address address)
{
	static char name[128];
	size_t size = names_find(&address, name, sizeof(name) - 1);

	name[size] = 0;
	return name;
}

static void before_anything_was_resolved_there_is_no_name(void **state)
{
	struct span_address none = {0};

	(void)state;
	assert_string_equal(name_of(address_of(1)), "");
	assert_string_equal(name_of(none), "");
}

static void a_name_is_found_by_its_address_whatever_the_port(void **state)
{
	struct span_address address = address_of(7);
	struct span_address v6 = address;

	(void)state;
	names_add(&address, "shop.example");
	address.port = 8443;
	assert_string_equal(name_of(address), "shop.example");
	v6.family = ADDRESS_IPV6;
	assert_string_equal(name_of(v6), "");
	address.bytes[3]++;
	assert_string_equal(name_of(address), "");
}

static void the_last_name_of_an_address_wins(void **state)
{
	struct span_address address = address_of(8);

	(void)state;
	names_add(&address, "old.example");
	names_add(&address, "new.example");
	assert_string_equal(name_of(address), "new.example");
}

static void a_name_that_was_resolved_again_is_the_last(void **state)
{
	struct span_address address = address_of(9);

	(void)state;
	names_add(&address, "a.example");
	names_add(&address, "b.example");
	names_add(&address, "a.example");
	assert_string_equal(name_of(address), "a.example");
}

static void a_name_that_does_not_fit_is_none(void **state)
{
	struct span_address address = address_of(10);
	char longest[106];
	char out[4];

	(void)state;
	memset(longest, 'n', sizeof(longest));
	longest[105] = 0;
	names_add(&address, longest);
	assert_string_equal(name_of(address), "");
	longest[104] = 0;
	names_add(&address, longest);
	assert_string_equal(name_of(address), longest);
	assert_int_equal(names_find(&address, out, sizeof(out)), 0);
	address = address_of(11);
	names_add(&address, "");
	assert_string_equal(name_of(address), "");
}

static void the_newest_are_kept(void **state)
{
	char name[32];

	(void)state;
	for (uint32_t i = 1000; i < 1300; i++) {
		struct span_address address = address_of(i);

		snprintf(name, sizeof(name), "host-%u", i);
		names_add(&address, name);
		assert_string_equal(name_of(address), name);
	}
	for (uint32_t i = 1000; i < 1300; i++) {
		snprintf(name, sizeof(name), "host-%u", i);
		assert_string_equal(name_of(address_of(i)), i < 1300 - 64 ? "" : name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_anything_was_resolved_there_is_no_name),
		cmocka_unit_test(a_name_is_found_by_its_address_whatever_the_port),
		cmocka_unit_test(the_last_name_of_an_address_wins),
		cmocka_unit_test(a_name_that_was_resolved_again_is_the_last),
		cmocka_unit_test(a_name_that_does_not_fit_is_none),
		cmocka_unit_test(the_newest_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
