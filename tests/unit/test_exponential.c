/* test_exponential.c - properties of exponential histograms. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include "exporter/exponential.h"

static uint64_t total(const struct exponential *histogram)
{
	uint64_t count = histogram->zero_count;

	for (uint32_t i = 0; i < EXPONENTIAL_BUCKETS; i++) {
		if (i >= histogram->size)
			assert_int_equal(histogram->counts[i], 0);
		count += histogram->counts[i];
	}
	return count;
}

static void powers_of_two_are_upper_bounds(void **state)
{
	(void)state;
	assert_int_equal(exponential_index(1, 0), -1);
	assert_int_equal(exponential_index(1.0000001, 0), 0);
	assert_int_equal(exponential_index(2, 0), 0);
	assert_int_equal(exponential_index(2, 1), 1);
	assert_int_equal(exponential_index(4, 0), 1);
	assert_int_equal(exponential_index(4.1, 0), 2);
	assert_int_equal(exponential_index(0.5, 0), -2);
	assert_int_equal(exponential_index(1024, -1), 4);
	assert_int_equal(exponential_index(1, -4), -1);
	assert_int_equal(exponential_index(1, 20), -1);
	assert_int_equal(exponential_index(2, 20), (1 << 20) - 1);
	assert_int_equal(exponential_index(5e-324, 0), -1075);
	assert_int_equal(exponential_index(1.7976931348623157e308, 0), 1023);
}

/* The bounds of an index, with room for what pow() rounds. */
static void a_value_lies_within_its_bucket(void **state)
{
	(void)state;
	srand48(7);
	for (int i = 0; i < 200000; i++) {
		double value = ldexp(drand48() + 1e-9, (int)(drand48() * 80) - 40);
		int32_t scale = (int32_t)(drand48() * 12) - 4;
		int32_t index = exponential_index(value, scale);
		double base = ldexp(1, -scale);

		assert_true(exp2(index * base) <= value * (1 + 1e-12));
		assert_true(exp2((index + 1) * base) >= value * (1 - 1e-12));
	}
}

static void a_coarser_index_is_the_finer_one_halved(void **state)
{
	(void)state;
	srand48(8);
	for (int i = 0; i < 100000; i++) {
		double value = ldexp(drand48() + 1e-9, (int)(drand48() * 60) - 30);

		for (int32_t scale = 10; scale > -5; scale--)
			assert_int_equal(exponential_index(value, scale - 1),
					 exponential_index(value, scale) >> 1);
	}
}

static void one_value_keeps_the_finest_scale(void **state)
{
	struct exponential histogram;

	(void)state;
	exponential_init(&histogram);
	for (int i = 0; i < 1000; i++)
		exponential_add(&histogram, 0.123);
	assert_int_equal(histogram.scale, EXPONENTIAL_SCALE_MAX);
	assert_int_equal(histogram.size, 1);
	assert_int_equal(histogram.counts[0], 1000);
}

static void no_value_is_lost_whatever_their_order(void **state)
{
	(void)state;
	srand48(9);
	for (int round = 0; round < 300; round++) {
		int spread = 1 + round % 300 * 6;
		struct exponential histogram, again;
		double values[200];

		exponential_init(&histogram);
		for (int i = 0; i < 200; i++) {
			values[i] = ldexp(1 + drand48(), (int)(drand48() * spread) - spread / 2);
			exponential_add(&histogram, values[i]);
		}
		assert_int_equal(total(&histogram), 200);
		assert_true(histogram.size <= EXPONENTIAL_BUCKETS);
		/* The same values once more, into an empty one of that scale: the same counts. */
		exponential_init(&again);
		again.scale = histogram.scale;
		for (int i = 200; i-- > 0;)
			exponential_add(&again, values[i]);
		assert_int_equal(again.scale, histogram.scale);
		assert_int_equal(again.offset, histogram.offset);
		assert_memory_equal(again.counts, histogram.counts, sizeof(again.counts));
	}
}

static void the_scale_is_as_fine_as_it_can_be(void **state)
{
	struct exponential histogram;

	(void)state;
	exponential_init(&histogram);
	exponential_add(&histogram, 1.5);
	exponential_add(&histogram, 1000);
	assert_true(exponential_index(1000, histogram.scale) -
			    exponential_index(1.5, histogram.scale) <
		    EXPONENTIAL_BUCKETS);
	assert_true(exponential_index(1000, histogram.scale + 1) -
			    exponential_index(1.5, histogram.scale + 1) >=
		    EXPONENTIAL_BUCKETS);
}

static void the_whole_range_of_doubles_fits(void **state)
{
	struct exponential histogram;

	(void)state;
	exponential_init(&histogram);
	exponential_add(&histogram, 5e-324);
	exponential_add(&histogram, 1.7976931348623157e308);
	exponential_add(&histogram, 1);
	exponential_add(&histogram, 0);
	assert_int_equal(total(&histogram), 4);
	assert_int_equal(histogram.zero_count, 1);
	assert_int_equal(histogram.scale, -4);
}

static void a_former_state_can_be_taken_away(void **state)
{
	(void)state;
	srand48(10);
	for (int round = 0; round < 200; round++) {
		struct exponential histogram, earlier;

		exponential_init(&histogram);
		for (int i = 0; i < 50; i++)
			exponential_add(&histogram, 1 + drand48() * round);
		earlier = histogram;
		for (int i = 0; i < 30; i++)
			exponential_add(&histogram, drand48() * 1e6 * round);
		exponential_subtract(&histogram, &earlier);
		assert_int_equal(total(&histogram), 30);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(powers_of_two_are_upper_bounds),
		cmocka_unit_test(a_value_lies_within_its_bucket),
		cmocka_unit_test(a_coarser_index_is_the_finer_one_halved),
		cmocka_unit_test(one_value_keeps_the_finest_scale),
		cmocka_unit_test(no_value_is_lost_whatever_their_order),
		cmocka_unit_test(the_scale_is_as_fine_as_it_can_be),
		cmocka_unit_test(the_whole_range_of_doubles_fits),
		cmocka_unit_test(a_former_state_can_be_taken_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
