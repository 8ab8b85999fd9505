/* test_tracecontext.c - traceparent, tracestate, B3 and request IDs: each rule of their texts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "preload/tracecontext.h"

#define COUNT(a)      (sizeof(a) / sizeof((a)[0]))
#define TEXT(literal) (literal), sizeof(literal) - 1
#define TRACE         "0af7651916cd43dd8448eb211c80319c"
#define SHORT_TRACE   "8448eb211c80319c"
#define SPAN          "b7ad6b7169203331"
#define ZERO_TRACE    "00000000000000000000000000000000"
#define ZERO_SPAN     "0000000000000000"

static const uint8_t trace_id[16] = {0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd,
				     0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c};
static const uint8_t span_id[8] = {0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31};

struct text_case {
	const char *at;
	size_t size;
	int flags; /* -1: refused */
};

static const struct text_case parents[] = {
	{TEXT("00-" TRACE "-" SPAN "-01"), 1},
	{TEXT("00-" TRACE "-" SPAN "-00"), 0},
	{TEXT(" \t00-" TRACE "-" SPAN "-01\t "), 1},
	/* Flags: sampled and random survive, the others do not. */
	{TEXT("00-" TRACE "-" SPAN "-02"), 2},
	{TEXT("00-" TRACE "-" SPAN "-03"), 3},
	{TEXT("00-" TRACE "-" SPAN "-ff"), 3},
	{TEXT("00-" TRACE "-" SPAN "-fc"), 0},
	/* Later versions: what version 00 knows is read. */
	{TEXT("01-" TRACE "-" SPAN "-01"), 1},
	{TEXT("cc-" TRACE "-" SPAN "-0b"), 3},
	{TEXT("fe-" TRACE "-" SPAN "-01-what-the-future-brings"), 1},
	{TEXT("01-" TRACE "-" SPAN "-01-"), 1},
	{TEXT("01-" TRACE "-" SPAN "-01.x"), -1},
	{TEXT("01-" TRACE "-" SPAN "-012"), -1},
	{TEXT("01-" TRACE "-" SPAN "-0"), -1},
	{TEXT("01-" TRACE "-" SPAN), -1},
	/* Versions that are none. */
	{TEXT("ff-" TRACE "-" SPAN "-01"), -1},
	{TEXT("0-" TRACE "-" SPAN "-01x"), -1},
	{TEXT("000-" TRACE "-" SPAN "-01"), -1},
	{TEXT("0x-" TRACE "-" SPAN "-01"), -1},
	{TEXT("CC-" TRACE "-" SPAN "-01"), -1},
	{TEXT(".0-" TRACE "-" SPAN "-01"), -1},
	/* Version 00 has nothing after its flags. */
	{TEXT("00-" TRACE "-" SPAN "-01."), -1},
	{TEXT("00-" TRACE "-" SPAN "-01-extra"), -1},
	{TEXT("00-" TRACE "-" SPAN "-01 x"), -1},
	/* Trace IDs. */
	{TEXT("00-" ZERO_TRACE "-" SPAN "-01"), -1},
	{TEXT("00-0AF7651916cd43dd8448eb211c80319c-" SPAN "-01"), -1},
	{TEXT("00-.af7651916cd43dd8448eb211c80319c-" SPAN "-01"), -1},
	{TEXT("00-" TRACE "0-" SPAN "-01"), -1},
	{TEXT("00-" SHORT_TRACE "-" SPAN "-01"), -1},
	/* Span IDs. */
	{TEXT("00-" TRACE "-" ZERO_SPAN "-01"), -1},
	{TEXT("00-" TRACE "-B7ad6b7169203331-01"), -1},
	{TEXT("00-" TRACE "-b7ad6b716920333-01"), -1},
	{TEXT("00-" TRACE "-b7ad6b716920333.-01"), -1},
	{TEXT("00-" TRACE "-" SPAN "1-01"), -1},
	/* Flags that are none. */
	{TEXT("00-" TRACE "-" SPAN "-.0"), -1},
	{TEXT("00-" TRACE "-" SPAN "-0X"), -1},
	{TEXT("00-" TRACE "-" SPAN "-A1"), -1},
	{TEXT("00-" TRACE "-" SPAN "-1"), -1},
	{TEXT("00-" TRACE "-" SPAN "-001"), -1},
	/* Delimiters; two headers joined; nothing at all. */
	{TEXT("00_" TRACE "-" SPAN "-01"), -1},
	{TEXT("00-" TRACE "_" SPAN "-01"), -1},
	{TEXT("00-" TRACE "-" SPAN "_01"), -1},
	{TEXT("00-" TRACE "-" SPAN "-01,00-" TRACE "-" SPAN "-01"), -1},
	{TEXT(""), -1},
	{TEXT(" \t "), -1},
	{TEXT("\"00-" TRACE "-" SPAN "-01\""), -1},
	{TEXT("\v00-" TRACE "-" SPAN "-01"), -1},
};

/* On the heap and of the exact size, so that a sanitizer sees each byte read too many. */
static char *copy_of(const char *at, size_t size)
{
	char *copy = malloc(size ? size : 1);

	memcpy(copy, at, size);
	return copy;
}

static void a_traceparent_is_taken_or_refused_as_the_levels_say(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(parents); i++) {
		struct trace_parent parent = {.flags = 0x55};
		char *copy = copy_of(parents[i].at, parents[i].size);
		int result = traceparent_parse(copy, parents[i].size, &parent);
		free(copy);
		assert_int_equal(result, parents[i].flags < 0 ? -EINVAL : 0);
		if (result) {
			assert_int_equal(parent.flags, 0x55);
			continue;
		}
		assert_memory_equal(parent.trace_id, trace_id, sizeof(trace_id));
		assert_memory_equal(parent.span_id, span_id, sizeof(span_id));
		assert_int_equal(parent.flags, parents[i].flags);
	}
}

static void a_cut_traceparent_is_refused(void **state)
{
	struct trace_parent parent;

	(void)state;
	for (size_t cut = 0; cut < TRACEPARENT_SIZE; cut++) {
		char *copy = copy_of(parents[0].at, cut);
		assert_int_equal(traceparent_parse(copy, cut, &parent), -EINVAL);
		free(copy);
	}
}

static void a_written_traceparent_is_version_00_with_known_flags_only(void **state)
{
	struct trace_parent parent;
	char out[TRACEPARENT_SIZE + 1] = {0};

	(void)state;
	assert_int_equal(traceparent_parse(TEXT("cc-" TRACE "-" SPAN "-01-x"), &parent), 0);
	traceparent_format(&parent, out);
	assert_string_equal(out, "00-" TRACE "-" SPAN "-01");
	parent.flags = 0xfe;
	traceparent_format(&parent, out);
	assert_string_equal(out, "00-" TRACE "-" SPAN "-02");
}

static void hexadecimal_goes_out_and_in_again(void **state)
{
	uint8_t all[256], back[256];
	char out[512];

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)i;
	hex_format(all, sizeof(all), out);
	assert_memory_equal(out, "000102030405060708090a0b0c0d0e0f10", 34);
	assert_int_equal(hex_parse(out, back, sizeof(back)), 1);
	assert_memory_equal(back, all, sizeof(all));
	assert_int_equal(hex_parse("0000", back, 2), 0);
	for (int c = 0; c < 256; c++) {
		char pair[2] = {(char)c, '1'};
		int digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
		assert_int_equal(hex_parse(pair, back, 1), digit ? 1 : -EINVAL);
	}
}

/* ---- tracestate ----------------------------------------------------------------------------- */

#define A16   "aaaaaaaaaaaaaaaa"
#define A64   A16 A16 A16 A16
#define A120  A64 A16 A16 A16 "aaaaaaaa"
#define A126  A64 A16 A16 A16 "aaaaaaaaaaaaaa"
#define A256  A64 A64 A64 A64
#define TEN   "a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,i=9,j=0"
#define NULL_ ((const char *)NULL)

static const struct {
	const char *at;
	size_t size;
	const char *expected; /* NULL: discarded */
} states[] = {
	{TEXT("foo=1"), "foo=1"},
	{TEXT("foo=1,bar=2"), "foo=1,bar=2"},
	{TEXT("foo=1 \t, \t bar=2\t "), "foo=1,bar=2"},
	{TEXT(""), ""},
	{TEXT(" \t"), ""},
	{TEXT(","), ""},
	{TEXT("foo=1,"), "foo=1"},
	{TEXT(", ,foo=1,\t,,bar=2,"), "foo=1,bar=2"},
	/* Duplicates are kept, in order. */
	{TEXT("foo=1,foo=2,foo=1"), "foo=1,foo=2,foo=1"},
	/* Keys, by level 2. */
	{TEXT("foo@=1"), "foo@=1"},
	{TEXT("foo@@bar=1"), "foo@@bar=1"},
	{TEXT("foo@bar@baz=1"), "foo@bar@baz=1"},
	{TEXT("0a_-*/@z=1"), "0a_-*/@z=1"},
	{TEXT(A256 "=1"), A256 "=1"},
	{TEXT(A256 "a=1"), NULL_},
	{TEXT("@foo=1"), NULL_},
	{TEXT("_foo=1"), NULL_},
	{TEXT("Foo=1"), NULL_},
	{TEXT("fOo=1"), NULL_},
	{TEXT("foo =1"), NULL_},
	{TEXT("fo o=1"), NULL_},
	{TEXT("foo.bar=1"), NULL_},
	{TEXT("=1"), NULL_},
	{TEXT("foo"), NULL_},
	{TEXT("f\0o=1"), NULL_},
	/* Values. */
	{TEXT("foo= 1 2"), "foo= 1 2"},
	{TEXT("foo=!\"#$%&'()*+-./:;<>?@[\\]^_`{|}~"), "foo=!\"#$%&'()*+-./:;<>?@[\\]^_`{|}~"},
	{TEXT("a=" A256), "a=" A256},
	{TEXT("a=" A256 "a"), NULL_},
	{TEXT("foo="), NULL_},
	{TEXT("foo=  "), NULL_},
	{TEXT("foo=1=2"), NULL_},
	{TEXT("foo==1"), NULL_},
	{TEXT("foo=1\t2"), NULL_},
	{TEXT("foo=\x7f"), NULL_},
	{TEXT("foo=\xc3\xa9"), NULL_},
	{TEXT("foo=1\0"), NULL_},
	/* One bad member spoils all. */
	{TEXT("foo=1,bar"), NULL_},
	{TEXT("foo=1;bar=2"), NULL_},
	/* At most 32 members, empty ones not counted. */
	{TEXT(TEN "," TEN "," TEN ",k=1,,l=2,"), TEN "," TEN "," TEN ",k=1,l=2"},
	{TEXT(TEN "," TEN "," TEN ",k=1,l=2,m=3"), NULL_},
	/* Too long: those over 128 go first, from the right, and only as many as must. */
	{TEXT("b=" A256 ",c=" A256 ",d=1"), "b=" A256 ",d=1"},
	{TEXT("b=" A120 ",c=" A256 ",d=" A120 ",e=12345"),
	 "b=" A120 ",c=" A256 ",d=" A120 ",e=12345"},
	{TEXT("b=" A120 ",c=" A256 ",d=" A120 ",e=123456"), "b=" A120 ",d=" A120 ",e=123456"},
	{TEXT("b=" A256 ",c=" A126 ",d=" A126 ",e=1"), "c=" A126 ",d=" A126 ",e=1"},
	/* Then any, from the right. */
	{TEXT("b=" A120 ",c=" A120 ",d=" A120 ",e=" A120 ",f=" A120 ",g=1"),
	 "b=" A120 ",c=" A120 ",d=" A120 ",e=" A120},
};

static void a_tracestate_is_normalised_or_discarded(void **state)
{
	char out[TRACESTATE_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(states); i++) {
		const char *expected = states[i].expected;
		char *copy = copy_of(states[i].at, states[i].size);
		int size = tracestate_parse(copy, states[i].size, out);
		free(copy);
		assert_int_equal(size, expected ? (int)strlen(expected) : -EINVAL);
		if (expected)
			assert_memory_equal(out, expected, (size_t)size);
	}
}

/* ---- B3 ------------------------------------------------------------------------------------- */

struct b3_case {
	const char *single, *trace, *span, *sampled, *flags;
	int sampled_flag, debug, deferred; /* sampled_flag -1: refused */
};

static const struct b3_case b3_cases[] = {
	{TRACE "-" SPAN "-1", NULL, NULL, NULL, NULL, 1, 0, 0},
	{TRACE "-" SPAN "-0", NULL, NULL, NULL, NULL, 0, 0, 0},
	{TRACE "-" SPAN "-d", NULL, NULL, NULL, NULL, 1, 1, 0},
	{TRACE "-" SPAN, NULL, NULL, NULL, NULL, 0, 0, 1},
	{TRACE "-" SPAN "-1-" SPAN, NULL, NULL, NULL, NULL, 1, 0, 0},
	{TRACE "-" SPAN "-", NULL, NULL, NULL, NULL, -1, 0, 0},
	{TRACE "-" SPAN "-2", NULL, NULL, NULL, NULL, -1, 0, 0},
	{TRACE "-" SPAN "-true", NULL, NULL, NULL, NULL, -1, 0, 0},
	{TRACE "-" SPAN "-1-", NULL, NULL, NULL, NULL, -1, 0, 0},
	{TRACE "-" SPAN "-1-" SPAN "0", NULL, NULL, NULL, NULL, -1, 0, 0},
	{TRACE "-" SPAN "-" SPAN, NULL, NULL, NULL, NULL, -1, 0, 0},
	{TRACE "-" SPAN "0", NULL, NULL, NULL, NULL, -1, 0, 0},
	{TRACE "-", NULL, NULL, NULL, NULL, -1, 0, 0},
	{TRACE, NULL, NULL, NULL, NULL, -1, 0, 0},
	{ZERO_TRACE "-" SPAN "-1", NULL, NULL, NULL, NULL, -1, 0, 0},
	{TRACE "-" ZERO_SPAN "-1", NULL, NULL, NULL, NULL, -1, 0, 0},
	{"0AF7651916cd43dd8448eb211c80319c-" SPAN "-1", NULL, NULL, NULL, NULL, -1, 0, 0},
	{"0af7651916cd43dd-8448eb211c80319c" SPAN "-1", NULL, NULL, NULL, NULL, -1, 0, 0},
	/* A decision alone names no parent. */
	{"0", NULL, NULL, NULL, NULL, -1, 0, 0},
	{"1", NULL, NULL, NULL, NULL, -1, 0, 0},
	{"d", NULL, NULL, NULL, NULL, -1, 0, 0},
	{"", NULL, NULL, NULL, NULL, -1, 0, 0},
	/* Several headers. */
	{NULL, TRACE, SPAN, "1", NULL, 1, 0, 0},
	{NULL, TRACE, SPAN, "0", NULL, 0, 0, 0},
	{NULL, TRACE, SPAN, "true", NULL, 1, 0, 0},
	{NULL, TRACE, SPAN, "false", NULL, 0, 0, 0},
	{NULL, TRACE, SPAN, NULL, NULL, 0, 0, 1},
	{NULL, TRACE, SPAN, NULL, "1", 1, 1, 0},
	{NULL, TRACE, SPAN, "0", "1", 1, 1, 0},
	{NULL, TRACE, SPAN, "1", "0", 1, 0, 0},
	{NULL, TRACE, SPAN, NULL, "0", 0, 0, 1},
	{NULL, TRACE, SPAN, "d", NULL, -1, 0, 0},
	{NULL, TRACE, SPAN, "", NULL, -1, 0, 0},
	{NULL, TRACE, SPAN, NULL, "", -1, 0, 0},
	{NULL, TRACE, NULL, "1", NULL, -1, 0, 0},
	{NULL, NULL, SPAN, "1", NULL, -1, 0, 0},
	{NULL, "", SPAN, "1", NULL, -1, 0, 0},
	{NULL, TRACE, "", "1", NULL, -1, 0, 0},
	{NULL, ZERO_TRACE, SPAN, "1", NULL, -1, 0, 0},
	{NULL, TRACE, ZERO_SPAN, "1", NULL, -1, 0, 0},
	{NULL, NULL, NULL, "1", NULL, -1, 0, 0},
	{NULL, NULL, NULL, NULL, NULL, -1, 0, 0},
	/* The single one goes first, unless it is of no use. */
	{TRACE "-" SPAN "-0", "11111111111111111111111111111111", SPAN, "1", "1", 0, 0, 0},
	{TRACE "-" SPAN "-d-x", TRACE, SPAN, "0", NULL, 0, 0, 0},
	{"broken", TRACE, SPAN, "1", NULL, 1, 0, 0},
	{TRACE "-" SPAN "-x", TRACE, SPAN, NULL, NULL, 0, 0, 1},
};

static struct b3_headers headers_of(const struct b3_case *c)
{
	return (struct b3_headers){
		.single = c->single,
		.trace_id = c->trace,
		.span_id = c->span,
		.sampled = c->sampled,
		.flags = c->flags,
		.single_size = c->single ? strlen(c->single) : 0,
		.trace_id_size = c->trace ? strlen(c->trace) : 0,
		.span_id_size = c->span ? strlen(c->span) : 0,
		.sampled_size = c->sampled ? strlen(c->sampled) : 0,
		.flags_size = c->flags ? strlen(c->flags) : 0,
	};
}

static void b3_is_read_from_one_header_or_several(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(b3_cases); i++) {
		const struct b3_case *c = &b3_cases[i];
		struct b3_headers headers = headers_of(c);
		struct trace_parent parent;
		int debug = -1, deferred = -1;

		int result = b3_parse(&headers, &parent, &debug, &deferred);
		assert_int_equal(result, c->sampled_flag < 0 ? -EINVAL : 0);
		if (result) {
			assert_int_equal(debug, -1);
			continue;
		}
		assert_memory_equal(parent.trace_id, trace_id, sizeof(trace_id));
		assert_memory_equal(parent.span_id, span_id, sizeof(span_id));
		assert_int_equal(parent.flags, c->sampled_flag);
		assert_int_equal(debug, c->debug);
		assert_int_equal(deferred, c->deferred);
	}
}

static void short_b3_trace_ids_fill_the_right_half(void **state)
{
	static const struct b3_case cases[] = {
		{SHORT_TRACE "-" SPAN "-1", NULL, NULL, NULL, NULL, 1, 0, 0},
		{NULL, SHORT_TRACE, SPAN, "1", NULL, 1, 0, 0},
		{ZERO_TRACE "-" SPAN "-1", SHORT_TRACE, SPAN, "1", NULL, 1, 0, 0},
	};
	static const uint8_t zeros[8];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct b3_headers headers = headers_of(&cases[i]);
		struct trace_parent parent;
		int debug, deferred;

		memset(&parent, 0xff, sizeof(parent));
		assert_int_equal(b3_parse(&headers, &parent, &debug, &deferred), 0);
		assert_memory_equal(parent.trace_id, zeros, 8);
		assert_memory_equal(parent.trace_id + 8, trace_id + 8, 8);
	}
}

static void b3_is_written_with_its_decision(void **state)
{
	struct trace_parent parent = {.flags = 0xff};
	char out[B3_SIZE];

	(void)state;
	memcpy(parent.trace_id, trace_id, sizeof(trace_id));
	memcpy(parent.span_id, span_id, sizeof(span_id));
	assert_int_equal(b3_format(&parent, 0, out), 51);
	assert_memory_equal(out, TRACE "-" SPAN "-1", 51);
	parent.flags = TRACE_FLAG_RANDOM;
	assert_int_equal(b3_format(&parent, 0, out), 51);
	assert_memory_equal(out, TRACE "-" SPAN "-0", 51);
	assert_int_equal(b3_format(&parent, 1, out), 51);
	assert_memory_equal(out, TRACE "-" SPAN "-d", 51);
}

/* ---- request IDs ---------------------------------------------------------------------------- */

static void request_ids_are_kept_only_if_harmless(void **state)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._~+/=@:-";

	(void)state;
	for (int c = 0; c < 256; c++) {
		char byte = (char)c;
		int expected = memchr(allowed, c, sizeof(allowed) - 1) != NULL;
		char last[2] = {'a', byte};
		assert_int_equal(request_id_valid(&byte, 1), expected);
		assert_int_equal(request_id_valid(last, 2), expected);
	}
	assert_int_equal(request_id_valid("", 0), 0);
	assert_int_equal(request_id_valid(TEXT(A64 A64)), 1);
	assert_int_equal(request_id_valid(TEXT(A64 A64 "a")), 0);
}

static void made_request_ids_are_uuids_of_version_4(void **state)
{
	static const uint8_t ones[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t zeros[16];
	char out[REQUEST_ID_SIZE];

	(void)state;
	request_id_format(ones, out);
	assert_memory_equal(out, "ffffffff-ffff-4fff-bfff-ffffffffffff", sizeof(out));
	request_id_format(zeros, out);
	assert_memory_equal(out, "00000000-0000-4000-8000-000000000000", sizeof(out));
	request_id_format(trace_id, out);
	assert_memory_equal(out, "0af76519-16cd-43dd-8448-eb211c80319c", sizeof(out));
	assert_int_equal(request_id_valid(out, sizeof(out)), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_traceparent_is_taken_or_refused_as_the_levels_say),
		cmocka_unit_test(a_cut_traceparent_is_refused),
		cmocka_unit_test(a_written_traceparent_is_version_00_with_known_flags_only),
		cmocka_unit_test(hexadecimal_goes_out_and_in_again),
		cmocka_unit_test(a_tracestate_is_normalised_or_discarded),
		cmocka_unit_test(b3_is_read_from_one_header_or_several),
		cmocka_unit_test(short_b3_trace_ids_fill_the_right_half),
		cmocka_unit_test(b3_is_written_with_its_decision),
		cmocka_unit_test(request_ids_are_kept_only_if_harmless),
		cmocka_unit_test(made_request_ids_are_uuids_of_version_4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
