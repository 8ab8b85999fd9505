/* traces.c - `tagalong traces`: lists the local store, or shows one trace. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exporter/commands.h"
#include "exporter/settings.h"
#include "exporter/store_read.h"
#include "exporter/terminal.h"
#include "exporter/waterfall.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX     100000
#define SHOWN_MAX     10 /* traces that one ID may stand for */
#define SHORT_ID      8
#define CELL_BYTES    4096

/* Of the list: all but name and request ID, with the gaps. */
#define FIXED_COLUMNS  81
#define NAME_MIN       24
#define REQUEST_ID_MIN 10
#define REQUEST_ID_MAX 36

struct traces {
	struct trace_filter filter;
	struct terminal terminal;
	struct store_read *store;
	const char *path;
	const char *id;
	bool json;
	bool ascii;
};

static const char usage[] =
	"usage: tagalong traces [OPTIONS] [ID]\n\n"
	"Lists the traces of the local store, the newest last. With ID (the beginning of a trace "
	"ID,\n"
	"or a request ID) shows one of them as a waterfall.\n\n"
	"  --errors        only traces with a failed span\n"
	"  --slower TIME   only traces that took longer: 100ms, 1.5s, 250us\n"
	"  --service NAME  only traces in which this service takes part\n"
	"  --limit N       at most so many (20)\n"
	"  --json          one JSON object a line: a trace, or with ID a span\n"
	"  --ascii         no characters beyond ASCII\n"
	"  --store FILE    this database instead of TAGALONG_STORE or the default one\n"
	"  --help          this text\n";

/* ---- arguments ---------------------------------------------------------------------------- */

static int bad_value(const char *option, const char *value)
{
	fprintf(stderr, "tagalong traces: --%s: cannot use \"%s\"\n", option, value);
	return 2;
}

static int parse_limit(const char *text, int *limit)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (end == text || *end || value < 1 || value > LIMIT_MAX)
		return -1;
	*limit = (int)value;
	return 0;
}

/* Returns -1 to go on, else the exit code. */
static int parse_option(struct traces *traces, int option)
{
	switch (option) {
	case 'e':
		traces->filter.errors = true;
		return -1;
	case 'w':
		if (terminal_parse_duration(optarg, &traces->filter.slower_ns) < 0)
			return bad_value("slower", optarg);
		return -1;
	case 's':
		traces->filter.service = optarg;
		return -1;
	case 'n':
		if (parse_limit(optarg, &traces->filter.limit) < 0)
			return bad_value("limit", optarg);
		return -1;
	case 'j':
		traces->json = true;
		return -1;
	case 'a':
		traces->ascii = true;
		return -1;
	case 'f':
		traces->path = optarg;
		return -1;
	case 'h':
		fputs(usage, stdout);
		return 0;
	default:
		return 2;
	}
}

static int parse_arguments(struct traces *traces, int argc, char **argv)
{
	static const struct option options[] = {
		{"errors", no_argument, NULL, 'e'},
		{"slower", required_argument, NULL, 'w'},
		{"service", required_argument, NULL, 's'},
		{"limit", required_argument, NULL, 'n'},
		{"json", no_argument, NULL, 'j'},
		{"ascii", no_argument, NULL, 'a'},
		{"store", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "hn:", options, NULL)) >= 0) {
		int result = parse_option(traces, option);
		if (result >= 0)
			return result;
	}
	if (argc - optind > 1) {
		fputs("tagalong traces: one ID at most; see `tagalong traces --help`\n", stderr);
		return 2;
	}
	traces->id = argv[optind];
	return -1;
}

/* ---- JSON --------------------------------------------------------------------------------- */

static void print_hex(const uint8_t *id, int size)
{
	for (int i = 0; i < size; i++)
		printf("%02x", id[i]);
}

/* The exporter stores valid UTF-8 only, so quotes, backslashes and controls are all there is. */
static void print_string(const char *name, const char *text)
{
	printf(",\"%s\":\"", name);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			printf("\\%c", *text);
		else if ((unsigned char)*text < 0x20 || *text == 0x7f)
			printf("\\u%04x", *text);
		else
			putchar(*text);
	}
	putchar('"');
}

static void print_text_fields(const struct span_row *row)
{
	print_string("service", row->service);
	print_string("name", row->name);
	print_string("target", row->target);
	print_string("request_id", row->request_id);
}

static void print_trace_json(const struct trace_row *row)
{
	fputs("{\"trace_id\":\"", stdout);
	print_hex(row->trace_id, STORE_TRACE_ID);
	printf("\",\"start_unix_ns\":%lld,\"duration_ns\":%lld,\"spans\":%d,\"errors\":%d",
	       (long long)row->start_unix_ns, (long long)row->duration_ns, row->spans, row->errors);
	print_text_fields(&row->root);
	printf(",\"http_status\":%d}\n", row->root.http_status);
}

static void print_span_json(const struct span_row *row)
{
	fputs("{\"trace_id\":\"", stdout);
	print_hex(row->trace_id, STORE_TRACE_ID);
	fputs("\",\"span_id\":\"", stdout);
	print_hex(row->span_id, STORE_SPAN_ID);
	fputs("\",\"parent_id\":\"", stdout);
	if (row->has_parent)
		print_hex(row->parent_id, STORE_SPAN_ID);
	printf("\",\"kind\":%d,\"start_unix_ns\":%lld,\"duration_ns\":%lld,\"status\":%d",
	       row->kind, (long long)row->start_unix_ns, (long long)row->duration_ns, row->status);
	print_text_fields(row);
	print_string("status_message", row->status_message);
	print_string("error_type", row->error_type);
	printf(",\"http_status\":%d,\"attributes\":%s,\"events\":%s,\"resource\":%s}\n",
	       row->http_status, row->attributes[0] ? row->attributes : "{}",
	       row->events[0] ? row->events : "[]", row->resource[0] ? row->resource : "{}");
}

/* ---- list --------------------------------------------------------------------------------- */

/* One column of text that strangers wrote, filled up with blanks. */
static void print_cell(const struct terminal *terminal, const char *text, int width)
{
	char cell[CELL_BYTES];
	int used = terminal_fit(terminal, text, width, cell, sizeof(cell));

	printf("%s%*s", cell, width - used, "");
}

/* Columns of varying width. */
struct widths {
	int name;
	int request_id; /* 0: not shown */
};

/* On a terminal the request ID gets what is left of the line; for other programs it is whole. */
static struct widths divide(const struct terminal *terminal)
{
	struct widths widths = {.name = NAME_MIN, .request_id = REQUEST_ID_MAX};
	int rest = terminal->columns - FIXED_COLUMNS;

	if (rest - REQUEST_ID_MAX > NAME_MIN)
		widths.name = rest - REQUEST_ID_MAX;
	else if (isatty(STDOUT_FILENO))
		widths.request_id = rest - NAME_MIN;
	if (widths.request_id < REQUEST_ID_MIN)
		widths.request_id = 0;
	return widths;
}

static void print_trace_line(const struct terminal *terminal, const struct trace_row *row,
			     struct widths widths)
{
	const bool red = terminal->color && row->errors > 0;
	const int method = (int)strcspn(row->root.name, " ");
	time_t seconds = row->start_unix_ns / 1000000000;
	char when[32] = "", text[CELL_BYTES], cell[CELL_BYTES];
	struct tm local;

	if (localtime_r(&seconds, &local))
		strftime(when, sizeof(when), "%m-%d %T", &local);
	printf("%s%s.%03d  ", red ? "\033[31m" : "", when,
	       (int)(row->start_unix_ns / 1000000 % 1000));
	print_hex(row->trace_id, SHORT_ID / 2);
	fputs("  ", stdout);
	print_cell(terminal, row->root.service, 14);
	fputs("  ", stdout);
	if (row->root.target[0])
		snprintf(text, sizeof(text), "%.*s %s", method, row->root.name, row->root.target);
	else
		snprintf(text, sizeof(text), "%s", row->root.name);
	print_cell(terminal, text, widths.name);
	printf("  %8s  %5d  %6d  ", terminal_duration(row->duration_ns, text, sizeof(text)),
	       row->spans, row->errors);
	if (row->root.http_status > 0)
		printf("%6d", row->root.http_status);
	else
		printf("%6s", "-");
	terminal_fit(terminal, row->root.request_id, widths.request_id, cell, sizeof(cell));
	printf("%s%s%s\n", cell[0] ? "  " : "", cell, red ? "\033[0m" : "");
}

static int list(struct traces *traces)
{
	const struct widths widths = divide(&traces->terminal);
	struct trace_row *rows;
	int count = store_read_traces(traces->store, &traces->filter, &rows);

	if (count < 0) {
		fprintf(stderr, "tagalong traces: %s: cannot be read\n", traces->path);
		return 1;
	}
	if (count > 0 && !traces->json)
		printf("%-18s  %-8s  %-14s  %-*s  %8s  %5s  %6s  %6s%s\n", "TIME", "TRACE",
		       "SERVICE", widths.name, "NAME", "DURATION", "SPANS", "ERRORS", "STATUS",
		       widths.request_id ? "  REQUEST ID" : "");
	if (count == 0 && !traces->json)
		fputs("no traces\n", stderr);
	for (int i = 0; i < count; i++) {
		if (traces->json)
			print_trace_json(&rows[i]);
		else
			print_trace_line(&traces->terminal, &rows[i], widths);
	}
	store_read_free_traces(rows, count);
	return 0;
}

/* ---- one trace ---------------------------------------------------------------------------- */

static int show_trace(struct traces *traces, const uint8_t *trace_id)
{
	struct span_row *spans;
	int count = store_read_spans(traces->store, trace_id, &spans);
	int result = 0;

	if (count < 0) {
		fprintf(stderr, "tagalong traces: %s: cannot be read\n", traces->path);
		return 1;
	}
	if (traces->json)
		for (int i = 0; i < count; i++)
			print_span_json(&spans[i]);
	else
		result = waterfall_print(stdout, &traces->terminal, spans, count) < 0;
	store_read_free_spans(spans, count);
	return result;
}

static int show(struct traces *traces)
{
	uint8_t ids[SHOWN_MAX][STORE_TRACE_ID];
	int count = store_read_find(traces->store, traces->id, ids, SHOWN_MAX);

	if (count <= 0) {
		fprintf(stderr, "tagalong traces: %s\n",
			count < 0 ? "the store cannot be read"
				  : "no trace or request has this ID in the store");
		return 1;
	}
	if (count > SHOWN_MAX)
		fprintf(stderr, "tagalong traces: the ID fits more than %d traces\n", SHOWN_MAX);
	for (int i = 0; i < count && i < SHOWN_MAX; i++) {
		if (i > 0 && !traces->json)
			putchar('\n');
		if (show_trace(traces, ids[i]) != 0)
			return 1;
	}
	return 0;
}

int command_traces(int argc, char **argv)
{
	struct traces traces = {.filter.limit = LIMIT_DEFAULT};
	const char *problem = "no directory for it is known (HOME is not set)";
	char *default_path = NULL;
	int result = parse_arguments(&traces, argc, argv);

	if (result >= 0)
		return result;
	terminal_detect(&traces.terminal, STDOUT_FILENO, traces.ascii);
	if (!traces.path)
		traces.path = default_path = settings_store_path();
	if (traces.path)
		traces.store = store_read_open(traces.path, &problem);
	if (!traces.store) {
		fprintf(stderr, "tagalong traces: %s: %s\n",
			traces.path ? traces.path : "the store", problem);
		free(default_path);
		return 1;
	}
	result = traces.id ? show(&traces) : list(&traces);
	if (fflush(stdout) != 0 || ferror(stdout))
		result = 1;
	store_read_close(traces.store);
	free(default_path);
	return result;
}
