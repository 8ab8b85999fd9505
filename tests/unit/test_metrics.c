/* test_metrics.c - instruments, series, limits, expiry, exemplars. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

#include "exporter/log.h"
#include "exporter/metrics_collect.h"
#include "tests/unit/metrics_told.h"

static struct attribute text(const char *key, const char *value)
{
	return (struct attribute){
		.key = key,
		.text = {value, (uint32_t)strlen(value)},
		.type = ATTRIBUTE_TEXT,
	};
}

static struct attribute number(const char *key, int64_t value)
{
	return (struct attribute){.key = key, .number = value, .type = ATTRIBUTE_NUMBER};
}

static struct series *series_numbered(struct metric *metric, int64_t value)
{
	struct attribute attribute = number("n", value);

	return metric_series(metric, NULL, &attribute, 1);
}

static void the_order_of_attributes_does_not_matter(void **state)
{
	struct metrics *metrics = with((struct metrics_options){0});
	struct metric *metric = metric_define(metrics, &told_counter);
	struct attribute one[] = {text("a", "1"), text("b", "2"), number("c", 3)};
	struct attribute other[] = {number("c", 3), text("b", "2"), text("a", "1")};
	struct attribute typed[] = {text("c", "3"), text("b", "2"), text("a", "1")};

	(void)state;
	assert_ptr_equal(metric_series(metric, NULL, one, 3),
			 metric_series(metric, NULL, other, 3));
	assert_ptr_not_equal(metric_series(metric, NULL, one, 3),
			     metric_series(metric, NULL, typed, 3));
	assert_ptr_not_equal(metric_series(metric, NULL, one, 3),
			     metric_series(metric, NULL, one, 2));
	assert_ptr_equal(metric_define(metrics, &told_counter), metric);
	metrics_free(metrics);
}

static void thousands_of_series_are_found_again(void **state)
{
	struct metrics *metrics = with((struct metrics_options){0});
	struct metric *metric = metric_define(metrics, &told_counter);

	(void)state;
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < 5000; i++)
			series_add(series_numbered(metric, i), i);
	for (int i = 0; i < 5000; i++) {
		char value[16];
		struct attribute attribute;

		snprintf(value, sizeof(value), "%d", i);
		attribute = text("n", value);
		series_add(metric_series(metric, NULL, &attribute, 1), 1);
	}
	for (int i = 0; i < TOLD_MAX; i++)
		assert_non_null(series_numbered(metric, i));
	metrics_free(metrics);
}

static void a_series_has_its_own_copy_of_the_attributes(void **state)
{
	struct metrics *metrics = with((struct metrics_options){0});
	struct metric *metric = metric_define(metrics, &told_counter);
	char key[] = "key", value[] = "value";
	struct attribute attribute = text(key, value);

	(void)state;
	series_add(metric_series(metric, NULL, &attribute, 1), 1);
	memset(key, 'x', 3);
	memset(value, 'x', 5);
	collect(metrics, READER_PULL);
	assert_int_equal(told.count, 1);
	assert_string_equal(told.at[0].attributes[0].key, "key");
	assert_string_equal(told.at[0].attributes[0].text.at, "value");
	metrics_free(metrics);
}

static void a_value_on_a_bound_is_below_it(void **state)
{
	struct metrics *metrics = with((struct metrics_options){0});
	struct series *series =
		metric_series(metric_define(metrics, &told_duration), NULL, NULL, 0);
	static const double values[] = {0, 0.1, 0.11, 1, 9.5, 10, 10.5, 1000};

	(void)state;
	for (size_t i = 0; i < 8; i++)
		series_record(series, values[i], NULL);
	series_record(series, -1, NULL);
	series_record(series, NAN, NULL);
	series_record(series, INFINITY, NULL);
	collect(metrics, READER_PULL);
	assert_int_equal(told.at[0].count, 8);
	assert_int_equal(told.buckets[0][0], 2);
	assert_int_equal(told.buckets[0][1], 2);
	assert_int_equal(told.buckets[0][2], 2);
	assert_int_equal(told.buckets[0][3], 2);
	assert_true(told.at[0].min == 0 && told.at[0].max == 1000);
	assert_true(fabs(told.at[0].sum - 1031.21) < 1e-9);
	metrics_free(metrics);
}

static void past_the_limit_all_is_in_one_series(void **state)
{
	struct metrics *metrics = with((struct metrics_options){.series_limit = 4});
	struct metric *metric = metric_define(metrics, &told_counter);
	double total = 0;

	(void)state;
	for (int i = 0; i < 10; i++)
		series_add(series_numbered(metric, i), i);
	series_add(series_numbered(metric, 1), 100);
	collect(metrics, READER_PULL);
	assert_int_equal(told.count, 4);
	for (size_t i = 0; i < told.count; i++)
		total += told.at[i].value;
	assert_true(total == 145);
	assert_string_equal(told.key[3], "otel.metric.overflow");
	assert_int_equal(told.at[3].attributes[0].type, ATTRIBUTE_BOOLEAN);
	assert_true(told.at[3].value == 3 + 4 + 5 + 6 + 7 + 8 + 9);
	metrics_free(metrics);
}

static void the_limit_is_of_each_resource(void **state)
{
	struct metrics *metrics = with((struct metrics_options){.series_limit = 3});
	struct metric *metric = metric_define(metrics, &told_counter);
	struct slot_identity identity = {.pid = 1, .service_name = "other"};
	struct resource *other = resource_new(&identity);
	struct attribute attribute = number("n", 7);

	(void)state;
	for (int i = 0; i < 10; i++)
		series_add(series_numbered(metric, i), 1);
	series_add(metric_series(metric, other, &attribute, 1), 1);
	resource_put(other);
	collect(metrics, READER_PULL);
	assert_int_equal(told.count, 4);
	assert_string_equal(told.key[3], "n");
	assert_string_equal(told.at[3].resource->service, "other");
	metrics_free(metrics);
}

static void an_idle_series_is_forgotten_and_starts_anew(void **state)
{
	struct metrics *metrics = with((struct metrics_options){.expiry_ns = 10 * SECOND});
	struct metric *metric = metric_define(metrics, &told_counter);
	uint64_t start = now_ns(), generation = metrics_generation(metrics);

	(void)state;
	series_add(series_numbered(metric, 1), 5);
	series_add(series_numbered(metric, 2), 5);
	collect_at(metrics, READER_PUSH, start + SECOND);
	assert_int_equal(told.count, 2);
	series_add(series_numbered(metric, 2), 5);
	collect_at(metrics, READER_PUSH, start + 9 * SECOND);
	assert_int_equal(metrics_generation(metrics), generation);
	collect_at(metrics, READER_PUSH, start + 12 * SECOND);
	assert_int_equal(told.count, 2);
	assert_int_not_equal(metrics_generation(metrics), generation);
	collect_at(metrics, READER_PUSH, start + 13 * SECOND);
	assert_int_equal(told.count, 1);
	assert_true(told.at[0].value == 10);
	start = told.at[0].start_unix_ns;
	series_add(series_numbered(metric, 1), 2);
	collect(metrics, READER_PULL);
	assert_int_equal(told.count, 2);
	assert_true(told.at[1].value == 2);
	assert_true(told.at[1].start_unix_ns > start);
	metrics_free(metrics);
}

static void what_was_not_pushed_is_not_forgotten(void **state)
{
	struct metrics *metrics = with((struct metrics_options){.expiry_ns = SECOND});
	struct metric *metric = metric_define(metrics, &told_counter);
	uint64_t start = now_ns();

	(void)state;
	series_add(series_numbered(metric, 1), 5);
	collect_at(metrics, READER_PULL, start + SECOND);
	collect_at(metrics, READER_PULL, start + 60 * SECOND);
	collect_at(metrics, READER_PUSH, start + 61 * SECOND);
	assert_int_equal(told.count, 1);
	collect_at(metrics, READER_PUSH, start + 62 * SECOND);
	assert_int_equal(told.count, 0);
	metrics_free(metrics);
}

static void an_ended_resource_is_kept_until_all_have_seen_it(void **state)
{
	struct metrics *metrics = with((struct metrics_options){0});
	struct metric *metric = metric_define(metrics, &told_counter);
	struct slot_identity identity = {.pid = 1, .service_name = "worker"};
	struct resource *resource = resource_new(&identity);

	(void)state;
	series_add(metric_series(metric, resource, NULL, 0), 1);
	collect(metrics, READER_PUSH);
	collect(metrics, READER_PULL);
	series_add(metric_series(metric, resource, NULL, 0), 1);
	metrics_end(metrics, resource);
	resource_put(resource);
	for (int i = 0; i < 3; i++) {
		collect(metrics, READER_PUSH);
		assert_int_equal(told.count, 1);
	}
	collect(metrics, READER_PULL);
	assert_int_equal(told.count, 1);
	assert_true(told.at[0].value == 2);
	collect(metrics, READER_PULL);
	assert_int_equal(told.count, 0);
	collect(metrics, READER_PUSH);
	assert_int_equal(told.count, 0);
	metrics_free(metrics);
}

static void nothing_waits_for_a_reader_that_is_gone(void **state)
{
	struct metrics *metrics = with((struct metrics_options){.expiry_ns = 10 * SECOND});
	struct metric *metric = metric_define(metrics, &told_counter);
	uint64_t start = now_ns();

	(void)state;
	series_add(series_numbered(metric, 1), 1);
	metrics_expire(metrics, start);
	metrics_expire(metrics, start + 60 * SECOND);
	collect_at(metrics, READER_PULL, start + 60 * SECOND);
	assert_int_equal(told.count, 1);
	metrics_set_readers(metrics, 0, 1);
	metrics_expire(metrics, start + 60 * SECOND);
	collect_at(metrics, READER_PULL, start + 60 * SECOND);
	assert_int_equal(told.count, 0);
	metrics_free(metrics);
}

static void exemplars_are_the_latest_of_their_bucket(void **state)
{
	struct metrics *metrics = with((struct metrics_options){0});
	struct series *series =
		metric_series(metric_define(metrics, &told_duration), NULL, NULL, 0);
	struct exemplar exemplar = {.trace_id = {1}};

	(void)state;
	for (int i = 0; i < 5; i++) {
		exemplar.value = 2 + i;
		series_record(series, exemplar.value, &exemplar);
	}
	exemplar.value = 0.05;
	series_record(series, 0.05, &exemplar);
	series_record(series, 0.5, NULL);
	collect(metrics, READER_PUSH);
	assert_int_equal(told.at[0].exemplar_mask, 5);
	assert_true(told.at[0].exemplars[2].value == 6);
	assert_true(told.at[0].exemplars[0].value == 0.05);
	series_record(series, 0.5, &exemplar);
	collect(metrics, READER_PUSH);
	assert_int_equal(told.at[0].exemplar_mask, 2);
	collect(metrics, READER_PULL);
	assert_int_equal(told.at[0].exemplar_mask, 7);
	metrics_free(metrics);
}

static struct metric *observed_level;

static void observe(void *context)
{
	int *values = context;

	metric_clear(observed_level);
	if (*values)
		series_set(metric_series(observed_level, NULL, NULL, 0), *values);
}

static void what_is_observed_is_read_at_the_collection(void **state)
{
	struct metrics *metrics = with((struct metrics_options){0});
	int value = 7;

	(void)state;
	observed_level = metric_define(metrics, &told_level);
	assert_int_equal(metrics_observe(metrics, observe, &value), 0);
	collect(metrics, READER_PULL);
	assert_true(told.at[0].value == 7);
	value = 0;
	collect(metrics, READER_PULL);
	assert_int_equal(told.count, 1);
	assert_true(told.at[0].value == 0);
	metrics_free(metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_order_of_attributes_does_not_matter),
		cmocka_unit_test(thousands_of_series_are_found_again),
		cmocka_unit_test(a_series_has_its_own_copy_of_the_attributes),
		cmocka_unit_test(a_value_on_a_bound_is_below_it),
		cmocka_unit_test(past_the_limit_all_is_in_one_series),
		cmocka_unit_test(the_limit_is_of_each_resource),
		cmocka_unit_test(an_idle_series_is_forgotten_and_starts_anew),
		cmocka_unit_test(what_was_not_pushed_is_not_forgotten),
		cmocka_unit_test(an_ended_resource_is_kept_until_all_have_seen_it),
		cmocka_unit_test(nothing_waits_for_a_reader_that_is_gone),
		cmocka_unit_test(exemplars_are_the_latest_of_their_bucket),
		cmocka_unit_test(what_is_observed_is_read_at_the_collection),
	};

	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
