/* test_outbox.c - payloads that wait to be sent: together, bounded, the newest of metrics, spilled.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/outbox.h"
#include "tests/unit/spool_test.h"

static struct outbox outbox;
static struct batch batches[64];
static unsigned answered[64], answers;

static void on_answered(void *context, struct batch *batch)
{
	assert_ptr_equal(context, &outbox);
	answered[answers++] = (unsigned)(batch - batches);
}

static void push(uint32_t number, int with_batch)
{
	struct payload *payload = numbered_payload(number, 100);

	assert_int_equal(outbox_push(&outbox, payload, with_batch ? &batches[number] : NULL), 0);
	payload_put(payload);
}

/* The number of the first that is gathered, of how many. */
static uint32_t gather(size_t items, size_t count)
{
	uint32_t number;

	assert_int_equal(outbox_gather(&outbox, items), 0);
	assert_int_equal(outbox.gathered_count, count);
	memcpy(&number, outbox.gathered[0]->bytes, sizeof(number));
	return number;
}

static void outbox_with(enum signal signal, int with_spool)
{
	answers = 0;
	outbox_init(&outbox, signal, on_answered, &outbox);
	if (!with_spool)
		return;
	spool_begin();
	outbox.spool = spool;
	spool = NULL;
}

static void small_payloads_go_together(void **state)
{
	(void)state;
	outbox_with(SIGNAL_TRACES, 0);
	for (uint32_t i = 0; i < 5; i++)
		push(i, 1);
	/* 1 + 2 + 3 items fit into 6, and what is too large alone goes alone. */
	assert_int_equal(gather(6, 3), 0);
	assert_int_equal(outbox_held_items(&outbox), 6);
	outbox_done(&outbox);
	assert_int_equal(answers, 3);
	assert_int_equal(gather(1, 1), 3);
	outbox_unhold(&outbox);
	assert_int_equal(gather(100, 2), 3);
	outbox_done(&outbox);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(answered[i], i);
	assert_true(outbox_is_empty(&outbox));
	outbox_fini(&outbox);
}

static void of_metrics_the_newest_are_kept(void **state)
{
	(void)state;
	outbox_with(SIGNAL_METRICS, 0);
	push(0, 0);
	assert_int_equal(gather(1, 1), 0);
	for (uint32_t i = 1; i < 20; i++)
		push(i, 0);
	assert_int_equal(outbox_waiting(&outbox), 5);
	/* 2 + 3 + ... + 16 items. */
	assert_int_equal(outbox.lost_items, 135);
	outbox_done(&outbox);
	for (uint32_t i = 16; i < 20; i++) {
		assert_int_equal(gather(1, 1), i);
		outbox_done(&outbox);
	}
	outbox_fini(&outbox);
}

static void what_is_newer_follows_into_the_spool(void **state)
{
	(void)state;
	outbox_with(SIGNAL_TRACES, 1);
	for (uint32_t i = 0; i < 4; i++)
		push(i, 1);
	assert_int_equal(gather(1, 1), 0);
	assert_int_equal(outbox_spill(&outbox), 0);
	/* The one that is under way stays, but the rings need not wait for it. */
	assert_int_equal(answers, 4);
	assert_int_equal(outbox_waiting(&outbox), 1);
	push(4, 1);
	assert_int_equal(answers, 5);
	assert_int_equal(outbox_waiting(&outbox), 1);
	outbox_done(&outbox);
	for (uint32_t i = 1; i < 5; i++) {
		assert_false(outbox_is_empty(&outbox));
		assert_int_equal(gather(100, 1), i);
		outbox_unhold(&outbox);
		assert_int_equal(gather(100, 1), i);
		outbox_done(&outbox);
	}
	assert_true(outbox_is_empty(&outbox));
	push(5, 1);
	assert_int_equal(outbox_waiting(&outbox), 1);
	outbox_fini(&outbox);
}

static void who_lags_keeps_a_bounded_memory(void **state)
{
	(void)state;
	outbox_with(SIGNAL_TRACES, 0);
	for (uint32_t i = 0; i < 40; i++) {
		struct payload *payload = numbered_payload(i, 1 << 20);

		assert_int_equal(outbox_push(&outbox, payload, &batches[i]), 0);
		payload_put(payload);
	}
	assert_int_equal(answers, 0);
	outbox_release(&outbox);
	assert_int_equal(answers, 40);
	assert_int_equal(outbox_waiting(&outbox), 8);
	assert_int_equal(outbox.lost_items, 32 * 33 / 2);
	assert_int_equal(gather(1, 1), 32);
	outbox_fini(&outbox);
}

int main(void)
{
#define OUTBOX_TEST(name) cmocka_unit_test_setup_teardown(name, spool_set_up, spool_tear_down)
	const struct CMUnitTest tests[] = {
		OUTBOX_TEST(small_payloads_go_together),
		OUTBOX_TEST(of_metrics_the_newest_are_kept),
		OUTBOX_TEST(what_is_newer_follows_into_the_spool),
		OUTBOX_TEST(who_lags_keeps_a_bounded_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
