/* test_shim_settings.c - bad values of the library's settings are told, good ones are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "exporter/shim_settings.h"

static void every_bad_value_counts_once(void **state)
{
	static const struct {
		const char *name, *value;
		int bad;
	} cases[] = {
		{"OTEL_PROPAGATORS", "tracecontext,baggage", 0},
		{"OTEL_PROPAGATORS", "B3, b3multi", 0},
		{"OTEL_PROPAGATORS", "xray,b3,jaeger", 2},
		{"OTEL_PROPAGATORS", "", 0},
		{"OTEL_TRACES_SAMPLER", "always_off", 0},
		{"OTEL_TRACES_SAMPLER", "jaeger_remote", 1},
		{"TAGALONG_REQUEST_ID", "false", 0},
		{"TAGALONG_REQUEST_ID", "maybe", 1},
		{"TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", 0},
		{"TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c", 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setenv(cases[i].name, cases[i].value, 1);
		assert_int_equal(shim_settings_check(), cases[i].bad);
		unsetenv(cases[i].name);
	}
}

static void a_ratio_is_checked_where_it_is_used(void **state)
{
	(void)state;
	setenv("OTEL_TRACES_SAMPLER_ARG", "1.5", 1);
	setenv("OTEL_TRACES_SAMPLER", "always_on", 1);
	assert_int_equal(shim_settings_check(), 0);
	setenv("OTEL_TRACES_SAMPLER", "traceidratio", 1);
	assert_int_equal(shim_settings_check(), 1);
	setenv("OTEL_TRACES_SAMPLER_ARG", "0.25", 1);
	assert_int_equal(shim_settings_check(), 0);
	unsetenv("OTEL_TRACES_SAMPLER");
	unsetenv("OTEL_TRACES_SAMPLER_ARG");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_bad_value_counts_once),
		cmocka_unit_test(a_ratio_is_checked_where_it_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
