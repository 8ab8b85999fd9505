/* test_call_stack.c - which calls leave a snapshot of their stack, and what is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "preload/call_stack.h"
#include "preload/registers.h"
#include "preload/ring.h"
#include "preload/sys.h"
#include "tests/unit/shim_test.h"

#define APART __attribute__((noipa))
#define PAGE  4096

static struct segment_header *header;
static struct slot *slot;
static struct exchange exchange;

/* The next record of the ring if it is a stack; its bytes follow it. */
static const struct stack_record *next_stack(void)
{
	struct record_head *head = NULL;

	do {
		uint64_t tail = slot->ring.tail;

		if (tail == slot->ring.head)
			return NULL;
		head = (void *)(slot->ring.data + tail % RING_BYTES);
		slot->ring.tail = tail + head->size;
	} while (head->type == RECORD_FILLER);
	assert_int_equal(head->type, RECORD_STACK);
	return (const struct stack_record *)(head + 1);
}

/* So many are allowed in a second: each test begins one. */
static void wait_for_a_second(void)
{
	uint64_t second = sys_now_ns() / 1000000000u;

	while (sys_now_ns() / 1000000000u == second)
		usleep(1000);
}

static int set_up(void **state)
{
	(void)state;
	memset(&exchange, 0, sizeof(exchange));
	memcpy(exchange.own.span_id, "span-id", 8);
	exchange.own.flags = 1;
	exchange.epoch = process_epoch;
	atomic_store(&header->control.exporter_pid, 1);
	thread_self.repeat_hash = 0;
	thread_self.repeat_count = 0;
	while (next_stack())
		;
	wait_for_a_second();
	return 0;
}

/* As a hook: it has noted its registers and has not returned. */
static APART int hooked_call(uint64_t registers[8], int failed)
{
	assert_int_equal(registers_note(registers), 1);
	call_stack_take(&thread_self, &exchange, registers, failed);
	__asm__ volatile("" ::: "memory");
	return failed;
}

static const struct stack_record *call(int failed)
{
	uint64_t registers[8];

	hooked_call(registers, failed);
	return next_stack();
}

static void a_failed_call_leaves_its_stack_from_its_registers_on(void **state)
{
	char secret[24] = "what a caller has here.";
	const struct stack_record *stack;
	uint64_t registers[8], offset;

	(void)state;
	__asm__ volatile("" : : "r"(secret) : "memory");
	hooked_call(registers, 1);
	stack = next_stack();
	assert_non_null(stack);
	assert_memory_equal(stack->span_id, "span-id", 8);
	assert_int_equal(stack->thread_id, gettid());
	assert_memory_equal(stack->registers, registers, sizeof(registers));
	assert_int_equal(stack->base, registers[1]);
	assert_in_range(stack->size, 64, STACK_BYTES);
	offset = (uint64_t)(uintptr_t)secret - stack->base;
	assert_in_range(offset, 0, stack->size - sizeof(secret));
	assert_memory_equal((const char *)(stack + 1) + offset, secret, sizeof(secret));
	assert_null(next_stack());
}

static void what_is_not_wanted_leaves_none(void **state)
{
	(void)state;
	assert_null(call(0));
	exchange.own.flags = 0;
	assert_null(call(1));
	exchange.own.flags = 1;
	exchange.epoch++;
	assert_null(call(1));
	exchange.epoch--;
	atomic_store(&header->control.exporter_pid, 0);
	assert_null(call(1));
	atomic_store(&header->control.exporter_pid, 1);
	conf.no_telemetry = 1;
	assert_null(call(1));
	conf.no_telemetry = 0;
	assert_non_null(call(1));
}

static void a_stack_pointer_that_is_not_the_callers_is_not_followed(void **state)
{
	uint64_t here = (uint64_t)(uintptr_t)__builtin_frame_address(0);
	static uint64_t elsewhere[64];
	const uint64_t wrong[] = {0,
				  8,
				  here - 4096,
				  here + 4,
				  here + (16u << 20),
				  UINT64_MAX,
				  UINT64_MAX - 7,
				  (uint64_t)(uintptr_t)elsewhere};
	uint64_t registers[8] = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		registers[1] = wrong[i];
		call_stack_take(&thread_self, &exchange, registers, 1);
		assert_null(next_stack());
	}
	registers[1] = here;
	call_stack_take(&thread_self, &exchange, registers, 1);
	assert_non_null(next_stack());
}

/* A deep stack, of which a page may not be read: `to_page` bytes lie before that. */
static APART uint32_t size_with_a_gap(int gap)
{
	char room[6 * PAGE];
	char *page = room + PAGE - (uintptr_t)room % PAGE;
	const struct stack_record *stack;

	__asm__ volatile("" : : "r"(room) : "memory");
	if (gap)
		assert_int_equal(mprotect(page, PAGE, PROT_NONE), 0);
	stack = call(1);
	if (gap)
		assert_int_equal(mprotect(page, PAGE, PROT_READ | PROT_WRITE), 0);
	assert_non_null(stack);
	if (gap)
		assert_int_equal(stack->base + stack->size, (uintptr_t)page);
	return stack->size;
}

static void it_ends_where_the_bound_is_or_nothing_can_be_read(void **state)
{
	(void)state;
	assert_int_equal(size_with_a_gap(0), STACK_BYTES);
	assert_in_range(size_with_a_gap(1), 8, PAGE + 1024);
}

static void only_so_many_a_second_are_taken(void **state)
{
	uint64_t began = sys_now_ns() / 1000000000u;
	unsigned taken = 0, seconds;

	(void)state;
	for (int i = 0; i < 200; i++)
		taken += call(1) != NULL;
	seconds = (unsigned)(sys_now_ns() / 1000000000u - began) + 1;
	assert_in_range(taken, CALL_STACKS_PER_S, CALL_STACKS_PER_S * seconds);
}

static void a_ring_that_is_half_full_takes_none(void **state)
{
	struct span span = {0};

	(void)state;
	while (slot->ring.head - slot->ring.tail <= RING_BYTES / 2)
		ring_push_span(&span, (const uint8_t *)&span, 0);
	for (uint64_t head = slot->ring.head, i = 0; i < 3; i++) {
		uint64_t registers[8];

		hooked_call(registers, 1);
		assert_int_equal(slot->ring.head, head);
	}
	slot->ring.tail = slot->ring.head;
	assert_non_null(call(1));
}

static int say(const char *text)
{
	exchange.repeated = 0;
	call_stack_count(&thread_self, &exchange, text, strlen(text));
	return exchange.repeated;
}

static void the_tenth_of_a_row_is_the_one_that_leaves_a_stack(void **state)
{
	(void)state;
	for (int row = 0; row < 2; row++) {
		for (int i = 1; i <= 30; i++) {
			assert_int_equal(say("SELECT ?"), i == CALL_STACK_REPEATS);
			assert_int_equal(call(0) != NULL, i == CALL_STACK_REPEATS);
		}
		assert_false(say("SELECT ?, ?"));
	}
}

static void if_the_tenth_cannot_a_later_one_does(void **state)
{
	(void)state;
	atomic_store(&header->control.exporter_pid, 0);
	for (int i = 1; i <= 15; i++) {
		assert_int_equal(say("SELECT ?"), i >= CALL_STACK_REPEATS);
		assert_null(call(0));
	}
	atomic_store(&header->control.exporter_pid, 1);
	assert_true(say("SELECT ?"));
	assert_non_null(call(0));
	assert_false(say("SELECT ?"));
}

static void another_statement_context_or_none_ends_a_row(void **state)
{
	(void)state;
	for (int i = 1; i <= 60; i++) {
		exchange.parent = (uint64_t)i / 8;
		assert_false(say("SELECT ?"));
	}
	exchange.parent = 0;
	for (int i = 1; i <= 60; i++)
		assert_false(say(i % 9 ? "SELECT ?" : "COMMIT"));
	/* Calls without a text are not one another's repeats. */
	for (int i = 1; i <= 60; i++)
		assert_false(say(""));
}

int main(void)
{
#define STACK_TEST(name) cmocka_unit_test_setup(name, set_up)
	const struct CMUnitTest tests[] = {
		STACK_TEST(a_failed_call_leaves_its_stack_from_its_registers_on),
		STACK_TEST(what_is_not_wanted_leaves_none),
		STACK_TEST(a_stack_pointer_that_is_not_the_callers_is_not_followed),
		STACK_TEST(it_ends_where_the_bound_is_or_nothing_can_be_read),
		STACK_TEST(only_so_many_a_second_are_taken),
		STACK_TEST(a_ring_that_is_half_full_takes_none),
		STACK_TEST(the_tenth_of_a_row_is_the_one_that_leaves_a_stack),
		STACK_TEST(if_the_tenth_cannot_a_later_one_does),
		STACK_TEST(another_statement_context_or_none_ends_a_row),
	};
	char path[32];

	header = shim_segment(path, 1);
	shim_start(__builtin_frame_address(0));
	memcpy(conf.session, path, sizeof(path));
	if (!attach_ready())
		return 1;
	unlink(path);
	slot = attach_slot();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
