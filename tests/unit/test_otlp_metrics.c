/* test_otlp_metrics.c - metrics on the wire are what was measured. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/log.h"
#include "exporter/metrics_collect.h"
#include "exporter/metrics_options.h"
#include "exporter/otlp_metrics.h"
#include "exporter/proto/metrics_service.pb-c.h"

/* The generated names carry their whole package's name. */
#define METRICS(name) Opentelemetry__Proto__Metrics__V1__##name
#define REQUEST       Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest
#define UNPACK        opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__unpack

static const double bounds[] = {0.1, 1};

static const struct metric_definition duration = {
	.name = "test.duration",
	.unit = "s",
	.description = "How long.",
	.kind = METRIC_HISTOGRAM,
	.bounds = bounds,
	.bound_count = 2,
};

static const struct metric_definition size = {
	.name = "test.size",
	.unit = "By",
	.kind = METRIC_HISTOGRAM,
	.is_exponential = 1,
};

static const struct metric_definition counter = {
	.name = "test.count", .unit = "1", .kind = METRIC_COUNTER, .is_integer = 1};
static const struct metric_definition level = {
	.name = "test.level", .unit = "1", .kind = METRIC_UPDOWN};
static const struct metric_definition gauge = {
	.name = "test.gauge", .unit = "1", .kind = METRIC_GAUGE};

static struct metrics *metrics;
static REQUEST *request;
static uint32_t items;

static void start(enum metrics_temporality temporality)
{
	struct metrics_options options = {.temporality = temporality, .has_push = 1};

	metrics = metrics_new(&options);
	assert_non_null(metrics);
}

static int tear_down(void **state)
{
	(void)state;
	if (request)
		protobuf_c_message_free_unpacked(&request->base, NULL);
	request = NULL;
	metrics_free(metrics);
	return 0;
}

static void push(uint64_t now)
{
	struct payload *payload;

	if (request)
		protobuf_c_message_free_unpacked(&request->base, NULL);
	request = NULL;
	assert_int_equal(otlp_metrics(metrics, now, &payload), 0);
	if (!payload)
		return;
	assert_int_equal(payload->signal, SIGNAL_METRICS);
	items = payload->items;
	request = UNPACK(NULL, payload->size, payload->bytes);
	assert_non_null(request);
	payload_put(payload);
}

static const METRICS(Metric) * the(size_t resource, size_t index)
{
	assert_true(resource < request->n_resource_metrics);
	assert_int_equal(request->resource_metrics[resource]->n_scope_metrics, 1);
	assert_true(index < request->resource_metrics[resource]->scope_metrics[0]->n_metrics);
	return request->resource_metrics[resource]->scope_metrics[0]->metrics[index];
}

static void a_histogram_has_all_its_parts(void **state)
{
	struct exemplar exemplar = {
		.trace_id = {7}, .span_id = {9}, .time_unix_ns = 12, .value = 3};
	const METRICS(HistogramDataPoint) * point;
	const METRICS(Metric) * metric;
	struct series *series;

	(void)state;
	start(TEMPORALITY_CUMULATIVE);
	series = metric_series(metric_define(metrics, &duration), NULL, NULL, 0);
	series_record(series, 0.1, NULL);
	series_record(series, 0.5, NULL);
	series_record(series, 3, &exemplar);
	push(5000);
	metric = the(0, 0);
	assert_string_equal(metric->name, "test.duration");
	assert_string_equal(metric->unit, "s");
	assert_string_equal(metric->description, "How long.");
	assert_int_equal(metric->data_case, 9);
	assert_int_equal(metric->histogram->aggregation_temporality, 2);
	assert_int_equal(metric->histogram->n_data_points, 1);
	point = metric->histogram->data_points[0];
	assert_int_equal(point->time_unix_nano, 5000);
	assert_true(point->start_time_unix_nano > 0);
	assert_int_equal(point->count, 3);
	assert_true(point->sum_presence_case == 5 && point->sum == 3.6);
	assert_true(point->min_presence_case == 11 && point->min == 0.1);
	assert_true(point->max_presence_case == 12 && point->max == 3);
	assert_int_equal(point->n_explicit_bounds, 2);
	assert_int_equal(point->n_bucket_counts, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(point->bucket_counts[i], 1);
	assert_int_equal(point->n_exemplars, 1);
	assert_true(point->exemplars[0]->as_double == 3);
	assert_int_equal(point->exemplars[0]->trace_id.len, 16);
	assert_int_equal(point->exemplars[0]->trace_id.data[0], 7);
	assert_int_equal(point->exemplars[0]->span_id.data[0], 9);
	assert_int_equal(items, 1);
}

static void an_exponential_histogram_has_all_its_parts(void **state)
{
	const METRICS(ExponentialHistogramDataPoint) * point;
	struct series *series;

	(void)state;
	start(TEMPORALITY_CUMULATIVE);
	series = metric_series(metric_define(metrics, &size), NULL, NULL, 0);
	series_record(series, 0, NULL);
	series_record(series, 0.001, NULL);
	series_record(series, 1000000, NULL);
	push(5000);
	assert_int_equal(the(0, 0)->data_case, 10);
	point = the(0, 0)->exponential_histogram->data_points[0];
	assert_int_equal(point->count, 3);
	assert_int_equal(point->zero_count, 1);
	assert_int_equal(point->scale, 2);
	assert_int_equal(point->positive->offset, exponential_index(0.001, 2));
	assert_int_equal(point->positive->bucket_counts[0], 1);
	assert_int_equal(point->positive->bucket_counts[point->positive->n_bucket_counts - 1], 1);
	assert_null(point->negative);
}

static void numbers_are_told_by_their_kind(void **state)
{
	(void)state;
	start(TEMPORALITY_CUMULATIVE);
	series_add(metric_series(metric_define(metrics, &counter), NULL, NULL, 0), 17);
	series_add(metric_series(metric_define(metrics, &level), NULL, NULL, 0), -2.5);
	series_set(metric_series(metric_define(metrics, &gauge), NULL, NULL, 0), 0);
	push(5000);
	assert_true(the(0, 0)->sum->is_monotonic);
	assert_int_equal(the(0, 0)->sum->data_points[0]->value_case, 6);
	assert_int_equal(the(0, 0)->sum->data_points[0]->as_int, 17);
	assert_false(the(0, 1)->sum->is_monotonic);
	assert_true(the(0, 1)->sum->data_points[0]->as_double == -2.5);
	assert_int_equal(the(0, 2)->data_case, 5);
	/* A zero is a value. */
	assert_int_equal(the(0, 2)->gauge->data_points[0]->value_case, 4);
	assert_int_equal(items, 3);
}

static void metrics_stand_below_their_resource(void **state)
{
	struct slot_identity identity = {.pid = 1, .service_name = "shop"};
	struct resource *shop = resource_new(&identity);
	struct attribute attribute = {.key = "k", .type = ATTRIBUTE_NUMBER};
	struct metric *one;

	(void)state;
	start(TEMPORALITY_CUMULATIVE);
	one = metric_define(metrics, &counter);
	for (int i = 0; i < 5; i++) {
		attribute.number = i;
		series_add(metric_series(one, shop, &attribute, 1), 1);
		series_add(metric_series(one, NULL, &attribute, 1), 1);
	}
	series_set(metric_series(metric_define(metrics, &gauge), shop, NULL, 0), 1);
	metrics_end(metrics, shop);
	resource_put(shop);
	push(5000);
	assert_int_equal(request->n_resource_metrics, 2);
	assert_int_equal(the(0, 0)->sum->n_data_points, 5);
	assert_int_equal(the(0, 0)->sum->data_points[0]->n_attributes, 1);
	assert_int_equal(request->resource_metrics[0]->scope_metrics[0]->n_metrics, 2);
	assert_int_equal(the(1, 0)->sum->n_data_points, 5);
	assert_int_equal(items, 11);
	push(6000);
	assert_int_equal(request->n_resource_metrics, 1);
}

static void delta_without_news_is_nothing(void **state)
{
	(void)state;
	start(TEMPORALITY_DELTA);
	series_add(metric_series(metric_define(metrics, &counter), NULL, NULL, 0), 17);
	push(5000);
	assert_int_equal(the(0, 0)->sum->aggregation_temporality, 1);
	push(6000);
	assert_null(request);
	series_add(metric_series(metric_define(metrics, &counter), NULL, NULL, 0), 3);
	push(7000);
	assert_int_equal(the(0, 0)->sum->data_points[0]->as_int, 3);
	assert_int_equal(the(0, 0)->sum->data_points[0]->start_time_unix_nano, 6000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_histogram_has_all_its_parts),
		TEST(an_exponential_histogram_has_all_its_parts),
		TEST(numbers_are_told_by_their_kind),
		TEST(metrics_stand_below_their_resource),
		TEST(delta_without_news_is_nothing),
	};

	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
