/* test_settings.c - OTEL_* and TAGALONG_* variables, parsed as OpenTelemetry's specification says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/env.h"
#include "exporter/log.h"
#include "exporter/post.h"
#include "exporter/resource.h"
#include "exporter/settings.h"

static struct settings settings;

static int set_up(void **state)
{
	(void)state;
	clearenv();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	settings_free(&settings);
	return 0;
}

static void read_with(const char *name, const char *value)
{
	settings_free(&settings);
	setenv(name, value, 1);
	assert_int_equal(settings_read(&settings), 0);
}

static void defaults_are_those_of_the_specification(void **state)
{
	(void)state;
	assert_int_equal(settings_read(&settings), 0);
	assert_int_equal(settings.schedule_delay_ms, 5000);
	assert_int_equal(settings.export_timeout_ms, 30000);
	assert_int_equal(settings.queue_spans, 2048);
	assert_int_equal(settings.batch_spans, 512);
	assert_int_equal(settings.attribute_count_limit, 128);
	assert_int_equal(settings.attribute_length_limit, SETTINGS_NO_LIMIT);
	assert_int_equal(settings.method_count, 10);
	assert_int_equal(settings.destinations.count, 0);
}

static void an_empty_value_is_no_value(void **state)
{
	(void)state;
	setenv("OTEL_BSP_MAX_QUEUE_SIZE", "", 1);
	read_with("OTEL_EXPORTER_OTLP_ENDPOINT", "");
	assert_int_equal(settings.destinations.count, 0);
	assert_int_equal(settings.queue_spans, 2048);
}

static void bad_numbers_leave_the_default(void **state)
{
	static const char *const bad[] = {"-1", "2x", " ", "2147483648", "1e3", "99999999999999"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		read_with("OTEL_BSP_SCHEDULE_DELAY", bad[i]);
		assert_int_equal(settings.schedule_delay_ms, 5000);
	}
	read_with("OTEL_BSP_SCHEDULE_DELAY", "0");
	assert_int_equal(settings.schedule_delay_ms, 0);
}

static void a_batch_is_never_larger_than_the_queue(void **state)
{
	(void)state;
	read_with("OTEL_BSP_MAX_QUEUE_SIZE", "100");
	assert_int_equal(settings.batch_spans, 100);
}

static void specific_limits_beat_general_ones(void **state)
{
	(void)state;
	read_with("OTEL_ATTRIBUTE_COUNT_LIMIT", "7");
	assert_int_equal(settings.attribute_count_limit, 7);
	read_with("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "9");
	assert_int_equal(settings.attribute_count_limit, 9);
}

static void true_is_the_only_true(void **state)
{
	(void)state;
	read_with("OTEL_SDK_DISABLED", "1");
	assert_int_equal(settings.disabled, 0);
	read_with("OTEL_SDK_DISABLED", "TRUE");
	assert_int_equal(settings.disabled, 1);
	assert_int_equal(settings.store_enabled, 0);
}

static void an_exporter_of_none_sends_nothing_anywhere(void **state)
{
	(void)state;
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318", 1);
	read_with("OTEL_TRACES_EXPORTER", "none");
	assert_false(destinations_take(&settings.destinations, SIGNAL_TRACES));
	assert_int_equal(settings.store_enabled, 0);
	read_with("TAGALONG_STORE", "/tmp/x.db");
	assert_int_equal(settings.store_enabled, 1);
	assert_string_equal(settings.store_path, "/tmp/x.db");
}

static void known_methods_can_be_replaced(void **state)
{
	(void)state;
	read_with("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "GET,PURGE");
	assert_int_equal(settings.method_count, 2);
	assert_string_equal(settings.methods[1], "PURGE");
}

static void resource_attributes_are_all_taken_or_none(void **state)
{
	static const char good[] = "a=1, b%2Fc=x%3Dy ,,d=";
	static const char *const bad[] = {"a=b,c", "a=%zz", "a=%4", "=b", "a=%ff"};
	struct attribute_list list;
	struct arena arena;

	(void)state;
	arena_init(&arena);
	attribute_list_init(&list, &arena, ATTRIBUTES_MAX, UINT32_MAX);
	assert_int_equal(resource_parse_attributes(good, strlen(good), &list), 0);
	assert_int_equal(list.count, 3);
	assert_string_equal(list.at[1].key, "b/c");
	assert_string_equal(list.at[1].text.at, "x=y");
	assert_string_equal(list.at[2].text.at, "");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(resource_parse_attributes(bad[i], strlen(bad[i]), &list) < 0);
	assert_int_equal(list.count, 3);
	arena_free(&arena);
}

static void retry_after_is_seconds_or_a_date(void **state)
{
	(void)state;
	assert_int_equal(post_retry_after(" 17\r\n", 0), 17);
	assert_int_equal(post_retry_after("Fri, 31 Dec 1999 23:59:59 GMT", 946684790), 9);
	assert_int_equal(post_retry_after("Fri, 31 Dec 1999 23:59:59 GMT", 1946684790), 0);
	assert_int_equal(post_retry_after("-3", 0), -1);
	assert_int_equal(post_retry_after("soon", 0), -1);
}

int main(void)
{
#define SETTINGS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		SETTINGS_TEST(defaults_are_those_of_the_specification),
		SETTINGS_TEST(an_empty_value_is_no_value),
		SETTINGS_TEST(bad_numbers_leave_the_default),
		SETTINGS_TEST(a_batch_is_never_larger_than_the_queue),
		SETTINGS_TEST(specific_limits_beat_general_ones),
		SETTINGS_TEST(true_is_the_only_true),
		SETTINGS_TEST(an_exporter_of_none_sends_nothing_anywhere),
		SETTINGS_TEST(known_methods_can_be_replaced),
		SETTINGS_TEST(resource_attributes_are_all_taken_or_none),
		SETTINGS_TEST(retry_after_is_seconds_or_a_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
