/* test_conf.c - settings out of the environment, a hostile one too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "preload/conf.h"
#include "preload/live.h"

#define RATIO_ONE (1ull << 56)

/* Reads an environment of up to seven variables. */
static int read_conf(const char *const *variables)
{
	char *environment[8] = {NULL};

	for (size_t i = 0; variables[i]; i++)
		environment[i] = (char *)variables[i];
	memset(&conf, 0, sizeof(conf));
	return conf_init(environment, "/usr/bin/test");
}

static void read_one(const char *variable)
{
	const char *variables[] = {variable, NULL};

	assert_int_equal(read_conf(variables), 0);
}

/* A variable of that name with `size` characters of value. */
static char *huge(const char *name, char fill, size_t size)
{
	char *text = malloc(strlen(name) + size + 2);
	size_t used = (size_t)sprintf(text, "%s=", name);

	memset(text + used, fill, size);
	text[used + size] = 0;
	return text;
}

static void an_empty_environment_gives_the_defaults(void **state)
{
	const char *none[] = {NULL};

	(void)state;
	assert_int_equal(read_conf(none), 0);
	assert_int_equal(conf.propagators, PROPAGATE_TRACECONTEXT);
	assert_int_equal(conf.extract[0], PROPAGATE_TRACECONTEXT);
	assert_int_equal(conf.extract[1], 0);
	assert_int_equal(live_now()->sampler, SAMPLE_ON);
	assert_int_equal(live_now()->sample_by_parent, 1);
	assert_int_equal(live_now()->request_ids, 1);
	assert_int_equal(conf.no_telemetry, 0);
	assert_int_equal(conf.python_bridge, 1);
	assert_int_equal(live_now()->call_stacks, 0);
	assert_int_equal(conf.log, 0);
	assert_int_equal(conf.has_parent, 0);
	assert_null(live_now()->mask.names);
	assert_string_equal(conf.session, "");
	assert_string_equal(conf.run_directory, "/run/tagalong");
	assert_string_equal(conf.command, "/usr/bin/test");
}

static void propagators_are_read_in_order(void **state)
{
	static const struct {
		const char *value;
		uint8_t all, extract[3];
	} cases[] = {
		{"tracecontext", 1, {1}},
		{"tracecontext,baggage", 1, {1}},
		{"b3", 2, {2}},
		{"b3multi", 4, {4}},
		{"B3, TraceContext", 3, {2, 1}},
		{"b3multi,b3,tracecontext", 7, {4, 2, 1}},
		{" b3\t,\tb3 ,b3multi,b3", 6, {2, 4}},
		{"none", 0, {0}},
		{"", 1, {1}},
		{"jaeger,xray,tracecontext", 1, {1}},
		{"tracecontext2,b", 0, {0}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char variable[128];

		snprintf(variable, sizeof(variable), "OTEL_PROPAGATORS=%s", cases[i].value);
		read_one(variable);
		assert_int_equal(conf.propagators, cases[i].all);
		assert_memory_equal(conf.extract, cases[i].extract, 3);
	}
}

static void samplers_and_their_thresholds(void **state)
{
	static const struct {
		const char *name, *argument;
		uint8_t sampler, by_parent;
		uint64_t threshold;
	} cases[] = {
		{"always_on", "", SAMPLE_ON, 0, 0},
		{"always_off", "0.5", SAMPLE_OFF, 0, 0},
		{"parentbased_always_on", "", SAMPLE_ON, 1, 0},
		{"parentbased_always_off", "", SAMPLE_OFF, 1, 0},
		{"traceidratio", "0.25", SAMPLE_RATIO, 0, RATIO_ONE / 4 * 3},
		{"parentbased_traceidratio", "0.5", SAMPLE_RATIO, 1, RATIO_ONE / 2},
		{"traceidratio", "1", SAMPLE_RATIO, 0, 0},
		{"traceidratio", "0", SAMPLE_RATIO, 0, RATIO_ONE},
		{"traceidratio", "0.0", SAMPLE_RATIO, 0, RATIO_ONE},
		/* A value that makes no sense is the default, 1. */
		{"traceidratio", "", SAMPLE_RATIO, 0, 0},
		{"traceidratio", "-1", SAMPLE_RATIO, 0, 0},
		{"traceidratio", "1.01", SAMPLE_RATIO, 0, 0},
		{"traceidratio", "nan", SAMPLE_RATIO, 0, 0},
		{"traceidratio", "inf", SAMPLE_RATIO, 0, 0},
		{"traceidratio", "half", SAMPLE_RATIO, 0, 0},
		{"traceidratio", "0.5x", SAMPLE_RATIO, 0, 0},
		{"", "0.5", SAMPLE_ON, 1, 0},
		{"parentbased_", "0.5", SAMPLE_ON, 1, 0},
		{"jaeger_remote", "0.5", SAMPLE_ON, 1, 0},
		{"xray", "0.5", SAMPLE_ON, 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[64], argument[64];
		const char *variables[] = {name, argument, NULL};

		snprintf(name, sizeof(name), "OTEL_TRACES_SAMPLER=%s", cases[i].name);
		snprintf(argument, sizeof(argument), "OTEL_TRACES_SAMPLER_ARG=%s",
			 cases[i].argument);
		assert_int_equal(read_conf(variables), 0);
		assert_int_equal(live_now()->sampler, cases[i].sampler);
		assert_int_equal(live_now()->sample_by_parent, cases[i].by_parent);
		assert_int_equal(live_now()->sample_threshold, cases[i].threshold);
	}
}

static void booleans_are_read_as_opentelemetry_does(void **state)
{
	static const struct {
		const char *value;
		int is_true;
	} cases[] = {{"true", 1}, {"TRUE", 1}, {"True", 1},  {"1", 1},   {"false", 0}, {"0", 0},
		     {"yes", 0},  {"2", 0},    {"truee", 0}, {"tru", 0}, {"11", 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char disabled[64], ids[64], stacks[64], stop[64];
		const char *variables[] = {disabled, ids, stacks, NULL};
		const char *stopped[] = {stop, NULL};

		snprintf(disabled, sizeof(disabled), "OTEL_SDK_DISABLED=%s", cases[i].value);
		snprintf(ids, sizeof(ids), "TAGALONG_REQUEST_ID=%s", cases[i].value);
		snprintf(stacks, sizeof(stacks), "TAGALONG_CALL_STACKS=%s", cases[i].value);
		snprintf(stop, sizeof(stop), "TAGALONG_DISABLE=%s", cases[i].value);
		assert_int_equal(read_conf(variables), 0);
		assert_int_equal(conf.no_telemetry, cases[i].is_true);
		assert_int_equal(live_now()->request_ids, cases[i].is_true);
		assert_int_equal(live_now()->call_stacks, cases[i].is_true);
		assert_int_equal(read_conf(stopped), cases[i].is_true ? -1 : 0);
	}
}

static void some_programs_are_never_touched(void **state)
{
	static const char *const never[] = {"tagalong", "/usr/bin/apt-get", "./dpkg", "/sbin/init"};
	static const char *const not_these[] = {"nginx", "apt-get-web", "/opt/dpkg/server", "",
						"/"};

	(void)state;
	for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
		assert_true(conf_never_touched(never[i]));
	for (size_t i = 0; i < sizeof(not_these) / sizeof(not_these[0]); i++)
		assert_false(conf_never_touched(not_these[i]));
}

static void the_list_of_those_can_be_extended(void **state)
{
	static const struct {
		const char *variable;
		int result;
	} cases[] = {{"TAGALONG_NEVER=test_conf", -1},
		     {"TAGALONG_NEVER=nginx, test_conf ,bash", -1},
		     {"TAGALONG_NEVER=test_con,est_conf,test_conf2", 0},
		     {"TAGALONG_NEVER=", 0},
		     {"TAGALONG_NEVER=,,,", 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *variables[] = {cases[i].variable, NULL};

		assert_int_equal(read_conf(variables), cases[i].result);
	}
}

static size_t masked(const char *query, char out[64])
{
	int cut = 0;
	size_t size = mask_query(&live_now()->mask, query, strlen(query), out, 63, &cut);

	out[size] = 0;
	return size;
}

static void a_mask_list_replaces_the_default(void **state)
{
	char out[64];

	(void)state;
	read_one("TAGALONG_MASK_QUERY=shelf, Card ,,cvv");
	assert_int_equal(live_now()->mask.count, 3);
	masked("SHELF=1&card=2&token=3&cvv=4&x=5", out);
	assert_string_equal(out, "SHELF=REDACTED&card=REDACTED&token=3&cvv=REDACTED&x=5");
	read_one("A=b");
	masked("shelf=1&token=3", out);
	assert_string_equal(out, "shelf=1&token=REDACTED");
}

static void assert_captured(const struct http1_capture *capture, size_t at, const char *name)
{
	assert_true(at < capture->count);
	assert_int_equal(capture->names[at].size, strlen(name));
	assert_memory_equal(capture->names[at].at, name, strlen(name));
}

static void capture_lists_are_lower_cased_and_bounded(void **state)
{
	const char *variables[] = {"TAGALONG_CAPTURE_REQUEST_HEADERS=Accept, X-Tenant ",
				   "TAGALONG_CAPTURE_RESPONSE_HEADERS=a,b,c,d,e,f,g,h,i,j,k", NULL};

	(void)state;
	assert_int_equal(read_conf(variables), 0);
	assert_int_equal(live_now()->capture_request.count, 2);
	assert_captured(&live_now()->capture_request, 0, "accept");
	assert_captured(&live_now()->capture_request, 1, "x-tenant");
	assert_int_equal(live_now()->capture_response.count, HTTP1_CAPTURED_MAX);
	assert_captured(&live_now()->capture_response, 7, "h");
}

static void a_parent_in_the_environment_is_taken(void **state)
{
	const char *good[] = {"TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			      "TRACESTATE=a=1,b=2", NULL};
	const char *bad[] = {"TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
			     "TRACESTATE=a=1", NULL};
	const char *bad_state[] = {
		"TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"TRACESTATE=A=1", NULL};

	(void)state;
	assert_int_equal(read_conf(good), 0);
	assert_int_equal(conf.has_parent, 1);
	assert_int_equal(conf.parent.span_id[0], 0xb7);
	assert_int_equal(conf.parent_state_size, 7);
	assert_memory_equal(conf.parent_state, "a=1,b=2", 7);
	assert_int_equal(read_conf(bad), 0);
	assert_int_equal(conf.has_parent, 0);
	assert_int_equal(conf.parent_state_size, 0);
	assert_int_equal(read_conf(bad_state), 0);
	assert_int_equal(conf.has_parent, 1);
	assert_int_equal(conf.parent_state_size, 0);
}

static void names_are_matched_whole(void **state)
{
	const char *environment[] = {"TAGALONG_SESSION2=x",
				     "XTAGALONG_SESSION=y",
				     "TAGALONG_SESSION",
				     "",
				     "=",
				     "TAGALONG_SESSION=/s",
				     "TAGALONG_SESSION=/t",
				     NULL};

	(void)state;
	assert_string_equal(conf_environment_get((char *const *)environment, "TAGALONG_SESSION"),
			    "/s");
	assert_null(conf_environment_get((char *const *)environment, "TAGALONG"));
	assert_null(conf_environment_get(NULL, "TAGALONG_SESSION"));
}

/* Every setting at 100,000 bytes of each kind: nothing is written beyond its room. */
static void huge_values_are_cut_or_ignored(void **state)
{
	static const char *const names[] = {"OTEL_PROPAGATORS",
					    "OTEL_TRACES_SAMPLER",
					    "OTEL_TRACES_SAMPLER_ARG",
					    "TAGALONG_MASK_QUERY",
					    "TAGALONG_CAPTURE_REQUEST_HEADERS",
					    "TRACEPARENT",
					    "TAGALONG_NEVER",
					    "TAGALONG_SESSION",
					    "TAGALONG_RUN_DIR",
					    "OTEL_SERVICE_NAME",
					    "OTEL_RESOURCE_ATTRIBUTES",
					    "TRACESTATE"};
	static const char fills[] = {',', ' ', '0', 'a', '\xff', '='};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		for (size_t fill = 0; fill < sizeof(fills); fill++) {
			char *text = huge(names[i], fills[fill], 100000);

			read_one(text);
			assert_true(live_now()->mask.count <= LIVE_LIST_MAX);
			assert_true(live_now()->capture_request.count <= HTTP1_CAPTURED_MAX);
			assert_true(strlen(conf.session) < sizeof(conf.session));
			assert_true(strlen(conf.run_directory) < sizeof(conf.run_directory));
			assert_true(strlen(conf.service_name) < sizeof(conf.service_name));
			assert_true(strlen(conf.resource_attributes) <
				    sizeof(conf.resource_attributes));
			assert_int_equal(conf.has_parent, 0);
			free(text);
		}
}

/* As many names as there is room for, each of the longest that is ever compared. */
static void a_long_mask_list_is_taken_whole(void **state)
{
	char variable[4096] = "TAGALONG_MASK_QUERY=";

	(void)state;
	for (unsigned i = 0; i < LIVE_LIST_MAX; i++)
		sprintf(variable + strlen(variable), "%s%064u", i ? ", " : "", i);
	read_one(variable);
	assert_int_equal(live_now()->mask.count, LIVE_LIST_MAX);
	for (size_t i = 0; i < live_now()->mask.count; i++)
		assert_int_equal(strlen(live_now()->mask.names[i]), 64);
	memcpy(variable + strlen(variable), ",one-more", 10);
	read_one(variable);
	assert_int_equal(live_now()->mask.count, LIVE_LIST_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_environment_gives_the_defaults),
		cmocka_unit_test(propagators_are_read_in_order),
		cmocka_unit_test(samplers_and_their_thresholds),
		cmocka_unit_test(booleans_are_read_as_opentelemetry_does),
		cmocka_unit_test(some_programs_are_never_touched),
		cmocka_unit_test(the_list_of_those_can_be_extended),
		cmocka_unit_test(a_mask_list_replaces_the_default),
		cmocka_unit_test(capture_lists_are_lower_cased_and_bounded),
		cmocka_unit_test(a_parent_in_the_environment_is_taken),
		cmocka_unit_test(names_are_matched_whole),
		cmocka_unit_test(huge_values_are_cut_or_ignored),
		cmocka_unit_test(a_long_mask_list_is_taken_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
