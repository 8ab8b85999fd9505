/* test_sample.c - head sampling: the same decision along a trace, and the tracestate that says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "preload/sample.h"

#define QUARTER (3ull << 54) /* the threshold of 1/4 */

static char state_text[TRACESTATE_MAX];
static uint16_t state_size;

static struct sample_state state_with(const char *text)
{
	state_size = (uint16_t)strlen(text);
	assert_true(state_size <= TRACESTATE_MAX);
	memset(state_text, '#', sizeof(state_text));
	memcpy(state_text, text, state_size);
	return (struct sample_state){state_text, &state_size};
}

static void assert_state(const char *expected)
{
	char text[TRACESTATE_MAX + 1];

	memcpy(text, state_text, state_size);
	text[state_size] = 0;
	assert_string_equal(text, expected);
}

/* A trace ID whose last seven bytes are `r`. */
static void id_with(uint64_t r, uint8_t id[16])
{
	memset(id, 0xee, 16);
	for (int i = 15; i >= 9; i--, r >>= 8)
		id[i] = (uint8_t)r;
}

static struct live live_with(uint8_t sampler, int by_parent, uint64_t threshold)
{
	struct live live = {0};

	live.sampler = sampler;
	live.sample_by_parent = (uint8_t)by_parent;
	live.sample_threshold = threshold;
	return live;
}

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
	uint8_t id[16];

	(void)state;
	id_with((1ull << 56) - 1, id);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct live live = live_with(SAMPLE_RATIO, 1, sample_threshold(cases[i].ratio));

		assert_int_equal(sample_begin(&live, id, state_with("")), TRACE_FLAG_SAMPLED);
		assert_state(cases[i].state);
	}
	assert_int_equal(sample_threshold(0), SAMPLE_NEVER);
}

static void a_trace_is_kept_from_its_threshold_on(void **state)
{
	static const struct {
		uint64_t r;
		int kept;
	} cases[] = {{QUARTER, 1}, {QUARTER - 1, 0}, {(1ull << 56) - 1, 1}, {0, 0}};
	struct live live = live_with(SAMPLE_RATIO, 1, QUARTER);
	uint8_t id[16];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		id_with(cases[i].r, id);
		assert_int_equal(sample_begin(&live, id, state_with("")), cases[i].kept);
		assert_state(cases[i].kept ? "ot=th:c" : "");
	}
	live.sample_threshold = SAMPLE_NEVER;
	id_with((1ull << 56) - 1, id);
	assert_int_equal(sample_begin(&live, id, state_with("")), 0);
}

static void always_on_and_off_say_nothing(void **state)
{
	struct live on = live_with(SAMPLE_ON, 1, 0), off = live_with(SAMPLE_OFF, 1, 0);
	uint8_t id[16];

	(void)state;
	id_with(0, id);
	assert_int_equal(sample_begin(&on, id, state_with("")), TRACE_FLAG_SAMPLED);
	assert_state("");
	assert_int_equal(sample_begin(&off, id, state_with("")), 0);
	assert_state("");
}

struct under {
	uint64_t flags; /* of the parent */
	uint64_t r;
	const char *before;
	uint64_t expected; /* flags */
	const char *after;
};

static void check_under(const struct live *live, const struct under *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct trace_parent parent = {.flags = (uint8_t)cases[i].flags};

		id_with(cases[i].r, parent.trace_id);
		assert_int_equal(sample_under(live, &parent, state_with(cases[i].before)),
				 cases[i].expected);
		assert_state(cases[i].after);
	}
}

/* Whatever ratio is set here: the decision is the parent's. */
static void a_parents_decision_is_followed(void **state)
{
	static const struct under cases[] = {
		{3, 0, "", 3, ""},
		{2, QUARTER, "", 2, ""},
		{1, QUARTER, "a=b", 1, "a=b"},
		{0, 0, "", 0, ""},
		/* A threshold that fits is passed on; one that belies the flag goes. */
		{3, QUARTER, "ot=th:c", 3, "ot=th:c"},
		{3, QUARTER - 1, "ot=th:c", 3, ""},
		{2, QUARTER - 1, "ot=th:c", 2, "ot=th:c"},
		{2, QUARTER, "a=b,ot=th:c;x:y,c=d", 2, "ot=x:y,a=b,c=d"},
		{3, 0, "ot=th:8;rv:80000000000000", 3, "ot=th:8;rv:80000000000000"},
		{3, QUARTER, "ot=th:8;rv:7fffffffffffff", 3, "ot=rv:7fffffffffffff"},
	};
	struct live live = live_with(SAMPLE_RATIO, 1, SAMPLE_NEVER);

	(void)state;
	check_under(&live, cases, sizeof(cases) / sizeof(cases[0]));
}

static void without_parents_the_ratio_decides_by_the_same_number(void **state)
{
	static const struct under cases[] = {
		{0, QUARTER, "", 1, "ot=th:c"},
		{3, QUARTER - 1, "ot=th:8", 2, ""},
		{3, QUARTER, "ot=th:8", 3, "ot=th:c"},
		{2, 0, "ot=rv:c0000000000000", 3, "ot=th:c;rv:c0000000000000"},
		{3, QUARTER, "ot=rv:bfffffffffffff", 2, "ot=rv:bfffffffffffff"},
		{3, QUARTER, "a=b,c=d", 3, "ot=th:c,a=b,c=d"},
		{3, QUARTER, "a=b,ot=x:y;th:1;z:1", 3, "ot=th:c;x:y;z:1,a=b"},
		/* What is no number of 56 bits is none. */
		{3, QUARTER, "ot=rv:0", 3, "ot=th:c;rv:0"},
		{3, QUARTER, "ot=rv:0000000000000G", 3, "ot=th:c;rv:0000000000000G"},
	};
	static const struct under on[] = {{2, 0, "ot=th:c,a=b", 3, "a=b"}, {0, 0, "a=b", 1, "a=b"}};
	static const struct under off[] = {{3, QUARTER, "ot=th:c", 2, ""}};
	struct live live = live_with(SAMPLE_RATIO, 0, QUARTER);

	(void)state;
	check_under(&live, cases, sizeof(cases) / sizeof(cases[0]));
	live.sampler = SAMPLE_ON;
	check_under(&live, on, sizeof(on) / sizeof(on[0]));
	live.sampler = SAMPLE_OFF;
	check_under(&live, off, sizeof(off) / sizeof(off[0]));
}

static void a_service_with_a_lower_ratio_keeps_a_subset(void **state)
{
	struct live many = live_with(SAMPLE_RATIO, 0, sample_threshold(0.5));
	struct live few = live_with(SAMPLE_RATIO, 0, sample_threshold(0.1));
	unsigned kept[2] = {0, 0};

	(void)state;
	for (uint64_t i = 1; i <= 10000; i++) {
		uint8_t id[16];
		int first, second;

		id_with(i * 0x9e3779b97f4a7c15ull >> 8, id);
		first = sample_begin(&many, id, state_with(""));
		second = sample_begin(&few, id, state_with(""));
		assert_true(first >= second);
		kept[0] += (unsigned)first;
		kept[1] += (unsigned)second;
	}
	assert_in_range(kept[0], 4900, 5100);
	assert_in_range(kept[1], 900, 1100);
}

/* The state is full: members go from its end, whole ones. */
static void a_full_tracestate_loses_its_last_members(void **state)
{
	struct live live = live_with(SAMPLE_RATIO, 0, QUARTER);
	char text[TRACESTATE_MAX + 1] = "";
	struct trace_parent parent = {.flags = 3};

	(void)state;
	for (int i = 0; i < 64; i++)
		sprintf(text + strlen(text), "%sk%02d=123", i ? "," : "", i);
	assert_int_equal(strlen(text), 511);
	id_with(QUARTER, parent.trace_id);
	assert_int_equal(sample_under(&live, &parent, state_with(text)), 3);
	assert_true(state_size <= TRACESTATE_MAX);
	assert_memory_equal(state_text, "ot=th:c,k00=123,k01", 19);
	assert_memory_equal(state_text + state_size - 8, ",k62=123", 8);
}

static void an_entry_that_is_full_takes_no_threshold(void **state)
{
	struct live live = live_with(SAMPLE_RATIO, 0, QUARTER);
	char text[300] = "ot=x:";
	struct trace_parent parent = {.flags = 3};

	(void)state;
	memset(text + 5, 'y', 254);
	id_with(QUARTER, parent.trace_id);
	assert_int_equal(sample_under(&live, &parent, state_with(text)), 3);
	assert_state(text);
}

/* Every tracestate that can be cut out of one: nothing beyond it is read or written. */
static void a_cut_tracestate_does_no_harm(void **state)
{
	static const char whole[] = "a=b,ot=th:8;rv:0123456789abcd;;x:y;th:,ot=th:1,c=d,ot=";
	struct live live = live_with(SAMPLE_RATIO, 0, QUARTER);
	struct trace_parent parent = {.flags = 3};

	(void)state;
	id_with(QUARTER, parent.trace_id);
	for (size_t from = 0; from < sizeof(whole); from++)
		for (size_t to = from; to < sizeof(whole) - 1; to++) {
			size_t size = to - from;
			char *text = malloc(TRACESTATE_MAX);
			uint16_t used = (uint16_t)size;
			struct sample_state cut = {text, &used};

			assert_non_null(text);
			memcpy(text, whole + from, size);
			sample_under(&live, &parent, cut);
			assert_true(used <= size + 8);
			free(text);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thresholds_are_those_of_the_specification),
		cmocka_unit_test(a_trace_is_kept_from_its_threshold_on),
		cmocka_unit_test(always_on_and_off_say_nothing),
		cmocka_unit_test(a_parents_decision_is_followed),
		cmocka_unit_test(without_parents_the_ratio_decides_by_the_same_number),
		cmocka_unit_test(a_service_with_a_lower_ratio_keeps_a_subset),
		cmocka_unit_test(a_full_tracestate_loses_its_last_members),
		cmocka_unit_test(an_entry_that_is_full_takes_no_threshold),
		cmocka_unit_test(a_cut_tracestate_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
