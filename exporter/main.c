/* main.c - the `tagalong` program: finds the subcommand and hands over to it. */
#include <stdio.h>
#include <string.h>

#include "exporter/commands.h"

struct command {
	const char *name;
	const char *summary;
	int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
	{"run", "run a program with tracing", command_run},
	{"export", "collect from every instrumented process of this machine", command_export},
	{"check", "will tracing work on a program? if not, why not", command_check},
	{"traces", "list the local store, or show one trace", command_traces},
	{"status", "which processes are traced, and have they taken the settings?", command_status},
	{"stacks", "what is every request in flight doing right now?", command_stacks},
	{"profile", "where the time of programs goes, as the kernel sees it", command_profile},
	{"rules", "Prometheus rules for service level objectives", command_rules},
	{"dashboard", "Grafana dashboards for what is measured", command_dashboard},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_help(FILE *to)
{
	fputs("usage: tagalong COMMAND [ARGUMENTS]\n\n"
	      "Traces unmodified programs: which requests they serve, which calls they make.\n\n",
	      to);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].summary);
	fputs("  help      this text, or `tagalong help COMMAND`\n\n"
	      "`tagalong COMMAND --help` tells more. `tagalong --version` prints the version.\n",
	      to);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int unknown(const char *name)
{
	fprintf(stderr, "tagalong: no command \"%s\"; `tagalong help` lists them\n", name);
	return 2;
}

static int help(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stdout);
		return 0;
	}
	const struct command *command = find_command(argv[1]);
	if (!command)
		return unknown(argv[1]);
	char ask[] = "--help";
	char *arguments[] = {argv[1], ask, NULL};
	return command->run(2, arguments);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return 2;
	}
	const char *name = argv[1];
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
		print_help(stdout);
		return 0;
	}
	if (strcmp(name, "help") == 0)
		return help(argc - 1, argv + 1);
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
		puts("tagalong " TAGALONG_VERSION);
		return 0;
	}
	const struct command *command = find_command(name);
	return command ? command->run(argc - 1, argv + 1) : unknown(name);
}
