/* test_pgconn.c - what is kept of libpq's connections: found by address, queued, forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "preload/pgconn.h"
#include "preload/statements.h"
#include "tests/unit/shim_test.h"

static struct slot *slot;
static const struct libpq library;

/* The address of a connection is only compared. */
static const struct pg_conn *conn_number(uintptr_t n)
{
	return (const struct pg_conn *)(n * 64 + 4096);
}

static struct exchange *sent(struct pgconn *state)
{
	struct exchange *exchange = exchange_new(SPAN_CLIENT, 1);

	assert_non_null(exchange);
	exchange_span(exchange)->protocol = SPAN_POSTGRESQL;
	pgconn_push(state, exchange);
	return exchange;
}

static void a_connection_is_found_by_its_address_until_it_is_forgotten(void **state)
{
	struct pgconn *one;

	(void)state;
	assert_null(pgconn_find(conn_number(1)));
	assert_null(pgconn_find(NULL));
	one = pgconn_new(conn_number(1), &library);
	assert_non_null(one);
	pgconn_unlock(one);
	assert_ptr_equal(pgconn_find(conn_number(1)), one);
	pgconn_unlock(one);
	assert_ptr_equal(pgconn_libpq(conn_number(1)), &library);
	assert_null(pgconn_find(conn_number(2)));
	pgconn_forget(conn_number(1));
	assert_null(pgconn_find(conn_number(1)));
}

static void one_that_is_locked_is_not_to_be_had(void **state)
{
	struct pgconn *one = pgconn_new(conn_number(1), &library);

	(void)state;
	assert_null(pgconn_find(conn_number(1)));
	assert_null(pgconn_new(conn_number(1), &library));
	pgconn_unlock(one);
	pgconn_forget(conn_number(1));
}

/* The end of the older one was missed. */
static void a_new_connection_at_an_old_address_is_fresh(void **state)
{
	struct pgconn *one = pgconn_new(conn_number(1), &library);
	uint64_t owner = one->owner;
	struct told told;

	(void)state;
	sent(one);
	pgconn_unlock(one);
	one = pgconn_new(conn_number(1), &library);
	assert_null(pgconn_first(one));
	assert_int_not_equal(one->owner, owner);
	pgconn_unlock(one);
	assert_int_equal(shim_next(slot, &told), 1);
	assert_int_equal(told.span.failure, FAILURE_CLOSED);
	pgconn_forget(conn_number(1));
}

static void what_was_sent_ends_in_its_order(void **state)
{
	struct pgconn *one = pgconn_new(conn_number(1), &library);
	struct exchange *exchange[4];
	struct told told;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		exchange[i] = sent(one);
		exchange_span(exchange[i])->rows = i;
	}
	pgconn_end_first(one, 9);
	pgconn_end_before(one, exchange[2]);
	assert_ptr_equal(pgconn_first(one), exchange[2]);
	pgconn_take(one, exchange[3]);
	exchange_end(exchange[3], 9);
	assert_ptr_equal(pgconn_first(one), exchange[2]);
	pgconn_take(one, exchange[2]);
	exchange_end(exchange[2], 9);
	assert_null(pgconn_first(one));
	assert_int_equal(one->last, 0);
	for (uint32_t i = 0; i < 4; i++) {
		static const uint64_t order[] = {0, 1, 3, 2};

		assert_int_equal(shim_next(slot, &told), 1);
		assert_int_equal(told.span.rows, order[i]);
	}
	pgconn_unlock(one);
	pgconn_forget(conn_number(1));
}

/* Past the ceiling connections are not tracked; those that are stay so. */
static void the_table_has_a_ceiling(void **state)
{
	uint64_t before = slot->counters.dropped[DROP_CONNECTIONS];
	uintptr_t tracked = 0;
	uintptr_t found = 0;

	(void)state;
	for (uintptr_t n = 1; n <= 20000; n++) {
		struct pgconn *one = pgconn_new(conn_number(n), &library);

		tracked += one != NULL;
		if (one)
			pgconn_unlock(one);
	}
	assert_true(tracked > 4000 && tracked <= 8192);
	assert_int_equal(slot->counters.dropped[DROP_CONNECTIONS] - before, 20000 - tracked);
	for (uintptr_t n = 1; n <= 20000; n++) {
		struct pgconn *one = pgconn_find(conn_number(n));

		found += one != NULL;
		if (one)
			pgconn_unlock(one);
		pgconn_forget(conn_number(n));
	}
	assert_int_equal(found, tracked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_is_found_by_its_address_until_it_is_forgotten),
		cmocka_unit_test(one_that_is_locked_is_not_to_be_had),
		cmocka_unit_test(a_new_connection_at_an_old_address_is_fresh),
		cmocka_unit_test(what_was_sent_ends_in_its_order),
		cmocka_unit_test(the_table_has_a_ceiling),
	};

	slot = shim_attach(__builtin_frame_address(0));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
