/* test_resp_repeat.c - pipelines of the same command: each is counted once, however it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "preload/resp.h"

enum operation { SET, GET, DEL, OTHER, OPERATIONS };

struct counts {
	unsigned requests[OPERATIONS];
	unsigned same[OPERATIONS];
	unsigned replies;
	enum operation last;
};

static void begin(void *to)
{
	(void)to;
}

static void text(void *to, const char *at, size_t size, int raw)
{
	(void)to;
	assert_null(memmem(at, size, "secret", 6));
	assert_int_equal(raw, 0);
}

static void request(void *to, const struct wire_request *one)
{
	static const char *const names[] = {"SET", "GET", "DEL"};
	struct counts *counts = to;

	counts->last = OTHER;
	for (enum operation i = SET; i < OTHER; i++)
		if (one->operation_size == 3 && memcmp(one->operation, names[i], 3) == 0)
			counts->last = i;
	counts->requests[counts->last]++;
}

static int same(void *to)
{
	struct counts *counts = to;

	/* Now and then it is wanted in full. */
	if (counts->same[counts->last] % 5 == 4 && counts->requests[counts->last] % 2)
		return 0;
	counts->same[counts->last]++;
	return 1;
}

static void reply(void *to, const struct wire_reply *one)
{
	(void)one;
	((struct counts *)to)->replies++;
}

static const struct wire_calls calls = {
	.begin = begin, .text = text, .request = request, .same = same, .reply = reply};

#define SET_LIKE   "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$25\r\nsecret\r\n*3\r\n$3\r\nSET\r\n$1\r\n\r\n"
#define SET_EMPTY  "*3\r\n$3\r\nSET\r\n$2\r\nkk\r\n$0\r\n\r\n"
#define SET_LONGER "*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$6\r\nsecret\r\n$2\r\nEX\r\n$1\r\n9\r\n"
#define GET_ONE    "*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"
#define DEL_ONE    "*2\r\n$3\r\nDEL\r\n$3\r\nkey\r\n"
#define INLINE     "GET key\r\n"

static const char pipeline[] = SET_LIKE SET_LIKE SET_EMPTY SET_LIKE GET_ONE GET_ONE GET_ONE DEL_ONE
	SET_LONGER SET_LONGER SET_EMPTY SET_EMPTY INLINE GET_ONE GET_ONE GET_ONE GET_ONE GET_ONE
		GET_ONE GET_ONE DEL_ONE DEL_ONE;

static void assert_counts(const struct counts *counts, unsigned set, unsigned get, unsigned del)
{
	assert_int_equal(counts->requests[SET] + counts->same[SET], set);
	assert_int_equal(counts->requests[GET] + counts->same[GET], get);
	assert_int_equal(counts->requests[DEL] + counts->same[DEL], del);
	assert_int_equal(counts->requests[OTHER] + counts->same[OTHER], 0);
}

static void each_is_counted_once_wherever_it_is_cut(void **state)
{
	size_t size = sizeof(pipeline) - 1;

	(void)state;
	for (size_t cut = 0; cut <= size; cut++) {
		struct resp wire = {0};
		struct counts counts = {.last = OTHER};

		assert_int_equal(resp_feed(&wire, WIRE_REQUEST, pipeline, cut, &calls, &counts),
				 WIRE_OK);
		assert_int_equal(
			resp_feed(&wire, WIRE_REQUEST, pipeline + cut, size - cut, &calls, &counts),
			WIRE_OK);
		assert_counts(&counts, 8, 11, 3);
		for (unsigned i = 0; i < 22; i++)
			assert_int_equal(
				resp_feed(&wire, WIRE_REPLY, "+OK\r\n", 5, &calls, &counts),
				WIRE_OK);
		assert_int_equal(counts.replies, 22);
		/* Nothing is left to be answered. */
		assert_int_equal(resp_feed(&wire, WIRE_REPLY, "+OK\r\n", 5, &calls, &counts),
				 WIRE_BAD);
	}
}

static void most_of_a_pipeline_is_told_as_the_same(void **state)
{
	struct resp wire = {0};
	struct counts counts = {.last = OTHER};

	(void)state;
	resp_feed(&wire, WIRE_REQUEST, pipeline, sizeof(pipeline) - 1, &calls, &counts);
	assert_true(counts.same[SET] >= 4);
	assert_true(counts.same[GET] >= 6);
	assert_int_equal(counts.same[DEL], 1);
}

/* SUBSCRIBE is answered in its own way, and the command behind CLIENT REPLY SKIP is not at all. */
static void what_is_answered_otherwise_is_never_the_same(void **state)
{
	static const char special[] =
		"*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nb\r\n";
	static const char skipped[] =
		GET_ONE "*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$4\r\nSKIP\r\n" GET_ONE GET_ONE;
	struct resp wire = {0};
	struct counts counts = {.last = OTHER};

	(void)state;
	resp_feed(&wire, WIRE_REQUEST, special, sizeof(special) - 1, &calls, &counts);
	assert_int_equal(counts.same[OTHER], 0);
	assert_int_equal(counts.requests[OTHER], 2);
	memset(&wire, 0, sizeof(wire));
	resp_feed(&wire, WIRE_REQUEST, skipped, sizeof(skipped) - 1, &calls, &counts);
	assert_int_equal(resp_feed(&wire, WIRE_REPLY, "$-1\r\n$-1\r\n", 10, &calls, &counts),
			 WIRE_OK);
	assert_int_equal(resp_feed(&wire, WIRE_REPLY, "$-1\r\n", 5, &calls, &counts), WIRE_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_counted_once_wherever_it_is_cut),
		cmocka_unit_test(most_of_a_pipeline_is_told_as_the_same),
		cmocka_unit_test(what_is_answered_otherwise_is_never_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
