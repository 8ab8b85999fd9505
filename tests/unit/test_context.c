/* test_context.c - which request is this thread working for? */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/shim_test.h"

#define NOINLINE __attribute__((noinline))

static int set_up(void **state)
{
	(void)state;
	thread_self.waits = THREAD_CALLS;
	thread_self.context = 0;
	thread_self.reply_from = 0;
	thread_self.loop_slot = NULL;
	thread_self.loop_call = 0;
	return 0;
}

static uint64_t new_context(void)
{
	struct exchange *exchange = exchange_new(SPAN_SERVER, 1);

	assert_non_null(exchange);
	return exchange_reference(exchange);
}

static void end_context(uint64_t context)
{
	exchange_drop(exchange_of(context));
}

static void a_context_is_current_until_it_ends(void **state)
{
	uint64_t context = new_context();

	(void)state;
	assert_int_equal(context_get(&thread_self), 0);
	context_set(&thread_self, context, SPAN_LINK_CONTEXT, 0);
	assert_int_equal(context_get(&thread_self), context);
	end_context(context);
	assert_int_equal(context_get(&thread_self), 0);
	/* Nor does the next request in the same place revive it. */
	context = new_context();
	assert_int_equal(context_get(&thread_self), 0);
	end_context(context);
}

static void contexts_are_set_to_none(void **state)
{
	uint64_t context = new_context();

	(void)state;
	context_set(&thread_self, context, SPAN_LINK_GUESS_THREAD, 5);
	assert_int_equal(thread_self.link, SPAN_LINK_GUESS_THREAD);
	assert_int_equal(thread_self.reply_from, 5);
	context_set(&thread_self, 0, 0, 0);
	assert_int_equal(context_get(&thread_self), 0);
	end_context(context);
}

static void waiting_clears_whatever_the_kind(void **state)
{
	static const enum thread_waits kinds[] = {THREAD_SELECTS, THREAD_LOOPS};
	uint64_t context = new_context();

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		context_set(&thread_self, context, SPAN_LINK_CONTEXT, 3);
		context_wait(&thread_self, __builtin_frame_address(0), kinds[i]);
		assert_int_equal(context_get(&thread_self), 0);
		assert_int_equal(thread_self.reply_from, 0);
		assert_int_equal(thread_self.waits, kinds[i]);
	}
	/* Once a loop, always a loop. */
	context_wait(&thread_self, __builtin_frame_address(0), THREAD_SELECTS);
	assert_int_equal(thread_self.waits, THREAD_LOOPS);
	end_context(context);
}

static void a_wake_up_clears_only_in_loops(void **state)
{
	uint64_t context = new_context();

	(void)state;
	context_set(&thread_self, context, SPAN_LINK_CONTEXT, 0);
	context_woken(&thread_self);
	assert_int_equal(context_get(&thread_self), context);
	thread_self.waits = THREAD_SELECTS;
	context_woken(&thread_self);
	assert_int_equal(context_get(&thread_self), context);
	thread_self.waits = THREAD_LOOPS;
	context_woken(&thread_self);
	assert_int_equal(context_get(&thread_self), 0);
	end_context(context);
}

/* ---- a loop, as libuv's or nginx's: one function that waits and calls back ------------------- */

static NOINLINE void wait_for_events(void)
{
	context_wait(&thread_self, __builtin_frame_address(0), THREAD_LOOPS);
	__asm__ volatile("" ::: "memory");
}

static uint64_t seen[3];

static NOINLINE uint64_t look(void)
{
	uint64_t context = context_get(&thread_self);

	__asm__ volatile("" ::: "memory");
	return context;
}

static NOINLINE void read_request(uint64_t context)
{
	context_set(&thread_self, context, SPAN_LINK_CONTEXT, 0);
	__asm__ volatile("" ::: "memory");
}

static NOINLINE void on_readable(uint64_t context)
{
	read_request(context);
	seen[0] = look();
	__asm__ volatile("" ::: "memory");
}

static uint8_t seen_link;

static NOINLINE void poll_once(void)
{
	/* The frame that the loop waits in is gone before a handler runs. */
	volatile char deeper[256];

	deeper[0] = 0;
	wait_for_events();
	deeper[1] = deeper[0];
}

static NOINLINE void dispatch_elsewhere(uint64_t context)
{
	poll_once();
	read_request(context);
	seen_link = context_link(&thread_self);
	__asm__ volatile("" ::: "memory");
}

static NOINLINE void dispatch_here(uint64_t context)
{
	wait_for_events();
	read_request(context);
	seen_link = context_link(&thread_self);
	__asm__ volatile("" ::: "memory");
}

static void where_turns_cannot_be_told_apart_a_link_is_a_guess(void **state)
{
	uint64_t context = new_context();

	(void)state;
	dispatch_elsewhere(context);
	assert_int_equal(seen_link, SPAN_LINK_GUESS_READ);
	context_set(&thread_self, context, SPAN_LINK_GUESS_THREAD, 0);
	assert_int_equal(context_link(&thread_self), SPAN_LINK_GUESS_THREAD);
#ifdef __x86_64__
	dispatch_here(context);
	assert_int_equal(seen_link, SPAN_LINK_CONTEXT);
#else
	(void)dispatch_here;
#endif
	end_context(context);
}

static NOINLINE void on_timer(void)
{
	seen[1] = look();
	__asm__ volatile("" ::: "memory");
}

static NOINLINE void one_turn(uint64_t context)
{
	wait_for_events();
	on_readable(context);
	on_timer();
	seen[2] = look();
	__asm__ volatile("" ::: "memory");
}

static void check_turn(void)
{
	uint64_t context = new_context();

	one_turn(context);
	assert_int_equal(seen[0], context);
	assert_int_equal(seen[1], 0);
	assert_int_equal(seen[2], 0);
	end_context(context);
}

static void a_loops_context_holds_while_its_callback_runs_and_no_longer(void **state)
{
	(void)state;
#ifndef __x86_64__
	print_message("the loop's frame is only known on x86-64\n");
	skip();
#endif
	for (int i = 0; i < 3; i++)
		check_turn();
}

static void *turn_on_a_thread(void *failed)
{
	uint64_t context = new_context();

	one_turn(context);
	*(int *)failed = seen[0] != context || seen[1] || seen[2];
	end_context(context);
	return NULL;
}

static void it_is_so_on_every_thread(void **state)
{
	pthread_t thread;
	int failed = -1;

	(void)state;
#ifndef __x86_64__
	print_message("the loop's frame is only known on x86-64\n");
	skip();
#endif
	assert_int_equal(pthread_create(&thread, NULL, turn_on_a_thread, &failed), 0);
	pthread_join(thread, NULL);
	assert_int_equal(failed, 0);
}

/* ---- threads start in their creator's context ------------------------------------------------ */

struct born {
	uint64_t context;
	uint8_t link;
};

static void *note_birth(void *argument)
{
	struct born *born = argument;

	born->context = context_get(&thread_self);
	born->link = thread_self.link;
	return born;
}

static struct born born_from(uint8_t link, uint64_t context)
{
	struct born born = {0};
	pthread_t thread;
	void *result;
	uint32_t birth;

	context_set(&thread_self, context, link, 0);
	birth = threads_birth(&thread_self, note_birth, &born);
	assert_int_not_equal(birth, 0);
	assert_int_equal(pthread_create(&thread, NULL, threads_start, threads_argument(birth)), 0);
	pthread_join(thread, &result);
	assert_ptr_equal(result, &born);
	return born;
}

static void a_thread_is_born_into_its_creators_context(void **state)
{
	uint64_t context = new_context();
	struct born born = born_from(SPAN_LINK_CONTEXT, context);

	(void)state;
	assert_int_equal(born.context, context);
	assert_int_equal(born.link, SPAN_LINK_GUESS_THREAD);
	born = born_from(SPAN_LINK_GUESS_TARGET, context);
	assert_int_equal(born.context, context);
	assert_int_equal(born.link, SPAN_LINK_GUESS_INHERITED);
	end_context(context);
}

static void without_a_context_there_is_nothing_to_hand_on(void **state)
{
	uint64_t context = new_context();
	struct born born = {0};

	(void)state;
	assert_int_equal(threads_birth(&thread_self, note_birth, &born), 0);
	context_set(&thread_self, context, SPAN_LINK_CONTEXT, 0);
	end_context(context);
	assert_int_equal(threads_birth(&thread_self, note_birth, &born), 0);
}

static void births_that_failed_are_given_back(void **state)
{
	uint64_t context = new_context();

	(void)state;
	context_set(&thread_self, context, SPAN_LINK_CONTEXT, 0);
	for (int i = 0; i < 5000; i++) {
		uint32_t birth = threads_birth(&thread_self, note_birth, NULL);

		assert_int_not_equal(birth, 0);
		threads_unborn(birth);
	}
	end_context(context);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define CONTEXT_TEST(name) cmocka_unit_test_setup(name, set_up)
		CONTEXT_TEST(a_context_is_current_until_it_ends),
		CONTEXT_TEST(contexts_are_set_to_none),
		CONTEXT_TEST(waiting_clears_whatever_the_kind),
		CONTEXT_TEST(a_wake_up_clears_only_in_loops),
		CONTEXT_TEST(a_loops_context_holds_while_its_callback_runs_and_no_longer),
		CONTEXT_TEST(where_turns_cannot_be_told_apart_a_link_is_a_guess),
		CONTEXT_TEST(it_is_so_on_every_thread),
		CONTEXT_TEST(a_thread_is_born_into_its_creators_context),
		CONTEXT_TEST(without_a_context_there_is_nothing_to_hand_on),
		CONTEXT_TEST(births_that_failed_are_given_back),
	};

	(void)argc;
	shim_attach(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
