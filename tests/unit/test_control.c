/* test_control.c - what of the settings file goes into the control block, and how it gets there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/control.h"

#define HALF (1ull << 55)

static struct control control;

static int set_up(void **state)
{
	(void)state;
	clearenv();
	return 0;
}

/* Reads that file; returns the number of complaints, of which nothing is printed. */
static unsigned read_file(const char *text)
{
	struct config *config = config_parse("f", text, strlen(text));
	FILE *before = stderr;
	FILE *silence = fopen("/dev/null", "we");
	unsigned complaints;

	assert_non_null(config);
	assert_non_null(silence);
	stderr = silence;
	control_read(config_root(config), &control);
	complaints = config_finish(config);
	stderr = before;
	fclose(silence);
	config_free(config);
	return complaints;
}

static void no_file_says_nothing(void **state)
{
	struct control nothing = {0};

	(void)state;
	control_read(NULL, &control);
	assert_memory_equal(&control, &nothing, sizeof(control));
	assert_int_equal(read_file("sampling:\ncapture:\nfeatures:\n"), 0);
	assert_memory_equal(&control, &nothing, sizeof(control));
}

static void samplers_and_ratios_are_told(void **state)
{
	static const struct {
		const char *file;
		uint8_t sampler, by_parent;
		uint64_t threshold;
	} cases[] = {
		{"sampling: {sampler: always_on}", SAMPLE_ON, 0, 0},
		{"sampling: {sampler: always_off}", SAMPLE_OFF, 0, 0},
		{"sampling: {sampler: traceidratio, ratio: 0.5}", SAMPLE_RATIO, 0, HALF},
		{"sampling: {sampler: traceidratio}", SAMPLE_RATIO, 0, 0},
		{"sampling: {sampler: parentbased_always_on}", SAMPLE_ON, 1, 0},
		{"sampling: {sampler: parentbased_always_off}", SAMPLE_OFF, 1, 0},
		{"sampling: {sampler: parentbased_traceidratio, ratio: 0.5}", SAMPLE_RATIO, 1,
		 HALF},
		{"sampling: {ratio: 0.5}", SAMPLE_RATIO, 1, HALF},
		{"sampling: {ratio: 0}", SAMPLE_RATIO, 1, 2 * HALF},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(read_file(cases[i].file), 0);
		assert_int_equal(control.settings.given, GIVEN_SAMPLER);
		assert_int_equal(control.settings.sampler, cases[i].sampler);
		assert_int_equal(control.settings.sample_by_parent, cases[i].by_parent);
		assert_int_equal(control.settings.sample_threshold, cases[i].threshold);
	}
}

static void lists_and_features_are_told(void **state)
{
	(void)state;
	assert_int_equal(read_file("disabled: yes\n"
				   "capture:\n"
				   "  request_headers: [X-Tenant, accept]\n"
				   "  response_headers: []\n"
				   "redaction: {query_keys: [card, cvv]}\n"
				   "features: {request_id: off, call_stacks: on}\n"),
			 0);
	assert_int_equal(control.disabled, 1);
	assert_int_equal(control.settings.given,
			 GIVEN_REQUEST_HEADERS | GIVEN_RESPONSE_HEADERS | GIVEN_MASK);
	assert_string_equal(control.settings.request_headers, "X-Tenant,accept");
	assert_string_equal(control.settings.response_headers, "");
	assert_string_equal(control.settings.mask_query, "card,cvv");
	assert_int_equal(control.settings.features_given, FEATURE_REQUEST_ID | FEATURE_CALL_STACKS);
	assert_int_equal(control.settings.features, FEATURE_CALL_STACKS);
}

static void a_variable_of_the_exporter_leaves_it_to_the_processes(void **state)
{
	static const char file[] =
		"sampling: {ratio: 0.5}\n"
		"capture: {request_headers: [a], response_headers: [b]}\n"
		"redaction: {query_keys: [c]}\n"
		"features: {request_id: on, sqlcommenter: on, call_stacks: on}\n";
	static const char *const variables[] = {
		"OTEL_TRACES_SAMPLER",  "TAGALONG_CAPTURE_REQUEST_HEADERS",
		"TAGALONG_MASK_QUERY",  "TAGALONG_CAPTURE_RESPONSE_HEADERS",
		"TAGALONG_REQUEST_ID",  "TAGALONG_SQLCOMMENTER",
		"TAGALONG_CALL_STACKS",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		setenv(variables[i], "x", 1);
	assert_int_equal(read_file(file), 0);
	assert_int_equal(control.settings.given, 0);
	assert_int_equal(control.settings.features_given, 0);
	assert_int_equal(control.settings.features, 0);
	clearenv();
	assert_int_equal(read_file(file), 0);
	assert_int_equal(control.settings.given, 15);
	assert_int_equal(control.settings.features_given, 7);
}

static void what_no_shim_could_use_is_complained_of(void **state)
{
	static const char *const files[] = {
		"sampling: {sampler: jaeger_remote}",
		"sampling: {ratio: 1.5}",
		"sampling: {sampler: always_on, ratio: 0.5}",
		"sampling: 5",
		"capture: {request_headers: X-Tenant}",
		"capture: {request_headers: ['X Tenant']}",
		"capture: {request_headers: ['a,b']}",
		"capture: {request_headers: ['']}",
		"capture: {request_headers: [[a]]}",
		"capture: {request_headers: [a, b, c, d, e, f, g, h, i]}",
		"capture: {headers: [a]}",
		"redaction: {query_keys: ['a,b']}",
		"features: {request_id: 2}",
		"features: {node_bridge: on}",
		"disabled: never",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (read_file(files[i]) != 1)
			fail_msg("%s", files[i]);
}

static void a_list_that_is_too_long_is_complained_of(void **state)
{
	char file[4096] = "redaction:\n  query_keys:\n";

	(void)state;
	for (int i = 0; i < 32; i++)
		sprintf(file + strlen(file), "  - %064d\n", i);
	assert_true(read_file(file) > 0);
	assert_null(memchr(control.settings.mask_query, 'x', sizeof(control.settings.mask_query)));
	assert_true(strlen(control.settings.mask_query) < SEGMENT_MASK_TEXT);
}

static void the_generation_rises_with_each_change_alone(void **state)
{
	static struct segment_control block;

	(void)state;
	read_file("sampling: {ratio: 0.5}");
	control_write(&block, &control);
	assert_int_equal(block.generation, 2);
	assert_int_equal(block.settings.sample_threshold, HALF);
	control_write(&block, &control);
	assert_int_equal(block.generation, 2);
	control.disabled = 1;
	control_write(&block, &control);
	assert_int_equal(block.generation, 4);
	assert_int_equal(block.disabled, 1);
	/* What a writer that was killed left half done is done anew. */
	block.generation = 5;
	control_write(&block, &control);
	assert_int_equal(block.generation, 6);
	block.generation = UINT32_MAX;
	control_write(&block, &control);
	assert_int_equal(block.generation, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(no_file_says_nothing, set_up),
		cmocka_unit_test_setup(samplers_and_ratios_are_told, set_up),
		cmocka_unit_test_setup(lists_and_features_are_told, set_up),
		cmocka_unit_test_setup(a_variable_of_the_exporter_leaves_it_to_the_processes,
				       set_up),
		cmocka_unit_test_setup(what_no_shim_could_use_is_complained_of, set_up),
		cmocka_unit_test_setup(a_list_that_is_too_long_is_complained_of, set_up),
		cmocka_unit_test_setup(the_generation_rises_with_each_change_alone, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
