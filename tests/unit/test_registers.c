/* test_registers.c - a stack is walked from what registers_note noted, after the registers moved
 * on. */
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ucontext.h>

#include <cmocka.h>

#include "preload/registers.h"

#define DEPTH   5
#define LARGEST 16

#define APART __attribute__((noipa))

static uint64_t noted[8];
static void *returns[LARGEST]; /* where each function goes back to, outermost first */
static int count;
static uint64_t walked[LARGEST];
static int walked_count;

/* What was noted is all that the walk may use: the frames below are still there. */
static void walk(void)
{
	static const int place[8] = {REG_RIP, REG_RSP, REG_RBP, REG_RBX,
				     REG_R12, REG_R13, REG_R14, REG_R15};
	unw_context_t context;
	unw_cursor_t cursor;

	memset(&context, 0, sizeof(context));
	for (int i = 0; i < 8; i++)
		context.uc_mcontext.gregs[place[i]] = (greg_t)noted[i];
	assert_int_equal(unw_init_local(&cursor, &context), 0);
	for (walked_count = 0; walked_count < LARGEST; walked_count++) {
		unw_word_t address;

		if (unw_step(&cursor) <= 0)
			return;
		unw_get_reg(&cursor, UNW_REG_IP, &address);
		walked[walked_count] = address;
	}
}

/* The real call: takes every register that a function may take, and stack of its own. */
static APART int waits(int value)
{
	volatile uint64_t scratch[64];

	for (int i = 0; i < 64; i++)
		scratch[i] = 0x6161616161616161u;
	__asm__ volatile("xorl %%ebx, %%ebx\n\txorl %%r12d, %%r12d\n\txorl %%r13d, %%r13d\n\t"
			 "xorl %%r14d, %%r14d\n\txorl %%r15d, %%r15d"
			 :
			 :
			 : "rbx", "r12", "r13", "r14", "r15");
	walk();
	return value + (int)scratch[value & 63];
}

static APART int hook(int value)
{
	int result;

	returns[count++] = __builtin_return_address(0);
	assert_int_equal(registers_note(noted), 1);
	result = waits(value);
	noted[0] = 0;
	return result;
}

/* Keeps six values over the call: every register that is kept for a caller is in use. */
static APART int busy(int a, int b, int c, int d, int e, int f)
{
	returns[count++] = __builtin_return_address(0);
	return hook(a + b) + a * b + c * d + e * f + (a ^ f) + (b ^ e) + (c ^ d);
}

/* Its frame is found by rbp alone, for its size is known at run time only. */
static APART int measured(int size)
{
	char *room = __builtin_alloca((size_t)size);

	returns[count++] = __builtin_return_address(0);
	memset(room, size, (size_t)size);
	return busy(size, 1, 2, 3, 4, 5) + room[size - 1];
}

/* Saves what its caller kept, and loses it. */
static APART int scrambled(int value)
{
	int result;

	returns[count++] = __builtin_return_address(0);
	result = measured(value);
	__asm__ volatile("" : "+r"(result) : : "rbx", "r12", "r13", "r14", "r15");
	return result;
}

static APART int outermost(int value)
{
	returns[count++] = __builtin_return_address(0);
	return scrambled(value) + 1;
}

static void the_walk_finds_every_caller(void **state)
{
	(void)state;
	count = 0;
	outermost(100);
	assert_int_equal(count, DEPTH);
	assert_true(walked_count >= DEPTH);
	/* The functions noted their returns from the outside in, the walk goes inside out. */
	for (int i = 0; i < DEPTH; i++)
		assert_ptr_equal((void *)walked[i], returns[DEPTH - 1 - i]);
}

static void the_program_counter_is_in_the_function_itself(void **state)
{
	uint64_t here[8] = {0};

	(void)state;
	assert_int_equal(registers_note(here), 1);
	assert_true(here[0] > (uint64_t)the_program_counter_is_in_the_function_itself);
	assert_true(here[0] - (uint64_t)the_program_counter_is_in_the_function_itself < 256);
	assert_true((uint64_t)here >= here[1]);
	assert_true((uint64_t)here - here[1] < 512);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_walk_finds_every_caller),
		cmocka_unit_test(the_program_counter_is_in_the_function_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
