/* test_metrics_delta.c - metrics that tell what is new, and exponential histograms. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "exporter/log.h"
#include "tests/unit/metrics_told.h"

static const struct metric_definition size = {
	.name = "test.size",
	.unit = "By",
	.kind = METRIC_HISTOGRAM,
	.is_exponential = 1,
};

static void delta_tells_what_is_new_and_pull_stays_cumulative(void **state)
{
	struct metrics *metrics = with((struct metrics_options){.temporality = TEMPORALITY_DELTA});
	struct series *series =
		metric_series(metric_define(metrics, &told_duration), NULL, NULL, 0);
	struct series *sum = metric_series(metric_define(metrics, &told_counter), NULL, NULL, 0);
	struct series *open = metric_series(metric_define(metrics, &told_level), NULL, NULL, 0);
	uint64_t first;

	(void)state;
	series_record(series, 5, NULL);
	series_add(sum, 3);
	series_set(open, 4);
	collect(metrics, READER_PUSH);
	assert_int_equal(told.count, 3);
	first = told.at[0].time_unix_ns;
	series_record(series, 0.5, NULL);
	series_record(series, 0.6, NULL);
	series_set(open, 4);
	collect(metrics, READER_PUSH);
	assert_int_equal(told.count, 2);
	assert_true(told.at[0].is_delta);
	assert_int_equal(told.at[0].start_unix_ns, first);
	assert_int_equal(told.at[0].count, 2);
	assert_int_equal(told.buckets[0][1], 2);
	assert_int_equal(told.buckets[0][2], 0);
	assert_true(told.at[0].max == 0.6);
	assert_true(fabs(told.at[0].sum - 1.1) < 1e-9);
	assert_false(told.at[1].is_delta);
	assert_true(told.at[1].value == 4);
	collect(metrics, READER_PULL);
	assert_int_equal(told.count, 3);
	assert_int_equal(told.at[0].count, 3);
	assert_false(told.at[0].is_delta);
	metrics_free(metrics);
}

static void low_memory_keeps_what_is_observed_cumulative(void **state)
{
	struct metrics *metrics =
		with((struct metrics_options){.temporality = TEMPORALITY_LOW_MEMORY});
	struct metric_definition observed = told_counter;

	(void)state;
	observed.name = "test.observed";
	observed.is_observed = 1;
	series_add(metric_series(metric_define(metrics, &told_counter), NULL, NULL, 0), 1);
	series_set(metric_series(metric_define(metrics, &observed), NULL, NULL, 0), 1);
	collect(metrics, READER_PUSH);
	assert_int_equal(told.count, 2);
	assert_true(told.at[0].is_delta);
	assert_false(told.at[1].is_delta);
	metrics_free(metrics);
}

static void delta_of_an_exponential_histogram_survives_a_change_of_scale(void **state)
{
	struct metrics *metrics = with((struct metrics_options){.temporality = TEMPORALITY_DELTA});
	struct series *series = metric_series(metric_define(metrics, &size), NULL, NULL, 0);
	uint64_t total = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		series_record(series, 1 + i * 1e-6, NULL);
	collect(metrics, READER_PUSH);
	series_record(series, 1e9, NULL);
	series_record(series, 1e-9, NULL);
	series_record(series, 0, NULL);
	collect(metrics, READER_PUSH);
	assert_int_equal(told.at[0].count, 3);
	assert_int_equal(told.exponential[0].zero_count, 1);
	for (uint32_t i = 0; i < told.exponential[0].size; i++)
		total += told.exponential[0].counts[i];
	assert_int_equal(total, 2);
	metrics_free(metrics);
}

static void kernels_histograms_are_merged_exactly(void **state)
{
	struct metrics *metrics = with((struct metrics_options){0});
	struct series *series = metric_series(metric_define(metrics, &size), NULL, NULL, 0);
	static const uint64_t counts[] = {0, 3, 0, 5};

	(void)state;
	series_merge_log2(series, counts, 4, 8, 600);
	collect(metrics, READER_PULL);
	assert_int_equal(told.at[0].count, 8);
	assert_int_equal(told.exponential[0].scale, 0);
	assert_int_equal(told.exponential[0].offset, 4);
	assert_int_equal(told.exponential[0].counts[0], 3);
	assert_int_equal(told.exponential[0].counts[2], 5);
	assert_true(told.at[0].sum == 600);
	assert_false(told.at[0].has_range);
	metrics_free(metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delta_tells_what_is_new_and_pull_stays_cumulative),
		cmocka_unit_test(low_memory_keeps_what_is_observed_cumulative),
		cmocka_unit_test(delta_of_an_exponential_histogram_survives_a_change_of_scale),
		cmocka_unit_test(kernels_histograms_are_merged_exactly),
	};

	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
