/* test_resp.c - Redis's protocol: what is told of requests and replies, whole and cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "preload/resp.h"
#include "tests/unit/wire_told.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define OK       WIRE_TOLD("+OK\r\n")

static enum wire_result feed(int first, enum wire_way way, const char *at, size_t size, void *to)
{
	static struct resp wire;

	if (first)
		memset(&wire, 0, sizeof(wire));
	return resp_feed(&wire, way, at, size, &wire_told_calls, to);
}

/* Words, between spaces, as the array of bulk strings that a client sends. */
static size_t as_array(const char *words, char *out, size_t room)
{
	size_t count = 1, size;

	for (const char *i = words; *i; i++)
		count += *i == ' ';
	size = (size_t)snprintf(out, room, "*%zu\r\n", count);
	while (count--) {
		size_t word = strcspn(words, " ");
		size += (size_t)snprintf(out + size, room - size, "$%zu\r\n%.*s\r\n", word,
					 (int)word, words);
		words += word + (words[word] == ' ');
	}
	assert_true(size < room);
	return size;
}

static void the_text_of_a_command_keeps_its_keys_alone(void **state)
{
	static const struct {
		const char *words, *told;
	} cases[] = {
		{"GET k", "{GET k}GET:E1 "},
		{"get k", "{get k}get:E1 "},
		{"PING", "{PING}PING:E1 "},
		{"SET user:7 secret EX 10", "{SET user:7 ? ? ?}SET:E1 "},
		{"MGET a b c", "{MGET a b c}MGET:E1 "},
		{"MSET a 1 b 2", "{MSET a ? b ?}MSET:E1 "},
		{"HSET h name v1 mail v2", "{HSET h name ? mail ?}HSET:E1 "},
		{"HMGET h a b", "{HMGET h a b}HMGET:E1 "},
		{"HINCRBY h f 5", "{HINCRBY h f ?}HINCRBY:E1 "},
		{"BLPOP a b 5", "{BLPOP a b ?}BLPOP:E1 "},
		{"LPUSH l v w", "{LPUSH l ? ?}LPUSH:E1 "},
		{"RENAME a b", "{RENAME a b}RENAME:E1 "},
		{"EVAL return1 2 a b v", "{EVAL ? 2 a b ?}EVAL:E1 "},
		{"EVAL s many a", "{EVAL ? ? ?}EVAL:E1 "},
		{"EVALSHA abc 1 a v", "{EVALSHA abc 1 a ?}EVALSHA:E1 "},
		{"ZUNIONSTORE d 2 a b WEIGHTS", "{ZUNIONSTORE d 2 a b ?}ZUNIONSTORE:E1 "},
		{"XREAD COUNT 2 STREAMS a b 0 1", "{XREAD ? ? STREAMS a b ? ?}XREAD:E1 "},
		{"XADD s * f v", "{XADD s ? ? ?}XADD:E1 "},
		{"PUBLISH ch payload", "{PUBLISH ch ?}PUBLISH:E1 "},
		{"CONFIG GET max*", "{CONFIG GET max*}CONFIG GET:E1 "},
		{"CONFIG SET requirepass x", "{CONFIG SET ? ?}CONFIG SET:E1 "},
		{"config", "{config}config:E1 "},
		{"CLIENT LIST", "{CLIENT LIST}CLIENT LIST:E1 "},
		{"ACL SETUSER bob >pw", "{ACL SETUSER ? ?}ACL SETUSER:E1 "},
		{"MIGRATE h 1 k 0 5 AUTH pw", "{MIGRATE ? ? ? ? ? ? ?}MIGRATE:E1 "},
		{"OBJECT ENCODING k", "{OBJECT ENCODING k}OBJECT ENCODING:E1 "},
		{"XGROUP CREATE s g 0", "{XGROUP CREATE s ? ?}XGROUP CREATE:E1 "},
		{"GEORADIUSBYMEMBER_RO k m 1 km",
		 "{GEORADIUSBYMEMBER_RO k ? ? ?}GEORADIUSBYMEMBER_RO:E1 "},
		{"ECHO secret", "{ECHO ?}ECHO:E1 "},
		{"NEW.COMMAND secret", "{NEW.COMMAND ?}NEW.COMMAND:E1 "},
		{"S\"\xff(T k", "{S___T ?}S___T:E1 "},
		{"AUTH user secret", "{}AUTH:S1 "},
		{"HELLO 3 AUTH u p", "{}HELLO:S1 "},
		{"CLIENT SETNAME me", "{}CLIENT SETNAME:S1 "},
		{"client setinfo lib-name x", "{}client setinfo:S1 "},
		{"SELECT 3", "{3}SELECT:N1 "},
		{"SELECT x", "{}SELECT:N1 "},
		{"RESET", "{0}RESET:N1 "},
	};
	char bytes[512];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t size = as_array(cases[i].words, bytes, sizeof(bytes));
		struct wire_step steps[] = {{WIRE_REQUEST, bytes, size}, {0}};
		wire_told_whole_and_cut(feed, steps, cases[i].told, WIRE_OK);
	}
}

static void keys_are_cleaned_and_bounded(void **state)
{
	static const struct wire_step empty[] = {
		WIRE_ASKED("*2\r\n$3\r\nGET\r\n$0\r\n\r\n"),
		{0},
	};
	static const struct wire_step odd[] = {
		WIRE_ASKED("*2\r\n$3\r\nGET\r\n$12\r\na b\r\n\x7f\0\x1f\xc3\xa9z.\r\n"),
		{0},
	};
	static const char odd_told[] = "{GET a_b_____\xc3\xa9z.}GET:E1 ";
	char bytes[2048], told[512];

	(void)state;
	wire_told_whole_and_cut(feed, empty, "{GET \"\"}GET:E1 ", WIRE_OK);
	wire_told_whole_and_cut(feed, odd, odd_told, WIRE_OK);
	int size =
		snprintf(bytes, sizeof(bytes), "*2\r\n$3\r\nGET\r\n$%d\r\n%0*d\r\n", 1000, 1000, 0);
	struct wire_step longer[] = {{WIRE_REQUEST, bytes, (size_t)size}, {0}};
	snprintf(told, sizeof(told), "{GET %0*d...}GET:E1 ", (int)WIRE_TEXT_WORD_MAX, 0);
	wire_told_whole_and_cut(feed, longer, told, WIRE_OK);
}

static void a_long_text_ends_in_dots(void **state)
{
	char bytes[8192], told[2048] = "{MGET";
	size_t room = sizeof(told), end = strlen(told);
	size_t size = (size_t)snprintf(bytes, sizeof(bytes), "*601\r\n$4\r\nMGET\r\n");

	(void)state;
	for (int i = 0; i < 600; i++)
		size += (size_t)snprintf(bytes + size, sizeof(bytes) - size, "$3\r\n%03d\r\n", i);
	struct wire_step steps[] = {{WIRE_REQUEST, bytes, size}, {0}};
	for (int i = 0; i < 255; i++)
		end += (size_t)snprintf(told + end, room - end, " %03d", i);
	assert_int_equal(end, WIRE_TEXT_MAX + 1);
	snprintf(told + end, room - end, "...}MGET:E1 ");
	wire_told_whole_and_cut(feed, steps, told, WIRE_OK);
}

static void inline_commands_are_read_with_their_quotes(void **state)
{
	static const struct {
		struct wire_step steps[2];
		const char *told;
		enum wire_result result;
	} cases[] = {
		{{WIRE_ASKED("PING\r\n")}, "{PING}PING:E1 ", WIRE_OK},
		{{WIRE_ASKED("\r\n  \r\nPING\n")}, "{PING}PING:E1 ", WIRE_OK},
		{{WIRE_ASKED("SET k v\r\nGET k\r\n")}, "{SET k ?}SET:E1 {GET k}GET:E1 ", WIRE_OK},
		{{WIRE_ASKED("  set\t\"a b\" 'it\\'s'  \r\n")}, "{set a_b ?}set:E1 ", WIRE_OK},
		{{WIRE_ASKED("GET \"a\\\"b\"\r\n")}, "{GET a\"b}GET:E1 ", WIRE_OK},
		{{WIRE_ASKED("GET \"\"\r\n")}, "{GET \"\"}GET:E1 ", WIRE_OK},
		{{WIRE_ASKED("GET \"a\r\n")}, "{", WIRE_BAD},
		{{WIRE_ASKED("SELECT 2\r\n")}, "{2}SELECT:N1 ", WIRE_OK},
		{{WIRE_ASKED("hunter2 k\r\n")}, "{", WIRE_BAD},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		wire_told_whole_and_cut(feed, cases[i].steps, cases[i].told, cases[i].result);
}

static void requests_that_are_none_are_passed_over(void **state)
{
	static const struct wire_step steps[] = {
		WIRE_ASKED("*0\r\n*-1\r\n\r\n*1\r\n$4\r\nPING\r\n"),
		{0},
	};

	(void)state;
	wire_told_whole_and_cut(feed, steps, "{PING}PING:E1 ", WIRE_OK);
}

#define PING "*1\r\n$4\r\nPING\r\n"

static void each_reply_is_told_once_whatever_its_shape(void **state)
{
	static const struct {
		struct wire_step steps[3];
		const char *told;
	} cases[] = {
		{{WIRE_ASKED(PING), OK}, "=ok "},
		{{WIRE_ASKED(PING), WIRE_TOLD(":-12\r\n")}, "=ok "},
		{{WIRE_ASKED(PING), WIRE_TOLD("$-1\r\n")}, "=ok "},
		{{WIRE_ASKED(PING), WIRE_TOLD("$0\r\n\r\n")}, "=ok "},
		{{WIRE_ASKED(PING), WIRE_TOLD("$5\r\n+OK\r\n\r\n")}, "=ok "},
		{{WIRE_ASKED(PING), WIRE_TOLD("*-1\r\n")}, "=ok "},
		{{WIRE_ASKED(PING), WIRE_TOLD("*0\r\n")}, "=ok "},
		{{WIRE_ASKED(PING), WIRE_TOLD("*2\r\n*2\r\n:1\r\n*0\r\n$1\r\nx\r\n")}, "=ok "},
		{{WIRE_ASKED(PING), WIRE_TOLD("-ERR no\r\n")}, "=!ERR "},
		{{WIRE_ASKED(PING), WIRE_TOLD("-WRONGTYPE\r\n")}, "=!WRONGTYPE "},
		{{WIRE_ASKED(PING), WIRE_TOLD("!9\r\nSYNTAX no\r\n")}, "=!SYNTAX "},
		{{WIRE_ASKED(PING), WIRE_TOLD("*2\r\n-ERR no\r\n!3\r\nERR\r\n")}, "=ok "},
		{{WIRE_ASKED(PING), WIRE_TOLD("_\r\n")}, "=ok "},
		{{WIRE_ASKED(PING), WIRE_TOLD(",-inf\r\n")}, "=ok "},
		{{WIRE_ASKED(PING), WIRE_TOLD("#t\r\n")}, "=ok "},
		{{WIRE_ASKED(PING), WIRE_TOLD("(349285734857938475\r\n")}, "=ok "},
		{{WIRE_ASKED(PING), WIRE_TOLD("=7\r\ntxt:abc\r\n")}, "=ok "},
		{{WIRE_ASKED(PING), WIRE_TOLD("%1\r\n+a\r\n~2\r\n:1\r\n:2\r\n")}, "=ok "},
		{{WIRE_ASKED(PING), WIRE_TOLD("|1\r\n+ttl\r\n:1\r\n-ERR x\r\n")}, "=!ERR "},
		{{WIRE_ASKED(PING), WIRE_TOLD("|0\r\n:1\r\n")}, "=ok "},
		{{WIRE_ASKED(PING), WIRE_TOLD("*2\r\n|1\r\n+a\r\n*1\r\n:1\r\n:1\r\n:2\r\n")},
		 "=ok "},
		{{WIRE_ASKED(PING), WIRE_TOLD(">2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n:1\r\n")},
		 "=ok "},
		{{WIRE_ASKED(PING), WIRE_TOLD(">2\r\n+invalidate\r\n_\r\n")}, ""},
	};
	char told[64];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		snprintf(told, sizeof(told), "{PING}PING:E1 %s", cases[i].told);
		wire_told_whole_and_cut(feed, cases[i].steps, told, WIRE_OK);
	}
}

static void what_is_not_the_protocol_is_given_up(void **state)
{
	static const struct {
		struct wire_step steps[3];
		const char *told;
	} cases[] = {
		{{WIRE_ASKED("*x\r\n")}, ""},
		{{WIRE_ASKED("*1048577\r\n")}, ""},
		{{WIRE_ASKED("*1\r\n+PING\r\n")}, "{"},
		{{WIRE_ASKED("*1\r\n$-1\r\n")}, "{"},
		{{WIRE_ASKED("*1\r\n$4\r\nPINGPONG")}, "{"},
		{{WIRE_ASKED("*1\r\r\n")}, ""},
		{{WIRE_TOLD("+OK\r\n")}, ""},
		{{WIRE_ASKED(PING), WIRE_TOLD("HTTP/1.1 400 Bad Request\r\n")}, "{PING}PING:E1 "},
		{{WIRE_ASKED(PING), WIRE_TOLD("*?\r\n")}, "{PING}PING:E1 "},
		{{WIRE_ASKED(PING), WIRE_TOLD("$3\r\nabcd\r\n")}, "{PING}PING:E1 "},
		{{WIRE_ASKED(PING), WIRE_TOLD(":*1\r\n")}, "{PING}PING:E1 "},
		{{WIRE_ASKED(PING), WIRE_TOLD(":-\r\n")}, "{PING}PING:E1 "},
		{{WIRE_ASKED(PING), WIRE_TOLD("*1\r\n>1\r\n+a\r\n")}, "{PING}PING:E1 "},
		{{WIRE_ASKED(PING), WIRE_TOLD("+a\r\n+b\r\n")}, "{PING}PING:E1 =ok "},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		wire_told_whole_and_cut(feed, cases[i].steps, cases[i].told, WIRE_BAD);
}

static void replies_nest_only_so_deep(void **state)
{
	char bytes[256];

	(void)state;
	for (int depth = 1; depth <= RESP_DEPTH + 1; depth++) {
		struct wire_told told = {.size = 0};
		size_t size = 0;
		for (int i = 0; i < depth; i++)
			size += (size_t)snprintf(bytes + size, sizeof(bytes) - size, "*1\r\n");
		size += (size_t)snprintf(bytes + size, sizeof(bytes) - size, ":1\r\n");
		assert_int_equal(feed(1, WIRE_REQUEST, PING, sizeof(PING) - 1, &told), WIRE_OK);
		assert_int_equal(feed(0, WIRE_REPLY, bytes, size, &told),
				 depth <= RESP_DEPTH ? WIRE_OK : WIRE_BAD);
	}
}

static void thousands_of_requests_wait_and_are_answered_in_order(void **state)
{
	struct wire_told told = {.size = 0};

	(void)state;
	for (int i = 0; i < 20000; i++) {
		told.size = 0;
		assert_int_equal(feed(!i, WIRE_REQUEST, PING, sizeof(PING) - 1, &told), WIRE_OK);
	}
	for (int i = 0; i < 20000; i++) {
		const char *reply = i % 3 ? "+PONG\r\n" : "-BUSY x\r\n";
		told.size = 0;
		assert_int_equal(feed(0, WIRE_REPLY, reply, strlen(reply), &told), WIRE_OK);
		assert_string_equal(told.line, i % 3 ? "=ok " : "=!BUSY ");
	}
	assert_int_equal(feed(0, WIRE_REPLY, "+PONG\r\n", 7, &told), WIRE_BAD);
}

static void client_reply_says_what_is_answered(void **state)
{
	static const struct wire_step off[] = {
		WIRE_ASKED("CLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY SKIP\r\nPING\r\n"
			   "CLIENT REPLY ON\r\nPING\r\n"),
		WIRE_TOLD("+OK\r\n+PONG\r\n"),
		{0},
	};
	static const struct wire_step skip[] = {
		WIRE_ASKED("CLIENT REPLY SKIP\r\nPING\r\nCLIENT REPLY what\r\n"
			   "CLIENT REPLY skip\r\nCLIENT REPLY SKIP\r\nPING\r\nPING\r\n"),
		WIRE_TOLD("-ERR syntax\r\n+PONG\r\n"),
		{0},
	};

	(void)state;
	wire_told_whole_and_cut(
		feed, off,
		"{CLIENT REPLY ?}CLIENT REPLY:E0 {PING}PING:E0 {CLIENT REPLY ?}CLIENT REPLY:E0 "
		"{PING}PING:E0 {CLIENT REPLY ?}CLIENT REPLY:E1 {PING}PING:E1 =ok =ok ",
		WIRE_OK);
	wire_told_whole_and_cut(
		feed, skip,
		"{CLIENT REPLY ?}CLIENT REPLY:E0 {PING}PING:E0 {CLIENT REPLY ?}CLIENT REPLY:E1 "
		"{CLIENT REPLY ?}CLIENT REPLY:E0 {CLIENT REPLY ?}CLIENT REPLY:E0 {PING}PING:E0 "
		"{PING}PING:E1 =!ERR =ok ",
		WIRE_OK);
}

static void streams_without_end_stop_the_parser(void **state)
{
	static const struct {
		struct wire_step steps[2];
		const char *told;
	} cases[] = {
		{{WIRE_ASKED("*1\r\n$7\r\nMONITOR\r\n")}, "{"},
		{{WIRE_ASKED("*3\r\n$5\r\npsync\r\n$1\r\n?\r\n$2\r\n-1\r\n")}, "{"},
		{{WIRE_ASKED("SYNC\r\n")}, "{"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		wire_told_whole_and_cut(feed, cases[i].steps, cases[i].told, WIRE_STOP);
}

/* ---- subscriptions -------------------------------------------------------------------------- */

#define CONFIRMED(type, kind, size, channel, count)                                                \
	type "3\r\n$" size "\r\n" kind "\r\n$1\r\n" channel "\r\n:" count "\r\n"
#define SUBSCRIBED(type, channel, count)   CONFIRMED(type, "subscribe", "9", channel, count)
#define UNSUBSCRIBED(type, channel, count) CONFIRMED(type, "unsubscribe", "11", channel, count)
#define MESSAGE(type)                      type "3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n"

static void a_subscription_is_answered_by_its_first_channel(void **state)
{
	static const struct wire_step resp2[] = {
		WIRE_ASKED("PING\r\nSUBSCRIBE a b\r\n"),
		WIRE_TOLD("+PONG\r\n" SUBSCRIBED("*", "a", "1")),
		WIRE_TOLD(MESSAGE("*") SUBSCRIBED("*", "b", "2") MESSAGE("*")),
		WIRE_ASKED("PING\r\nPSUBSCRIBE c*\r\n"),
		WIRE_TOLD("*2\r\n$4\r\npong\r\n$0\r\n\r\n" MESSAGE("*")
				  CONFIRMED("*", "psubscribe", "10", "c", "3")),
		WIRE_ASKED("UNSUBSCRIBE\r\nGET k\r\nPUNSUBSCRIBE c*\r\nGET k\r\n"),
		WIRE_TOLD(UNSUBSCRIBED("*", "a", "2") UNSUBSCRIBED("*", "b", "1") "-ERR only\r\n"),
		WIRE_TOLD(CONFIRMED("*", "punsubscribe", "12", "c", "0") MESSAGE("*")),
		{0},
	};
	static const struct wire_step resp3[] = {
		WIRE_ASKED("SUBSCRIBE a b\r\nLRANGE l 0 -1\r\nUNSUBSCRIBE\r\n"),
		WIRE_TOLD(SUBSCRIBED(">", "a", "1") SUBSCRIBED(">", "b", "2") MESSAGE(">")),
		WIRE_TOLD(MESSAGE("*") UNSUBSCRIBED(">", "a", "1") UNSUBSCRIBED(">", "b", "0")),
		WIRE_ASKED("UNSUBSCRIBE\r\n"),
		WIRE_TOLD(">3\r\n$11\r\nunsubscribe\r\n_\r\n:0\r\n"),
		{0},
	};

	(void)state;
	wire_told_whole_and_cut(
		feed, resp2,
		"{PING}PING:E1 {SUBSCRIBE a b}SUBSCRIBE:E1 =ok =ok {PING}PING:E1 "
		"{PSUBSCRIBE c*}PSUBSCRIBE:E1 =ok =ok {UNSUBSCRIBE}UNSUBSCRIBE:E1 {GET k}GET:E1 "
		"{PUNSUBSCRIBE c*}PUNSUBSCRIBE:E1 {GET k}GET:E1 =ok =!ERR =ok =ok ",
		WIRE_OK);
	wire_told_whole_and_cut(feed, resp3,
				"{SUBSCRIBE a b}SUBSCRIBE:E1 {LRANGE l ? ?}LRANGE:E1 "
				"{UNSUBSCRIBE}UNSUBSCRIBE:E1 =ok =ok =ok "
				"{UNSUBSCRIBE}UNSUBSCRIBE:E1 =ok ",
				WIRE_OK);
}

static void a_list_that_reads_like_a_message_is_a_reply(void **state)
{
	static const struct wire_step steps[] = {
		WIRE_ASKED("LRANGE l 0 -1\r\nLRANGE l 0 -1\r\n"),
		WIRE_TOLD(MESSAGE("*") SUBSCRIBED("*", "a", "1")),
		{0},
	};

	(void)state;
	wire_told_whole_and_cut(
		feed, steps, "{LRANGE l ? ?}LRANGE:E1 {LRANGE l ? ?}LRANGE:E1 =ok =ok ", WIRE_OK);
}

static void reset_ends_all_subscriptions(void **state)
{
	static const struct wire_step steps[] = {
		WIRE_ASKED("SUBSCRIBE a\r\nRESET\r\nLRANGE l 0 -1\r\n"),
		WIRE_TOLD(SUBSCRIBED("*", "a", "1") "+RESET\r\n" MESSAGE("*")),
		{0},
	};

	(void)state;
	wire_told_whole_and_cut(feed, steps,
				"{SUBSCRIBE a}SUBSCRIBE:E1 {0}RESET:N1 {LRANGE l ? ?}LRANGE:E1 "
				"=ok =ok =ok ",
				WIRE_OK);
}

static void alike_subscriptions_wait_without_end_and_others_only_so_many(void **state)
{
	static const char alike[] = "SUBSCRIBE a\r\n", other[] = "PING\r\nSUBSCRIBE a\r\n";
	struct wire_told told;
	enum wire_result result = WIRE_OK;
	int runs = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		told.size = 0;
		result = feed(!i, WIRE_REQUEST, alike, sizeof(alike) - 1, &told);
		assert_int_equal(result, WIRE_OK);
	}
	for (; result == WIRE_OK && runs < 100; runs++) {
		told.size = 0;
		result = feed(0, WIRE_REQUEST, other, sizeof(other) - 1, &told);
	}
	assert_int_equal(result, WIRE_STOP);
	assert_int_equal(runs, RESP_EXCEPTIONS);
}

/* ---- detection ------------------------------------------------------------------------------ */

static void the_first_bytes_tell_the_protocol(void **state)
{
	static const struct {
		const char *at;
		enum wire_way way;
		int looks;
	} cases[] = {
		{"*1\r\n$4\r\nPING\r\n", WIRE_REQUEST, 1},
		{"*10\r\n$4\r\nm", WIRE_REQUEST, 1},
		{"PING\r\n", WIRE_REQUEST, 1},
		{"SET k v\r\n", WIRE_REQUEST, 0},
		{"INFO {}\r\n", WIRE_REQUEST, 0},
		{"HELLO 3\r\n", WIRE_REQUEST, 1},
		{"", WIRE_REQUEST, -2},
		{"PIN", WIRE_REQUEST, -2},
		{"GET / HTTP/1.1\r\n", WIRE_REQUEST, 0},
		{"GET / HTTP/1.1", WIRE_REQUEST, 0},
		{"POST / HTTP/1.1\r\n", WIRE_REQUEST, 0},
		{"EHLO me\r\n", WIRE_REQUEST, 0},
		{"AUTH TLS\r\n", WIRE_REQUEST, 0},
		{"get k\r\n", WIRE_REQUEST, 0},
		{"* OK IMAP4\r\n", WIRE_REQUEST, 0},
		{"*0\r\n", WIRE_REQUEST, 0},
		{"*1\r\n$4\r\n\x01", WIRE_REQUEST, 0},
		{"*1\r\n:1\r\n", WIRE_REQUEST, 0},
		{"*99999999\r\n$1\r\n", WIRE_REQUEST, 0},
		{"\x16\x03\x01", WIRE_REQUEST, 0},
		{"+OK\r\n", WIRE_REPLY, 1},
		{"+PONG\r\n", WIRE_REPLY, 1},
		{"+OK POP3\r\n", WIRE_REPLY, 0},
		{"-ERR x\r\n", WIRE_REPLY, 1},
		{"-NOAUTH x\r\n", WIRE_REPLY, 1},
		{":1\r\n", WIRE_REPLY, 1},
		{"$-1\r\n", WIRE_REPLY, 1},
		{"%7\r", WIRE_REPLY, -2},
		{"* OK\r\n", WIRE_REPLY, 0},
		{"220 smtp\r\n", WIRE_REPLY, 0},
		{"HTTP/1.1 200 OK\r\n", WIRE_REPLY, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t size = strlen(cases[i].at);
		assert_int_equal(resp_looks_like(cases[i].way, cases[i].at, size), cases[i].looks);
		for (size_t cut = 0; cut < size; cut++) {
			int looks = resp_looks_like(cases[i].way, cases[i].at, cut);
			assert_true(looks == -2 || looks == cases[i].looks);
		}
	}
}

static void the_state_is_small(void **state)
{
	(void)state;
	assert_true(sizeof(struct resp) <= 680);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_of_a_command_keeps_its_keys_alone),
		cmocka_unit_test(keys_are_cleaned_and_bounded),
		cmocka_unit_test(a_long_text_ends_in_dots),
		cmocka_unit_test(inline_commands_are_read_with_their_quotes),
		cmocka_unit_test(requests_that_are_none_are_passed_over),
		cmocka_unit_test(each_reply_is_told_once_whatever_its_shape),
		cmocka_unit_test(what_is_not_the_protocol_is_given_up),
		cmocka_unit_test(replies_nest_only_so_deep),
		cmocka_unit_test(thousands_of_requests_wait_and_are_answered_in_order),
		cmocka_unit_test(client_reply_says_what_is_answered),
		cmocka_unit_test(streams_without_end_stop_the_parser),
		cmocka_unit_test(a_subscription_is_answered_by_its_first_channel),
		cmocka_unit_test(a_list_that_reads_like_a_message_is_a_reply),
		cmocka_unit_test(reset_ends_all_subscriptions),
		cmocka_unit_test(alike_subscriptions_wait_without_end_and_others_only_so_many),
		cmocka_unit_test(the_first_bytes_tell_the_protocol),
		cmocka_unit_test(the_state_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
