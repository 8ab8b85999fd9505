/* test_pgwire.c - PostgreSQL's protocol: what is recognised and told, whole and cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "preload/pgwire.h"
#include "tests/unit/wire_talk.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Who speaks, and what. */
#define C WIRE_C
#define S WIRE_S

/* Messages; the four bytes after the type are the length, with themselves. */
#define START      "\0\0\0\x20\0\3\0\0user\0ann\0database\0shop\0\0"
#define AUTH_OK    "R\0\0\0\x08\0\0\0\0"
#define PARAMETER  "S\0\0\0\x13TimeZone\0Etc/X\0"
#define KEY        "K\0\0\0\x0c\0\0\1\2\3\4\5\6"
#define READY      "Z\0\0\0\5I"
#define PARSE_DONE "1\0\0\0\4"
#define BIND_DONE  "2\0\0\0\4"
#define CLOSE_DONE "3\0\0\0\4"
#define NO_DATA    "n\0\0\0\4"
#define SYNC       "S\0\0\0\4"
#define FLUSH      "H\0\0\0\4"
#define ROW                                                                                        \
	"D\0\0\0\x0b\0\1\0\0\0\1"                                                                  \
	"7"
#define ROWS "T\0\0\0\x1a\0\1a\0\0\0\0\0\0\0\0\0\0\x17\0\4\xff\xff\xff\xff\0\0"
#define SELECT_1                                                                                   \
	"C\0\0\0\x0d"                                                                              \
	"SELECT 1\0"
#define FAILED "E\0\0\0\x20SERROR\0VERROR\0C42P01\0Mno t\0\0"
#define NOTICE "N\0\0\0\x14SNOTICE\0C01000\0\0"
#define NOTIFY "A\0\0\0\x0e\0\0\1\2chan\0\0"
#define QUERY  "Q\0\0\0\x0dSELECT 7\0"
#define PARSE                                                                                      \
	"P\0\0\0\x13"                                                                              \
	"s1\0SELECT $1\0\0\0"
#define BIND     "B\0\0\0\x18\0s1\0\0\0\0\1\0\0\0\6SECRET\0\0"
#define DESCRIBE "D\0\0\0\6P\0"
#define EXECUTE  "E\0\0\0\x09\0\0\0\0\0"

/* How connections begin. */
static const struct wire_talk beginnings[] = {
	{"login(shop,ann)", {C(START), S(AUTH_OK PARAMETER KEY READY)}},
	{"login(ann,ann)", {C("\0\0\0\x12\0\3\0\2user\0ann\0\0")}},
	{"login(ann,ann)",
	 {C("\0\0\0\x12\0\3\0\0user\0ann\0\0"), S("R\0\0\0\x0c\0\0\0\5salt"),
	  C("p\0\0\0\x0bSECRET\0"), S("v\0\0\0\x0c\0\3\0\0\0\0\0\0" AUTH_OK READY)}},
	{"login(ann,ann)", {C("\0\0\0\x12\0\3\0\0user\0ann\0\0"), S(FAILED)}},
	{"TLS", {C("\0\0\0\x08\x04\xd2\x16\x2f"), S("S")}},
	{"login(shop,ann)", {C("\0\0\0\x08\x04\xd2\x16\x2f"), S("N"), C(START), S(AUTH_OK)}},
	{"login(shop,ann)",
	 {C("\0\0\0\x08\x04\xd2\x16\x30"), S("N"), C("\0\0\0\x08\x04\xd2\x16\x2f"), S("N"),
	  C(START), S(AUTH_OK)}},
	{"STOP", {C("\0\0\0\x08\x04\xd2\x16\x30"), S("G")}},
	{"BAD", {C("\0\0\0\x08\x04\xd2\x16\x2f"), S("G")}},
	{"", {C("\0\0\0\x08\x04\xd2\x16\x2f"), S(FAILED)}},
	{"begin cancel!", {C("\0\0\0\x10\x04\xd2\x16\x2e\0\0\1\2\3\4\5\6")}},
	{"STOP", {C("\0\0\0\x27\0\3\0\0replication\0database\0user\0ann\0\0")}},
	{"login(ann,ann)", {C("\0\0\0\x22\0\3\0\0replication\0off\0user\0ann\0\0")}},
	{"BAD", {C("\0\0\0\x11\0\3\0\0user\0ann\0")}},
	{"BAD", {C("\0\0\0\x12\0\2\0\0user\0ann\0\0")}},
};

/* What is said after the log-in. */
static const struct wire_talk conversations[] = {
	/* Simple queries. */
	{"begin raw(SELECT 7) execute flush reply:1+ flushed",
	 {C(QUERY), S(ROWS ROW SELECT_1 READY)}},
	{"begin execute flush reply+ flushed", {C("Q\0\0\0\5\0"), S("I\0\0\0\4" READY)}},
	{"begin raw(SELECT 7) execute flush failed(42P01)+ flushed", {C(QUERY), S(FAILED READY)}},
	{"begin raw(SELECT 7) execute flush reply:3+ reply+ reply:42+ failed(42P01):2+ flushed",
	 {C(QUERY), S("C\0\0\0\x0fINSERT 0 3\0"
		      "C\0\0\0\x11"
		      "CREATE TABLE\0"
		      "C\0\0\0\x0eUPDATE 42\0" ROW ROW FAILED READY)}},
	{"begin raw(SELECT 7) execute flush reply:1+ flushed",
	 {C(QUERY), S(NOTICE ROWS NOTIFY ROW PARAMETER SELECT_1 NOTICE READY NOTIFY)}},
	{"begin raw(SELECT 7) execute flush begin raw(SELECT 7) execute flush failed(42P01)+ "
	 "flushed "
	 "reply:1+ flushed",
	 {C(QUERY QUERY), S(FAILED READY ROWS ROW SELECT_1 READY)}},
	{"", {S(FAILED)}},
	{"", {S(NOTIFY NOTICE PARAMETER), C("X\0\0\0\4")}},
	{"begin execute[FUNCTION] flush reply+ flushed",
	 {C("F\0\0\0\x18\0\0\1\2\0\0\0\1\0\0\0\6SECRET\0\0"), S("V\0\0\0\x09\0\0\0\1"
								"1" READY)}},
	/* Prepared statements. */
	{"begin raw(SELECT $1) prepare(s1)! flush flushed begin run(s1) flush reply:1+ flushed",
	 {C(PARSE SYNC), S(PARSE_DONE READY), C(BIND EXECUTE SYNC),
	  S(BIND_DONE ROW SELECT_1 READY)}},
	{"begin raw(SELECT $1) prepare(s1)! begin run(s1) flush reply:1+ flushed",
	 {C(PARSE BIND DESCRIBE EXECUTE SYNC), S(PARSE_DONE BIND_DONE NO_DATA ROW SELECT_1 READY)}},
	{"begin raw(SELECT $1) prepare(s1)! flush failed(42P01)+ flushed",
	 {C(PARSE "D\0\0\0\x08Ss1\0" SYNC), S(FAILED READY)}},
	{"begin raw(SELECT $1) prepare(s1)! begin run(s1) begin run(s1) flush failed(42P01)+ "
	 "flushed",
	 {C(PARSE BIND EXECUTE BIND EXECUTE SYNC), S(PARSE_DONE BIND_DONE FAILED READY)}},
	{"begin run() flush begin run() flush failed(42P01)+ flushed reply:1+ flushed",
	 {C(EXECUTE SYNC EXECUTE SYNC), S(FAILED READY ROW SELECT_1 READY)}},
	/* A Flush makes the answers come before the unit ends. */
	{"begin raw(SELECT $1) prepare(s1)! begin run(s1) reply:1+ flush flushed",
	 {C(PARSE FLUSH), S(PARSE_DONE), C(BIND EXECUTE FLUSH), S(BIND_DONE ROW SELECT_1), C(SYNC),
	  S(READY)}},
	{"failed(42P01)+ flush flushed", {C(DESCRIBE FLUSH), S(FAILED), C(SYNC), S(READY)}},
	{"flush flush flushed flushed", {C(SYNC SYNC), S(READY), S(READY)}},
	/* The session ends in the middle of what failed: told once. */
	{"flush failed(42P01)+", {C(DESCRIBE SYNC), S(FAILED FAILED)}},
	{"close(s1)! flush flushed",
	 {C("C\0\0\0\x08Ss1\0"
	    "C\0\0\0\x08Pp1\0"
	    "C\0\0\0\6S\0" SYNC),
	  S(CLOSE_DONE CLOSE_DONE CLOSE_DONE READY)}},
	/* Portals: named ones, unknown ones, those that were bound again; fetched in pieces. */
	{"begin run(s1) begin run(s2) begin run(\\x00) flush",
	 {C("B\0\0\0\x10p1\0s1\0\0\0\0\0\0\0"
	    "B\0\0\0\x10p2\0s2\0\0\0\0\0\0\0"
	    "E\0\0\0\x0bp1\0\0\0\0\0"
	    "E\0\0\0\x0bp2\0\0\0\0\0"
	    "E\0\0\0\x0bp3\0\0\0\0\0" SYNC)}},
	{"begin run(s2) begin run(s2) flush reply:2+ reply:1+ flushed",
	 {C("B\0\0\0\x10p1\0s1\0\0\0\0\0\0\0"
	    "B\0\0\0\x10p1\0s2\0\0\0\0\0\0\0"
	    "E\0\0\0\x0bp1\0\0\0\0\2"
	    "E\0\0\0\x0bp1\0\0\0\0\2" SYNC),
	  S(BIND_DONE BIND_DONE ROW ROW "s\0\0\0\4" ROW SELECT_1 READY)}},
	/* COPY: the server takes no Sync while it takes data. */
	{"begin raw(SELECT 7) execute flush reply:2+ flushed",
	 {C(QUERY), S("G\0\0\0\x09\0\0\1\0\0"), C("d\0\0\0\x0aSECRETd\0\0\0\x0aSECRETc\0\0\0\4"),
	  S("C\0\0\0\x0b"
	    "COPY 2\0" READY)}},
	/* A client need not wait for the server to take data before it sends all of it. */
	{"begin raw(SELECT 7) execute flush reply:1+ flushed begin run() flush reply:1+ flushed",
	 {C(QUERY), C("d\0\0\0\x0aSECRETc\0\0\0\4"),
	  S("G\0\0\0\x09\0\0\1\0\0"
	    "C\0\0\0\x0b"
	    "COPY 1\0" READY),
	  C(EXECUTE SYNC), S(SELECT_1 READY)}},
	{"begin raw(SELECT 7) execute flush failed(42P01)+ flushed",
	 {C(QUERY), S("G\0\0\0\x09\0\0\1\0\0"), C("f\0\0\0\x0bSECRET\0"), S(FAILED READY)}},
	/* The data may be sent before the server asks for it, whether it will or not. */
	{"begin raw(SELECT 7) execute flush reply:2+ flushed flush flushed",
	 {C(QUERY "d\0\0\0\x0aSECRETc\0\0\0\4"),
	  S("G\0\0\0\x09\0\0\1\0\0"
	    "C\0\0\0\x0b"
	    "COPY 2\0" READY),
	  C(SYNC), S(READY)}},
	{"begin run() flush reply:2+ flushed flush flushed",
	 {C(EXECUTE "d\0\0\0\x0aSECRETc\0\0\0\4" SYNC),
	  S("G\0\0\0\x09\0\0\1\0\0"
	    "C\0\0\0\x0b"
	    "COPY 2\0" READY),
	  C(SYNC), S(READY)}},
	{"begin raw(SELECT 7) execute flush failed(42P01)+ flushed begin run() flush reply:1+ "
	 "flushed",
	 {C(QUERY "d\0\0\0\x0aSECRETc\0\0\0\4"), S(FAILED READY), C(EXECUTE SYNC),
	  S("G\0\0\0\x09\0\0\1\0\0"), C("c\0\0\0\4" SYNC),
	  S("C\0\0\0\x0b"
	    "COPY 1\0" READY)}},
	{"begin run() flush reply:1+ flushed flush flushed",
	 {C(EXECUTE SYNC), S("G\0\0\0\x09\0\0\1\0\0"), C("d\0\0\0\x0aSECRETc\0\0\0\4" SYNC),
	  S("C\0\0\0\x0b"
	    "COPY 1\0" READY),
	  C(SYNC), S(READY)}},
	{"begin run() reply:1+ flush flushed",
	 {C(EXECUTE FLUSH), S("G\0\0\0\x09\0\0\1\0\0"), C(SYNC "c\0\0\0\4"),
	  S("C\0\0\0\x0b"
	    "COPY 1\0"),
	  C(SYNC), S(READY)}},
	{"begin raw(SELECT 7) execute flush reply:1+ flushed",
	 {C(QUERY), S("H\0\0\0\x09\0\0\1\0\0"
		      "d\0\0\0\x08"
		      "Z\0\0\0"
		      "c\0\0\0\4"
		      "C\0\0\0\x0b"
		      "COPY 1\0" READY)}},
	{"begin raw(SELECT 7) execute flush STOP", {C(QUERY), S("W\0\0\0\7\0\0\0")}},
	/* Longer names are told by their beginning and a hash of the whole. */
	{"close(12345678901234567890123456789012)! flush",
	 {C("C\0\0\0\x26S12345678901234567890123456789012\0" SYNC)}},
	{"close(1234567890123456470e875ec77a08a4)! flush",
	 {C("C\0\0\0\x27S123456789012345678901234567890123\0" SYNC)}},
	/* Out of step. */
	{"BAD", {S(READY)}},
	{"BAD", {S(SELECT_1)}},
	{"BAD", {S("?\0\0\0\4")}},
	{"BAD", {S("\0\0\0\0\4")}},
	{"BAD", {S("T\0\0\0\3")}},
	{"BAD", {S("T\4\0\0\1")}},
	{"", {S("D\4\0\0\1")}},
	{"BAD", {S("D\x40\0\0\1")}},
	{"BAD", {C("R\0\0\0\4")}},
	{"begin BAD", {C("E\4\0\0\1")}},
	{"begin raw(SE)", {C("Q\4\0\0\1SE")}},
	{"begin raw(SE) BAD", {C("Q\0\0\0\6SE")}},
	{"begin raw(x) BAD", {C("P\0\0\0\6\0x")}},
	{"BAD", {C("B\0\0\0\6\0x")}},
	{"begin BAD", {C("E\0\0\0\6xy")}},
	{"BAD", {C("C\0\0\0\6Sx")}},
};

static const struct wire_talk log_in = {NULL, {C(START), S(AUTH_OK PARAMETER KEY READY)}};

static enum wire_result feed(void *wire, enum wire_way way, const char *at, size_t size,
			     const struct wire_calls *calls, void *to)
{
	return pgwire_feed(wire, way, at, size, calls, to);
}

static const struct wire_parser parser = {sizeof(struct pgwire), pgwire_looks_like, feed};

static void beginnings_cut_anywhere_are_told_as_they_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(beginnings); i++)
		wire_talk_check(&parser, NULL, &beginnings[i]);
}

static void conversations_cut_anywhere_are_told_as_they_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(conversations); i++)
		wire_talk_check(&parser, &log_in, &conversations[i]);
}

static void a_thousand_units_are_answered_in_their_order(void **state)
{
	static const struct wire_step unit = C(BIND EXECUTE SYNC), last = S(FAILED READY);
	static const struct wire_step answer = S(BIND_DONE FAILED READY);
	struct pgwire wire = {0};
	struct wire_log log = {0};

	(void)state;
	for (size_t i = 0; log_in.steps[i].at; i++)
		assert_int_equal(wire_talk_step(&parser, &wire, &log_in.steps[i], &log), WIRE_OK);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(wire_talk_step(&parser, &wire, &unit, &log), WIRE_OK);
	for (unsigned i = 0; i < 1000; i++) {
		memset(&log, 0, sizeof(log));
		assert_int_equal(wire_talk_step(&parser, &wire, &answer, &log), WIRE_OK);
		assert_string_equal(log.at, "failed(42P01)+ flushed");
	}
	assert_int_equal(wire_talk_step(&parser, &wire, &last, &log), WIRE_BAD);
}

static void the_state_of_a_connection_is_small(void **state)
{
	(void)state;
	assert_true(sizeof(struct pgwire) <= 600);
}

static const struct wire_looks looks_cases[] = {
	{C(START), 1},
	{C("\0\0\0\x12\0\3\0\2user\0ann\0\0"), 1},
	{C("\0\0\0\x12\0\3\0\0_pq_"), 1},
	{C("\0\0\0\x08\x04\xd2\x16\x2f"), 1},
	{C("\0\0\0\x08\x04\xd2\x16\x30"), 1},
	{C("\0\0\0\x10\x04\xd2\x16\x2e\0\0"), 1},
	{C(""), -2},
	{C("\0"), -2},
	{C("\0\0\0\x08\x04\xd2"), -2},
	{C("\0\0\0\x20\0\3\0"), -2},
	{C("\0\0\0\x20\0\3\0\0"), -2},
	/* Other lengths, other versions, Kafka, other protocols. */
	{C("\0\0\0\x09\x04\xd2\x16\x2f"), 0},
	{C("\0\0\0\x08\0\3\0\0"), 0},
	{C("\0\0\x27\x11\0\3\0\0user"), 0},
	{C("\0\0\0\x20\0\2\0\0user"), 0},
	{C("\0\0\0\x20\0\3\0\1user"), 0},
	{C("\0\0\0\x20\0\3\0\0\0\0\0\1\0\4test"), 0},
	{C("\0\0\0\x20\0\4"), 0},
	{C("\0\1\0\0\0\3\0\0user"), 0},
	{C("GET / HTTP/1.1\r\n"), 0},
	{C("\x16\x03\x01\x02\0\x01"), 0},
	{C("*1\r\n$4\r\nPING\r\n"), 0},
	{C("set a 0 0 1\r\n"), 0},
	{C("\x10\x20\0\4MQTT\4"), 0},
	{C("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 0},
	{S(AUTH_OK), 0},
	{S("S"), 0},
	{S(START), 0},
};

static void beginnings_are_recognised_and_other_protocols_are_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(looks_cases); i++)
		wire_looks_check(&parser, &looks_cases[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beginnings_cut_anywhere_are_told_as_they_are),
		cmocka_unit_test(conversations_cut_anywhere_are_told_as_they_are),
		cmocka_unit_test(a_thousand_units_are_answered_in_their_order),
		cmocka_unit_test(the_state_of_a_connection_is_small),
		cmocka_unit_test(beginnings_are_recognised_and_other_protocols_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
