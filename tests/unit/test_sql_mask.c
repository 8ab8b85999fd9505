/* test_sql_mask.c - no literal gets through, in any quoting, dialect or number of pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "preload/sql_mask.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct mask_case {
	const char *sql;
	const char *expected;
};

/* Of the exact size, so that a sanitizer sees each byte too many. */
static char *mask_pieces(enum sql_dialect dialect, const char *sql, size_t size, size_t cut)
{
	size_t room = size + 1;
	char *piece = malloc(size + 1), *out = malloc(room + 1);
	struct sql_mask mask;

	sql_mask_begin(&mask, dialect, out, room);
	memcpy(piece, sql, cut);
	sql_mask_feed(&mask, piece, cut);
	memset(piece, '#', size + 1);
	memcpy(piece, sql + cut, size - cut);
	sql_mask_feed(&mask, piece, size - cut);
	out[sql_mask_end(&mask)] = 0;
	assert_int_equal(mask.cut, 0);
	free(piece);
	return out;
}

static void assert_masked(enum sql_dialect dialect, const struct mask_case *c)
{
	size_t size = strlen(c->sql);

	for (size_t cut = 0; cut <= size; cut++) {
		char *out = mask_pieces(dialect, c->sql, size, cut);
		if (strcmp(out, c->expected) != 0)
			print_error("of %s cut at %zu\n", c->sql, cut);
		assert_string_equal(out, c->expected);
		free(out);
	}
}

static void assert_all(enum sql_dialect dialect, const struct mask_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_masked(dialect, &cases[i]);
}

/* OpenTelemetry's own examples. */
static const struct mask_case conventions[] = {
	{"SELECT 12, -12, +12", "SELECT ?, ?, ?"},
	{"SELECT .01, -.01, +.01, 12.34e-56, 1e5, 1E+5", "SELECT ?, ?, ?, ?, ?, ?"},
	{"SELECT 99+100", "SELECT ??"},
	{"SELECT 0xDEADBEEF, 0XdeadBEEF", "SELECT ?, ?"},
	{"SELECT 'My name''s not'", "SELECT ?"},
	{"SELECT 'one\ntwo'", "SELECT ?"},
	{"SELECT c3po FROM covid19 WHERE n1h1=1234", "SELECT c3po FROM covid19 WHERE n1h1=?"},
	{"SELECT a FROM dbo.Table JOIN dbo.AnotherTable",
	 "SELECT a FROM dbo.Table JOIN dbo.AnotherTable"},
	{"INSERT INTO X VALUES(1, 99+100)", "INSERT INTO X VALUES(?, ?"
					    "?)"},
	{"SELECT { guid '01234567-89ab' }", "SELECT { guid ? }"},
	{"SELECT * FROM t WHERE value IN (123, 456, 'abc')", "SELECT * FROM t WHERE value IN (?)"},
	{"SELECT column -- c\nFROM /* b */ table", "SELECT column \nFROM  table"},
	{"INSERT INTO shipping (a, b) SELECT a, 3 FROM orders",
	 "INSERT INTO shipping (a, b) SELECT a, ? FROM orders"},
	{"CREATE  TABLE MyTable (ID INT IDENTITY(1,1))",
	 "CREATE  TABLE MyTable (ID INT IDENTITY(?,?))"},
	{"ALTER  TABLE MyTable ADD Name varchar(255)", "ALTER  TABLE MyTable ADD Name varchar(?)"},
	{"{call some_stored_procedure}", "{call some_stored_procedure}"},
};

static void examples_of_the_conventions_hold_in_both_dialects(void **state)
{
	(void)state;
	assert_all(SQL_POSTGRESQL, conventions, COUNT(conventions));
	assert_all(SQL_MYSQL, conventions, COUNT(conventions));
}

static const struct mask_case common[] = {
	{"", ""},
	{"SELECT true, false, null", "SELECT true, false, null"},
	{"a-1 a - 1 a+-1 -a - -1", "a? a - ? a+? -a - ?"},
	{"1..10 1.5.6 1.e5 12abc 1_000", "? ? ? ? ?"},
	{"1e5-3 1e-x 1e+-1 0x1e-5", "?? ?-x ?+? ??"},
	{"t.c, t . c, .5, a.5, x.*", "t.c, t . c, ?, a.?, x.*"},
	{"5/3 a/b a*b a/*c*/b", "?/? a/b a*b a b"},
	{"SELECT/**/name/* */FROM t", "SELECT name FROM t"},
	{"'a' 'b'", "?"},
	{"'a'\n'b' 'c', 'd'", "?, ?"},
	{"N'x' n'x' X'00' x'00' B'01' b'01'", "? ? ? ? ? ?"},
	{"DATE'2020-01-01' + INTERVAL '1 day'", "DATE? + INTERVAL ?"},
	{"name'x' _n'y'", "name? _n?"},
	/* Placeholders stay; a number after a mark does not. */
	{"WHERE a = ? AND b = :name AND c = %s AND d = @x",
	 "WHERE a = ? AND b = :name AND c = %s AND d = @x"},
	{"a[1:2] :1 @1 %5", "a[?:?] :? @? %?"},
	/* Lists. */
	{"IN (1)", "IN (?)"},
	{"x in(1,2,3) and y In  ( 'a' , 'b' )", "x in(?) and y In  (?)"},
	{"IN (?, ?, ?) IN (:a, :b) IN (%s, %s) IN (@a, 1, NULL)", "IN (?) IN (?) IN (?) IN (?)"},
	{"IN ()", "IN ()"},
	{"IN (a, b)", "IN (a, b)"},
	{"IN (SELECT 1, 2)", "IN (SELECT ?, ?)"},
	{"IN (1, 2, 3, f(4), 5, 6)", "IN (?, f(?), ?, ?)"},
	{"IN (1, 2+x, 3)", "IN (?, ?+x, ?)"},
	{"IN /* c */ (1, -- d\n 2)", "IN  (?)"},
	{"IN (1, 2", "IN (?, ?"},
	{"IN ((1, 2), (3, 4))", "IN ((?, ?))"},
	{"t.in (1, 2)", "t.in (?, ?)"},
	{"VALUES (1, 'a'), (2, 'b'), (3, 'c')", "VALUES (?, ?)"},
	{"values(1,2),(3,4) returning id", "values(?,?) returning id"},
	{"VALUES (1)\n, (2) \nON CONFLICT", "VALUES (?) \nON CONFLICT"},
	{"VALUES (?, NULL, DEFAULT), (:a, true, -1)", "VALUES (?, NULL, DEFAULT)"},
	{"VALUES (1), (now()), (2), (f(3))", "VALUES (?), (now()), (f(?))"},
	{"VALUES (now(), 1), (2, 3), (4, 5), (f((6)), 7)",
	 "VALUES (now(), ?), (?, ?), (f((?)), ?)"},
	{"VALUES ROW(1, 2), ROW(3, 4)", "VALUES ROW(?, ?)"},
	{"VALUES (1), x, (2)", "VALUES (?), x, (?)"},
	{"f(1, 2), (3, 4)", "f(?, ?), (?, ?)"},
	/* Malformed or cut. */
	{"'secret", "?"},
	{"x = 'secret''", "x = ?"},
	{"-- secret", ""},
	{"/* secret", ""},
	{"/* secret *", ""},
	{"a - ", "a - "},
	{"a -", "a -"},
	{"a /", "a /"},
	{"1e", "?"},
	{"1e-", "?-"},
	{"-.", "-."},
	{".", "."},
	{"IN", "IN"},
	{"VALUES (1), (2", "VALUES (?), (?"},
	{")))(((,", ")))(((,"},
};

static void literals_of_both_dialects_are_masked(void **state)
{
	(void)state;
	assert_all(SQL_POSTGRESQL, common, COUNT(common));
	assert_all(SQL_MYSQL, common, COUNT(common));
}

static const struct mask_case postgresql[] = {
	{"SELECT \"My \"\"col 1\" FROM \"a'b\"", "SELECT \"My \"\"col 1\" FROM \"a'b\""},
	{"\"a\" = \"secret", "\"a\" = ?"},
	{"'C:\\' || 'x'", "? || ?"},
	{"E'it\\'s' e'\\\\' x", "? ? x"},
	{"E'a\\'b''c\\'d' z", "? z"},
	{"E'a'\n'b\\'c' z", "? z"},
	{"E'a' -- d\n'b\\'c' z", "? z"},
	{"'a'\n'b\\' z", "? z"},
	{"1E'a\\'b' z", "?? z"},
	{"$1E'a\\'b' z", "$1? z"},
	{"U&'d\\0061t' U&\"d\\0061t\" u & v, u&v", "? U&\"d\\0061t\" u & v, u&v"},
	{"U&'\\' z", "? z"},
	{"$$secret$$ z", "? z"},
	{"$a$secret $$ $b$ $a $ab$ $a$ z", "? z"},
	{"$a$x$a$a$ z", "?a$ z"},
	{"$$x$1$$ z", "? z"},
	{"$A$x$a$y$A$ z", "? z"},
	{"$a1_\xc3\xa4$x$a1_\xc3\xa4$ z", "? z"},
	{"$a$secret", "?"},
	{"$$secret$", "?"},
	{"1$$x$$ $1$$x$$ a$$x$$", "?? $1? a$$x$$"},
	{"$1, $23, $name $ $+", "$1, $23, $name $ $+"},
	{"$E'a\\'b' z", "$? z"},
	{"/* a /* b */ secret */ z", " z"},
	{"/*/* b */ */ z /**/ y", " z  y"},
	{"/* ' */ 1 /* \" */", " ? "},
	{"a -- it's\r\nb", "a \r\nb"},
	{"5--1\n+x", "?\n+x"},
	{"a #> b # c", "a #> b # c"},
	{"a::int, 'x'::text, 1::numeric(10,2), $1::uuid",
	 "a::int, ?::text, ?::numeric(?,?), $1::uuid"},
	{"IN ($1, $2, $3::int, 'x'::text)", "IN (?)"},
	{"VALUES ($1::int, $2::text), ($3::int, $4::text)", "VALUES ($1::int, $2::text)"},
	{"data->'key'->>2 ? 'x' ?| array['a']", "data->?->>? ? ? ?| array[?]"},
	{"data->-1, @-5, a<->1", "data->?, @?, a<->?"},
	{"`a`", "`a`"},
	{"/*! 1 */", ""},
	{"COPY t FROM STDIN WITH (DELIMITER ',')", "COPY t FROM STDIN WITH (DELIMITER ?)"},
	{"B'01'\n'10' X'1'\n'\\' z", "? ? z"},
};

static void literals_of_postgresql_are_masked(void **state)
{
	(void)state;
	assert_all(SQL_POSTGRESQL, postgresql, COUNT(postgresql));
}

static const struct mask_case mysql[] = {
	{"SELECT `my``col 1`, \"it's\", 'say \"hi\"'", "SELECT `my``col 1`, ?, ?"},
	{"'it\\'s' \"it\\\"s\" 'x\\\\' z", "? z"},
	{"'a'\"b\" z", "? z"},
	{"`secret", "?"},
	{"_utf8'a', _utf8mb4 \"b\", @'c', @\"d\"", "_utf8?, _utf8mb4 ?, @?, @?"},
	{"a # it's\nb # c", "a \nb "},
	{"a -- it's\nb --\nc --", "a \nb \nc "},
	{"5--1, 5---1, 5--x, 5-- x", "?-?, ?--?, ?--x, ?"},
	{"/* a /* b */ z", " z"},
	{"/*!40101 SET a = 1 */; z", " SET a = ? ; z"},
	{"/*!50000 'a*/b' */ z", " ?  z"},
	{"/*M!100100 SET a='x'*/ z", " SET a=? z"},
	{"/*M z */ y /*+ HINT(1) */", " y "},
	{"a*/b", "a*/b"},
	{"/*! a*b */", " a*b "},
	{"/*!", ""},
	{"/*M", ""},
	{"1$abc $a$b$ a$b", "?$abc $a$b$ a$b"},
	{"0b101 0x1F 1e5", "? ? ?"},
	{"SELECT '\\", "SELECT ?"},
	{"INSERT INTO t VALUES (1,'a'),(2,\"b\") ON DUPLICATE KEY UPDATE a=VALUES(a), b=VALUES(b)",
	 "INSERT INTO t VALUES (?,?) ON DUPLICATE KEY UPDATE a=VALUES(a), b=VALUES(b)"},
};

static void literals_of_mysql_are_masked(void **state)
{
	(void)state;
	assert_all(SQL_MYSQL, mysql, COUNT(mysql));
}

static void a_text_fed_by_single_bytes_is_masked_alike(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(common); i++) {
		char out[256];
		struct sql_mask mask;
		sql_mask_begin(&mask, SQL_POSTGRESQL, out, sizeof(out) - 1);
		for (const char *at = common[i].sql; *at; at++)
			sql_mask_feed(&mask, at, 1);
		out[sql_mask_end(&mask)] = 0;
		assert_string_equal(out, common[i].expected);
	}
}

/* Whatever the room: a whole number of tokens, a beginning of the text, nothing beyond the room. */
static void a_text_without_room_is_cut_after_a_token(void **state)
{
	static const char sql[] = "SELECT name, 'secret' FROM users WHERE id = 123456";
	static const char *const expected[] = {
		[0] = "",
		[5] = "",
		[6] = "SELECT",
		[7] = "SELECT ",
		[10] = "SELECT ",
		[11] = "SELECT name",
		[12] = "SELECT name,",
		[13] = "SELECT name, ",
		[14] = "SELECT name, ?",
		[15] = "SELECT name, ? ",
		[18] = "SELECT name, ? ",
		[19] = "SELECT name, ? FROM",
	};

	(void)state;
	for (size_t room = 0; room < COUNT(expected); room++) {
		struct sql_mask mask;
		char *out = malloc(room ? room : 1);
		sql_mask_begin(&mask, SQL_POSTGRESQL, out, room);
		sql_mask_feed(&mask, sql, sizeof(sql) - 1);
		size_t size = sql_mask_end(&mask);
		assert_true(size <= room);
		assert_int_equal(mask.cut, 1);
		if (expected[room]) {
			assert_int_equal(size, strlen(expected[room]));
			assert_memory_equal(out, expected[room], size);
		}
		free(out);
	}
}

static void a_list_needs_room_for_what_stays_of_it_only(void **state)
{
	static const char in[] = "SELECT 1 WHERE a IN (", rows[] = "INSERT INTO t VALUES (1, 'x')";
	char out[40];
	struct sql_mask mask;

	(void)state;
	sql_mask_begin(&mask, SQL_POSTGRESQL, out, 30);
	sql_mask_feed(&mask, in, sizeof(in) - 1);
	for (int i = 0; i < 1000; i++)
		sql_mask_feed(&mask, "123, ", 5);
	sql_mask_feed(&mask, "4) AND x", 8);
	out[sql_mask_end(&mask)] = 0;
	assert_string_equal(out, "SELECT ? WHERE a IN (?) AND x");
	assert_int_equal(mask.cut, 0);

	sql_mask_begin(&mask, SQL_MYSQL, out, 30);
	sql_mask_feed(&mask, rows, sizeof(rows) - 1);
	for (int i = 0; i < 1000; i++)
		sql_mask_feed(&mask, ", (2, 'y')", 10);
	out[sql_mask_end(&mask)] = 0;
	assert_string_equal(out, "INSERT INTO t VALUES (?, ?)");
	assert_int_equal(mask.cut, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_the_conventions_hold_in_both_dialects),
		cmocka_unit_test(literals_of_both_dialects_are_masked),
		cmocka_unit_test(literals_of_postgresql_are_masked),
		cmocka_unit_test(literals_of_mysql_are_masked),
		cmocka_unit_test(a_text_fed_by_single_bytes_is_masked_alike),
		cmocka_unit_test(a_text_without_room_is_cut_after_a_token),
		cmocka_unit_test(a_list_needs_room_for_what_stays_of_it_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
