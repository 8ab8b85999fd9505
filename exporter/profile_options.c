/* profile_options.c - the command line of `tagalong profile`. */
#include "exporter/profile_options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 100000

static const char usage[] =
	"usage: tagalong profile [OPTIONS] PID | -- COMMAND [ARGUMENTS]\n"
	"       tagalong profile [OPTIONS] --all | --cgroup DIRECTORY\n\n"
	"Shows where the time of programs goes, as the kernel sees it: system calls with their\n"
	"durations and errors, waits for a CPU, and what threads are off the CPU for. Children of\n"
	"PID and COMMAND are counted as well. Needs root, or CAP_BPF and CAP_PERFMON.\n\n"
	"  --all             every process of this machine\n"
	"  --cgroup DIR      every process below this directory of cgroup2\n"
	"  --duration TIME   end after 10s, 2m, ...; else with the process or at Ctrl-C\n"
	"  --interval TIME   a table each TIME (1s on a terminal), else one at the end\n"
	"  --by WHAT         a line for each process, thread or call (process)\n"
	"  --rows N          at most so many lines (20; 0: all)\n"
	"  --histogram       draw system calls by duration\n"
	"  --heatmap         draw them by duration and time\n"
	"  --slow TIME       tell each call that takes longer\n"
	"  --json            one JSON object instead of the table\n"
	"  --folded          stacks of what was off the CPU, with microseconds, for flame graphs\n"
	"  --svg FILE        the same as a flame graph\n"
	"  --output FILE     write there instead of stdout (stderr beside a COMMAND)\n"
	"  --ascii           no characters beyond ASCII\n"
	"  --help            this text\n";

static const struct option known[] = {
	{"all", no_argument, NULL, 'a'},
	{"cgroup", required_argument, NULL, 'c'},
	{"pid", required_argument, NULL, 'p'},
	{"duration", required_argument, NULL, 'd'},
	{"interval", required_argument, NULL, 'i'},
	{"by", required_argument, NULL, 'b'},
	{"rows", required_argument, NULL, 'n'},
	{"histogram", no_argument, NULL, 'g'},
	{"heatmap", no_argument, NULL, 'm'},
	{"slow", required_argument, NULL, 's'},
	{"json", no_argument, NULL, 'j'},
	{"folded", no_argument, NULL, 'f'},
	{"svg", required_argument, NULL, 'v'},
	{"output", required_argument, NULL, 'o'},
	{"ascii", no_argument, NULL, 'A'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static int parse_time(const char *text, int64_t *ns)
{
	return terminal_parse_duration(text, ns) == 0 && *ns > 0 ? 0 : -1;
}

static int parse_number(const char *text, unsigned long most, unsigned long *number)
{
	char *end;

	*number = strtoul(text, &end, 10);
	return text[0] < '0' || text[0] > '9' || *end || *number > most ? -1 : 0;
}

static int parse_by(const char *text, enum profile_by *by)
{
	static const char *const names[] = {
		[BY_PROCESS] = "process", [BY_THREAD] = "thread", [BY_CALL] = "call"};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			*by = (enum profile_by)i;
			return 0;
		}
	}
	return -1;
}

/* Options with a value. 0, or -1: the value is none. */
static int take_value(struct profile_options *options, int option, const char *text)
{
	unsigned long number = 0;
	int result = 0;

	switch (option) {
	case 'c':
		options->cgroup = text;
		return 0;
	case 'v':
		options->svg = text;
		return 0;
	case 'o':
		options->output = text;
		return 0;
	case 'd':
		return parse_time(text, &options->duration_ns);
	case 'i':
		options->each = true;
		return parse_time(text, &options->interval_ns);
	case 's':
		return parse_time(text, &options->slow_ns);
	case 'b':
		return parse_by(text, &options->by);
	case 'n':
		result = parse_number(text, ROWS_MAX, &number);
		options->rows = (int)number;
		return result;
	}
	result = parse_number(text, INT32_MAX, &number);
	options->pid = (uint32_t)number;
	return number == 0 ? -1 : result;
}

static void take_flag(struct profile_options *options, int option)
{
	bool *flag = option == 'a'   ? &options->all
		     : option == 'g' ? &options->histogram
		     : option == 'm' ? &options->heatmap
		     : option == 'j' ? &options->json
		     : option == 'f' ? &options->folded
				     : &options->ascii;

	*flag = true;
}

static int complain(const char *text, const char *more)
{
	fprintf(stderr, "tagalong profile: %s%s; see `tagalong profile --help`\n", text, more);
	return 2;
}

/* What stands behind the options: a PID, or after "--" a command. */
static int take_rest(struct profile_options *options, int argc, char **argv)
{
	bool is_command = strcmp(argv[optind - 1], "--") == 0;

	if (optind < argc && is_command)
		options->command = argv + optind;
	else if (optind + 1 == argc && take_value(options, 'p', argv[optind]) < 0)
		return complain("no process ID: ", argv[optind]);
	else if (optind + 1 < argc)
		return complain("one PID, or -- and a command", "");
	int scopes = (options->pid != 0) + (options->command != NULL) + (options->cgroup != NULL) +
		     options->all;
	if (scopes != 1)
		return complain(scopes ? "more than one of PID, COMMAND, --cgroup and --all"
				       : "neither PID, COMMAND, --cgroup nor --all",
				"");
	if (options->json && options->folded)
		return complain("either --json or --folded", "");
	return -1;
}

int profile_options_parse(struct profile_options *options, int argc, char **argv)
{
	int option;

	options->interval_ns = 1000000000;
	options->rows = 20;
	optind = 1;
	while ((option = getopt_long(argc, argv, "+hp:", known, NULL)) >= 0) {
		if (option == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (option == '?')
			return 2;
		if (!optarg)
			take_flag(options, option);
		else if (take_value(options, option, optarg) < 0)
			return complain("can't use the value ", optarg);
		optarg = NULL;
	}
	return take_rest(options, argc, argv);
}
