/* test_mysql_login.c - how MySQL's and MariaDB's connections begin, and how they are recognised. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "preload/mysql.h"
#include "tests/unit/mysql_packets.h"
#include "tests/unit/wire_talk.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Who speaks, and what. */
#define C WIRE_C
#define S WIRE_S

/* How connections begin. */
static const struct wire_talk beginnings[] = {
	{"login(shop,ann)", {S(GREETING), C(LOGIN), S(LOGGED_IN)}},
	{"login(shop,ann) begin session reply",
	 {S(GREETING), C(LOGIN_NEW), S(LOGGED_IN), C(PING), S(DONE)}},
	{"mariadb login(shop,ann)", {S(MARIADB_GREETING), C(LOGIN_MARIADB), S(LOGGED_IN)}},
	{"mariadb",
	 {S("R\0\0\0\01211.4.2-MariaDB\0\7\0\0\00012345678\0\376\377-"
	    "\2\0\377\337\25\0\0\0\0\0\0\0\0\0\000123456789012\0mysql_native_password\0")}},
	{"mariadb",
	 {S("R\0\0\0\01210.1-MaMariaDB\0\7\0\0\00012345678\0\376\377-"
	    "\2\0\377\337\25\0\0\0\0\0\0\0\0\0\000123456789012\0mysql_native_password\0")}},
	{"",
	 {S("P\0\0\0\0125.5.50-Maria\0\7\0\0\00012345678\0\376\377-"
	    "\2\0\377\337\25\0\0\0\0\0\0\0\0\0\000123456789012\0mysql_native_password\0")}},
	{"login(,ann)",
	 {S(GREETING),
	  C("+\0\0\1\0\202\0\0\0\0\0\1-"
	    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0ann\0\6SECRET"),
	  S(LOGGED_IN)}},
	{"login(,ann)",
	 {S(GREETING),
	  C(",\0\0\1\10\2\0\0\0\0\0\1-"
	    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0ann\0SECRET\0\0"),
	  S(LOGGED_IN)}},
	/* A secret that ends with a zero. */
	{"login(shop,ann)",
	 {S(GREETING),
	  C("0\0\0\1\10\2\0\0\0\0\0\1-"
	    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0ann\0SECRET\0shop\0"),
	  S(LOGGED_IN)}},
	/* Another plugin, then a fast answer; the whole secret in the clear. */
	{"login(shop,ann) begin session reply",
	 {S(GREETING), C(LOGIN_NEW), S(" \0\0\2\376caching_sha2_password\0scramble\0"),
	  C("\6\0\0\3SECRET"),
	  S("\2\0\0\4\1\3"
	    "\7\0\0\5\0\0\0\2\0\0\0"),
	  C(PING), S(DONE)}},
	{"login(shop,ann) begin session reply",
	 {S(GREETING), C(LOGIN_NEW), S("\2\0\0\2\1\4"), C("\10\0\0\3\0SECRET\0"),
	  S("\7\0\0\4\0\0\0\2\0\0\0"), C(PING), S(DONE)}},
	{"login(shop,ann)", {S(GREETING), C(LOGIN), S("\13\0\0\2\377\25\4#42S02no")}},
	{"TLS",
	 {S(GREETING),
	  C(" \0\0\1\11\212(\1\0\0\0\1-\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")}},
	/* TLS that the server did not offer; compression that it did. */
	{"BAD",
	 {S("J\0\0\0\128.0.36\0\7\0\0\00012345678\0\377\367-"
	    "\2\0\377\337\25\0\0\0\0\0\0\0\0\0\000123456789012\0mysql_native_password\0"),
	  C(" \0\0\1\11\212(\1\0\0\0\1-\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")}},
	{"login(shop,ann) STOP",
	 {S(GREETING),
	  C("F\0\0\1(\202(\1\0\0\0\1-"
	    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0ann\0\6SECRETshop\0mysql_native_"
	    "password\0"),
	  S(LOGGED_IN)}},
	{"login(shop,ann) STOP",
	 {S(GREETING),
	  C("F\0\0\1\10\202(\5\0\0\0\1-"
	    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0ann\0\6SECRETshop\0mysql_native_"
	    "password\0"),
	  S(LOGGED_IN)}},
	{"login(shop,ann)",
	 {S("J\0\0\0\128.0.36\0\7\0\0\00012345678\0\337\377-"
	    "\2\0\377\333\25\0\0\0\0\0\0\0\0\0\000123456789012\0mysql_native_password\0"),
	  C("F\0\0\1(\202(\5\0\0\0\1-"
	    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0ann\0\6SECRETshop\0mysql_native_"
	    "password\0"),
	  S(LOGGED_IN)}},
	/* Before 4.1. */
	{"STOP", {S(GREETING), C("\11\0\0\1\5\0\0\0\0ann\0")}},
	{"", {S("\27\0\0\0\377\20\4Too many connections")}},
	{"BAD", {C(LOGIN)}},
	{"BAD",
	 {S("J\0\0\1\128.0.36\0\7\0\0\00012345678\0\377\377-"
	    "\2\0\377\337\25\0\0\0\0\0\0\0\0\0\000123456789012\0mysql_native_password\0")}},
	{"BAD",
	 {S(GREETING), C("F\0\0\0\10\202\10\0\0\0\0\1-"
			 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0ann\0\6SECRETshop\0mysql_"
			 "native_password\0")}},
	{"BAD",
	 {S(GREETING), C("F\0\0\2\11\202\10\0\0\0\0\1-"
			 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0ann\0\6SECRETshop\0mysql_"
			 "native_password\0")}},
	{"login(shop,ann) BAD", {S(GREETING), C(LOGIN), S("\7\0\0\3\0\0\0\2\0\0\0")}},
};

static enum wire_result feed(void *wire, enum wire_way way, const char *at, size_t size,
			     const struct wire_calls *calls, void *to)
{
	return mysql_feed(wire, way, at, size, calls, to);
}

static const struct wire_parser parser = {sizeof(struct mysql), mysql_looks_like, feed};

static void beginnings_cut_anywhere_are_told_as_they_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(beginnings); i++)
		wire_talk_check(&parser, NULL, &beginnings[i]);
}

/* What is asked for encryption goes on encrypted, with the packets' numbers. */
static void the_log_in_goes_on_encrypted(void **state)
{
	static const struct wire_step hello = S(GREETING),
				      login = C("F\0\0\2\11\212(\1\0\0\0\1-"
						"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0ann"
						"\0\6SECRETshop\0mysql_native_password\0"),
				      done = S("\7\0\0\3\0\0\0\2\0\0\0");
	static const struct wire_step request =
		C(" \0\0\1\11\212(\1\0\0\0\1-\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
	struct mysql wire = {0};
	struct wire_log log = {0};

	(void)state;
	assert_int_equal(wire_talk_step(&parser, &wire, &hello, &log), WIRE_OK);
	assert_int_equal(wire_talk_step(&parser, &wire, &request, &log), WIRE_TLS);
	assert_int_equal(wire_talk_step(&parser, &wire, &login, &log), WIRE_OK);
	assert_int_equal(wire_talk_step(&parser, &wire, &done, &log), WIRE_OK);
	assert_string_equal(log.at, "login(shop,ann)");
}

static const struct wire_looks looks_cases[] = {
	{S(GREETING), 1},
	{S(MARIADB_GREETING), 1},
	{S("\27\0\0\0\377\20\4Too many connections"), 1},
	{S("\15\0\0\0\377j\4#HY000Host"), 1},
	{S(""), -2},
	{S("\112"), -2},
	{S("\112\0\0\0\n"), -2},
	{S("\112\0\0\0\n8.0.36\0"), -2},
	/* Other numbers, lengths and versions, and other protocols. */
	{S("\112\0\0\1\n8.0.36\0"), 0},
	{S("\112\0\1\0\n8.0.36\0"), 0},
	{S("\112\5\0\0\n8.0.36\0"), 0},
	{S("\112\0\0\0\n\0"), 0},
	{S("\112\0\0\0\nx.0.36\0"), 0},
	{S("\112\0\0\0\n8.0\n36\0"), 0},
	{S("\112\0\0\0\n8.0.36\0\1\0\0\0scramble\1"), 0},
	{S("\27\0\0\0\377\20\47Too many"), 0},
	{S("\27\0\0\0\377\20\4\0"), 0},
	{S("\27\0\0\0\1"), 0},
	{S("HTTP/1.1 200 OK\r\n"), 0},
	{S("\26\3\3\0\172\2"), 0},
	{S("220 mail ESMTP\r\n"), 0},
	{S("+OK\r\n"), 0},
	{S("SSH-2.0-OpenSSH_9.2\r\n"), 0},
	{S("INFO {\"server_id\""), 0},
	{C(GREETING), 0},
	{C("\16\0\0\0\n8.0.36\0"), 0},
	{C(""), 0},
};

static void greetings_are_recognised_and_other_protocols_are_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(looks_cases); i++)
		wire_looks_check(&parser, &looks_cases[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beginnings_cut_anywhere_are_told_as_they_are),
		cmocka_unit_test(the_log_in_goes_on_encrypted),
		cmocka_unit_test(greetings_are_recognised_and_other_protocols_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
