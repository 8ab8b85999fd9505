/* waterfall.c - one trace as a tree with a bar for each span. */
#include "exporter/waterfall.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KIND_SERVER  2 /* OTLP's numbers */
#define KIND_CLIENT  3
#define STATUS_ERROR 2
#define LEVELS_MAX   12 /* drawn; deeper ones stay at this indent */
#define NUMBER_WIDTH 8
#define SERVICE_MAX  18
#define STATUS_MAX   20
#define NAME_MIN     4
#define BAR_MIN      10
#define CELL_BYTES   4096
#define RED          "\033[31m"
#define DIM          "\033[2m"
#define PLAIN        "\033[0m"

/* ---- linking ------------------------------------------------------------------------------ */

struct entry {
	const uint8_t *span_id;
	int kind;
	int index;
};

/* By ID; the server's span first where client and server share one (B3), as it is the inner one. */
static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int order = memcmp(a->span_id, b->span_id, STORE_SPAN_ID);

	return order ? order : a->kind - b->kind;
}

/* The first entry with this ID, or `count`. */
static int find_entry(const struct entry *entries, int count, const uint8_t *id)
{
	int low = 0, high = count;

	while (low < high) {
		int middle = low + (high - low) / 2;
		if (memcmp(entries[middle].span_id, id, STORE_SPAN_ID) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && memcmp(entries[low].span_id, id, STORE_SPAN_ID) == 0 ? low : count;
}

static int find_parent(const struct entry *entries, int count, const struct span_row *row)
{
	int at = find_entry(entries, count, row->span_id);

	/* The other half of a shared ID is the caller. */
	for (; row->kind == KIND_SERVER && at < count; at++) {
		if (memcmp(entries[at].span_id, row->span_id, STORE_SPAN_ID) != 0)
			break;
		if (entries[at].kind == KIND_CLIENT)
			return entries[at].index;
	}
	if (!row->has_parent)
		return -1;
	at = find_entry(entries, count, row->parent_id);
	return at < count ? entries[at].index : -1;
}

/* Cuts circles open at the span where the way up meets itself; sets the depths. */
static void cut_circles(struct waterfall_node *nodes, int count)
{
	/* depth: -1 unknown, -2 on the present way up. */
	for (int i = 0; i < count; i++)
		nodes[i].depth = -1;
	for (int i = 0; i < count; i++) {
		int at = i, length = 0;

		for (; at >= 0 && nodes[at].depth == -1; at = nodes[at].parent) {
			nodes[at].depth = -2;
			length++;
		}
		if (at >= 0 && nodes[at].depth == -2) {
			/* Forget this way up before it is cut, and go once more: now it ends. */
			for (int up = at; nodes[up].depth == -2; up = nodes[up].parent)
				nodes[up].depth = -1;
			for (int up = i; nodes[up].depth == -2; up = nodes[up].parent)
				nodes[up].depth = -1;
			nodes[at].parent = -1;
			nodes[at].orphan = true;
			i--;
			continue;
		}
		int depth = (at >= 0 ? nodes[at].depth : -1) + length;
		for (at = i; at >= 0 && nodes[at].depth == -2; at = nodes[at].parent)
			nodes[at].depth = depth--;
	}
}

static int append_children(struct waterfall_node *nodes, int count)
{
	int first = -1, last = -1;

	for (int i = 0; i < count; i++) {
		int parent = nodes[i].parent;
		int *begin = parent < 0 ? &first : &nodes[parent].first;
		int *end = parent < 0 ? &last : &nodes[parent].last;
		if (*end < 0)
			*begin = i;
		else
			nodes[*end].next = i;
		*end = i;
	}
	return first;
}

int waterfall_link(const struct span_row *spans, int count, struct waterfall_node *nodes)
{
	struct entry *entries = calloc(count ? count : 1, sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	for (int i = 0; i < count; i++)
		entries[i] = (struct entry){spans[i].span_id, spans[i].kind, i};
	qsort(entries, count, sizeof(*entries), compare_entries);
	for (int i = 0; i < count; i++) {
		int parent = find_parent(entries, count, &spans[i]);
		nodes[i] = (struct waterfall_node){
			.row = &spans[i],
			.parent = parent,
			.first = -1,
			.last = -1,
			.next = -1,
			.orphan = parent < 0 && spans[i].has_parent,
		};
	}
	free(entries);
	cut_circles(nodes, count);
	return append_children(nodes, count);
}

int waterfall_next(const struct waterfall_node *nodes, int at)
{
	if (nodes[at].first >= 0)
		return nodes[at].first;
	while (at >= 0 && nodes[at].next < 0)
		at = nodes[at].parent;
	return at < 0 ? -1 : nodes[at].next;
}

/* ---- printing ----------------------------------------------------------------------------- */

struct layout {
	int service, name, bar, status, request_id;
	int64_t start_ns, duration_ns;
	bool guesses, orphans; /* marks that need explaining */
};

static void print_cell(FILE *to, const struct terminal *terminal, const char *text, int width,
		       bool right)
{
	char cell[CELL_BYTES];
	int used = terminal_fit(terminal, text, width, cell, sizeof(cell));

	if (right)
		fprintf(to, "%*s%s", width - used, "", cell);
	else
		fprintf(to, "%s%*s", cell, width - used, "");
}

/* Lines of the tree in front of a name, two columns a level. Returns the columns. */
static int draw_branch(const struct terminal *terminal, const struct waterfall_node *nodes, int at,
		       int levels_max, char *out, size_t room)
{
	static const char *const utf8[] = {"\u2502 ", "  ", "\u251c\u2500", "\u2514\u2500"};
	static const char *const ascii[] = {"| ", "  ", "|-", "`-"};
	const char *const *marks = terminal->utf8 ? utf8 : ascii;
	const char *levels[LEVELS_MAX];
	int count = 0;
	size_t filled = 0;

	out[0] = '\0';
	for (int up = at; nodes[up].parent >= 0 && count < levels_max; up = nodes[up].parent)
		levels[count++] = marks[(up == at ? 2 : 0) + (nodes[up].next < 0)];
	for (int i = count - 1; i >= 0; i--)
		filled += snprintf(out + filled, room - filled, "%s", levels[i]);
	return 2 * count;
}

/* "GET /path", with the marks of doubtful and lost parents and an arrow for a call going out. */
static void describe(const struct terminal *terminal, const struct waterfall_node *node, char *out,
		     size_t room)
{
	const struct span_row *row = node->row;
	const char *mark = row->guess[0] ? "~" : node->orphan ? "?" : "";
	const char *arrow = row->kind != KIND_CLIENT ? "" : terminal->utf8 ? "\u2192 " : "> ";
	int method = (int)strcspn(row->name, " ");
	char total[32];

	if (node->repeats > 1)
		snprintf(out, room, "%s%s%s  x %d  total %s", mark, arrow, row->name, node->repeats,
			 terminal_duration(node->total_ns, total, sizeof(total)));
	else if (row->target[0])
		snprintf(out, room, "%s%s%.*s %s", mark, arrow, method, row->name, row->target);
	else
		snprintf(out, room, "%s%s%s", mark, arrow, row->name);
}

static void status_text(const struct span_row *row, char *out, size_t room)
{
	char code[16] = "";

	if (row->http_status > 0)
		snprintf(code, sizeof(code), "%d", row->http_status);
	if (row->status != STATUS_ERROR)
		snprintf(out, room, "%s", code[0] ? code : "-");
	else if (row->error_type[0] == '\0' || strcmp(row->error_type, code) == 0)
		snprintf(out, room, "%s", code[0] ? code : "error");
	else
		snprintf(out, room, "%s%s%s", code, code[0] ? " " : "", row->error_type);
}

static int larger(int a, int b)
{
	return a > b ? a : b;
}

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

/* The one request ID of all spans, "" if there is none, NULL if there are several. */
static const char *common_request_id(const struct span_row *spans, int count)
{
	const char *common = "";

	for (int i = 0; i < count; i++) {
		if (spans[i].request_id[0] == '\0')
			continue;
		if (common[0] && strcmp(common, spans[i].request_id) != 0)
			return NULL;
		common = spans[i].request_id;
	}
	return common;
}

static void measure(const struct terminal *terminal, const struct waterfall_node *nodes, int count,
		    struct layout *layout)
{
	const int service_max = smaller(SERVICE_MAX, terminal->columns / 7);
	const int status_max = smaller(STATUS_MAX, terminal->columns / 5);
	char text[CELL_BYTES], cell[CELL_BYTES];
	int64_t end = INT64_MIN;

	*layout = (struct layout){.service = 7, .name = 4, .status = 6};
	layout->start_ns = nodes[0].row->start_unix_ns;
	for (int i = 0; i < count; i++) {
		const struct span_row *row = nodes[i].row;
		if (row->start_unix_ns + row->duration_ns > end)
			end = row->start_unix_ns + row->duration_ns;
		if (nodes[i].folded)
			continue;
		layout->service =
			larger(layout->service, terminal_fit(terminal, row->service, service_max,
							     cell, sizeof(cell)));
		describe(terminal, &nodes[i], text, sizeof(text));
		int indent = 2 * smaller(nodes[i].depth, LEVELS_MAX);
		layout->name = larger(layout->name,
				      indent + terminal_fit(terminal, text, terminal->columns, cell,
							    sizeof(cell)));
		status_text(row, text, sizeof(text));
		layout->status = larger(layout->status, terminal_fit(terminal, text, status_max,
								     cell, sizeof(cell)));
		layout->guesses |= row->guess[0] != '\0';
		layout->orphans |= nodes[i].orphan && row->guess[0] == '\0';
	}
	layout->duration_ns = end - layout->start_ns;
}

/* Name and bar share what the other columns leave. */
static void divide(const struct terminal *terminal, struct layout *layout, bool request_ids)
{
	int rest = terminal->columns - layout->service - layout->status - 2 * NUMBER_WIDTH - 10;

	if (request_ids) {
		layout->request_id = smaller(36, larger(10, rest / 4));
		rest -= layout->request_id + 2;
	}
	layout->name = smaller(layout->name, larger(8, rest - larger(BAR_MIN, rest * 2 / 5)));
	layout->bar = larger(0, rest - layout->name);
}

static void print_summary(FILE *to, const struct terminal *terminal, const struct span_row *spans,
			  int count, const struct layout *layout)
{
	const char *request_id = common_request_id(spans, count);
	char text[CELL_BYTES], when[32] = "";
	int errors = 0;
	struct tm local;
	time_t seconds = layout->start_ns / 1000000000;

	for (int i = 0; i < count; i++)
		errors += spans[i].status == STATUS_ERROR;
	if (localtime_r(&seconds, &local))
		strftime(when, sizeof(when), "%F %T", &local);
	fputs("trace ", to);
	for (int i = 0; i < STORE_TRACE_ID; i++)
		fprintf(to, "%02x", spans[0].trace_id[i]);
	fprintf(to, "  %s.%03d  %s", when, (int)(layout->start_ns / 1000000 % 1000),
		terminal_duration(layout->duration_ns, text, sizeof(text)));
	fprintf(to, "  %d span%s", count, count == 1 ? "" : "s");
	if (errors)
		fprintf(to, "  %s%d error%s%s", terminal->color ? RED : "", errors,
			errors == 1 ? "" : "s", terminal->color ? PLAIN : "");
	fputc('\n', to);
	if (request_id && request_id[0]) {
		terminal_fit(terminal, request_id, terminal->columns - 11, text, sizeof(text));
		fprintf(to, "request ID %s\n", text);
	}
}

static void print_heading(FILE *to, const struct terminal *terminal, const struct layout *layout)
{
	fputs(terminal->color ? DIM : "", to);
	print_cell(to, terminal, "SERVICE", layout->service, false);
	fputs("  ", to);
	print_cell(to, terminal, "NAME", layout->name, false);
	fprintf(to, "  %*s  %*s  %*s  ", NUMBER_WIDTH, "OFFSET", NUMBER_WIDTH, "DURATION",
		layout->bar, "");
	if (layout->request_id) {
		print_cell(to, terminal, "STATUS", layout->status, false);
		fputs("  REQUEST ID", to);
	} else {
		fputs("STATUS", to);
	}
	fprintf(to, "%s\n", terminal->color ? PLAIN : "");
}

static void print_span(FILE *to, const struct terminal *terminal,
		       const struct waterfall_node *nodes, int at, const struct layout *layout)
{
	const struct span_row *row = nodes[at].row;
	const bool red = terminal->color && row->status == STATUS_ERROR;
	const double total = layout->duration_ns > 0 ? (double)layout->duration_ns : 1;
	const int64_t offset = row->start_unix_ns - layout->start_ns;
	const int64_t duration = nodes[at].end_unix_ns - row->start_unix_ns;
	char text[CELL_BYTES], last[CELL_BYTES];

	print_cell(to, terminal, row->service, layout->service, false);
	/* In a narrow column some room is left for the name. */
	int levels_max = smaller(LEVELS_MAX, (layout->name - NAME_MIN) / 2);
	int indent = draw_branch(terminal, nodes, at, levels_max, text, sizeof(text));
	fprintf(to, "  %s%s%s%s", terminal->color ? DIM : "", text, terminal->color ? PLAIN : "",
		red ? RED : "");
	describe(terminal, &nodes[at], text, sizeof(text));
	print_cell(to, terminal, text, larger(0, layout->name - indent), false);
	fprintf(to, "  %*s", NUMBER_WIDTH, terminal_duration(offset, text, sizeof(text)));
	fprintf(to, "  %*s  ", NUMBER_WIDTH, terminal_duration(duration, text, sizeof(text)));
	terminal_bar(terminal, (double)offset / total, (double)(offset + duration) / total,
		     layout->bar, text, sizeof(text));
	fprintf(to, "%s  ", text);
	status_text(row, text, sizeof(text));
	print_cell(to, terminal, text, layout->request_id ? layout->status : 0, false);
	terminal_fit(terminal, layout->request_id ? row->request_id : text,
		     layout->request_id ? layout->request_id : layout->status, last, sizeof(last));
	fprintf(to, "%s%s", layout->request_id ? "  " : "", last);
	if (row->status_message[0]) {
		terminal_fit(terminal, row->status_message, terminal->columns - layout->service - 4,
			     text, sizeof(text));
		fprintf(to, "\n%*s  %s", layout->service + indent, "", text);
	}
	fputs(red ? PLAIN : "", to);
	waterfall_print_times(to, terminal, row, layout->service + indent + 2);
	waterfall_print_events(to, terminal, row, layout->service + indent + 2);
	fputc('\n', to);
}

int waterfall_print(FILE *to, const struct terminal *terminal, const struct span_row *spans,
		    int count)
{
	struct waterfall_node *nodes = calloc(count ? count : 1, sizeof(*nodes));
	struct layout layout;

	if (!nodes)
		return -ENOMEM;
	int at = waterfall_link(spans, count, nodes);
	if (count > 0 && at >= 0) {
		waterfall_fold(nodes, count);
		measure(terminal, nodes, count, &layout);
		divide(terminal, &layout, !common_request_id(spans, count));
		print_summary(to, terminal, spans, count, &layout);
		print_heading(to, terminal, &layout);
		for (; at >= 0; at = waterfall_next(nodes, at))
			print_span(to, terminal, nodes, at, &layout);
		if (layout.guesses)
			fputs("~ the link to its parent is a guess\n", to);
		if (layout.orphans)
			fputs("? its parent is not in this store\n", to);
	}
	free(nodes);
	return at == -ENOMEM ? -ENOMEM : 0;
}
