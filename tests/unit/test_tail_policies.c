/* test_tail_policies.c - which traces each policy keeps, and sections that make no sense. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/sampling.h"
#include "tests/unit/tail_test.h"

static void policies_are_tried_in_their_order(void **state)
{
	static const struct {
		struct made made;
		const char *policy;
	} cases[] = {
		{{.span = 1, .is_error = 1, .duration_ms = 900}, "errors"},
		{{.span = 1, .duration_ms = 501}, "slower_than"},
		/* The first of them made the route known. */
		{{.span = 1, .duration_ms = 500}, ""},
		{{.span = 1, .name = "GET /other"}, "rare_route"},
	};

	(void)state;
	configure("tail_sampling:\n"
		  "  grace: 1ms\n"
		  "  policies:\n"
		  "    - errors\n"
		  "    - slower_than: 500ms\n"
		  "    - attribute: {key: http.request.method, values: [POST, PUT]}\n"
		  "    - attribute: {key: enduser.id, values: [user-7]}\n"
		  "    - rare_route: 1h\n");
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct made made = cases[i].made;

		made.trace = 100 + i;
		come(&made);
		kept_count = 0;
		pass(2);
		assert_int_equal(kept_count, cases[i].policy[0] != 0);
		if (kept_count)
			assert_string_equal(kept[0].policy, cases[i].policy);
	}
	come(&(struct made){.trace = 7, .span = 1});
	kept_count = 0;
	pass(2);
	assert_string_equal(kept[0].policy, "attribute");
}

static void a_route_that_was_not_kept_for_long_is_rare(void **state)
{
	(void)state;
	configure("tail_sampling: {grace: 1ms, policies: [rare_route: 10s]}\n");
	come_root(1);
	pass(2);
	come_root(2);
	pass(9000);
	assert_int_equal(kept_count, 1);
	come_root(3);
	pass(1500);
	come_root(4);
	pass(2);
	assert_int_equal(kept_count, 2);
	assert_int_equal(kept_of(4), 1);
}

static void what_is_slower_than_a_routes_p99_is_kept(void **state)
{
	(void)state;
	configure("tail_sampling: {grace: 1ms, policies: [slower_than_p99]}\n");
	/* Durations of 10 to 19 ms of one route; another is slow all the time. */
	for (unsigned i = 1; i <= 400; i++) {
		come(&(struct made){.trace = i, .span = 1, .duration_ms = 10 + i % 10});
		come(&(struct made){
			.trace = 1000 + i, .span = 1, .duration_ms = 500, .name = "GET /slow"});
	}
	pass(2);
	assert_int_equal(kept_count, 0);
	come(&(struct made){.trace = 5000, .span = 1, .duration_ms = 50});
	come(&(struct made){.trace = 5001, .span = 1, .duration_ms = 15});
	come(&(struct made){.trace = 5002, .span = 1, .duration_ms = 510, .name = "GET /slow"});
	come(&(struct made){.trace = 5003, .span = 1, .duration_ms = 900, .name = "GET /slow"});
	pass(2);
	assert_int_equal(kept_count, 2);
	assert_int_equal(kept_of(5000), 1);
	assert_int_equal(kept_of(5003), 1);
}

static void a_rate_keeps_so_many_traces_a_second(void **state)
{
	(void)state;
	configure("tail_sampling: {grace: 1ms, policies: [rate: 10]}\n");
	for (unsigned i = 1; i <= 100; i++)
		come_root(i);
	pass(2);
	assert_int_equal(kept_count, 10);
	pass(500);
	for (unsigned i = 101; i <= 200; i++)
		come_root(i);
	pass(2);
	assert_true(kept_count == 15 || kept_count == 16);
}

static void a_ratio_is_the_same_choice_everywhere(void **state)
{
	uint64_t threshold = sampling_threshold(0.25);
	unsigned expected = 0;

	(void)state;
	configure("tail_sampling: {grace: 1ms, policies: [ratio: 0.25]}\n");
	for (unsigned i = 1; i <= 2000; i++) {
		/* Randomness of each trace's own, as rv: says. */
		uint64_t r = (i * 0x9e3779b97f4a7c15ull) >> 8;
		char given[40];

		snprintf(given, sizeof(given), "ot=rv:%014llx", (unsigned long long)r);
		come(&(struct made){.trace = i, .span = 1, .state = given});
		expected += r >= threshold;
	}
	pass(2);
	assert_int_equal(kept_count, expected);
	assert_true(expected > 400 && expected < 600);
	for (unsigned i = 0; i < kept_count; i++) {
		assert_int_equal(strncmp(kept[i].state, "ot=th:c;rv:", 11), 0);
		assert_string_equal(kept[i].policy, "ratio");
		assert_true(sampling_randomness(kept[i].trace_id, kept[i].state) >= threshold);
	}
}

static void a_threshold_is_only_ever_raised(void **state)
{
	static const struct {
		const char *before, *after;
	} cases[] = {
		{"ot=th:8;rv:ffffffffffffff", "ot=th:c;rv:ffffffffffffff"},
		{"ot=th:e;rv:ffffffffffffff", "ot=th:e;rv:ffffffffffffff"},
		{"a=b,ot=rv:ffffffffffffff", "ot=th:c;rv:ffffffffffffff,a=b"},
	};

	(void)state;
	configure("tail_sampling: {grace: 1ms, policies: [errors, ratio: 0.25]}\n");
	for (unsigned i = 0; i < 3; i++)
		come(&(struct made){.trace = i + 1, .span = 1, .state = cases[i].before});
	come(&(struct made){.trace = 9, .span = 1, .state = cases[0].before, .is_error = 1});
	pass(2);
	assert_int_equal(kept_count, 4);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(kept[i].state, cases[i].after);
	/* A trace that was kept for another reason stands for as many as before. */
	assert_string_equal(kept[3].state, cases[0].before);
}

static void assert_complained_of(const char *section)
{
	struct config *file = config_parse("f", section, strlen(section));
	struct tail_policies policies;

	assert_non_null(file);
	tail_policies_read(config_root(file), &policies);
	if (config_finish(file) == 0)
		fail_msg("%s", section);
	config_free(file);
}

static void a_section_that_makes_no_sense_is_complained_of(void **state)
{
	static const char *const sections[] = {
		"{}",
		"{policies: []}",
		"{policies: errors}",
		"{policies: [mistakes]}",
		"{policies: [slower_than]}",
		"{policies: [errors: 5]}",
		"{policies: [ratio: 2]}",
		"{policies: [rate: 0]}",
		"{policies: [attribute: {values: [a]}]}",
		"{policies: [attribute: {key: a, values: []}]}",
		"{policies: [{errors: , ratio: 1}]}",
		"{policies: [errors], memory: 1k}",
		"{policies: [errors], decision_wait: 2h}",
		"{policies: [errors], wait: 2s}",
	};
	char too_many[256];
	int size = snprintf(too_many, sizeof(too_many), "{policies: [");
	FILE *before = stderr;

	(void)state;
	for (int i = 0; i <= TAIL_POLICIES_MAX; i++)
		size += snprintf(too_many + size, sizeof(too_many) - (size_t)size, "errors%s",
				 i < TAIL_POLICIES_MAX ? ", " : "]}");
	stderr = fopen("/dev/null", "we");
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		assert_complained_of(sections[i]);
	assert_complained_of(too_many);
	fclose(stderr);
	stderr = before;
}

int main(void)
{
#define TAIL_TEST(name) cmocka_unit_test_setup_teardown(name, tail_set_up, tail_tear_down)
	const struct CMUnitTest tests[] = {
		TAIL_TEST(policies_are_tried_in_their_order),
		TAIL_TEST(a_route_that_was_not_kept_for_long_is_rare),
		TAIL_TEST(what_is_slower_than_a_routes_p99_is_kept),
		TAIL_TEST(a_rate_keeps_so_many_traces_a_second),
		TAIL_TEST(a_ratio_is_the_same_choice_everywhere),
		TAIL_TEST(a_threshold_is_only_ever_raised),
		TAIL_TEST(a_section_that_makes_no_sense_is_complained_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
