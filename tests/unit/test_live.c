/* test_live.c - settings that change while threads read them: whole snapshots, and nothing else. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "preload/conf.h"
#include "preload/live.h"

#define CHANGES 400
#define READERS 2

static struct segment_control control;
static _Atomic uint32_t told;

static int set_up(void **state)
{
	const char *const variables[] = {
		"OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.5",
		"TAGALONG_MASK_QUERY=mine",         "TAGALONG_CAPTURE_REQUEST_HEADERS=X-Own",
		"TAGALONG_CALL_STACKS=1",           NULL};
	char *environment[8] = {NULL};

	(void)state;
	for (size_t i = 0; variables[i]; i++)
		environment[i] = (char *)variables[i];
	memset(&control, 0, sizeof(control));
	told = 0;
	return conf_init(environment, "test");
}

/* As the exporter writes it. */
static void publish(const struct segment_settings *settings, uint32_t disabled)
{
	uint32_t generation = atomic_load(&control.generation) | 1;

	atomic_store(&control.generation, generation);
	atomic_thread_fence(memory_order_release);
	memcpy(&control.settings, settings, sizeof(*settings));
	atomic_store(&control.disabled, disabled);
	atomic_store(&control.generation, generation + 1);
}

static void assert_names(const struct http1_capture *capture, const char *first, size_t count)
{
	assert_int_equal(capture->count, count);
	assert_int_equal(capture->names[0].size, strlen(first));
	assert_memory_equal(capture->names[0].at, first, strlen(first));
}

static void what_the_block_leaves_out_stays_as_the_environment_has_it(void **state)
{
	struct segment_settings settings = {.given = GIVEN_REQUEST_HEADERS,
					    .features_given = FEATURE_REQUEST_ID,
					    .request_headers = "X-One,x-two"};

	(void)state;
	live_follow(&control, &told);
	assert_int_equal(live_now()->generation, 0);
	assert_int_equal(told, 0);
	publish(&settings, 0);
	live_refresh();
	assert_int_equal(told, 2);
	assert_int_equal(live_now()->generation, 2);
	assert_names(&live_now()->capture_request, "x-one", 2);
	assert_int_equal(live_now()->request_ids, 0);
	assert_int_equal(live_now()->sampler, SAMPLE_RATIO);
	assert_int_equal(live_now()->sample_threshold, 1ull << 55);
	assert_int_equal(live_now()->call_stacks, 1);
	assert_int_equal(live_now()->mask.count, 1);
	assert_string_equal(live_now()->mask.names[0], "mine");
	settings = (struct segment_settings){0};
	publish(&settings, 0);
	live_refresh();
	assert_names(&live_now()->capture_request, "x-own", 1);
	assert_int_equal(live_now()->request_ids, 1);
}

static void all_of_the_block_is_taken(void **state)
{
	struct segment_settings settings = {
		.given = GIVEN_SAMPLER | GIVEN_RESPONSE_HEADERS | GIVEN_MASK,
		.features_given = FEATURE_SQL_COMMENTS | FEATURE_CALL_STACKS,
		.features = FEATURE_SQL_COMMENTS,
		.sampler = SAMPLE_OFF,
		.sample_by_parent = 1,
		.response_headers = "Age",
		.mask_query = "a,b"};

	(void)state;
	live_follow(&control, &told);
	publish(&settings, 1);
	live_refresh();
	assert_int_equal(live_now()->disabled, 1);
	assert_int_equal(live_now()->sampler, SAMPLE_OFF);
	assert_int_equal(live_now()->sample_by_parent, 1);
	assert_int_equal(live_now()->sql_comments, 1);
	assert_int_equal(live_now()->call_stacks, 0);
	assert_names(&live_now()->capture_response, "age", 1);
	assert_int_equal(live_now()->mask.count, 2);
	assert_string_equal(live_now()->mask.names[1], "b");
	/* An empty list masks nothing, and is not the default list. */
	settings.mask_query[0] = 0;
	publish(&settings, 0);
	live_refresh();
	assert_int_equal(live_now()->disabled, 0);
	assert_non_null(live_now()->mask.names);
	assert_int_equal(live_now()->mask.count, 0);
}

static void a_block_that_is_being_written_is_left_for_later(void **state)
{
	struct segment_settings settings = {.given = GIVEN_SAMPLER, .sampler = SAMPLE_OFF};

	(void)state;
	live_follow(&control, &told);
	publish(&settings, 0);
	atomic_fetch_add(&control.generation, 1);
	live_refresh();
	assert_int_equal(live_now()->sampler, SAMPLE_RATIO);
	assert_int_equal(told, 0);
	atomic_fetch_add(&control.generation, 1);
	live_refresh();
	assert_int_equal(live_now()->sampler, SAMPLE_OFF);
	assert_int_equal(told, 4);
}

static void a_list_without_an_end_is_none(void **state)
{
	struct segment_settings settings = {.given = GIVEN_REQUEST_HEADERS | GIVEN_MASK};

	(void)state;
	memset(settings.request_headers, 'x', sizeof(settings.request_headers));
	memset(settings.mask_query, 'y', sizeof(settings.mask_query));
	live_follow(&control, &told);
	publish(&settings, 0);
	live_refresh();
	assert_int_equal(told, 2);
	assert_names(&live_now()->capture_request, "x-own", 1);
	assert_string_equal(live_now()->mask.names[0], "mine");
}

static void more_names_than_there_is_room_for_are_left_out(void **state)
{
	struct segment_settings settings = {.given = GIVEN_REQUEST_HEADERS | GIVEN_MASK};

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(settings.request_headers); i += 2)
		memcpy(settings.request_headers + i, "a,", 2);
	for (size_t i = 0; i + 2 < sizeof(settings.mask_query); i += 2)
		memcpy(settings.mask_query + i, "b,", 2);
	live_follow(&control, &told);
	publish(&settings, 0);
	live_refresh();
	assert_int_equal(live_now()->capture_request.count, HTTP1_CAPTURED_MAX);
	assert_int_equal(live_now()->mask.count, LIVE_LIST_MAX);
}

static void after_a_fork_the_last_settings_hold_until_a_session_is_found(void **state)
{
	struct segment_settings settings = {.given = GIVEN_SAMPLER, .sampler = SAMPLE_OFF};
	_Atomic uint32_t of_child = 0;

	(void)state;
	live_follow(&control, &told);
	publish(&settings, 0);
	live_refresh();
	live_forked();
	live_refresh();
	assert_int_equal(live_now()->sampler, SAMPLE_OFF);
	live_follow(&control, &of_child);
	assert_int_equal(of_child, 2);
	assert_int_equal(live_now()->sampler, SAMPLE_OFF);
}

struct reader {
	pthread_t thread;
	_Atomic unsigned reads, wrong;
};

static _Atomic int stop;

/* Whatever a reader finds belongs together: the list was written for that threshold. */
static void *read_on(void *context)
{
	struct reader *reader = context;

	while (!atomic_load(&stop)) {
		const struct live *live;
		char expected[32];

		live_refresh();
		live = live_now();
		atomic_fetch_add(&reader->reads, 1);
		if (!live->generation)
			continue;
		snprintf(expected, sizeof(expected), "x-%llu",
			 (unsigned long long)live->sample_threshold);
		if (live->capture_request.count != 1 ||
		    live->capture_request.names[0].size != strlen(expected) ||
		    memcmp(live->capture_request.names[0].at, expected, strlen(expected)) != 0)
			atomic_fetch_add(&reader->wrong, 1);
	}
	return NULL;
}

/* A snapshot is used again after seven others: no hook lasts as long as that. */
static void let_read(struct reader *readers)
{
	for (int i = 0; i < READERS; i++) {
		unsigned before = atomic_load(&readers[i].reads);

		while (atomic_load(&readers[i].reads) - before < 2)
			sched_yield();
	}
}

static void readers_never_see_half_a_change(void **state)
{
	struct segment_settings settings = {.given = GIVEN_SAMPLER | GIVEN_REQUEST_HEADERS};
	struct reader readers[READERS] = {0};

	(void)state;
	live_follow(&control, &told);
	atomic_store(&stop, 0);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i].thread, NULL, read_on, &readers[i]), 0);
	for (unsigned i = 1; i <= CHANGES; i++) {
		settings.sample_threshold = i;
		snprintf(settings.request_headers, sizeof(settings.request_headers), "x-%u", i);
		publish(&settings, 0);
		if (i % 4 == 0)
			let_read(readers);
	}
	atomic_store(&stop, 1);
	for (int i = 0; i < READERS; i++) {
		pthread_join(readers[i].thread, NULL);
		assert_int_equal(readers[i].wrong, 0);
	}
	live_refresh();
	assert_int_equal(told, atomic_load(&control.generation));
	assert_int_equal(live_now()->sample_threshold, CHANGES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_the_block_leaves_out_stays_as_the_environment_has_it,
				       set_up),
		cmocka_unit_test_setup(all_of_the_block_is_taken, set_up),
		cmocka_unit_test_setup(a_block_that_is_being_written_is_left_for_later, set_up),
		cmocka_unit_test_setup(a_list_without_an_end_is_none, set_up),
		cmocka_unit_test_setup(more_names_than_there_is_room_for_are_left_out, set_up),
		cmocka_unit_test_setup(after_a_fork_the_last_settings_hold_until_a_session_is_found,
				       set_up),
		cmocka_unit_test_setup(readers_never_see_half_a_change, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
