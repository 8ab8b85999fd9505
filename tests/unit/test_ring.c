/* test_ring.c - the reader's side of a process's ring: laps, holes, liars and the tail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/ring.h"
#include "tests/unit/segment_writer.h"

static struct slot *slot;
static struct ring_reader reader;

static int set_up(void **state)
{
	(void)state;
	slot = aligned_alloc(4096, sizeof(*slot));
	memset(slot, 0, sizeof(*slot));
	ring_reader_init(&reader, &slot->ring);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(slot);
	return 0;
}

/* The number that writer_sample put into the next span, or -1: there is none. */
static int64_t next_number(int writer_gone, uint64_t now_ns)
{
	const struct span *span;
	const void *payload;
	uint64_t number;
	size_t size;

	if (ring_next(&reader, writer_gone, now_ns, &payload, &size) == RING_EMPTY)
		return -1;
	span = payload;
	memcpy(&number, span->trace_id, sizeof(number));
	return (int64_t)number;
}

static void push(uint64_t number)
{
	struct writer_span span;

	writer_sample(&span, number);
	assert_int_equal(writer_push(slot, &span), 0);
}

static void spans_come_in_order_over_many_laps(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 20000; i++) {
		push(i);
		assert_int_equal(next_number(0, 1), i);
		ring_release(&reader, reader.cursor);
	}
	assert_int_equal(next_number(0, 1), -1);
	assert_true(reader.cursor > 4 * (uint64_t)RING_BYTES);
	assert_int_equal(reader.damaged + reader.holes, 0);
}

static void a_full_ring_refuses_and_counts(void **state)
{
	struct writer_span span;
	uint64_t written = 0, read = 0;

	(void)state;
	writer_sample(&span, 1);
	while (writer_push(slot, &span) == 0)
		written++;
	assert_int_equal(slot->counters.dropped[DROP_RING_FULL], 1);
	while (next_number(0, 1) >= 0)
		read++;
	assert_int_equal(read, written);
	/* Read is not delivered: there is no room before the tail moves. */
	assert_int_equal(writer_push(slot, &span), -1);
	ring_release(&reader, reader.cursor);
	assert_int_equal(writer_push(slot, &span), 0);
}

static void a_new_reader_begins_at_the_tail(void **state)
{
	uint64_t first;

	(void)state;
	push(1);
	push(2);
	assert_int_equal(next_number(0, 1), 1);
	first = reader.cursor;
	assert_int_equal(next_number(0, 1), 2);
	ring_release(&reader, first);
	ring_reader_init(&reader, &slot->ring);
	assert_int_equal(next_number(0, 1), 2);
	assert_int_equal(next_number(0, 1), -1);
}

static void an_uncommitted_record_is_waited_for_while_its_writer_lives(void **state)
{
	uint64_t hole;

	(void)state;
	hole = writer_reserve(&slot->ring, 512);
	push(2);
	assert_int_equal(next_number(0, 1), -1);
	((struct record_head *)(slot->ring.data + hole))->size = 512;
	((struct record_head *)(slot->ring.data + hole))->type = RECORD_FILLER;
	writer_commit(&slot->ring, hole);
	assert_int_equal(next_number(0, 2), 2);
	assert_int_equal(reader.holes, 0);
}

static void a_dead_writers_hole_is_skipped_and_counted(void **state)
{
	(void)state;
	push(1);
	writer_reserve(&slot->ring, 512);
	push(2);
	writer_reserve(&slot->ring, 1024);
	assert_int_equal(next_number(1, 1), 1);
	assert_int_equal(next_number(1, 1), 2);
	assert_int_equal(next_number(1, 1), -1);
	assert_int_equal(reader.holes, 2);
	assert_int_equal(ring_pending(&reader), 0);
}

static void a_stuck_thread_is_left_behind_when_others_go_on(void **state)
{
	(void)state;
	writer_reserve(&slot->ring, 512);
	assert_int_equal(next_number(0, 1), -1);
	/* Nobody else wrote: a stopped process, which may come back. */
	assert_int_equal(next_number(0, 1 + 2 * RING_STUCK_NS), -1);
	push(2);
	assert_int_equal(next_number(0, 2 + 2 * RING_STUCK_NS), 2);
	assert_int_equal(reader.holes, 1);
}

static void commit_words_of_an_earlier_lap_are_not_believed(void **state)
{
	struct writer_span span;

	(void)state;
	writer_sample(&span, 1);
	while (writer_push(slot, &span) == 0)
		;
	while (next_number(0, 1) >= 0)
		;
	ring_release(&reader, reader.cursor);
	while (atomic_load(&slot->ring.head) % RING_BYTES != 0)
		writer_reserve(&slot->ring, RING_ALIGN);
	writer_reserve(&slot->ring, 512);
	assert_int_equal(next_number(1, 1), -1);
	assert_int_equal(ring_pending(&reader), 0);
}

static void a_head_that_cannot_be_true_is_given_up(void **state)
{
	static const uint64_t heads[] = {63, 1, RING_BYTES * 2ull, UINT64_MAX, 1ull << 63};

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		uint64_t damaged = reader.damaged;

		atomic_store(&slot->ring.head, heads[i]);
		assert_int_equal(next_number(0, 1), -1);
		assert_int_equal(reader.damaged, damaged + 1);
		assert_int_equal(ring_pending(&reader), 0);
	}
}

static void sizes_that_leave_the_ring_are_not_followed(void **state)
{
	static const uint32_t sizes[] = {0, 1, 65, UINT32_MAX, RING_BYTES, RING_BYTES + 64};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t damaged = reader.damaged;
		uint64_t position = writer_reserve(&slot->ring, 64);
		struct record_head *record = (void *)(slot->ring.data + position % RING_BYTES);

		record->size = sizes[i];
		record->type = RECORD_SPAN;
		writer_commit(&slot->ring, position);
		assert_int_equal(next_number(0, 1), -1);
		assert_int_equal(reader.damaged, damaged + 1);
		assert_int_equal(ring_pending(&reader), 0);
	}
}

static void the_tail_only_moves_forward_and_never_past_the_cursor(void **state)
{
	(void)state;
	push(1);
	push(2);
	assert_int_equal(next_number(0, 1), 1);
	ring_release(&reader, reader.cursor + 64);
	assert_int_equal(slot->ring.tail, 0);
	ring_release(&reader, reader.cursor);
	assert_int_equal(slot->ring.tail, reader.cursor);
	ring_release(&reader, 0);
	assert_int_equal(slot->ring.tail, reader.cursor);
}

static int is_zero(uint64_t from, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (slot->ring.data[(from + i) % RING_BYTES] != 0)
			return 0;
	return 1;
}

static void a_stack_that_was_wiped_is_passed_over_by_the_next_reader(void **state)
{
	struct stack_record stack = {.size = 4096, .base = 64};
	static uint8_t bytes[4096];
	const void *payload;
	size_t size;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	memset(stack.span_id, 'i', sizeof(stack.span_id));
	assert_int_equal(writer_push_stack(slot, &stack, bytes), 0);
	push(2);
	assert_int_equal(ring_next(&reader, 0, 1, &payload, &size), RING_STACK);
	assert_true(size >= sizeof(stack) + sizeof(bytes));
	assert_memory_equal(payload, &stack, sizeof(stack));
	assert_memory_equal((const uint8_t *)payload + sizeof(stack), bytes, sizeof(bytes));
	ring_wipe(&reader, payload, size);
	assert_true(is_zero(sizeof(struct record_head), size));
	assert_int_equal(next_number(0, 1), 2);
	ring_reader_init(&reader, &slot->ring);
	assert_int_equal(next_number(0, 1), 2);
	assert_int_equal(reader.damaged + reader.holes, 0);
}

static void a_stack_larger_than_any_is_damage(void **state)
{
	const uint32_t too_large = (uint32_t)(RING_STACK_MAX / RING_ALIGN + 2) * RING_ALIGN;
	struct record_head *record;
	const void *payload;
	uint64_t at;
	size_t size;

	(void)state;
	at = writer_reserve(&slot->ring, too_large);
	record = (struct record_head *)(slot->ring.data + at);
	record->size = too_large;
	record->type = RECORD_STACK;
	writer_commit(&slot->ring, at);
	assert_int_equal(ring_next(&reader, 1, 1, &payload, &size), RING_EMPTY);
	assert_int_equal(reader.damaged, 1);
}

/* A stack that was being copied when the process was killed. */
static void what_was_never_committed_is_wiped_even_round_the_end(void **state)
{
	uint64_t at;

	(void)state;
	for (uint64_t i = 0; slot->ring.head < RING_BYTES - 2048; i++) {
		push(i);
		assert_int_equal(next_number(0, 1), i);
	}
	ring_release(&reader, reader.cursor);
	at = writer_reserve(&slot->ring, (uint32_t)(RING_BYTES - slot->ring.head));
	writer_reserve(&slot->ring, 4096);
	for (uint64_t i = at; i < slot->ring.head; i++)
		slot->ring.data[i % RING_BYTES] = 'x';
	assert_int_equal(next_number(1, 1), -1);
	assert_true(reader.holes > 0);
	assert_int_equal(reader.cursor, slot->ring.head);
	assert_true(is_zero(at, slot->ring.head - at));
}

static void more_than_half_a_ring_is_not_held_back(void **state)
{
	(void)state;
	for (uint64_t i = 0; reader.cursor < RING_BYTES / 2 + 4096; i++) {
		push(i);
		assert_int_equal(next_number(0, 1), i);
		if (reader.cursor <= RING_BYTES / 2) {
			ring_release_excess(&reader);
			assert_int_equal(slot->ring.tail, 0);
		}
	}
	ring_release_excess(&reader);
	assert_true(slot->ring.tail >= RING_BYTES / 8);
	assert_true(slot->ring.tail < reader.cursor);
	/* It stands on a record, so that another exporter can begin there. */
	ring_reader_init(&reader, &slot->ring);
	assert_true(next_number(0, 1) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define RING_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		RING_TEST(spans_come_in_order_over_many_laps),
		RING_TEST(a_full_ring_refuses_and_counts),
		RING_TEST(a_new_reader_begins_at_the_tail),
		RING_TEST(an_uncommitted_record_is_waited_for_while_its_writer_lives),
		RING_TEST(a_dead_writers_hole_is_skipped_and_counted),
		RING_TEST(a_stuck_thread_is_left_behind_when_others_go_on),
		RING_TEST(commit_words_of_an_earlier_lap_are_not_believed),
		RING_TEST(a_head_that_cannot_be_true_is_given_up),
		RING_TEST(sizes_that_leave_the_ring_are_not_followed),
		RING_TEST(the_tail_only_moves_forward_and_never_past_the_cursor),
		RING_TEST(a_stack_that_was_wiped_is_passed_over_by_the_next_reader),
		RING_TEST(a_stack_larger_than_any_is_damage),
		RING_TEST(what_was_never_committed_is_wiped_even_round_the_end),
		RING_TEST(more_than_half_a_ring_is_not_held_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
