/* test_arena.c - memory of one batch: pieces apart, the end given back, and used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/batch.h"

#define PIECES 3000

static void pieces_lie_apart_and_keep_what_is_written(void **state)
{
	static unsigned char *pieces[PIECES];
	struct arena arena;

	(void)state;
	arena_init(&arena);
	for (size_t i = 0; i < PIECES; i++) {
		pieces[i] = arena_take(&arena, i % 700 + 1);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % 16, 0);
		memset(pieces[i], (int)(i % 251), i % 700 + 1);
	}
	for (size_t i = 0; i < PIECES; i++)
		for (size_t at = 0; at < i % 700 + 1; at++)
			assert_int_equal(pieces[i][at], i % 251);
	arena_free(&arena);
}

static void the_end_that_was_cut_off_is_taken_next(void **state)
{
	struct arena arena;
	char *piece;

	(void)state;
	arena_init(&arena);
	piece = arena_take(&arena, 1000);
	assert_non_null(piece);
	arena_cut(&arena, piece + 10);
	assert_int_equal(arena.used_bytes, 10);
	assert_ptr_equal(arena_bytes(&arena, 5), piece + 10);
	arena_free(&arena);
}

static void a_piece_larger_than_any_block_has_its_room(void **state)
{
	struct arena arena;
	char *piece;

	(void)state;
	arena_init(&arena);
	assert_non_null(arena_take(&arena, 1));
	piece = arena_take(&arena, 5u << 20);
	assert_non_null(piece);
	memset(piece, 1, 5u << 20);
	arena_free(&arena);
}

/* What a batch needed once, it does not ask for again. */
static void a_second_use_finds_the_memory_of_the_first(void **state)
{
	struct arena arena;
	struct arena_block *block;

	(void)state;
	arena_init(&arena);
	for (int i = 0; i < 700; i++)
		assert_non_null(arena_take(&arena, 1024));
	arena_reset(&arena);
	for (int i = 0; i < 400; i++)
		assert_non_null(arena_take(&arena, 1024));
	arena_reset(&arena);
	block = arena.blocks;
	for (int i = 0; i < 400; i++)
		assert_non_null(arena_take(&arena, 1024));
	assert_ptr_equal(arena.blocks, block);
	arena_free(&arena);
}

static void a_batch_that_is_reset_is_as_new(void **state)
{
	static const struct slot_identity identity = {.pid = 1};
	struct resource *resource = resource_new(&identity);
	struct batch *batch = batch_new(4);

	(void)state;
	assert_non_null(resource);
	assert_non_null(batch);
	for (int round = 0; round < 2; round++) {
		batch_mark(batch, 3, 1, 64, resource);
		assert_int_equal(batch->mark_count, 1);
		batch->count = 2;
		batch->waiting_for = 1;
		batch->opened_ns = 5;
		batch->next = batch;
		batch_reset(batch);
		assert_int_equal(batch->mark_count, 0);
		assert_int_equal(batch->count, 0);
		assert_int_equal(batch->waiting_for, 0);
		assert_int_equal(batch->opened_ns, 0);
		assert_null(batch->next);
		assert_int_equal(batch->capacity, 4);
		/* The marks gave their references back. */
		assert_int_equal(resource->references, 1);
	}
	batch_free(batch);
	resource_put(resource);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_lie_apart_and_keep_what_is_written),
		cmocka_unit_test(the_end_that_was_cut_off_is_taken_next),
		cmocka_unit_test(a_piece_larger_than_any_block_has_its_room),
		cmocka_unit_test(a_second_use_finds_the_memory_of_the_first),
		cmocka_unit_test(a_batch_that_is_reset_is_as_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
