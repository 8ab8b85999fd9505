/* test_sql_context.c - which statements get the trace context as a comment, and how it reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "preload/sql_context.h"

#define PARENT  "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define COMMENT " /*traceparent='" PARENT "'*/"

static char out[SQL_CONTEXT_ROOM];

static void the_comment_stands_behind_the_text_and_before_its_semicolon(void **state)
{
	static const char *const cases[][2] = {
		{"SELECT 1", "SELECT 1" COMMENT},
		{"SELECT 1;", "SELECT 1" COMMENT ";"},
		{"SELECT 1 ; \n", "SELECT 1" COMMENT " ; \n"},
		{"  UPDATE t SET a = 1", "  UPDATE t SET a = 1" COMMENT},
		{"copying", "copying" COMMENT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t size = sql_context(cases[i][0], PARENT, "", 0, out, sizeof(out));

		assert_string_equal(out, cases[i][1]);
		assert_int_equal(size, strlen(cases[i][1]));
	}
}

static void what_is_not_one_plain_statement_stays_as_it_is(void **state)
{
	static const char *const cases[] = {
		"",
		" ;",
		"SELECT 1 -- why",
		"SELECT /* why */ 1",
		"SELECT 1; SELECT 2",
		"COPY t FROM STDIN",
		" copy(SELECT 1) TO STDOUT",
		"COPY\tt FROM STDIN;",
		"SELECT ';'",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(sql_context(cases[i], PARENT, "", 0, out, sizeof(out)), 0);
}

static void trace_state_is_encoded_and_comes_second(void **state)
{
	(void)state;
	assert_true(sql_context("SELECT 1", PARENT, "congo=t61,rojo=a b'", 19, out, sizeof(out)));
	assert_string_equal(out, "SELECT 1 /*traceparent='" PARENT
				 "',tracestate='congo%3Dt61%2Crojo%3Da%20b%27'*/");
}

/* Nothing is written behind the room, whatever its size. */
static void what_does_not_fit_stays_as_it_is(void **state)
{
	static const char sql[] = "SELECT 1;";
	size_t whole = strlen(sql) + strlen(COMMENT);
	size_t fitted = 0;

	(void)state;
	for (size_t room = 0; room < whole + 100; room++) {
		size_t size;

		memset(out, 'x', sizeof(out));
		size = sql_context(sql, PARENT, "", 0, out, room);
		assert_true(size == 0 || size == whole);
		assert_int_equal(out[room], 'x');
		fitted += size == whole && room > whole;
	}
	assert_true(fitted > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_comment_stands_behind_the_text_and_before_its_semicolon),
		cmocka_unit_test(what_is_not_one_plain_statement_stays_as_it_is),
		cmocka_unit_test(trace_state_is_encoded_and_comes_second),
		cmocka_unit_test(what_does_not_fit_stays_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
