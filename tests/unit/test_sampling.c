/* test_sampling.c - thresholds and tracestates of consistent probability sampling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/sampling.h"

static struct arena arena;

static int tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	arena_init(&arena);
	return 0;
}

/* The examples of OpenTelemetry's specification, at its precision of four digits. */
static void thresholds_are_those_of_the_specification(void **state)
{
	static const struct {
		double ratio;
		const char *state;
	} cases[] = {
		{1, "ot=th:0"},          {0.5, "ot=th:8"},          {1.0 / 3, "ot=th:aaab"},
		{0.25, "ot=th:c"},       {0.2, "ot=th:cccd"},       {0.125, "ot=th:e"},
		{0.1, "ot=th:e666"},     {0.0625, "ot=th:f"},       {0.01, "ot=th:fd70a"},
		{0.001, "ot=th:ffbe77"}, {0.0001, "ot=th:fff9724"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t threshold = sampling_threshold(cases[i].ratio);

		assert_string_equal(sampling_set_threshold(&arena, NULL, threshold),
				    cases[i].state);
		assert_int_equal(sampling_threshold_of(cases[i].state), threshold);
	}
	assert_int_equal(sampling_threshold(0), SAMPLING_NEVER);
	assert_int_equal(sampling_threshold(-1), SAMPLING_NEVER);
	assert_int_equal(sampling_threshold(2), SAMPLING_ALWAYS);
}

static void small_ratios_still_keep_something(void **state)
{
	double ratio = 1;

	(void)state;
	for (int i = 0; i < 56; i++, ratio /= 2) {
		uint64_t threshold = sampling_threshold(ratio);

		assert_int_equal(threshold, SAMPLING_NEVER - (SAMPLING_NEVER >> i));
		assert_true(threshold < SAMPLING_NEVER);
	}
}

static void randomness_is_the_end_of_the_trace_id_or_rv(void **state)
{
	static const uint8_t trace_id[16] = {1, 2,    3,    4,    5,    6,    7,    8,
					     9, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67};
	static const struct {
		const char *state;
		uint64_t expected;
	} cases[] = {
		{NULL, 0xabcdef01234567},
		{"", 0xabcdef01234567},
		{"a=b", 0xabcdef01234567},
		{"ot=rv:00000000000001", 1},
		{"a=b,ot=th:8;rv:6e6d1a75832a2f", 0x6e6d1a75832a2f},
		{"ot=rv:123", 0xabcdef01234567},
		{"ot=rv:6E6D1A75832A2F", 0xabcdef01234567},
		{"ott=rv:00000000000001", 0xabcdef01234567},
		{"x=ot=rv:00000000000001", 0xabcdef01234567},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(sampling_randomness(trace_id, cases[i].state), cases[i].expected);
}

static void a_threshold_that_is_none_is_not_there(void **state)
{
	static const char *const states[] = {
		NULL,
		"",
		"a=b",
		"ot=",
		"ot=th:",
		"ot=th:g",
		"ot=rv:00000000000001",
		"ot=th:123456789abcdef",
		"ot=TH:8",
		"ot=p:8",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		assert_int_equal(sampling_threshold_of(states[i]), SAMPLING_NEVER);
	assert_int_equal(sampling_threshold_of("ot=rv:00000000000001;th:c"), 3ull << 54);
}

static void a_new_threshold_keeps_all_else_and_goes_first(void **state)
{
	static const struct {
		const char *before, *after;
	} cases[] = {
		{"", "ot=th:8"},
		{"a=b", "ot=th:8,a=b"},
		{"a=b,c=d", "ot=th:8,a=b,c=d"},
		{"ot=th:c", "ot=th:8"},
		{"a=b,ot=th:c,c=d", "ot=th:8,a=b,c=d"},
		{"ot=th:c;rv:00000000000001;x:y", "ot=th:8;rv:00000000000001;x:y"},
		{"a=b,ot=rv:00000000000001", "ot=th:8;rv:00000000000001,a=b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(sampling_set_threshold(&arena, cases[i].before, 1ull << 55),
				    cases[i].after);
}

static void an_entry_beyond_its_size_is_left_alone(void **state)
{
	char text[600] = "ot=";

	(void)state;
	memset(text + 3, 'a', 253);
	assert_null(sampling_set_threshold(&arena, text, 1));
	memset(text, 'a', sizeof(text) - 1);
	assert_null(sampling_set_threshold(&arena, text, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(thresholds_are_those_of_the_specification, tear_down),
		cmocka_unit_test_teardown(small_ratios_still_keep_something, tear_down),
		cmocka_unit_test_teardown(randomness_is_the_end_of_the_trace_id_or_rv, tear_down),
		cmocka_unit_test_teardown(a_threshold_that_is_none_is_not_there, tear_down),
		cmocka_unit_test_teardown(a_new_threshold_keeps_all_else_and_goes_first, tear_down),
		cmocka_unit_test_teardown(an_entry_beyond_its_size_is_left_alone, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
