/* stacks.c - `tagalong stacks`: what every request in flight is doing right now. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporter/commands.h"
#include "exporter/env.h"
#include "exporter/open_requests.h"
#include "exporter/sessions.h"
#include "exporter/settings.h"
#include "exporter/terminal.h"

#define TEXT_ROOM   4096
#define TEXT_WIDEST 1000
#define NEST_MAX    8
#define INDENT_STEP 2

struct stacks {
	struct settings settings;
	struct terminal terminal;
	const char *session; /* NULL: every one that is found */
	uint32_t pid;        /* 0: all */
	bool ascii;
	unsigned sessions, processes; /* seen so far */
};

static const char usage[] =
	"usage: tagalong stacks [OPTIONS] [PID]\n\n"
	"Shows what every request in flight is doing right now, in all traced processes or in "
	"one:\n"
	"its age, the call that it waits in and for how long, and the stack of that call.\n\n"
	"  --session FILE  this session's shared memory instead of TAGALONG_SESSION's, or of all\n"
	"  --ascii         no characters beyond ASCII\n"
	"  --help          this text\n";

/* ---- arguments ---------------------------------------------------------------------------- */

static int parse_pid(struct stacks *stacks, const char *text)
{
	char *end;
	unsigned long pid = strtoul(text, &end, 10);

	if (end == text || *end || pid == 0 || pid > INT32_MAX) {
		fprintf(stderr, "tagalong stacks: \"%s\" is no process ID\n", text);
		return 2;
	}
	stacks->pid = (uint32_t)pid;
	return -1;
}

/* Returns -1 to go on, else the exit code. */
static int parse_arguments(struct stacks *stacks, int argc, char **argv)
{
	static const struct option known[] = {
		{"session", required_argument, NULL, 's'},
		{"ascii", no_argument, NULL, 'a'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (option == 's') {
			stacks->session = optarg;
		} else if (option == 'a') {
			stacks->ascii = true;
		} else if (option == 'h') {
			fputs(usage, stdout);
			return 0;
		} else {
			return 2;
		}
	}
	if (argc - optind > 1) {
		fputs(usage, stderr);
		return 2;
	}
	return optind < argc ? parse_pid(stacks, argv[optind]) : -1;
}

/* ---- one request -------------------------------------------------------------------------- */

static void print_fitting(const struct stacks *stacks, const char *text, int columns)
{
	char line[TEXT_ROOM];

	terminal_fit(&stacks->terminal, text, columns, line, sizeof(line));
	fputs(line, stdout);
}

static void print_duration(uint64_t duration_ns)
{
	char text[32];

	fputs(terminal_duration((int64_t)duration_ns, text, sizeof(text)), stdout);
}

/* A line of the stack is shown whole, for what is to be copied must not be cut. */
static void print_stack(const struct stacks *stacks, char *stack, int indent)
{
	char *rest = stack, *line;

	while ((line = strsep(&rest, "\n"))) {
		if (!line[0])
			continue;
		printf("%*s", indent, "");
		print_fitting(stacks, line, TEXT_WIDEST);
		putchar('\n');
	}
}

static void print_call(const struct stacks *stacks, const struct open_request *request, int indent)
{
	const struct record_call *call = &request->record.call;

	if (!call->function.at)
		return;
	printf("%*s    at ", indent, "");
	print_fitting(stacks, call->function.at, TEXT_WIDEST);
	if (call->file.at) {
		fputs(" (", stdout);
		print_fitting(stacks, call->file.at, TEXT_WIDEST);
		printf(":%u)", call->line);
	}
	putchar('\n');
}

static void print_wait(const struct stacks *stacks, struct open_requests *requests,
		       struct open_request *request, int indent)
{
	char stack[STACK_TEXT_ROOM];
	int frames;

	if (!request->waits_since_ns) {
		print_call(stacks, request, indent);
		return;
	}
	printf("%*swaits in ", indent + INDENT_STEP, "");
	print_fitting(stacks, request->waits_in, sizeof(request->waits_in));
	fputs(" for ", stdout);
	print_duration(requests->now_ns - request->waits_since_ns);
	frames = open_requests_stack(requests, request, stack, sizeof(stack));
	if (frames == -EPERM || frames == -EACCES)
		fputs(" (no permission to read its stack)", stdout);
	else if (frames == -EAGAIN)
		fputs(" (has just returned)", stdout);
	putchar('\n');
	if (frames > 0)
		print_stack(stacks, stack, indent);
	else
		print_call(stacks, request, indent);
}

/* The method and path of a request, the statement of a query. */
static void print_name(const struct stacks *stacks, const struct open_request *request, int columns)
{
	const struct batch_span *span = &request->span;
	const struct attribute *statement =
		attribute_find(span->attributes, span->attribute_count, "db.query.text");
	char text[TEXT_ROOM];

	if (statement)
		snprintf(text, sizeof(text), "%s", statement->text.at);
	else if (span->target && !strstr(span->name, span->target))
		snprintf(text, sizeof(text), "%s %s", span->name, span->target);
	else
		snprintf(text, sizeof(text), "%s", span->name);
	print_fitting(stacks, text, columns);
}

static void print_request(const struct stacks *stacks, struct open_requests *requests,
			  struct open_request *request, int depth)
{
	int indent = (depth + 1) * INDENT_STEP;
	int room = stacks->terminal.columns - indent - 14;

	request->shown = true;
	printf("%*s", indent, "");
	print_name(stacks, request, room > 24 ? room : 24);
	fputs("  ", stdout);
	print_duration(requests->now_ns - request->record.span.start_ns);
	putchar('\n');
	if (request->span.request_id) {
		printf("%*srequest ", indent + INDENT_STEP, "");
		print_fitting(stacks, request->span.request_id, TEXT_WIDEST);
		putchar('\n');
	}
	print_wait(stacks, requests, request, indent);
	for (size_t i = 0; i < requests->count && depth < NEST_MAX; i++) {
		struct open_request *child = &requests->at[i];

		if (!child->shown &&
		    memcmp(child->record.span.parent_id, request->record.span.span_id, 8) == 0)
			print_request(stacks, requests, child, depth + 1);
	}
}

/* ---- processes and sessions --------------------------------------------------------------- */

static void print_process(struct stacks *stacks, struct open_requests *requests)
{
	if (stacks->processes++)
		putchar('\n');
	print_fitting(stacks, requests->resource->service, 60);
	printf("  process %u", requests->process.pid);
	if (requests->count == 0)
		fputs("  no request in flight", stdout);
	putchar('\n');
	/* Calls come under the request that they serve; what is left has none here. */
	for (size_t i = 0; i < requests->count; i++)
		if (open_requests_is_root(requests, &requests->at[i]))
			print_request(stacks, requests, &requests->at[i], 0);
	for (size_t i = 0; i < requests->count; i++)
		if (!requests->at[i].shown)
			print_request(stacks, requests, &requests->at[i], 0);
}

static void show_segment(struct stacks *stacks, const char *path)
{
	struct snapshot *snapshot = malloc(sizeof(*snapshot));
	uint32_t slots;
	int descriptor = snapshot ? snapshot_open(path, &slots) : -ENOMEM;

	for (uint32_t i = 0; descriptor >= 0 && i < slots; i++) {
		struct open_requests requests;

		if (!snapshot_read(descriptor, i, snapshot) ||
		    (stacks->pid && snapshot->identity.pid != stacks->pid))
			continue;
		if (open_requests_init(&requests, descriptor, snapshot, &stacks->settings) != 0)
			continue;
		print_process(stacks, &requests);
		open_requests_fini(&requests);
	}
	if (descriptor >= 0) {
		stacks->sessions++;
		close(descriptor);
	} else if (stacks->session) {
		fprintf(stderr, "tagalong stacks: %s: %s\n", path,
			descriptor == -EPROTO ? "not a session of this version"
					      : strerror(-descriptor));
	}
	free(snapshot);
}

static void visit(void *context, const char *path)
{
	show_segment(context, path);
}

static int conclude(const struct stacks *stacks)
{
	if (stacks->processes)
		return 0;
	if (stacks->session && !stacks->sessions)
		return 1; /* the reason was said */
	if (stacks->pid)
		fprintf(stderr, "tagalong stacks: process %u is not traced\n", stacks->pid);
	else if (stacks->sessions)
		fputs("tagalong stacks: a session runs, but no traced process\n", stderr);
	else
		fputs("tagalong stacks: no session runs (or none that this user may see); "
		      "`tagalong run` and `tagalong export` start one\n",
		      stderr);
	return 1;
}

int command_stacks(int argc, char **argv)
{
	struct stacks stacks = {.session = env_get("TAGALONG_SESSION")};
	int result = parse_arguments(&stacks, argc, argv);

	if (result >= 0)
		return result;
	if (settings_read(&stacks.settings) != 0)
		return 1;
	terminal_detect(&stacks.terminal, STDOUT_FILENO, stacks.ascii);
	if (stacks.session)
		show_segment(&stacks, stacks.session);
	else
		sessions_visit(stacks.settings.run_directory, visit, &stacks);
	result = conclude(&stacks);
	if (fflush(stdout) != 0 || ferror(stdout))
		result = 1;
	symbol_forget();
	settings_free(&stacks.settings);
	return result;
}
