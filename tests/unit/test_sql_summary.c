/* test_sql_summary.c - statements in a few words, as OpenTelemetry's examples have them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/sql_summary.h"

static const struct {
	const char *sql;
	const char *expected;
} statements[] = {
	/* OpenTelemetry's own. */
	{"SELECT ?, ?, ?", "SELECT"},
	{"SELECT { guid ? }", "SELECT"},
	{"SELECT c3po FROM covid19 WHERE n1h1=?", "SELECT covid19"},
	{"SELECT a FROM dbo.Table JOIN dbo.AnotherTable", "SELECT dbo.Table dbo.AnotherTable"},
	{"INSERT INTO X VALUES(?, ?)", "INSERT X"},
	{"SELECT * FROM table WHERE value IN (?)", "SELECT table"},
	{"SELECT column \nFROM  table", "SELECT table"},
	{"INSERT INTO shipping_details (a, b) SELECT a, ? FROM orders WHERE x = ?",
	 "INSERT shipping_details SELECT orders"},
	{"SELECT a FROM (SELECT * FROM orders o JOIN customers c ON o.c = c.id) x",
	 "SELECT SELECT orders customers"},
	{"SELEcT a FROM ORders", "SELEcT ORders"},
	{"SELECT a FROM Orders o, OrderDetails od", "SELECT Orders OrderDetails"},
	{"SELECT a FROM Orders CROSS JOIN OrderDetails", "SELECT Orders OrderDetails"},
	{"SELECT a FROM \"song list\", 'artists'", "SELECT \"song list\" 'artists'"},
	{"CREATE  TABLE MyTable (ID INT IDENTITY(?,?))", "CREATE TABLE MyTable"},
	{"ALTER  TABLE MyTable ADD Name varchar(?)", "ALTER TABLE MyTable"},
	{"DROP  TABLE MyTable", "DROP TABLE MyTable"},
	{"{call some_stored_procedure}", "call some_stored_procedure"},
	/* Names. */
	{"SELECT * FROM \"my db\".\"t\".c AS x", "SELECT \"my db\".\"t\".c"},
	{"SELECT * FROM `a``b`, [song list]", "SELECT `a``b` [song list]"},
	{"SELECT a[?] FROM t", "SELECT t"},
	{"SELECT * FROM ONLY t, LATERAL f(t.a, ?) AS x", "SELECT t f"},
	{"SELECT * FROM (a JOIN b ON a.x = b.x), c", "SELECT a b c"},
	{"SELECT * FROM a JOIN b USING (id) LEFT JOIN c ON (a.x = c.x), d WHERE a.e, f",
	 "SELECT a b c d"},
	{"SELECT * FROM $1, ?, :name, @x", "SELECT"},
	{"SELECT * FROM (VALUES (?, ?)) AS t", "SELECT"},
	/* FROM that begins no names. */
	{"SELECT EXTRACT(YEAR FROM x), TRIM(BOTH ? FROM y) FROM t", "SELECT t"},
	{"SELECT a IS DISTINCT FROM b, c FROM t", "SELECT t"},
	{"SELECT a FROM t WHERE b IS DISTINCT FROM c", "SELECT t"},
	/* Sub-queries and what is joined of queries. */
	{"SELECT a, (SELECT max(b) FROM u) FROM t WHERE c IN (SELECT d FROM v)",
	 "SELECT SELECT u t SELECT v"},
	{"SELECT a FROM t UNION ALL (SELECT b FROM u) ORDER BY ?, ?", "SELECT t SELECT u"},
	{"(SELECT a FROM t)", "SELECT t"},
	{"SELECT a INTO u FROM t", "SELECT u t"},
	{"SELECT a INTO OUTFILE ? FROM t", "SELECT t"},
	{"SELECT a FROM t FOR UPDATE", "SELECT t"},
	/* WITH. */
	{"WITH x AS (SELECT a FROM t) SELECT * FROM x, u", "SELECT t SELECT u"},
	{"with recursive X (n) AS (SELECT ? UNION ALL SELECT n FROM x JOIN u ON ?), y AS NOT "
	 "MATERIALIZED (DELETE FROM v RETURNING *) INSERT INTO w SELECT * FROM x, y",
	 "SELECT SELECT u DELETE v INSERT w SELECT"},
	{"SELECT * FROM (WITH x AS (SELECT a FROM t) SELECT * FROM x) y", "SELECT SELECT t SELECT"},
	/* Changes. */
	{"UPDATE t SET a = ? FROM u WHERE t.id = u.id", "UPDATE t u"},
	{"UPDATE ONLY t AS x SET a = ?, b = ?", "UPDATE t"},
	{"UPDATE a, b SET a.x = ?", "UPDATE a b"},
	{"DELETE FROM t WHERE a = ?", "DELETE t"},
	{"DELETE FROM t USING u, v WHERE t.id = u.id", "DELETE t u v"},
	{"INSERT INTO t (a) VALUES (?) ON CONFLICT (a) DO UPDATE SET b = EXCLUDED.b RETURNING id",
	 "INSERT t"},
	{"INSERT IGNORE INTO t VALUES (?) ON DUPLICATE KEY UPDATE a = VALUES(a)", "INSERT t"},
	{"REPLACE INTO t VALUES (REPLACE(?, ?, ?))", "REPLACE t"},
	{"MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN UPDATE SET b = ?", "MERGE t u"},
	{"TRUNCATE TABLE a, b", "TRUNCATE a b"},
	{"LOAD DATA LOCAL INFILE ? INTO TABLE t", "LOAD t"},
	/* Definitions. */
	{"CREATE TEMPORARY TABLE IF NOT EXISTS t AS SELECT a FROM u", "CREATE TABLE t SELECT u"},
	{"CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", "CREATE INDEX i"},
	{"CREATE INDEX ON t (a)", "CREATE INDEX t"},
	{"CREATE OR REPLACE VIEW v AS SELECT a FROM t", "CREATE VIEW v SELECT t"},
	{"DROP TABLE IF EXISTS a, b CASCADE", "DROP TABLE a b"},
	{"REFRESH MATERIALIZED VIEW v", "REFRESH VIEW v"},
	{"GRANT SELECT, UPDATE ON t TO u", "GRANT"},
	/* Others. */
	{"BEGIN", "BEGIN"},
	{"COMMIT", "COMMIT"},
	{"START TRANSACTION READ ONLY", "START TRANSACTION"},
	{"SAVEPOINT s140_x1", "SAVEPOINT"},
	{"SET search_path = a, b", "SET"},
	{"COPY t (a, b) FROM STDIN", "COPY t"},
	{"COPY (SELECT a FROM t) TO STDOUT", "COPY SELECT t"},
	{"EXPLAIN SELECT a FROM t", "EXPLAIN SELECT t"},
	{"EXPLAIN ANALYZE VERBOSE DELETE FROM t", "EXPLAIN DELETE t"},
	{"EXPLAIN (ANALYZE, FORMAT json) SELECT a FROM t", "EXPLAIN SELECT t"},
	{"EXPLAIN FORMAT=JSON UPDATE t SET a = ?", "EXPLAIN UPDATE t"},
	{"PREPARE p AS SELECT a FROM t", "PREPARE SELECT t"},
	{"DECLARE c CURSOR FOR SELECT a FROM t", "DECLARE SELECT t"},
	{"CALL p(?, ?)", "CALL p"},
	{"USE shop", "USE shop"},
	{"VACUUM FULL t", "VACUUM t"},
	{"VALUES (?)", "VALUES"},
	/* Several. */
	{"BEGIN; UPDATE t SET a = ?; COMMIT;", "BEGIN; UPDATE t; COMMIT"},
	{"WITH x AS (SELECT ?) SELECT * FROM x; SELECT * FROM x", "SELECT SELECT; SELECT x"},
	/* Nothing, and what is no SQL. */
	{"", ""},
	{" ;; ", ""},
	{"?", ""},
	{"))) SELECT a FROM t", "SELECT t"},
	{"SELECT * FROM \"unended", "SELECT \"unended"},
};

static void statements_are_said_in_a_few_words(void **state)
{
	char to[SQL_SUMMARY_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
		size_t size = strlen(statements[i].sql);
		/* Of the exact size, so that a sanitizer sees each byte too many. */
		char *copy = malloc(size ? size : 1);
		memcpy(copy, statements[i].sql, size);
		size = sql_summary((struct text){copy, (uint32_t)size}, to);
		assert_string_equal(to, statements[i].expected);
		assert_int_equal(size, strlen(to));
		free(copy);
	}
}

static void a_long_summary_is_cut_after_a_whole_name(void **state)
{
	char sql[4096] = "SELECT * FROM table_0000", to[SQL_SUMMARY_MAX + 1];
	size_t at = strlen(sql);

	(void)state;
	for (int i = 1; i < 100; i++)
		at += (size_t)sprintf(sql + at, ", table_%04d", i);
	size_t size = sql_summary((struct text){sql, (uint32_t)at}, to);
	/* "SELECT" and 22 names of ten bytes with a space each. */
	assert_int_equal(size, 6 + 22 * 11);
	assert_string_equal(to + size - 11, " table_0021");
}

static void a_statement_can_be_nested_deeper_than_is_looked_at(void **state)
{
	static const char head[] = "SELECT * FROM ", query[] = "SELECT a FROM hidden",
			  tail[] = " x, t";
	char sql[2048], to[SQL_SUMMARY_MAX + 1];
	char *at = sql;

	(void)state;
	at = mempcpy(at, head, sizeof(head) - 1);
	at = (char *)memset(at, '(', 100) + 100;
	at = mempcpy(at, query, sizeof(query) - 1);
	at = (char *)memset(at, ')', 100) + 100;
	memcpy(at, tail, sizeof(tail));
	sql_summary((struct text){sql, (uint32_t)strlen(sql)}, to);
	assert_string_equal(to, "SELECT t");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statements_are_said_in_a_few_words),
		cmocka_unit_test(a_long_summary_is_cut_after_a_whole_name),
		cmocka_unit_test(a_statement_can_be_nested_deeper_than_is_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
