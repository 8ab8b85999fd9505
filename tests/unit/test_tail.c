/* test_tail.c - tail sampling: whole traces, when they are decided, within their memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/tail_test.h"

static void a_trace_is_kept_whole_by_one_span_of_it(void **state)
{
	(void)state;
	configure("tail_sampling: {grace: 100ms, policies: [errors]}\n");
	for (unsigned trace = 1; trace <= 2; trace++) {
		come(&(struct made){
			.trace = trace, .span = 3, .parent = 2, .is_error = trace == 2});
		come(&(struct made){.trace = trace, .span = 2, .parent = 1});
		come(&(struct made){.trace = trace, .span = 1, .name = "GET /"});
	}
	pass(50);
	assert_int_equal(kept_count, 0);
	pass(100);
	assert_int_equal(kept_count, 3);
	assert_int_equal(kept_of(2), 3);
	assert_string_equal(kept[0].policy, "errors");
	assert_string_equal(kept[2].name, "GET /");
	assert_int_equal(kept[0].attributes, 4);
	assert_true(tail_is_empty(tail));
	assert_int_equal(tail_counts(tail)->kept[TAIL_ERRORS], 1);
	assert_int_equal(tail_counts(tail)->dropped, 1);
	assert_int_equal(tail_counts(tail)->dropped_spans, 3);
	assert_int_equal(tail_counts(tail)->kept_spans, 3);
}

static void a_trace_waits_for_its_local_parent(void **state)
{
	(void)state;
	configure("tail_sampling: {grace: 100ms, decision_wait: 2s, policies: [ratio: 1]}\n");
	/* A callee's part ends first; then its caller's call, whose own request is still open. */
	come(&(struct made){.trace = 1, .span = 9, .parent = 8, .is_remote = 1});
	come(&(struct made){.trace = 1, .span = 8, .parent = 1});
	/* Here no more is to be expected: the parent is another exporter's. */
	come(&(struct made){.trace = 2, .span = 9, .parent = 8, .is_remote = 1});
	for (int i = 0; i < 5; i++)
		pass(110);
	assert_int_equal(kept_of(1), 0);
	assert_int_equal(kept_of(2), 1);
	come(&(struct made){.trace = 1, .span = 1});
	pass(101);
	pass(101);
	assert_int_equal(kept_of(1), 3);
	/* What never completes is decided when the wait is over. */
	come(&(struct made){.trace = 3, .span = 9, .parent = 8});
	for (int i = 0; i < 18; i++)
		pass(110);
	assert_int_equal(kept_of(3), 0);
	pass(200);
	assert_int_equal(kept_of(3), 1);
}

static void late_spans_follow_the_decision(void **state)
{
	(void)state;
	configure("tail_sampling: {grace: 100ms, policies: [errors]}\n");
	come(&(struct made){.trace = 1, .span = 1, .is_error = 1});
	come_root(2);
	pass(101);
	assert_int_equal(kept_count, 1);
	come(&(struct made){.trace = 1, .span = 2, .parent = 1});
	come(&(struct made){.trace = 2, .span = 2, .parent = 1, .is_error = 1});
	pass(1);
	assert_int_equal(kept_of(1), 2);
	assert_string_equal(kept[1].policy, "errors");
	assert_int_equal(kept_of(2), 0);
	assert_int_equal(tail_counts(tail)->dropped_spans, 2);
	/* After a minute nobody remembers. */
	pass(61000);
	come(&(struct made){.trace = 2, .span = 3, .parent = 1, .is_error = 1});
	pass(6000);
	assert_int_equal(kept_of(2), 1);
}

static void with_little_memory_the_oldest_are_decided_early(void **state)
{
	(void)state;
	configure("tail_sampling: {grace: 10s, decision_wait: 10s, memory: 1MiB, "
		  "policies: [errors]}\n");
	for (unsigned i = 1; i <= 10000; i++)
		come(&(struct made){.trace = i, .span = 1, .is_error = i % 100 == 1});
	assert_true(tail_counts(tail)->early > 8000);
	assert_true(tail_has_room(tail));
	pass(0);
	assert_int_equal(kept_count, tail_counts(tail)->kept_spans);
	assert_int_equal(kept_of(1), 1);
	tail_pass(tail, now, 0, 1);
	assert_int_equal(kept_count, 100);
	assert_int_equal(tail_counts(tail)->dropped, 9900);
	assert_int_equal(drops.count[DROPS_MEMORY], 0);
}

static void while_nothing_is_taken_only_errors_are_kept_and_then_none_come(void **state)
{
	unsigned sent = 0, errors = 0;

	(void)state;
	configure("tail_sampling: {grace: 1ms, memory: 1MiB, policies: [errors, ratio: 1]}\n");
	room = 0;
	while (tail_has_room(tail) && sent < 100000) {
		sent++;
		come(&(struct made){.trace = sent, .span = 1, .is_error = sent % 10 == 0});
		pass(1);
	}
	/* Errors alone fill what is left, at a tenth of the pace. */
	assert_int_equal(tail_has_room(tail), 0);
	assert_true(tail_counts(tail)->dropped > 0);
	assert_int_equal(kept_count, 0);
	room = 1;
	tail_pass(tail, now, 0, 1);
	assert_true(tail_is_empty(tail));
	assert_true(tail_has_room(tail));
	for (unsigned i = 0; i < kept_count; i++)
		errors += strcmp(kept[i].policy, "errors") == 0;
	assert_int_equal(errors, sent / 10);
	assert_int_equal(kept_count + tail_counts(tail)->dropped, sent);
	assert_int_equal(drops.count[DROPS_MEMORY], 0);
}

static void switched_off_it_lets_go_of_all(void **state)
{
	(void)state;
	configure("tail_sampling: {policies: [errors]}\n");
	come_root(1);
	assert_true(tail_is_on(tail));
	configure("# off\n");
	assert_false(tail_is_on(tail));
	assert_false(tail_is_empty(tail));
	pass(0);
	assert_int_equal(kept_count, 1);
	assert_string_equal(kept[0].policy, "");
	assert_true(tail_is_empty(tail));
}

static void what_waits_at_the_end_is_counted(void **state)
{
	(void)state;
	configure("tail_sampling: {policies: [ratio: 1]}\n");
	come_root(1);
	come_root(2);
	tail_close(tail);
	tail = NULL;
	assert_int_equal(drops.count[DROPS_SHUTDOWN], 2);
}

static void batches_are_filled_or_wait_for_their_delay(void **state)
{
	(void)state;
	configure("tail_sampling: {grace: 1ms, policies: [ratio: 1]}\n");
	for (unsigned i = 1; i <= IN_ONE + 1; i++)
		come_root(i);
	now += 2 * MS;
	tail_pass(tail, now, 100 * MS, 0);
	assert_int_equal(batch_count, 1);
	assert_int_equal(kept_count, IN_ONE);
	now += 100 * MS;
	tail_pass(tail, now, 100 * MS, 0);
	assert_int_equal(batch_count, 2);
	assert_int_equal(kept_count, IN_ONE + 1);
}

int main(void)
{
#define TAIL_TEST(name) cmocka_unit_test_setup_teardown(name, tail_set_up, tail_tear_down)
	const struct CMUnitTest tests[] = {
		TAIL_TEST(a_trace_is_kept_whole_by_one_span_of_it),
		TAIL_TEST(a_trace_waits_for_its_local_parent),
		TAIL_TEST(late_spans_follow_the_decision),
		TAIL_TEST(with_little_memory_the_oldest_are_decided_early),
		TAIL_TEST(while_nothing_is_taken_only_errors_are_kept_and_then_none_come),
		TAIL_TEST(switched_off_it_lets_go_of_all),
		TAIL_TEST(what_waits_at_the_end_is_counted),
		TAIL_TEST(batches_are_filled_or_wait_for_their_delay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
