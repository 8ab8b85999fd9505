/* test_environment.c - the environment of an executed program: ours goes with it, theirs stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "preload/environment.h"
#include "tests/unit/shim_test.h"

#define LIBRARY "/opt/tagalong/lib/libtagalong.so"
#define PARENT  "TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static int tear_down(void **state)
{
	(void)state;
	environment_release(&thread_self);
	thread_self.context = 0;
	memcpy(conf.library, LIBRARY, sizeof(LIBRARY));
	memcpy(conf.session, "/s/1", 5);
	conf.propagators = PROPAGATE_TRACECONTEXT;
	return 0;
}

static char *const *for_child(const char *const *given)
{
	return environment_for_child(&thread_self, (char *const *)given);
}

static size_t count_of(char *const *environment, const char *name)
{
	size_t count = 0;

	for (; *environment; environment++)
		count += strncmp(*environment, name, strlen(name)) == 0 &&
			 (*environment)[strlen(name)] == '=';
	return count;
}

/* The only value of that name, "" if there is none. */
static const char *value_of(char *const *environment, const char *name)
{
	const char *value = conf_environment_get(environment, name);

	assert_int_equal(count_of(environment, name), value ? 1 : 0);
	return value ? value : "";
}

static void the_library_is_appended_and_what_was_there_stays_first(void **state)
{
	static const struct {
		const char *before, *after;
	} cases[] = {
		{"LD_PRELOAD=", LIBRARY},
		{"LD_PRELOAD=/a.so", "/a.so:" LIBRARY},
		{"LD_PRELOAD=/a.so b.so", "/a.so b.so:" LIBRARY},
		{"LD_PRELOAD=" LIBRARY, LIBRARY},
		{"LD_PRELOAD=/a.so:" LIBRARY, "/a.so:" LIBRARY},
		{"LD_PRELOAD=" LIBRARY " /a.so", LIBRARY " /a.so"},
		/* Names that only look alike are others. */
		{"LD_PRELOAD=" LIBRARY ".1", LIBRARY ".1:" LIBRARY},
		{"LD_PRELOAD=/x" LIBRARY, "/x" LIBRARY ":" LIBRARY},
		{"LD_PRELOAD=/x" LIBRARY ":" LIBRARY, "/x" LIBRARY ":" LIBRARY},
		{"X=1", LIBRARY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *given[] = {"A=1", cases[i].before, "Z=2", NULL};
		char *const *result = for_child(given);

		assert_string_equal(value_of(result, "LD_PRELOAD"), cases[i].after);
		assert_string_equal(value_of(result, "A"), "1");
		assert_string_equal(value_of(result, "Z"), "2");
	}
}

static void it_is_never_doubled_down_the_generations(void **state)
{
	const char *none[] = {NULL};
	struct thread next = {0};
	char *const *first = for_child(none);
	char *const *second = environment_for_child(&next, first);

	(void)state;
	assert_string_equal(value_of(first, "LD_PRELOAD"), LIBRARY);
	assert_string_equal(value_of(first, "TAGALONG_SESSION"), "/s/1");
	/* Nothing is left to do for the next one. */
	assert_ptr_equal(second, first);
	assert_null(next.environment);
}

static void a_session_of_the_programs_own_stays(void **state)
{
	const char *given[] = {"TAGALONG_SESSION=/other", NULL};

	(void)state;
	assert_string_equal(value_of(for_child(given), "TAGALONG_SESSION"), "/other");
	conf.session[0] = 0;
	given[0] = "A=1";
	assert_string_equal(value_of(for_child(given), "TAGALONG_SESSION"), "");
}

static void an_environment_that_asks_to_be_left_alone_is(void **state)
{
	static const struct {
		const char *variable;
		int left_alone;
	} cases[] = {{"TAGALONG_DISABLE=1", 1}, {"TAGALONG_DISABLE=true", 1},
		     {"TAGALONG_DISABLE=0", 0}, {"TAGALONG_DISABLE=false", 0},
		     {"TAGALONG_DISABLE=", 0},  {"TAGALONG_DISABLED=1", 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *given[] = {"A=1", cases[i].variable, NULL};
		char *const *result = for_child(given);

		assert_int_equal(result == (char *const *)given, cases[i].left_alone);
		assert_int_equal(count_of(result, "LD_PRELOAD"), !cases[i].left_alone);
	}
}

static void nothing_to_do_gives_the_same_pointer(void **state)
{
	const char *given[] = {"LD_PRELOAD=" LIBRARY, "TAGALONG_SESSION=/x", PARENT, NULL};

	(void)state;
	assert_ptr_equal(for_child(given), given);
	assert_null(thread_self.environment);
	conf.library[0] = 0;
	conf.session[0] = 0;
	given[0] = NULL;
	assert_ptr_equal(for_child(given), given);
	assert_ptr_equal(for_child(NULL), NULL);
}

static void no_environment_at_all_gets_ours(void **state)
{
	char *const *result = for_child(NULL);

	(void)state;
	assert_string_equal(value_of(result, "LD_PRELOAD"), LIBRARY);
	assert_string_equal(value_of(result, "TAGALONG_SESSION"), "/s/1");
	assert_null(result[2]);
}

static struct exchange *serve(const char *tracestate)
{
	static const uint8_t trace_id[16] = {0xab};
	struct exchange *exchange = exchange_new(SPAN_SERVER, 1);

	exchange_identify(exchange, trace_id, NULL, 1, SPAN_LINK_ROOT);
	exchange->tracestate_size = (uint16_t)strlen(tracestate);
	memcpy(exchange->tracestate, tracestate, strlen(tracestate));
	context_set(&thread_self, exchange_reference(exchange), SPAN_LINK_CONTEXT, 0);
	return exchange;
}

/* As conf_init has it when that was in the environment of this process. */
static void inherit_parent(int inherited)
{
	const char *text = strchr(PARENT, '=') + 1;

	assert_int_equal(traceparent_parse(text, strlen(text), &conf.parent), 0);
	conf.has_parent = (uint8_t)inherited;
}

static void a_parent_that_the_program_set_itself_stays(void **state)
{
	const char *given[] = {PARENT, "TRACESTATE=own=1", NULL};
	struct exchange *exchange = serve("new=2");

	(void)state;
	inherit_parent(0);
	assert_string_equal(value_of(for_child(given), "TRACEPARENT"), strchr(PARENT, '=') + 1);
	assert_string_equal(value_of(for_child(given), "TRACESTATE"), "own=1");
	exchange_drop(exchange);
}

static void inside_a_request_the_child_belongs_to_it(void **state)
{
	const char *given[] = {PARENT, "TRACESTATE=old=1", PARENT, NULL};
	struct exchange *exchange = serve("new=2");
	char expected[TRACEPARENT_SIZE + 1] = {0};
	char *const *result;

	(void)state;
	inherit_parent(1);
	result = for_child(given);
	traceparent_format(&exchange->own, expected);
	assert_string_equal(value_of(result, "TRACEPARENT"), expected);
	assert_string_equal(value_of(result, "TRACESTATE"), "new=2");
	exchange_drop(exchange);
	/* When that request is over the child belongs to whoever started us. */
	result = for_child(given);
	assert_string_equal(conf_environment_get(result, "TRACEPARENT"), strchr(PARENT, '=') + 1);
	assert_string_equal(value_of(result, "TRACESTATE"), "old=1");
}

static void a_tracestate_of_another_trace_does_not_stay(void **state)
{
	const char *given[] = {PARENT, "TRACESTATE=old=1", NULL};
	struct exchange *exchange = serve("");

	(void)state;
	inherit_parent(1);
	assert_string_equal(value_of(for_child(given), "TRACESTATE"), "");
	given[1] = NULL;
	assert_int_equal(count_of(for_child(given), "TRACESTATE"), 0);
	exchange_drop(exchange);
}

static void other_propagators_have_no_variables(void **state)
{
	const char *given[] = {PARENT, NULL};
	struct exchange *exchange = serve("");

	(void)state;
	conf.propagators = PROPAGATE_B3;
	assert_string_equal(value_of(for_child(given), "TRACEPARENT"), strchr(PARENT, '=') + 1);
	exchange_drop(exchange);
}

static void large_environments_are_copied_whole(void **state)
{
	static char text[5000][24];
	static const char *given[5001];
	char *const *result;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(text[i], sizeof(text[i]), "V%d=%d", i, i * 7);
		given[i] = text[i];
	}
	result = for_child(given);
	for (int i = 0; i < 5000; i++)
		assert_ptr_equal(result[i], given[i]);
	assert_string_equal(value_of(result, "LD_PRELOAD"), LIBRARY);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define ENVIRONMENT_TEST(name) cmocka_unit_test_teardown(name, tear_down)
		ENVIRONMENT_TEST(the_library_is_appended_and_what_was_there_stays_first),
		ENVIRONMENT_TEST(it_is_never_doubled_down_the_generations),
		ENVIRONMENT_TEST(a_session_of_the_programs_own_stays),
		ENVIRONMENT_TEST(an_environment_that_asks_to_be_left_alone_is),
		ENVIRONMENT_TEST(nothing_to_do_gives_the_same_pointer),
		ENVIRONMENT_TEST(no_environment_at_all_gets_ours),
		ENVIRONMENT_TEST(a_parent_that_the_program_set_itself_stays),
		ENVIRONMENT_TEST(inside_a_request_the_child_belongs_to_it),
		ENVIRONMENT_TEST(a_tracestate_of_another_trace_does_not_stay),
		ENVIRONMENT_TEST(other_propagators_have_no_variables),
		ENVIRONMENT_TEST(large_environments_are_copied_whole),
	};

	(void)argc;
	shim_start(argv);
	conf.no_telemetry = 1; /* contexts without a segment */
	tear_down(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
