/* test_pool.c - fixed-size objects: ceiling, order of reuse, many threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "preload/pool.h"

#define THREADS 4
#define ROUNDS  100000
#define OBJECTS 13

static void every_index_comes_once_and_then_none(void **state)
{
	struct pool pool = {0};
	uint8_t seen[65] = {0};

	(void)state;
	assert_int_equal(pool_init(&pool, 24, 64), 0);
	for (int i = 0; i < 64; i++) {
		uint32_t index = pool_get(&pool);

		assert_in_range(index, 1, 64);
		assert_int_equal(seen[index]++, 0);
		memset(pool_at(&pool, index), 0xff, 24);
	}
	assert_int_equal(pool_get(&pool), 0);
	assert_int_equal(pool_get(&pool), 0);
	pool_put(&pool, 17);
	assert_int_equal(pool_get(&pool), 17);
	assert_int_equal(pool_get(&pool), 0);
}

static void the_last_one_put_back_is_reused_first(void **state)
{
	struct pool pool = {0};

	(void)state;
	assert_int_equal(pool_init(&pool, 8, 10), 0);
	for (int i = 0; i < 5; i++)
		pool_get(&pool);
	pool_put(&pool, 2);
	pool_put(&pool, 5);
	pool_put(&pool, 1);
	assert_int_equal(pool_get(&pool), 1);
	assert_int_equal(pool_get(&pool), 5);
	assert_int_equal(pool_get(&pool), 2);
	/* Only now a page that was never touched. */
	assert_int_equal(pool_get(&pool), 6);
}

static void a_pool_without_memory_gives_nothing(void **state)
{
	struct pool pool = {0};

	(void)state;
	assert_int_equal(pool_get(&pool), 0);
	assert_true(pool_init(&pool, 1u << 31, UINT32_MAX) < 0);
	assert_int_equal(pool_get(&pool), 0);
}

static struct pool shared;
static _Atomic uint32_t owners[OBJECTS + 1];
static _Atomic uint32_t taken_twice, refused;

static void take(uint32_t *held, uint32_t self)
{
	*held = pool_get(&shared);
	if (!*held)
		refused++;
	else if (atomic_exchange(&owners[*held], self))
		taken_twice++;
}

static void put_back(uint32_t *held, uint32_t self)
{
	if (*held && atomic_exchange(&owners[*held], 0) != self)
		taken_twice++;
	if (*held)
		pool_put(&shared, *held);
	*held = 0;
}

static void *get_and_put(void *argument)
{
	uint32_t self = (uint32_t)(uintptr_t)argument;
	uint32_t held[4] = {0};

	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t at = (i * 7 + self) % 4;

		if (held[at])
			put_back(&held[at], self);
		else
			take(&held[at], self);
	}
	for (size_t i = 0; i < 4; i++)
		put_back(&held[i], self);
	return NULL;
}

static void threads_never_hold_the_same_index(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	assert_int_equal(pool_init(&shared, 16, OBJECTS), 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, get_and_put, (void *)(i + 1)),
				 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(taken_twice, 0);
	/* None was lost on the way. */
	for (int i = 0; i < OBJECTS; i++)
		assert_int_not_equal(pool_get(&shared), 0);
	assert_int_equal(pool_get(&shared), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_index_comes_once_and_then_none),
		cmocka_unit_test(the_last_one_put_back_is_reused_first),
		cmocka_unit_test(a_pool_without_memory_gives_nothing),
		cmocka_unit_test(threads_never_hold_the_same_index),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
