/* test_memcached.c - memcached's text protocol: what is told of it, whole and cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "preload/memcached.h"
#include "tests/unit/wire_told.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static enum wire_result feed(int first, enum wire_way way, const char *at, size_t size, void *to)
{
	static struct memcached wire;

	if (first)
		memset(&wire, 0, sizeof(wire));
	return memcached_feed(&wire, way, at, size, &wire_told_calls, to);
}

static void a_request_and_its_reply_are_told(void **state)
{
	static const struct {
		struct wire_step steps[3];
		const char *told;
	} cases[] = {
		{{WIRE_ASKED("get a b\r\n"),
		  WIRE_TOLD("VALUE a 0 3\r\nEND\r\nVALUE b 0 0 77\r\n\r\nEND\r\n")},
		 "{get a b}get:E1 =2 "},
		{{WIRE_ASKED("gets a\r\n"), WIRE_TOLD("END\r\n")}, "{gets a}gets:E1 =0 "},
		{{WIRE_ASKED("gat 60 a b\r\n"), WIRE_TOLD("VALUE a 0 2\r\nhi\r\nEND\r\n")},
		 "{gat ? a b}gat:E1 =1 "},
		{{WIRE_ASKED("set k 0 0 6\r\nsecret\r\n"), WIRE_TOLD("STORED\r\n")},
		 "{set k ? ? ?}set:E1 =ok "},
		{{WIRE_ASKED("set k 0 0 0\r\n\r\n"), WIRE_TOLD("NOT_STORED\r\n")},
		 "{set k ? ? ?}set:E1 =ok "},
		{{WIRE_ASKED("cas k 0 -1 4 99\r\nget \r\n"), WIRE_TOLD("EXISTS\r\n")},
		 "{cas k ? ? ? ?}cas:E1 =ok "},
		{{WIRE_ASKED("append k 0 0 2\r\n\r\n\r\n"), WIRE_TOLD("NOT_FOUND\r\n")},
		 "{append k ? ? ?}append:E1 =ok "},
		{{WIRE_ASKED("delete noreply\r\n"), WIRE_TOLD("DELETED\r\n")},
		 "{delete noreply}delete:E1 =ok "},
		{{WIRE_ASKED("incr k 5\r\n"), WIRE_TOLD("15\r\n")}, "{incr k ?}incr:E1 =ok "},
		{{WIRE_ASKED("incr k 5\r\n"), WIRE_TOLD("CLIENT_ERROR not a number\r\n")},
		 "{incr k ?}incr:E1 =!CLIENT_ERROR "},
		{{WIRE_ASKED("touch k 5\r\n"), WIRE_TOLD("TOUCHED\r\n")},
		 "{touch k ?}touch:E1 =ok "},
		{{WIRE_ASKED("set k 0 0 1\r\nx\r\n"), WIRE_TOLD("SERVER_ERROR out of memory\r\n")},
		 "{set k ? ? ?}set:E1 =!SERVER_ERROR "},
		{{WIRE_ASKED("get\r\n"), WIRE_TOLD("ERROR\r\n")}, "{get}get:E1 =!ERROR "},
		{{WIRE_ASKED("shutdown\r\n"), WIRE_TOLD("ERROR: shutdown not enabled\r\n")},
		 "{shutdown}shutdown:E1 =!ERROR "},
		{{WIRE_ASKED("version\r\n"), WIRE_TOLD("VERSION 1.6.18\r\n")},
		 "{version}version:E1 =ok "},
		{{WIRE_ASKED("stats items\r\n"), WIRE_TOLD("STAT a 1\r\nSTAT b x y\r\nEND\r\n")},
		 "{stats}stats:E1 =ok "},
		{{WIRE_ASKED("stats cachedump 1 0\r\n"), WIRE_TOLD("ITEM k [2 b; 0 s]\r\nEND\r\n")},
		 "{stats}stats:E1 =ok "},
		{{WIRE_ASKED("lru_crawler metadump all\r\n"),
		  WIRE_TOLD("key=a exp=-1 la=1\r\nkey=END exp=1\r\nEND\r\n")},
		 "{lru_crawler}lru_crawler:E1 =ok "},
		{{WIRE_ASKED("quit\r\n")}, "{quit}quit:S0 "},
		{{WIRE_ASKED("mg k v O77\r\n"), WIRE_TOLD("VA 4 O77\r\nHD\r\n\r\n")},
		 "{mg k}mg:E1 =1 "},
		{{WIRE_ASKED("mg k v\r\n"), WIRE_TOLD("EN\r\n")}, "{mg k}mg:E1 =0 "},
		{{WIRE_ASKED("mg k\r\n"), WIRE_TOLD("HD\r\n")}, "{mg k}mg:E1 =ok "},
		{{WIRE_ASKED("ms k 6 T60\r\nsecret\r\n"), WIRE_TOLD("HD\r\n")},
		 "{ms k ?}ms:E1 =ok "},
		{{WIRE_ASKED("md k q\r\nmn\r\n"), WIRE_TOLD("NF\r\nMN\r\n")},
		 "{md k}md:E1 {mn}mn:E1 =ok =ok "},
		{{WIRE_ASKED("me k\r\n"), WIRE_TOLD("ME k exp=-1\r\n")}, "{me k}me:E1 =ok "},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		wire_told_whole_and_cut(feed, cases[i].steps, cases[i].told, WIRE_OK);
}

static void requests_without_an_answer_are_told_as_such(void **state)
{
	static const struct wire_step steps[] = {
		WIRE_ASKED("set k 0 0 2 noreply\r\nhi\r\ndelete k noreply\r\nincr k 1 noreply\r\n"
			   "flush_all noreply\r\nverbosity 1 noreply\r\nversion\r\n"),
		WIRE_TOLD("VERSION 1\r\n"),
		WIRE_TOLD("SERVER_ERROR object too large for cache\r\n"),
		{0},
	};

	(void)state;
	wire_told_whole_and_cut(feed, steps,
				"{set k ? ? ?}set:E0 {delete k}delete:E0 {incr k ?}incr:E0 "
				"{flush_all}flush_all:E0 {verbosity}verbosity:E0 "
				"{version}version:E1 =ok ",
				WIRE_OK);
}

static void quiet_requests_are_answered_by_what_follows(void **state)
{
	static const struct wire_step batch[] = {
		WIRE_ASKED("mg a v q\r\nmg b v q\r\nmg c v q\r\nmn\r\nget a\r\n"),
		WIRE_TOLD("VA 1\r\nx\r\nMN\r\nEND\r\n"),
		{0},
	};
	static const struct wire_step stored[] = {
		WIRE_ASKED("ms a 1 q\r\nx\r\nms b 1 q\r\nx\r\n"),
		WIRE_TOLD("CLIENT_ERROR bad\r\n"),
		WIRE_ASKED("version\r\nmg a v\r\n"),
		WIRE_TOLD("VERSION 1\r\nEN\r\n"),
		{0},
	};
	static const struct wire_step unclear[] = {
		WIRE_ASKED("mg a v q\r\nmg b v\r\n"),
		{0},
	};

	(void)state;
	wire_told_whole_and_cut(feed, batch,
				"{mg a}mg:E1 {mg b}mg:E1 {mg c}mg:E1 {mn}mn:E1 {get a}get:E1 "
				"=1 =ok =ok =ok =0 ",
				WIRE_OK);
	wire_told_whole_and_cut(feed, stored,
				"{ms a ?}ms:E1 {ms b ?}ms:E1 =!CLIENT_ERROR {version}version:E1 "
				"{mg a}mg:E1 =ok =ok =0 ",
				WIRE_OK);
	wire_told_whole_and_cut(feed, unclear, "{mg a}mg:E1 {", WIRE_STOP);
}

static void what_is_not_the_protocol_is_given_up(void **state)
{
	static const struct {
		struct wire_step steps[3];
		const char *told;
		enum wire_result result;
	} cases[] = {
		{{WIRE_ASKED("hunter2\r\n")}, "", WIRE_BAD},
		{{WIRE_ASKED("\r\n")}, "", WIRE_BAD},
		{{WIRE_ASKED("GET a\r\n")}, "", WIRE_BAD},
		{{WIRE_ASKED("set k 0 0 3\r\nsecret\r\n")}, "{", WIRE_BAD},
		{{WIRE_TOLD("END\r\n")}, "", WIRE_BAD},
		{{WIRE_ASKED("mn\r\n"), WIRE_TOLD("HTTP/1.1 200 OK\r\n")}, "{mn}mn:E1 ", WIRE_BAD},
		{{WIRE_ASKED("mn\r\n"), WIRE_TOLD("VALUE k 0 x\r\n")}, "{mn}mn:E1 ", WIRE_BAD},
		{{WIRE_ASKED("mn\r\n"), WIRE_TOLD("VALUE k 0\r\n")}, "{mn}mn:E1 ", WIRE_BAD},
		{{WIRE_ASKED("mn\r\n"), WIRE_TOLD("VA 1\r\nxyz")}, "{mn}mn:E1 ", WIRE_BAD},
		{{WIRE_ASKED("watch fetchers\r\n")}, "{", WIRE_STOP},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		wire_told_whole_and_cut(feed, cases[i].steps, cases[i].told, cases[i].result);
	}
}

static void thousands_of_requests_wait_and_are_answered_in_order(void **state)
{
	static const char asked[] = "incr k 1\r\n", mark[] = "mn\r\n", quiet[] = "mg k q v\r\n";
	struct wire_told told;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		const char *request = i % 2 ? asked : mark;
		told.size = 0;
		assert_int_equal(feed(!i, WIRE_REQUEST, request, strlen(request), &told), WIRE_OK);
	}
	for (int i = 0; i < 20000; i++) {
		const char *reply = i % 2 ? "ERROR\r\n" : "MN\r\n";
		told.size = 0;
		assert_int_equal(feed(0, WIRE_REPLY, reply, strlen(reply), &told), WIRE_OK);
		assert_string_equal(told.line, i % 2 ? "=!ERROR " : "=ok ");
	}
	for (int i = 0; i < 1000; i++) {
		told.size = 0;
		assert_int_equal(feed(0, WIRE_REQUEST, quiet, sizeof(quiet) - 1, &told), WIRE_OK);
	}
	told.size = 0;
	assert_int_equal(feed(0, WIRE_REQUEST, mark, sizeof(mark) - 1, &told), WIRE_OK);
	told.size = 0;
	assert_int_equal(feed(0, WIRE_REPLY, "MN\r\n", 4, &told), WIRE_OK);
	assert_int_equal(told.size, 1001 * strlen("=ok "));
}

static void batches_that_wait_are_bounded(void **state)
{
	static const char batch[] = "mg k q v\r\nmn\r\n";
	enum wire_result result = WIRE_OK;
	struct wire_told told;
	int batches = 0;

	(void)state;
	for (; result == WIRE_OK && batches < 100; batches++) {
		told.size = 0;
		result = feed(!batches, WIRE_REQUEST, batch, sizeof(batch) - 1, &told);
	}
	assert_int_equal(result, WIRE_STOP);
	assert_int_equal(batches, MEMCACHED_RUNS / 2 + 1);
}

static void the_first_bytes_tell_the_protocol(void **state)
{
	static const struct {
		const char *at;
		enum wire_way way;
		int looks;
	} cases[] = {
		{"get k\r\n", WIRE_REQUEST, 1},
		{"get k l", WIRE_REQUEST, 1},
		{"gat 5 k\r\n", WIRE_REQUEST, 1},
		{"set k 0 0 5\r\n", WIRE_REQUEST, 1},
		{"cas k 0 0 5 7\r\n", WIRE_REQUEST, 1},
		{"mg k v\r\n", WIRE_REQUEST, 1},
		{"ms k 5\r\n", WIRE_REQUEST, 1},
		{"mn\r\n", WIRE_REQUEST, 1},
		{"version\r\n", WIRE_REQUEST, 1},
		{"stats\r\n", WIRE_REQUEST, 1},
		{"stats items\r\n", WIRE_REQUEST, 0},
		{"", WIRE_REQUEST, -2},
		{"ge", WIRE_REQUEST, -2},
		{"get k", WIRE_REQUEST, -2},
		{"set k 0 0 5", WIRE_REQUEST, -2},
		{"get\r\n", WIRE_REQUEST, 0},
		{"set up the machine\r\n", WIRE_REQUEST, 0},
		{"version 5\r\n", WIRE_REQUEST, 0},
		{"get\x01k\r\n", WIRE_REQUEST, 0},
		{"hello there\r\n", WIRE_REQUEST, 0},
		{"GET / HTTP/1.1\r\n", WIRE_REQUEST, 0},
		{"EHLO me\r\n", WIRE_REQUEST, 0},
		{"\x80\x01", WIRE_REQUEST, 0},
		{"VALUE k 0 1\r\n", WIRE_REPLY, 1},
		{"STORED\r\n", WIRE_REPLY, 1},
		{"VERSION 1.6\r\n", WIRE_REPLY, 1},
		{"OK\r\n", WIRE_REPLY, 0},
		{"220 smtp\r\n", WIRE_REPLY, 0},
		{"HTTP/1.1 200 OK\r\n", WIRE_REPLY, 0},
		{"+OK\r\n", WIRE_REPLY, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t size = strlen(cases[i].at);
		assert_int_equal(memcached_looks_like(cases[i].way, cases[i].at, size),
				 cases[i].looks);
		for (size_t cut = 0; cut < size; cut++) {
			int looks = memcached_looks_like(cases[i].way, cases[i].at, cut);
			assert_true(looks == -2 || looks == cases[i].looks);
		}
	}
}

static void the_state_is_small(void **state)
{
	(void)state;
	assert_true(sizeof(struct memcached) <= 600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_and_its_reply_are_told),
		cmocka_unit_test(requests_without_an_answer_are_told_as_such),
		cmocka_unit_test(quiet_requests_are_answered_by_what_follows),
		cmocka_unit_test(what_is_not_the_protocol_is_given_up),
		cmocka_unit_test(thousands_of_requests_wait_and_are_answered_in_order),
		cmocka_unit_test(batches_that_wait_are_bounded),
		cmocka_unit_test(the_first_bytes_tell_the_protocol),
		cmocka_unit_test(the_state_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
