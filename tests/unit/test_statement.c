/* test_statement.c - what is remembered of statements is what their texts tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/statement.h"

static struct text text_of(const char *string)
{
	return (struct text){string, (uint32_t)strlen(string)};
}

/* What is told of a text is what sql_summary says of it. */
static void assert_tells(const char *sql)
{
	char summary[SQL_SUMMARY_MAX + 1];
	size_t size = sql_summary(text_of(sql), summary);
	const struct statement *statement = statement_of(text_of(sql));

	assert_int_equal(statement->summary_size, size);
	assert_string_equal(statement->summary, summary);
	assert_int_equal(statement->word_size, strcspn(summary, " ;"));
}

static void a_text_seen_before_is_told_as_at_first(void **state)
{
	const struct statement *first, *again;

	(void)state;
	first = statement_of(text_of("SELECT a FROM seen WHERE b = ?"));
	assert_string_equal(first->summary, "SELECT seen");
	again = statement_of(text_of("SELECT a FROM seen WHERE b = ?"));
	assert_ptr_equal(first, again);
	assert_tells("SELECT a FROM seen WHERE b = ?");
}

static void a_buffer_with_another_text_is_another_statement(void **state)
{
	char sql[] = "SELECT a FROM t0";

	(void)state;
	for (int round = 0; round < 20; round++) {
		sql[sizeof(sql) - 2] = (char)('0' + round % 10);
		assert_tells(sql);
	}
}

static void more_statements_than_are_remembered_are_told_right(void **state)
{
	(void)state;
	for (int i = 0; i < 12 * STATEMENTS_REMEMBERED; i++) {
		char sql[64];

		/* Strides that come back to what was forgotten, and to what was not. */
		snprintf(sql, sizeof(sql), "INSERT INTO t%d VALUES (?)",
			 i * 7 % (3 * STATEMENTS_REMEMBERED) / (i % 3 + 1));
		assert_tells(sql);
	}
}

static void texts_up_to_and_over_the_bound_are_told(void **state)
{
	char sql[2 * STATEMENT_BYTES];

	(void)state;
	for (size_t size = STATEMENT_BYTES - 2; size <= STATEMENT_BYTES + 2; size++) {
		int used = snprintf(sql, sizeof(sql), "SELECT a FROM bound WHERE b = ?");

		memset(sql + used, ' ', size - (size_t)used);
		sql[size] = '\0';
		assert_tells(sql);
		assert_tells(sql);
		/* The last byte alone tells these two apart. */
		sql[size - 1] = ';';
		assert_tells(sql);
	}
	assert_tells("");
}

static void only_changes_that_return_nothing_change(void **state)
{
	static const struct {
		const char *sql;
		int changes;
	} cases[] = {
		{"SELECT a FROM t", 0},
		{"insert into t values (?)", 1},
		{"UPDATE t SET a = ?", 1},
		{"UPDATE t SET a = ? returning a", 0},
		{"WITH x AS (DELETE FROM t) SELECT 1", 1},
		{"SELECT 1; COPY t FROM STDIN", 1},
		{"CREATE TABLE u AS SELECT a FROM t", 1},
		{"SELECT a FROM inserts", 0},
		{"", 0},
	};

	(void)state;
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
			assert_int_equal(statement_of(text_of(cases[i].sql))->changes,
					 cases[i].changes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_seen_before_is_told_as_at_first),
		cmocka_unit_test(a_buffer_with_another_text_is_another_statement),
		cmocka_unit_test(more_statements_than_are_remembered_are_told_right),
		cmocka_unit_test(texts_up_to_and_over_the_bound_are_told),
		cmocka_unit_test(only_changes_that_return_nothing_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
