/* test_ring_writer.c - the writers' side of a process's ring: many threads, laps, a full ring. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "preload/ring.h"
#include "tests/unit/shim_test.h"

#define WRITERS 4
#define SPANS   30000

static struct slot *slot;
static _Atomic int running;
static pthread_barrier_t half;

/* Number `number` of a writer: everything in it follows from the two. */
static void make(struct told *to, uint32_t writer, uint32_t number)
{
	memset(&to->span, 0, sizeof(to->span));
	to->span.thread_id = writer;
	to->span.start_ns = number;
	to->span.end_ns = ~(uint64_t)number;
	to->span.fields_size = (uint16_t)((number * 37 + writer * 11) % SPAN_FIELDS_MAX);
	memset(to->fields, (int)(number + writer), to->span.fields_size);
}

static void push(uint32_t writer, uint32_t number)
{
	struct told told;

	make(&told, writer, number);
	ring_push_span(&told.span, told.fields, told.span.fields_size);
}

/* The first half waits for the reader every 64 spans, the second runs into a full ring. */
static void *write_spans(void *argument)
{
	for (uint32_t i = 0; i < SPANS; i++) {
		if (i == SPANS / 2)
			pthread_barrier_wait(&half);
		while (i < SPANS / 2 && i % 64 == 0 &&
		       slot->ring.head - slot->ring.tail > RING_BYTES / 2)
			sched_yield();
		push((uint32_t)(uintptr_t)argument, i);
	}
	running--;
	return NULL;
}

static void check(const struct told *told, int64_t last[WRITERS + 1])
{
	struct told expected;
	uint32_t writer = told->span.thread_id;

	assert_in_range(writer, 1, WRITERS);
	make(&expected, writer, (uint32_t)told->span.start_ns);
	assert_memory_equal(&told->span, &expected.span, sizeof(expected.span));
	assert_memory_equal(told->fields, expected.fields, expected.span.fields_size);
	/* Each thread's are in order, each at most once. */
	assert_true((int64_t)told->span.start_ns > last[writer]);
	last[writer] = (int64_t)told->span.start_ns;
}

static void no_span_of_four_writers_is_lost_or_torn_beyond_the_counted(void **state)
{
	pthread_t threads[WRITERS];
	int64_t last[WRITERS + 1] = {-1, -1, -1, -1, -1};
	struct told told;
	uint64_t read = 0;

	(void)state;
	running = WRITERS;
	pthread_barrier_init(&half, NULL, WRITERS);
	for (uintptr_t i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_spans, (void *)(i + 1)),
				 0);
	while (atomic_load(&running) || slot->ring.tail != slot->ring.head) {
		if (!shim_next(slot, &told)) {
			sched_yield();
			continue;
		}
		check(&told, last);
		read++;
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(read, slot->counters.spans);
	assert_int_equal(read + slot->counters.dropped[DROP_RING_FULL], WRITERS * SPANS);
	/* It went round several times, with a filler wherever a record would have been cut. */
	assert_true(slot->ring.head > 10ull * RING_BYTES);
}

static void a_full_ring_refuses_and_counts(void **state)
{
	uint64_t before = slot->counters.dropped[DROP_RING_FULL];
	uint64_t spans = slot->counters.spans;
	uint32_t pushed = 0;
	struct told told;

	(void)state;
	while (slot->counters.dropped[DROP_RING_FULL] == before)
		push(1, pushed++);
	assert_true(slot->ring.head - slot->ring.tail <= RING_BYTES);
	assert_true(slot->ring.head - slot->ring.tail > RING_BYTES - 2 * SPAN_BYTES - RING_ALIGN);
	assert_int_equal(slot->counters.spans - spans, pushed - 1);
	/* Nothing of what is there was written over. */
	for (uint32_t i = 0; i < pushed - 1; i++) {
		assert_int_equal(shim_next(slot, &told), 1);
		assert_int_equal(told.span.start_ns, i);
	}
	assert_int_equal(shim_next(slot, &told), 0);
	push(2, 5);
	assert_int_equal(shim_next(slot, &told), 1);
	assert_int_equal(told.span.thread_id, 2);
}

static void no_record_crosses_the_end(void **state)
{
	struct told told;
	uint32_t fillers = 0;

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		uint64_t at = slot->ring.head;
		const struct record_head *record = (void *)(slot->ring.data + at % RING_BYTES);

		push(3, i);
		assert_int_equal(atomic_load(&record->commit), at + 1);
		assert_int_equal(record->size % RING_ALIGN, 0);
		assert_true(at % RING_BYTES + record->size <= RING_BYTES);
		fillers += record->type == RECORD_FILLER;
		assert_int_equal(shim_next(slot, &told), 1);
		assert_int_equal(told.span.start_ns, i);
	}
	assert_in_range(fillers, 1, slot->ring.head / RING_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_span_of_four_writers_is_lost_or_torn_beyond_the_counted),
		cmocka_unit_test(a_full_ring_refuses_and_counts),
		cmocka_unit_test(no_record_crosses_the_end),
	};

	slot = shim_attach(__builtin_frame_address(0));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
