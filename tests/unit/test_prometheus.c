/* test_prometheus.c - names, labels, numbers and whole pages as Prometheus wants them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/log.h"
#include "exporter/metrics_options.h"
#include "exporter/prometheus_accept.h"
#include "exporter/prometheus_labels.h"
#include "exporter/prometheus_name.h"
#include "exporter/prometheus_text.h"

static const double bounds[] = {0.25, 1, 10};

static struct metrics *metrics;
static char *page;

static int set_up(void **state)
{
	struct metrics_options options = {.has_pull = 1};

	(void)state;
	metrics = metrics_new(&options);
	page = NULL;
	return metrics == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	metrics_free(metrics);
	free(page);
	return 0;
}

static void render(enum prometheus_format format)
{
	char *bytes;
	size_t size;

	free(page);
	assert_int_equal(prometheus_text(metrics, 1, format, &bytes, &size), 0);
	page = strndup(bytes, size);
	assert_non_null(page);
	assert_int_equal(strlen(page), size);
	free(bytes);
}

/* How often the text stands in the page. */
static int times(const char *text)
{
	int count = 0;

	for (const char *at = page; (at = strstr(at, text)); at++)
		count++;
	return count;
}

static struct attribute text(const char *key, const char *value)
{
	return (struct attribute){
		.key = key,
		.text = {value, (uint32_t)strlen(value)},
		.type = ATTRIBUTE_TEXT,
	};
}

static struct metric *defined(const char *name, const char *unit, enum metric_kind kind)
{
	struct metric_definition definition = {
		.name = name,
		.unit = unit,
		.description = "A \"test\"\nof \\.",
		.kind = kind,
		.is_integer = 1,
		.bounds = bounds,
		.bound_count = kind == METRIC_HISTOGRAM ? 3 : 0,
	};

	return metric_define(metrics, &definition);
}

static struct metric *exponential(const char *name)
{
	struct metric_definition definition = {
		.name = name,
		.kind = METRIC_HISTOGRAM,
		.is_exponential = 1,
	};

	return metric_define(metrics, &definition);
}

static void names_have_their_unit_and_nothing_odd(void **state)
{
	static const struct {
		const char *name, *unit, *family, *word;
		enum metric_kind kind;
	} table[] = {
		{"http.server.request.duration", "s", "http_server_request_duration_seconds",
		 "seconds", METRIC_HISTOGRAM},
		{"http.server.active_requests", "{request}", "http_server_active_requests", "",
		 METRIC_UPDOWN},
		{"process.cpu.time", "s", "process_cpu_time_seconds", "seconds", METRIC_COUNTER},
		{"process.memory.usage", "By", "process_memory_usage_bytes", "bytes",
		 METRIC_UPDOWN},
		{"process.unix.file_descriptor.count", "{file_descriptor}",
		 "process_unix_file_descriptor_count", "", METRIC_UPDOWN},
		{"messaging.client.sent.messages", "{message}", "messaging_client_sent_messages",
		 "", METRIC_COUNTER},
		{"catalog_product_views_total", "1", "catalog_product_views", "", METRIC_COUNTER},
		{"wait_seconds_total", "s", "wait_seconds", "seconds", METRIC_COUNTER},
		{"wait_seconds", "s", "wait_seconds", "seconds", METRIC_GAUGE},
		{"load", "1", "load_ratio", "ratio", METRIC_GAUGE},
		{"speed", "m/s", "speed_meters_per_second", "meters_per_second", METRIC_GAUGE},
		{"rate", "{request}/s", "rate_per_second", "per_second", METRIC_GAUGE},
		{"odd--name.._x", "", "odd_name_x", "", METRIC_GAUGE},
		{"2xx", "", "_2xx", "", METRIC_GAUGE},
		{"a:b", "KiBy", "a:b_kibibytes", "kibibytes", METRIC_GAUGE},
		{"other", "furlong", "other_furlong", "furlong", METRIC_GAUGE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct metric_definition definition = {
			.name = table[i].name, .unit = table[i].unit, .kind = table[i].kind};
		struct prometheus_name name = {"", ""};

		prometheus_name(&definition, &name);
		assert_string_equal(name.family, table[i].family);
		assert_string_equal(name.unit, table[i].word);
	}
}

static void long_names_are_cut(void **state)
{
	char name[2000], unit[2000];
	struct metric_definition definition = {.name = name, .unit = unit};
	struct prometheus_name result = {"", ""};

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	memset(unit, 'u', sizeof(unit) - 1);
	name[sizeof(name) - 1] = unit[sizeof(unit) - 1] = '\0';
	unit[1000] = '/';
	prometheus_name(&definition, &result);
	assert_true(strlen(result.family) < PROMETHEUS_NAME_MAX);
	assert_true(strlen(result.family) > 150);
	assert_true(prometheus_label(name, result.family) < PROMETHEUS_NAME_MAX);
}

static void bounds_are_canonical(void **state)
{
	static const struct {
		double value;
		const char *text;
	} table[] = {
		{0, "0.0"},         {0.005, "0.005"},          {0.25, "0.25"},     {1, "1.0"},
		{10, "10.0"},       {100000, "100000.0"},      {1e6, "1e+06"},     {1e-5, "1e-05"},
		{0.0001, "0.0001"}, {1048576, "1.048576e+06"}, {INFINITY, "+Inf"}, {2.5, "2.5"},
	};
	char result[32];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		prometheus_bound(table[i].value, result);
		assert_string_equal(result, table[i].text);
	}
}

static void numbers_are_read_as_they_were(void **state)
{
	char result[32];
	size_t size;

	(void)state;
	srand48(3);
	for (int i = 0; i < 100000; i++) {
		double value = ldexp(drand48() - 0.5, (int)(drand48() * 400) - 200);

		size = prometheus_number(value, result);
		assert_int_equal(size, strlen(result));
		assert_true(strtod(result, NULL) == value);
		assert_true(strlen(result) < 32);
		prometheus_bound(value, result);
		assert_true(strtod(result, NULL) == value);
	}
	prometheus_number(0.1, result);
	assert_string_equal(result, "0.1");
	prometheus_number(-17, result);
	assert_string_equal(result, "-17");
	prometheus_number(NAN, result);
	assert_string_equal(result, "NaN");
	prometheus_number(1e300, result);
	assert_true(strtod(result, NULL) == 1e300);
}

static void values_are_escaped(void **state)
{
	struct attribute attributes[] = {text("path", "a\\b\"c\nd"), text("1st", "x")};

	(void)state;
	series_set(metric_series(defined("g", "", METRIC_GAUGE), NULL, attributes, 2), 5);
	render(PROMETHEUS_TEXT);
	assert_int_equal(times("path=\"a\\\\b\\\"c\\nd\""), 1);
	assert_int_equal(times(",key_1st=\"x\""), 1);
	assert_int_equal(times("# HELP g A \"test\"\\nof \\\\.\n"), 1);
	render(PROMETHEUS_OPENMETRICS);
	assert_int_equal(times("# HELP g A \\\"test\\\"\\nof \\\\.\n"), 1);
}

static void keys_that_become_one_label_are_joined(void **state)
{
	struct attribute attributes[] = {text("a_b", "3"), text("a.b", "2"),    text("b", "x"),
					 text("a-b", "1"), text("job", "mine"), text("le", "7")};

	(void)state;
	series_set(metric_series(defined("g", "", METRIC_GAUGE), NULL, attributes, 6), 5);
	render(PROMETHEUS_TEXT);
	assert_int_equal(
		times(",a_b=\"1;2;3\",b=\"x\",exported_job=\"mine\",exported_le=\"7\"} 5\n"), 1);
}

static void a_counter_has_its_suffix_where_the_format_wants_it(void **state)
{
	(void)state;
	series_add(metric_series(defined("jobs", "s", METRIC_COUNTER), NULL, NULL, 0), 7);
	render(PROMETHEUS_TEXT);
	assert_int_equal(times("# TYPE jobs_seconds_total counter\n"), 1);
	assert_int_equal(times("\njobs_seconds_total{job=\"tagalong\",instance=\""), 1);
	assert_int_equal(times("# UNIT"), 0);
	render(PROMETHEUS_OPENMETRICS);
	assert_int_equal(times("# TYPE jobs_seconds counter\n# UNIT jobs_seconds seconds\n"
			       "# HELP jobs_seconds "),
			 1);
	assert_int_equal(times("\njobs_seconds_total{"), 1);
	assert_string_equal(page + strlen(page) - 6, "# EOF\n");
}

static void buckets_add_up(void **state)
{
	struct series *series = metric_series(defined("t", "s", METRIC_HISTOGRAM), NULL, NULL, 0);
	struct exemplar exemplar = {.trace_id = {0x4b},
				    .span_id = {0xf0},
				    .value = 0.5,
				    .time_unix_ns = 1755700000123456789};

	(void)state;
	series_record(series, 0.5, &exemplar);
	series_record(series, 0.75, NULL);
	series_record(series, 99, NULL);
	render(PROMETHEUS_OPENMETRICS);
	assert_int_equal(times("le=\"0.25\"} 0\n"), 1);
	assert_int_equal(times("le=\"1.0\"} 2 # {trace_id=\"4b000000000000000000000000000000\","
			       "span_id=\"f000000000000000\"} 0.5 1755700000.123\n"),
			 1);
	assert_int_equal(times("le=\"10.0\"} 2\n"), 1);
	assert_int_equal(times("le=\"+Inf\"} 3\n"), 1);
	assert_int_equal(times("\"} 100.25\n"), 1);
	assert_int_equal(times("\nt_seconds_count{"), 1);
	render(PROMETHEUS_TEXT);
	assert_int_equal(times("le=\"1.0\"} 2\n"), 1);
	assert_int_equal(times("trace_id"), 0);
}

static void exponential_histograms_have_powers_of_two(void **state)
{
	struct series *series = metric_series(exponential("e"), NULL, NULL, 0);
	struct exemplar exemplar = {.value = 3};

	(void)state;
	series_record(series, 0, NULL);
	series_record(series, 3, &exemplar);
	series_record(series, 4, NULL);
	series_record(series, 17, NULL);
	render(PROMETHEUS_OPENMETRICS);
	assert_int_equal(times("le=\"4.0\"} 3 # {"), 1);
	assert_int_equal(times("le=\"8.0\"} 3\n"), 1);
	assert_int_equal(times("le=\"16.0\"} 3\n"), 1);
	assert_int_equal(times("le=\"32.0\"} 4\n"), 1);
	assert_int_equal(times("le=\"+Inf\"} 4\n"), 1);
	assert_int_equal(times("_bucket"), 5);
}

static void a_family_is_there_once_whatever_the_resources(void **state)
{
	struct slot_identity identity = {.pid = 1,
					 .service_name = "shop",
					 .resource_attributes = "service.namespace=eu,x.y=1"};
	struct resource *shop = resource_new(&identity);
	struct metric *one = defined("one", "", METRIC_COUNTER);
	struct metric *two = defined("two", "", METRIC_COUNTER);

	(void)state;
	series_add(metric_series(one, shop, NULL, 0), 1);
	series_add(metric_series(two, shop, NULL, 0), 2);
	series_add(metric_series(one, NULL, NULL, 0), 3);
	series_add(metric_series(two, NULL, NULL, 0), 4);
	resource_put(shop);
	render(PROMETHEUS_TEXT);
	assert_int_equal(times("# TYPE one_total"), 1);
	assert_int_equal(times("# TYPE two_total"), 1);
	assert_int_equal(times("\none_total{job=\"eu/shop\","), 1);
	assert_int_equal(times("\none_total{job=\"tagalong\","), 1);
	assert_int_equal(times("\ntarget_info{job=\"eu/shop\",instance=\""), 1);
	assert_int_equal(times("\ntarget_info{"), 2);
	assert_int_equal(times(",x_y=\"1\""), 1);
	assert_int_equal(times("service_name="), 0);
	assert_ptr_equal(strstr(page, "# TYPE target_info gauge\n"), page);
}

static void of_two_metrics_with_one_name_the_second_is_left_out(void **state)
{
	(void)state;
	series_set(metric_series(defined("a.b", "", METRIC_GAUGE), NULL, NULL, 0), 1);
	series_set(metric_series(defined("c", "", METRIC_GAUGE), NULL, NULL, 0), 2);
	series_add(metric_series(defined("a_b", "", METRIC_COUNTER), NULL, NULL, 0), 3);
	render(PROMETHEUS_TEXT);
	assert_int_equal(times("# TYPE a_b"), 1);
	assert_int_equal(times("# TYPE c gauge"), 1);
	assert_int_equal(times("\"} 3\n"), 0);
}

static void the_format_is_the_one_liked_best(void **state)
{
	static const struct {
		const char *accept;
		enum prometheus_format format;
	} table[] = {
		{NULL, PROMETHEUS_TEXT},
		{"", PROMETHEUS_TEXT},
		{"*/*", PROMETHEUS_TEXT},
		{"text/plain;version=0.0.4", PROMETHEUS_TEXT},
		{"application/openmetrics-text", PROMETHEUS_OPENMETRICS},
		{"application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
		 "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		 PROMETHEUS_OPENMETRICS},
		{"text/plain;version=0.0.4;q=0.9, application/openmetrics-text; q=0.3",
		 PROMETHEUS_TEXT},
		{"application/openmetrics-text;version=0.0.1", PROMETHEUS_TEXT},
		{"application/openmetrics-text;q=0", PROMETHEUS_TEXT},
		{"Application/OpenMetrics-Text ; Version=1.0.0 ; Q=0.8 , */*;q=0.5",
		 PROMETHEUS_OPENMETRICS},
		{"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
		 "encoding=delimited,text/plain;q=0.4",
		 PROMETHEUS_TEXT},
		{";;;,,q=1;", PROMETHEUS_TEXT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(prometheus_accept(table[i].accept), table[i].format);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(names_have_their_unit_and_nothing_odd),
		TEST(long_names_are_cut),
		TEST(bounds_are_canonical),
		TEST(numbers_are_read_as_they_were),
		TEST(values_are_escaped),
		TEST(keys_that_become_one_label_are_joined),
		TEST(a_counter_has_its_suffix_where_the_format_wants_it),
		TEST(buckets_add_up),
		TEST(exponential_histograms_have_powers_of_two),
		TEST(a_family_is_there_once_whatever_the_resources),
		TEST(of_two_metrics_with_one_name_the_second_is_left_out),
		TEST(the_format_is_the_one_liked_best),
	};

	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
