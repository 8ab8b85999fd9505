/* test_waterfall.c - trees out of what spans claim, and how a trace and its texts are shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/terminal.h"
#include "exporter/waterfall.h"

#define MS 1000000ll

static const struct terminal ascii = {.columns = 100};
static const struct terminal utf8 = {.columns = 100, .utf8 = true};

static struct span_row make(int span, int parent, int64_t start_ms, int64_t duration_ms)
{
	struct span_row row = {
		.kind = 2,
		.http_status = 200,
		.start_unix_ns = start_ms * MS,
		.duration_ns = duration_ms * MS,
		.has_parent = parent != 0,
		.service = "shop",
		.name = "GET",
		.target = "/a",
		.request_id = "",
		.status_message = "",
		.error_type = "",
		.guess = "",
		.attributes = "{}",
		.resource = "{}",
		.events = "",
		.event_lines = "",
	};

	row.span_id[7] = span;
	row.parent_id[7] = parent;
	return row;
}

static char *print(const struct terminal *terminal, const struct span_row *spans, int count)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	assert_int_equal(waterfall_print(to, terminal, spans, count), 0);
	fclose(to);
	return text;
}

static void children_follow_their_parent_by_start(void **state)
{
	struct span_row spans[] = {make(1, 0, 0, 100), make(2, 1, 1, 50), make(3, 2, 2, 10),
				   make(4, 1, 3, 10)};
	struct waterfall_node nodes[4];
	int order[4], at = waterfall_link(spans, 4, nodes);

	(void)state;
	for (int i = 0; i < 4; i++, at = waterfall_next(nodes, at))
		order[i] = at;
	assert_int_equal(at, -1);
	assert_int_equal(order[0], 0);
	assert_int_equal(order[1], 1);
	assert_int_equal(order[2], 2);
	assert_int_equal(order[3], 3);
	assert_int_equal(nodes[2].depth, 2);
	assert_int_equal(nodes[3].depth, 1);
	assert_int_equal(nodes[3].parent, 0);
}

static void a_parent_that_is_not_there_makes_an_orphan(void **state)
{
	struct span_row spans[] = {make(1, 0, 0, 10), make(2, 77, 1, 5)};
	struct waterfall_node nodes[2];

	(void)state;
	assert_int_equal(waterfall_link(spans, 2, nodes), 0);
	assert_false(nodes[0].orphan);
	assert_true(nodes[1].orphan);
	assert_int_equal(nodes[1].parent, -1);
	assert_int_equal(waterfall_next(nodes, 0), 1);
}

/* Every span is visited exactly once, whatever the parents claim. */
static void circles_are_cut_open(void **state)
{
	static const int parents[][5] = {
		{1, 0, 0, 0, 0}, {2, 1, 0, 0, 0}, {2, 3, 1, 0, 0}, {2, 3, 4, 2, 0},
		{2, 3, 4, 5, 1}, {2, 2, 2, 2, 2}, {5, 5, 5, 5, 4}, {3, 1, 2, 1, 3},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
		struct waterfall_node nodes[5];
		struct span_row spans[5];
		int visits[5] = {0}, total = 0;

		for (int span = 0; span < 5; span++)
			spans[span] = make(span + 1, parents[i][span], span, 1);
		for (int at = waterfall_link(spans, 5, nodes); at >= 0 && total <= 5;
		     at = waterfall_next(nodes, at)) {
			visits[at]++;
			total++;
			assert_int_equal(nodes[at].depth,
					 nodes[at].parent < 0 ? 0
							      : nodes[nodes[at].parent].depth + 1);
		}
		assert_int_equal(total, 5);
		for (int span = 0; span < 5; span++)
			assert_int_equal(visits[span], 1);
	}
}

static void client_and_server_may_share_an_id(void **state)
{
	struct span_row spans[] = {make(1, 0, 0, 10), make(2, 1, 1, 8), make(2, 1, 2, 6),
				   make(3, 2, 3, 2)};
	struct waterfall_node nodes[4];

	(void)state;
	spans[1].kind = 3;
	assert_int_equal(waterfall_link(spans, 4, nodes), 0);
	assert_int_equal(nodes[2].parent, 1);
	assert_int_equal(nodes[3].parent, 2);
}

static void a_trace_is_printed_line_by_line(void **state)
{
	struct span_row spans[] = {make(1, 0, 1000, 100), make(2, 1, 1025, 50)};
	struct terminal narrow = {.columns = 72};

	(void)state;
	spans[0].request_id = spans[1].request_id = "r-1";
	spans[1].kind = 3;
	spans[1].service = "stock";
	spans[1].target = "http://localhost/b";
	spans[1].http_status = 503;
	spans[1].status = 2;
	spans[1].error_type = "503";
	char *text = print(&narrow, spans, 2);
	assert_non_null(strstr(text, "2 spans  1 error\nrequest ID r-1\n"));
	assert_non_null(strstr(text, "SERVICE  NAME "));
	assert_non_null(strstr(text, "\nshop     GET /a "));
	assert_non_null(strstr(text, "  100ms  =============  200\n"));
	assert_non_null(strstr(text, "\nstock    `-> GET http://"));
	assert_non_null(strstr(text, "   25.0ms    50.0ms     =======     503\n"));
	assert_null(strstr(text, "\033"));
	free(text);
}

static void marks_and_cut_spans_are_explained(void **state)
{
	struct span_row spans[] = {make(1, 77, 0, 10), make(2, 1, 1, 5)};

	(void)state;
	char *text = print(&ascii, spans, 1);
	assert_non_null(strstr(text, "?GET /a"));
	assert_non_null(strstr(text, "? its parent is not in this store\n"));
	free(text);

	spans[0].has_parent = false;
	spans[1].guess = "thread";
	spans[1].status = 2;
	spans[1].http_status = 0;
	spans[1].error_type = "SIGKILL";
	spans[1].status_message = "process killed by SIGKILL (9)";
	text = print(&ascii, spans, 2);
	assert_non_null(strstr(text, "`-~GET /a"));
	assert_non_null(strstr(text, "  SIGKILL\n"));
	assert_non_null(strstr(text, "  process killed by SIGKILL (9)\n"));
	assert_non_null(strstr(text, "~ the link to its parent is a guess\n"));
	assert_null(strstr(text, "not in this store"));
	free(text);
}

static void several_request_ids_get_a_column(void **state)
{
	struct span_row spans[] = {make(1, 0, 0, 10), make(2, 1, 1, 5)};

	(void)state;
	spans[0].request_id = "first";
	spans[1].request_id = "second";
	char *text = print(&ascii, spans, 2);
	assert_non_null(strstr(text, "  REQUEST ID\n"));
	assert_non_null(strstr(text, "  first\n"));
	assert_non_null(strstr(text, "  second\n"));
	assert_null(strstr(text, "request ID"));
	free(text);
}

static void times_are_a_bar_of_their_kinds(void **state)
{
	struct span_row span = make(1, 0, 0, 10);

	(void)state;
	span.attributes =
		"{\"a\":\"\\\"tagalong.time.cpu\\\":9\",\"tagalong.time.cpu\":4000000,"
		"\"tagalong.time.runqueue\":2000000,\"tagalong.time.blocked.disk\":2000000}";
	char *text = print(&ascii, &span, 1);
	assert_non_null(strstr(text, " CCCCCCCCCCCCqqqqqqdddddd  C cpu 4.0ms  q run queue 2.0ms  "
				     "d disk 2.0ms\n"));
	free(text);
}

static void events_follow_their_span(void **state)
{
	struct span_row spans[] = {make(1, 0, 0, 10), make(2, 1, 1, 5)};

	(void)state;
	spans[0].events = "[]";
	spans[0].event_lines = "2500000\tslow\tcall=read  bytes=7\n3000000\tbell\t\a\n";
	char *text = print(&ascii, spans, 2);
	char *parent = strstr(text, "200\n"),
	     *slow = strstr(text, "* slow +2.5ms  call=read  bytes=7\n");
	char *bell = strstr(text, "* bell +3.0ms  \\x07\n"), *child = strstr(text, "`-GET /a");
	assert_true(parent && slow && bell && child);
	assert_true(parent < slow && slow < bell && bell < child);
	free(text);
}

static void many_events_are_cut(void **state)
{
	struct span_row spans[] = {make(1, 0, 0, 10)};
	char lines[1000] = "";

	(void)state;
	for (int i = 0; i < 21; i++)
		sprintf(lines + strlen(lines), "1000\tno%d\t\n", i);
	spans[0].event_lines = lines;
	char *text = print(&ascii, spans, 1);
	assert_non_null(strstr(text, "* no19 "));
	assert_null(strstr(text, "no20"));
	assert_non_null(strstr(text, "\n         ...\n"));
	free(text);
}

static void errors_are_red_only_with_colours(void **state)
{
	struct terminal colored = {.columns = 100, .color = true};
	struct span_row spans[] = {make(1, 0, 0, 10)};

	(void)state;
	char *text = print(&colored, spans, 1);
	assert_null(strstr(text, "\033[31m"));
	free(text);
	spans[0].status = 2;
	text = print(&colored, spans, 1);
	assert_non_null(strstr(text, "\033[31mGET /a"));
	free(text);
}

static void lines_keep_to_the_width(void **state)
{
	struct span_row spans[40];

	(void)state;
	for (int i = 0; i < 40; i++) {
		spans[i] = make(i + 1, i, i, 100 - i);
		spans[i].service = "a-service-with-a-long-name";
		spans[i].target =
			"/a/path/that/is/longer/than/any/terminal/that/anybody/has/ever/seen";
		spans[i].request_id = i % 2 ? "one-request-id" : "another-request-id";
	}
	for (int columns = 60; columns < 200; columns += 7) {
		struct terminal terminal = {.columns = columns};
		char *text = print(&terminal, spans, 40), *state_of = NULL;
		for (char *line = strtok_r(text, "\n", &state_of); line;
		     line = strtok_r(NULL, "\n", &state_of))
			if (strncmp(line, "trace ", 6) != 0 && strlen(line) > (size_t)columns)
				fail_msg("%zu for %d: %s", strlen(line), columns, line);
		free(text);
	}
}

static void foreign_text_cannot_steer_the_terminal(void **state)
{
	static const struct {
		const char *text, *in_ascii, *in_utf8;
	} cases[] = {
		{"plain", "plain", "plain"},
		{"\033[31m", "\\x1b[31m", "\\x1b[31m"},
		{"a\r\n\tb\a\177", "a\\x0d\\x0a\\x09b\\x07\\x7f", "a\\x0d\\x0a\\x09b\\x07\\x7f"},
		{"\u00e9", "\\xc3\\xa9", "\u00e9"},
		{"\xc2\x9b"
		 "31m",
		 "\\xc2\\x9b31m", "\\xc2\\x9b31m"},
		{"\u202edrow", "\\xe2\\x80\\xaedrow", "\\xe2\\x80\\xaedrow"},
		{"\xff\xc0\xaf", "\\xff\\xc0\\xaf", "\\xff\\xc0\\xaf"},
		{"\xe2\x82", "\\xe2\\x82", "\\xe2\\x82"},
		{"\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80"},
	};
	char out[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		terminal_fit(&ascii, cases[i].text, 100, out, sizeof(out));
		assert_string_equal(out, cases[i].in_ascii);
		terminal_fit(&utf8, cases[i].text, 100, out, sizeof(out));
		assert_string_equal(out, cases[i].in_utf8);
	}
}

static void long_text_is_cut_to_its_columns(void **state)
{
	char out[64];

	(void)state;
	assert_int_equal(terminal_fit(&ascii, "abcdef", 6, out, sizeof(out)), 6);
	assert_string_equal(out, "abcdef");
	assert_int_equal(terminal_fit(&ascii, "abcdefg", 6, out, sizeof(out)), 6);
	assert_string_equal(out, "abcde~");
	assert_int_equal(terminal_fit(&ascii, "ab\033cd", 6, out, sizeof(out)), 3);
	assert_string_equal(out, "ab~");
	assert_int_equal(terminal_fit(&ascii, "abc", 0, out, sizeof(out)), 0);
	assert_string_equal(out, "");
	/* However small the buffer, it is terminated. */
	assert_int_equal(terminal_fit(&utf8, "abcdefg", 7, out, 4), 1);
	assert_string_equal(out, "\u2026");
}

static void durations_are_read_and_written(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {{"100ms", 100 * MS}, {"1.5s", 1500 * MS}, {"250us", 250000},
		    {"10ns", 10},        {"2m", 120000 * MS}, {"0s", 0}};
	static const char *const bad[] = {"",
					  "100",
					  "ms",
					  "-1s",
					  "1 s",
					  "1d",
					  "1.2.3s",
					  "0x1s",
					  "infs",
					  ".s",
					  "99999999999999999h"};
	static const struct {
		int64_t ns;
		const char *text;
	} shown[] = {{0, "0us"},          {850000, "850us"},    {12340000, "12.3ms"},
		     {123 * MS, "123ms"}, {4560 * MS, "4.56s"}, {200000 * MS, "3m20s"}};
	char out[32];
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(terminal_parse_duration(good[i].text, &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ns = 42;
		assert_int_equal(terminal_parse_duration(bad[i], &ns), -EINVAL);
		assert_int_equal(ns, 42);
	}
	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
		assert_string_equal(terminal_duration(shown[i].ns, out, sizeof(out)),
				    shown[i].text);
}

static void bars_show_begin_and_end(void **state)
{
	static const struct {
		double begin, end;
		const char *in_ascii, *in_utf8;
	} cases[] = {
		{0, 1, "====", "\u2588\u2588\u2588\u2588"},
		{0, 0.5, "==  ", "\u2588\u2588  "},
		{0.5, 1, "  ==", "  \u2588\u2588"},
		{0.25, 0.375, " =  ", " \u258c  "},
		{0.125, 0.5, "==  ", "\u2590\u2588  "},
		{1, 1, "   =", "   \u2590"},
		{0, 0, "=   ", "\u258f   "},
		{-3, 9, "====", "\u2588\u2588\u2588\u2588"},
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		terminal_bar(&ascii, cases[i].begin, cases[i].end, 4, out, sizeof(out));
		assert_string_equal(out, cases[i].in_ascii);
		terminal_bar(&utf8, cases[i].begin, cases[i].end, 4, out, sizeof(out));
		assert_string_equal(out, cases[i].in_utf8);
	}
}

static struct span_row make_query(int span, int parent, int64_t start_ms, const char *name)
{
	struct span_row row = make(span, parent, start_ms, 2);

	row.kind = 3;
	row.name = name;
	row.target = "";
	row.attributes = "{\"db.system.name\":\"postgresql\"}";
	return row;
}

/* Of two shapes by turns the one that is repeated is folded; what failed stands for itself. */
static void repeated_queries_are_one_line(void **state)
{
	struct span_row spans[20] = {make(1, 0, 0, 200)};
	struct waterfall_node nodes[20];
	int count = 1, lines = 0;

	(void)state;
	for (int i = 0; i < 6; i++) {
		spans[count] = make_query(count + 1, 1, 10ll * count, "SELECT users");
		count++;
		if (i < 4) {
			spans[count] = make_query(count + 1, 1, 10ll * count, "SELECT orders");
			count++;
		}
	}
	spans[count] = make_query(count + 1, 1, 10ll * count, "SELECT users");
	spans[count].status = 2;
	spans[count].error_type = "57014";
	count++;
	int at = waterfall_link(spans, count, nodes);
	waterfall_fold(nodes, count);
	assert_int_equal(nodes[1].repeats, 6);
	assert_int_equal(nodes[1].total_ns, 12 * MS);
	assert_int_equal(nodes[1].end_unix_ns, 102 * MS);
	assert_int_equal(nodes[2].repeats, 1);
	for (; at >= 0; at = waterfall_next(nodes, at), lines++)
		assert_false(nodes[at].folded);
	/* The request, the six in one, four of the others, and the failed one. */
	assert_int_equal(lines, 7);
	char *text = print(&utf8, spans, count);
	assert_non_null(strstr(text, "12 spans"));
	assert_non_null(strstr(text, "SELECT users  x 6  total 12.0ms"));
	assert_non_null(strstr(text, "57014"));
	free(text);
}

/* Calls of other services, and queries that have spans below them, are each worth a line. */
static void only_queries_without_children_are_folded(void **state)
{
	struct span_row spans[16] = {make(1, 0, 0, 200)};
	struct waterfall_node nodes[16];

	(void)state;
	for (int i = 1; i < 8; i++) {
		spans[i] = make_query(i + 1, 1, 10ll * i, "SELECT users");
		if (i < 7)
			spans[i].attributes = "{}";
	}
	for (int i = 8; i < 13; i++)
		spans[i] = make_query(i + 1, 1, 10ll * i, "SELECT orders");
	spans[13] = make_query(14, 9, 130, "SELECT orders");
	waterfall_link(spans, 14, nodes);
	waterfall_fold(nodes, 14);
	for (int i = 0; i < 14; i++) {
		assert_false(nodes[i].folded);
		assert_int_equal(nodes[i].repeats, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(children_follow_their_parent_by_start),
		cmocka_unit_test(a_parent_that_is_not_there_makes_an_orphan),
		cmocka_unit_test(circles_are_cut_open),
		cmocka_unit_test(client_and_server_may_share_an_id),
		cmocka_unit_test(repeated_queries_are_one_line),
		cmocka_unit_test(only_queries_without_children_are_folded),
		cmocka_unit_test(a_trace_is_printed_line_by_line),
		cmocka_unit_test(marks_and_cut_spans_are_explained),
		cmocka_unit_test(several_request_ids_get_a_column),
		cmocka_unit_test(times_are_a_bar_of_their_kinds),
		cmocka_unit_test(events_follow_their_span),
		cmocka_unit_test(many_events_are_cut),
		cmocka_unit_test(errors_are_red_only_with_colours),
		cmocka_unit_test(lines_keep_to_the_width),
		cmocka_unit_test(foreign_text_cannot_steer_the_terminal),
		cmocka_unit_test(long_text_is_cut_to_its_columns),
		cmocka_unit_test(durations_are_read_and_written),
		cmocka_unit_test(bars_show_begin_and_end),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
