/* test_mysql.c - the protocol of MySQL and MariaDB: what is told of a session, cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "preload/mysql.h"
#include "tests/unit/mysql_packets.h"
#include "tests/unit/wire_talk.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Who speaks, and what. */
#define C WIRE_C
#define S WIRE_S

/* What is said after a log-in as of 4.1: definitions and rows end with EOF. */
static const struct wire_talk conversations[] = {
	{"begin raw(SELECT 7) execute reply:2",
	 {C(QUERY), S("\1\0\0\1\1" DEFINITION_2 "\5\0\0\3\376\0\0\2\0"
		      "\2\0\0\4\0017"
		      "\2\0\0\5\0017"
		      "\5\0\0\6\376\0\0\2\0")}},
	{"begin raw(SELECT 7) execute reply:0",
	 {C(QUERY),
	  S("\1\0\0\1\2" DEFINITION_2 "\27\0\0\3\3def\0\0\0\1a\0\14?\0\13\0\0\0\3\0\0\0\0\0"
	    "\5\0\0\4\376\0\0\2\0"
	    "\5\0\0\5\376\0\0\2\0")}},
	{"begin raw(SELECT 7) execute reply:3", {C(QUERY), S("\7\0\0\1\0\3\0\2\0\0\0")}},
	{"begin raw(SELECT 7) execute reply:300",
	 {C(QUERY), S("\20\0\0\1\0\374,\1\375\1\2\3\2\0\0\0text")}},
	{"begin raw(SELECT 7) execute failed(1146)", {C(QUERY), S(FAILED)}},
	{"begin raw(SELECT 7) execute failed(7)", {C(QUERY), S("\3\0\0\1\377\7\0")}},
	/* Several results, an error after some rows. */
	{"begin raw(SELECT 7) execute reply:1+ reply:2+ reply:5+ failed(1146)",
	 {C(QUERY),
	  S("\1\0\0\1\1" DEFINITION_2 "\5\0\0\3\376\0\0\2\0"
	    "\2\0\0\4\0017"
	    "\5\0\0\5\376\0\0\12\0"),
	  S("\1\0\0\6\1"
	    "\27\0\0\7\3def\0\0\0\1a\0\14?\0\13\0\0\0\3\0\0\0\0\0"
	    "\5\0\0\10\376\0\0\2\0"
	    "\2\0\0\11\0017"
	    "\2\0\0\12\0017"
	    "\5\0\0\13\376\0\0\12\0"
	    "\7\0\0\14\0\5\0\12\0\0\0"),
	  S("\13\0\0\15\377z\4#42S02no")}},
	{"begin raw(SELECT 7) execute failed(1317):2",
	 {C(QUERY), S("\1\0\0\1\1" DEFINITION_2 "\5\0\0\3\376\0\0\2\0"
		      "\2\0\0\4\0017"
		      "\2\0\0\5\0017"
		      "\13\0\0\6\377%\5#42S02no")}},
	/* A row that begins as EOF does; a report of progress. */
	{"begin raw(SELECT 7) execute reply:1",
	 {C(QUERY), S("\1\0\0\1\1" DEFINITION_2 "\5\0\0\3\376\0\0\2\0"
		      "\15\0\0\4\376\4\0\0\0\0\0\0\0long"
		      "\5\0\0\5\376\0\0\2\0")}},
	{"begin raw(SELECT 7) execute reply:3",
	 {C(QUERY), S("\17\0\0\1\377\377\377\1\1\2\0\0\0\5Copy "
		      "\7\0\0\2\0\3\0\2\0\0\0")}},
	/* LOCAL INFILE: what the client sends is the file. */
	{"begin raw(SELECT 7) execute reply:3 begin session reply",
	 {C(QUERY), S("\11\0\0\1\373file.csv"), C("\11\0\0\0021,SECRET\12"),
	  C("\11\0\0\0032,SECRET\12"
	    "\0\0\0\4"),
	  S("\7\0\0\5\0\3\0\2\0\0\0"), C(PING), S(DONE)}},
	{"begin raw(SELECT 7) execute failed(2)",
	 {C(QUERY), S("\11\0\0\1\373file.csv"), C("\0\0\0\2"), S("\5\0\0\3\377\2\0no")}},
	{"begin raw(SELECT 7) execute BAD", {C(QUERY), S("\11\0\0\1\373file.csv"), C("\0\0\0\0")}},
	/* Prepared statements. */
	{"begin raw(SELECT a FROM t WHERE b=?) prepare(\134xff\134xff\134xff\134xff) "
	 "reply=\134x09\134x00\134x00\134x00 begin run(\134x09\134x00\134x00\134x00) reply:2",
	 {C(PREPARE),
	  S("\14\0\0\1\0\11\0\0\0\1\0\1\0\0\0\0" DEFINITION_2 "\5\0\0\3\376\0\0\2\0"
	    "\27\0\0\4\3def\0\0\0\1a\0\14?\0\13\0\0\0\3\0\0\0\0\0"
	    "\5\0\0\5\376\0\0\2\0"),
	  C(EXECUTE),
	  S("\1\0\0\1\1" DEFINITION_2 "\5\0\0\3\376\0\0\2\0"
	    "\2\0\0\4\0017"
	    "\2\0\0\5\0017"
	    "\5\0\0\6\376\0\0\2\0")}},
	{"begin raw(DO 1) prepare(\134xff\134xff\134xff\134xff) reply=\134x09\134x00\134x00\134x00 "
	 "close(\134x09\134x00\134x00\134x00)!",
	 {C("\5\0\0\0\26DO 1"), S("\14\0\0\1\0\11\0\0\0\0\0\0\0\0\0\0"),
	  C("\5\0\0\0\31\11\0\0\0")}},
	{"begin raw(SELECT a FROM t WHERE b=?) prepare(\134xff\134xff\134xff\134xff) failed(1146)",
	 {C(PREPARE), S(FAILED)}},
	/* MariaDB: executed before it has a number; failing, both fail. */
	{"begin raw(SELECT a FROM t WHERE b=?) prepare(\134xff\134xff\134xff\134xff) begin "
	 "run(\134xff\134xff\134xff\134xff) reply=\134x09\134x00\134x00\134x00 reply:1",
	 {C(PREPARE "\12\0\0\0\27\377\377\377\377\0\1\0\0\0"),
	  S("\14\0\0\1\0\11\0\0\0\1\0\1\0\0\0\0" DEFINITION_2 "\5\0\0\3\376\0\0\2\0"
	    "\27\0\0\4\3def\0\0\0\1a\0\14?\0\13\0\0\0\3\0\0\0\0\0"
	    "\5\0\0\5\376\0\0\2\0"
	    "\1\0\0\1\1" DEFINITION_2 "\5\0\0\3\376\0\0\2\0"
	    "\2\0\0\4\0017"
	    "\5\0\0\5\376\0\0\2\0")}},
	{"begin raw(SELECT a FROM t WHERE b=?) prepare(\134xff\134xff\134xff\134xff) begin "
	 "run(\134xff\134xff\134xff\134xff) failed(1146) failed(1243)",
	 {C(PREPARE "\7\0\0\0\372\377\377\377\377\0\0"), S(FAILED "\13\0\0\1\377\333\4#42S02no")}},
	/* A cursor: its rows are fetched. */
	{"begin run(\134x09\134x00\134x00\134x00) reply:0 begin "
	 "run(\134x09\134x00\134x00\134x00)[FETCH] reply:2 begin "
	 "run(\134x09\134x00\134x00\134x00)[FETCH] reply:1",
	 {C(EXECUTE), S("\1\0\0\1\1" DEFINITION_2 "\5\0\0\3\376\0\0B\0"),
	  C("\11\0\0\0\34\11\0\0\0\2\0\0\0"),
	  S("\3\0\0\1\0\0\1"
	    "\3\0\0\2\0\0\2"
	    "\5\0\0\3\376\0\0B\0"),
	  C("\11\0\0\0\34\11\0\0\0\2\0\0\0"),
	  S("\3\0\0\1\0\0\3"
	    "\5\0\0\2\376\0\0\202\0")}},
	{"begin run(\134x09\134x00\134x00\134x00) reply:1",
	 {C("\15\0\0\0\30\11\0\0\0\0\0SECRET" EXECUTE), S("\7\0\0\1\0\1\0\2\0\0\0")}},
	/* The session. */
	{"begin text(wares) namespace reply begin text(none) namespace failed(1049)",
	 {C("\6\0\0\0\2wares"), S(DONE), C("\5\0\0\0\2none"), S("\13\0\0\1\377\31\4#42S02no")}},
	{"begin session close()! reply", {C("\1\0\0\0\37"), S(DONE)}},
	{"begin login(wares,bob) session close()! reply begin session reply",
	 {C("*\0\0\0\21bob\0\6SECRETwares\0-\0mysql_native_password\0"),
	  S(" \0\0\1\376mysql_native_password\0scramble\0"), C("\6\0\0\2SECRET"),
	  S("\7\0\0\3\0\0\0\2\0\0\0"), C(PING), S(DONE)}},
	{"begin login(wares,bob) session close()! failed(1045)",
	 {C("*\0\0\0\21bob\0\6SECRETwares\0-\0mysql_native_password\0"),
	  S("\13\0\0\1\377\25\4#42S02no")}},
	{"begin session reply begin session reply begin session reply",
	 {C("\1\0\0\0\11"), S("\11\0\0\1Uptime: 7"), C("\1\0\0\0\15"), S("\5\0\0\1\376\0\0\2\0"),
	  C("\3\0\0\0\33\0\0"), S("\5\0\0\1\376\0\0\2\0")}},
	{"begin session reply begin session failed(1146)",
	 {C("\3\0\0\0\4t\0"),
	  S("\27\0\0\1\3def\0\0\0\1a\0\14?\0\13\0\0\0\3\0\0\0\0\0" DEFINITION_2
	    "\5\0\0\3\376\0\0\2\0"),
	  C("\3\0\0\0\4u\0"), S(FAILED)}},
	{"begin session reply:1",
	 {C("\1\0\0\0\12"), S("\1\0\0\1\1" DEFINITION_2 "\5\0\0\3\376\0\0\2\0"
			      "\2\0\0\4\0017"
			      "\5\0\0\5\376\0\0\2\0")}},
	{"", {C("\1\0\0\0\1")}},
	/* Several at once. */
	{"begin session begin raw(SELECT 7) execute begin session reply failed(1146) reply",
	 {C(PING QUERY PING), S(DONE FAILED DONE)}},
	/* Replication. */
	{"STOP", {C("\5\0\0\0\22\0\0\0\0")}},
	{"STOP", {C("\5\0\0\0\36\0\0\0\0")}},
	{"STOP", {C("\5\0\0\0\25\0\0\0\0")}},
	/* The server ends the session. What follows is out of step. */
	{"", {S("\15\0\0\0\377\277\17#HY000gone")}},
	{"BAD", {S(DONE)}},
	{"BAD", {C("\1\0\0\1\16")}},
	{"BAD", {C("\0\0\0\0")}},
	{"BAD", {C("\1\0\0\0\13")}},
	{"BAD", {C("\1\0\0\0\42")}},
	{"begin BAD", {C("\4\0\0\0\27\1\0\0")}},
	{"BAD", {C("\3\0\0\0\31\1\0")}},
	{"begin session BAD", {C(PING), S(LOGGED_IN)}},
	{"begin raw(SELECT 7) execute BAD",
	 {C(QUERY), S("\1\0\0\1\1"
		      "\27\0\0\3\3def\0\0\0\1a\0\14?\0\13\0\0\0\3\0\0\0\0\0")}},
	{"begin raw(SELECT 7) execute BAD",
	 {C(QUERY),
	  S("\1\0\0\1\1" DEFINITION_2 "\27\0\0\3\3def\0\0\0\1a\0\14?\0\13\0\0\0\3\0\0\0\0\0")}},
	{"begin raw(SELECT 7) execute BAD", {C(QUERY), S("\0\0\0\1")}},
	{"begin raw(SELECT a FROM t WHERE b=?) prepare(\134xff\134xff\134xff\134xff) BAD",
	 {C(PREPARE), S("\5\0\0\1\0\11\0\0\0")}},
};

/* With query attributes, and OK instead of EOF. */
static const struct wire_talk with_attributes[] = {
	{"begin raw(SELECT 7) execute reply:2",
	 {C("\13\0\0\0\3\0\1SELECT 7"), S("\1\0\0\1\1" DEFINITION_2 "\2\0\0\3\0017"
					  "\2\0\0\4\0017"
					  "\7\0\0\5\376\0\0\2\0\0\0")}},
	{"begin raw(SELECT 7) execute reply:1+ reply:4",
	 {C("\13\0\0\0\3\0\1SELECT 7"), S("\1\0\0\1\1" DEFINITION_2 "\2\0\0\3\0017"
					  "\7\0\0\4\376\0\0\12\0\0\0"
					  "\7\0\0\5\0\4\0\2\0\0\0")}},
	{"begin raw(SELECT 7) execute reply:1",
	 {C("\33\0\0\0\3\1\1\0\1\376\0\4name\6SECRETSELECT 7"),
	  S("\1\0\0\1\1" DEFINITION_2 "\2\0\0\3\0017"
	    "\7\0\0\4\376\0\0\2\0\0\0")}},
	/* Of every shape of value, a null, names that are empty. */
	{"begin raw(SELECT 7) execute",
	 {C("N\0\0\0\3\11\1\4\0\1\1\0\0\2\0\1n\3\0\0\4\0\1n\10\0\0\6\0\1n\14\0\0\13\0\1n\375\0\0\7"
	    "\7\0\0\0\0\0\0\0\0\0\0\0\0\0\7SECRET1\0\374\6\0SECRETSELECT 7")}},
	/* Too many; types that were told before. */
	{"begin execute", {C("\21\0\0\0\3!\1SECRETSELECT 7")}},
	{"begin execute", {C("\23\0\0\0\3\1\1\0\0SECRETSELECT 7")}},
	{"begin execute", {C("\23\0\0\0\3\1\1\0\1\376\0\4name\177SECRET")}},
	{"begin raw(SELECT a FROM t WHERE b=?) prepare(\134xff\134xff\134xff\134xff) "
	 "reply=\134x09\134x00\134x00\134x00 begin run(\134x09\134x00\134x00\134x00) reply:1 begin "
	 "session reply",
	 {C(PREPARE),
	  S("\14\0\0\1\0\11\0\0\0\1\0\1\0\0\0\0" DEFINITION_2
	    "\27\0\0\3\3def\0\0\0\1a\0\14?\0\13\0\0\0\3\0\0\0\0\0"),
	  C(EXECUTE),
	  S("\1\0\0\1\1" DEFINITION_2 "\2\0\0\3\0017"
	    "\7\0\0\4\376\0\0\2\0\0\0"),
	  C(PING), S(DONE)}},
	{"begin run(\134x09\134x00\134x00\134x00) reply:0 begin "
	 "run(\134x09\134x00\134x00\134x00)[FETCH] reply:1",
	 {C(EXECUTE), S("\1\0\0\1\1" DEFINITION_2 "\7\0\0\3\376\0\0B\0\0\0"),
	  C("\11\0\0\0\34\11\0\0\0\2\0\0\0"),
	  S("\3\0\0\1\0\0\1"
	    "\7\0\0\2\376\0\0\202\0\0\0")}},
	{"begin session reply",
	 {C("\3\0\0\0\4t\0"), S("\27\0\0\1\3def\0\0\0\1a\0\14?\0\13\0\0\0\3\0\0\0\0\0"
				"\7\0\0\2\376\0\0\2\0\0\0")}},
};

/* Where the server says whether definitions follow: MySQL. */
static const struct wire_talk without_definitions[] = {
	{"begin raw(SELECT 7) execute reply:1",
	 {C(QUERY), S("\2\0\0\1\2\0"
		      "\3\0\0\2\0\0\1"
		      "\7\0\0\3\376\0\0\2\0\0\0")}},
	{"begin raw(SELECT 7) execute reply:1",
	 {C(QUERY), S("\2\0\0\1\1\1" DEFINITION_2 "\3\0\0\3\0\0\1"
		      "\7\0\0\4\376\0\0\2\0\0\0")}},
	{"begin raw(SELECT a FROM t WHERE b=?) prepare(\134xff\134xff\134xff\134xff) "
	 "reply=\134x09\134x00\134x00\134x00",
	 {C(PREPARE), S("\15\0\0\1\0\11\0\0\0\1\0\1\0\0\0\0\0")}},
	{"begin raw(SELECT a FROM t WHERE b=?) prepare(\134xff\134xff\134xff\134xff) "
	 "reply=\134x09\134x00\134x00\134x00",
	 {C(PREPARE), S("\15\0\0\1\0\11\0\0\0\1\0\1\0\0\0\0\1" DEFINITION_2
			"\27\0\0\3\3def\0\0\0\1a\0\14?\0\13\0\0\0\3\0\0\0\0\0")}},
};

/* The same of MariaDB, when a statement is executed again. */
static const struct wire_talk mariadb_conversations[] = {
	{"begin run(\134x09\134x00\134x00\134x00) reply:1 begin run(\134x09\134x00\134x00\134x00) "
	 "reply:1",
	 {C(EXECUTE),
	  S("\2\0\0\1\1\1" DEFINITION_2 "\3\0\0\3\0\0\1"
	    "\7\0\0\4\376\0\0\2\0\0\0"),
	  C(EXECUTE),
	  S("\2\0\0\1\1\0"
	    "\3\0\0\2\0\0\1"
	    "\7\0\0\3\376\0\0\2\0\0\0")}},
};

static enum wire_result feed(void *wire, enum wire_way way, const char *at, size_t size,
			     const struct wire_calls *calls, void *to)
{
	return mysql_feed(wire, way, at, size, calls, to);
}

static const struct wire_parser parser = {sizeof(struct mysql), mysql_looks_like, feed};

static const struct wire_talk logged_in = {NULL, {S(GREETING), C(LOGIN), S(LOGGED_IN)}};

static void conversations_cut_anywhere_are_told_as_they_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(conversations); i++)
		wire_talk_check(&parser, &logged_in, &conversations[i]);
}

static void query_attributes_are_skipped(void **state)
{
	static const struct wire_talk before = {NULL,
						{S(GREETING), C(LOGIN_ATTRIBUTES), S(LOGGED_IN)}};

	(void)state;
	for (size_t i = 0; i < COUNT(with_attributes); i++)
		wire_talk_check(&parser, &before, &with_attributes[i]);
}

static void definitions_may_be_left_out(void **state)
{
	static const struct wire_talk mysql = {NULL,
					       {S(GREETING), C(LOGIN_METADATA), S(LOGGED_IN)}};
	static const struct wire_talk mariadb = {
		NULL, {S(MARIADB_GREETING), C(LOGIN_MARIADB), S(LOGGED_IN)}};

	(void)state;
	for (size_t i = 0; i < COUNT(without_definitions); i++)
		wire_talk_check(&parser, &mysql, &without_definitions[i]);
	for (size_t i = 0; i < COUNT(mariadb_conversations); i++)
		wire_talk_check(&parser, &mariadb, &mariadb_conversations[i]);
}

static void say(struct mysql *wire, const struct wire_talk *talk, struct wire_log *log)
{
	for (size_t i = 0; talk->steps[i].at; i++)
		assert_int_equal(wire_talk_step(&parser, wire, &talk->steps[i], log), WIRE_OK);
	memset(log, 0, sizeof(*log));
}

static void requests_wait_for_their_answers_up_to_a_limit(void **state)
{
	static const struct wire_step ping = C(PING), query = C(QUERY);
	static const struct wire_step done = S(DONE), failed = S(FAILED);
	struct mysql wire = {0};
	struct wire_log log = {0};

	(void)state;
	say(&wire, &logged_in, &log);
	for (unsigned i = 0; i < MYSQL_PENDING_MAX; i++)
		assert_int_equal(wire_talk_step(&parser, &wire, i % 2 ? &ping : &query, &log),
				 WIRE_OK);
	struct mysql more = wire;
	assert_int_equal(wire_talk_step(&parser, &more, &ping, &log), WIRE_STOP);
	for (unsigned i = 0; i < MYSQL_PENDING_MAX; i++) {
		memset(&log, 0, sizeof(log));
		assert_int_equal(wire_talk_step(&parser, &wire, i % 3 ? &done : &failed, &log),
				 WIRE_OK);
		assert_string_equal(log.at, i % 3 == 0 ? "failed(1146)"
					    : i % 2    ? "reply"
						       : "reply:0");
	}
	assert_int_equal(wire_talk_step(&parser, &wire, &done, &log), WIRE_BAD);
}

#define PACKET 0xffffffu

/* Feeds a packet of any size, filled with one letter. */
static enum wire_result feed_large(struct mysql *wire, enum wire_way way, size_t size,
				   uint8_t number, char first)
{
	char *packet = malloc(size + 4);
	struct wire_log *log = calloc(1, sizeof(*log));

	memset(packet, 'x', size + 4);
	packet[0] = (char)size;
	packet[1] = (char)(size >> 8);
	packet[2] = (char)(size >> 16);
	packet[3] = (char)number;
	if (first && size)
		packet[4] = first;
	enum wire_result result = mysql_feed(wire, way, packet, size + 4, &wire_log_calls, log);
	free(packet);
	free(log);
	return result;
}

static void a_payload_goes_on_in_other_packets(void **state)
{
	static const struct wire_step answer = S(
					      "\1\0\0\3\1"
					      "\27\0\0\4\3def\0\0\0\1a\0\14?\0\13\0\0\0\3\0\0\0\0\0"
					      "\5\0\0\5\376\0\0\2\0"),
				      end = S("\5\0\0\10\376\0\0\2\0");
	struct mysql wire = {0};
	struct wire_log log = {0};

	(void)state;
	say(&wire, &logged_in, &log);
	assert_int_equal(feed_large(&wire, WIRE_REQUEST, PACKET, 0, 3), WIRE_OK);
	assert_int_equal(wire.pending_count, 0);
	assert_int_equal(feed_large(&wire, WIRE_REQUEST, PACKET, 1, 0), WIRE_OK);
	assert_int_equal(wire.pending_count, 0);
	assert_int_equal(feed_large(&wire, WIRE_REQUEST, 0, 2, 0), WIRE_OK);
	assert_int_equal(wire.pending_count, 1);
	assert_int_equal(wire_talk_step(&parser, &wire, &answer, &log), WIRE_OK);
	/* One row, which begins as the end of the rows does. */
	assert_int_equal(feed_large(&wire, WIRE_REPLY, PACKET, 6, '\xfe'), WIRE_OK);
	assert_int_equal(feed_large(&wire, WIRE_REPLY, 1, 7, 0), WIRE_OK);
	assert_int_equal(wire_talk_step(&parser, &wire, &end, &log), WIRE_OK);
	assert_string_equal(log.at, "reply:1");
	assert_int_equal(feed_large(&wire, WIRE_REQUEST, PACKET, 0, 3), WIRE_OK);
	assert_int_equal(feed_large(&wire, WIRE_REQUEST, 1, 2, 0), WIRE_BAD);
}

static void the_state_of_a_connection_is_small(void **state)
{
	(void)state;
	assert_true(sizeof(struct mysql) <= 600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conversations_cut_anywhere_are_told_as_they_are),
		cmocka_unit_test(query_attributes_are_skipped),
		cmocka_unit_test(definitions_may_be_left_out),
		cmocka_unit_test(requests_wait_for_their_answers_up_to_a_limit),
		cmocka_unit_test(a_payload_goes_on_in_other_packets),
		cmocka_unit_test(the_state_of_a_connection_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
