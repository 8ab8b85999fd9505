/* status.c - `tagalong status`: which sessions run, who is in them, and which settings they took.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exporter/commands.h"
#include "exporter/drops.h"
#include "exporter/env.h"
#include "exporter/sessions.h"
#include "exporter/status_read.h"
#include "exporter/terminal.h"

#define TEXT_ROOM 4096

struct status {
	struct terminal terminal;
	const char *session; /* NULL: every one that is found */
	bool ascii, json;
	unsigned sessions; /* shown so far */
};

static const char usage[] =
	"usage: tagalong status [OPTIONS]\n\n"
	"Shows each session that runs: its exporter, its processes with what they counted, and\n"
	"whether they took the settings that are in force.\n\n"
	"  --session FILE  this session's shared memory instead of TAGALONG_SESSION's, or of all\n"
	"  --json          for programs\n"
	"  --ascii         no characters beyond ASCII\n"
	"  --help          this text\n";

/* Returns -1 to go on, else the exit code. */
static int parse_arguments(struct status *status, int argc, char **argv)
{
	static const struct option known[] = {
		{"session", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"ascii", no_argument, NULL, 'a'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (option == 's') {
			status->session = optarg;
		} else if (option == 'j') {
			status->json = true;
		} else if (option == 'a') {
			status->ascii = true;
		} else if (option == 'h') {
			fputs(usage, stdout);
			return 0;
		} else {
			return 2;
		}
	}
	if (optind < argc) {
		fputs(usage, stderr);
		return 2;
	}
	return -1;
}

/* A process could count what this version has no name for. */
static const char *drop_name(unsigned reason)
{
	const char *name = drops_name(reason);

	return name ? name : "other";
}

static void print_fitting(const struct status *status, const char *text, int columns)
{
	char line[TEXT_ROOM];
	int taken = terminal_fit(&status->terminal, text, columns, line, sizeof(line));

	printf("%s%*s", line, columns < 100 && taken < columns ? columns - taken : 0, "");
}

static const char *age(uint64_t unix_ns, char text[32])
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return terminal_duration(
		(int64_t)((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - unix_ns),
		text, 32);
}

/* ---- for people --------------------------------------------------------------------------- */

static void print_settings(const struct status *status, const struct status_session *session)
{
	char text[32];

	fputs("  settings  ", stdout);
	print_fitting(status, session->settings_file[0] ? session->settings_file : "no file", 1000);
	printf(", generation %u, in force since %s\n", session->generation,
	       age(session->reloaded_unix_ns, text));
	if (session->refused)
		puts("            the file has changed since then and can't be used: see "
		     "`tagalong check --config`");
	if (session->disabled)
		puts("            disabled: everything passes through");
}

static void print_process(const struct status *status, const struct status_session *session,
			  const struct status_process *process)
{
	const char *took = status_took(session, process) ? "taken" : "with the next request";

	printf("  %-9u ", process->pid);
	print_fitting(status, process->service[0] ? process->service : "-", 20);
	putchar(' ');
	print_fitting(status, process->command, 16);
	printf(" %11" PRIu64 " %9" PRIu64 " %8" PRIu64 "  %s\n", process->connections,
	       process->spans, process->dropped_all, took);
	for (unsigned i = 0; i < DROP_REASONS; i++)
		if (process->dropped[i])
			printf("  %9s dropped %" PRIu64 ": %s\n", "", process->dropped[i],
			       drop_name(i));
}

static void print_destinations(const struct status *status, const struct status_session *session)
{
	for (size_t i = 0; i < session->destination_count; i++) {
		const struct status_destination *one = &session->destinations[i];

		fputs(i ? "            " : "  sent to   ", stdout);
		print_fitting(status, one->name, 100);
		printf(", %s: %" PRIu64 ", lost %" PRIu64 ", waiting %" PRIu64, one->signal,
		       one->sent, one->lost, one->waiting);
		if (one->spooled_bytes)
			printf(", on disk %" PRIu64 " bytes", one->spooled_bytes);
		putchar('\n');
	}
}

static void print_session(const struct status *status, const struct status_session *session)
{
	char text[32];

	if (status->sessions)
		putchar('\n');
	fputs("session     ", stdout);
	print_fitting(status, session->path, 1000);
	putchar('\n');
	if (session->exporter_pid)
		printf("  exporter  process %u, since %s\n", session->exporter_pid,
		       age(session->started_unix_ns, text));
	else
		puts("  exporter  none runs: spans wait in the shared memory");
	print_settings(status, session);
	printf("  spans     read %" PRIu64 ", unsampled %" PRIu64 ", delivered %" PRIu64
	       ", dropped %" PRIu64 "\n",
	       session->read, session->unsampled, session->delivered, session->dropped);
	print_destinations(status, session);
	if (!session->process_count) {
		puts("  processes none");
		return;
	}
	printf("  %-9s %-20s %-16s %11s %9s %8s  %s\n", "PID", "SERVICE", "COMMAND", "CONNECTIONS",
	       "SPANS", "DROPPED", "SETTINGS");
	for (size_t i = 0; i < session->process_count; i++)
		print_process(status, session, &session->processes[i]);
}

/* ---- for programs ------------------------------------------------------------------------- */

/* What others wrote, as a JSON string; terminal_fit has made it valid UTF-8 without controls. */
static void put_text(const struct status *status, const char *key, const char *text)
{
	char fitted[TEXT_ROOM];

	terminal_fit(&status->terminal, text, 1000, fitted, sizeof(fitted));
	printf("\"%s\":\"", key);
	for (const char *c = fitted; *c; c++) {
		if (*c == '"' || *c == '\\')
			putchar('\\');
		putchar(*c);
	}
	fputs("\",", stdout);
}

static void put_process(const struct status *status, const struct status_session *session,
			const struct status_process *process)
{
	const char *comma = "";

	printf("{\"pid\":%u,\"parent_pid\":%u,", process->pid, process->parent_pid);
	put_text(status, "service", process->service);
	put_text(status, "command", process->command);
	put_text(status, "executable", process->executable);
	printf("\"connections\":%" PRIu64 ",\"spans\":%" PRIu64 ",\"dropped\":{",
	       process->connections, process->spans);
	for (unsigned i = 0; i < DROP_REASONS; i++) {
		if (!process->dropped[i])
			continue;
		printf("%s\"%s\":%" PRIu64, comma, drop_name(i), process->dropped[i]);
		comma = ",";
	}
	printf("},\"settings_generation\":%u,\"settings_taken\":%s}", process->generation,
	       status_took(session, process) ? "true" : "false");
}

static void put_destinations(const struct status *status, const struct status_session *session)
{
	fputs("\"destinations\":[", stdout);
	for (size_t i = 0; i < session->destination_count; i++) {
		const struct status_destination *one = &session->destinations[i];

		fputs(i ? ",{" : "{", stdout);
		put_text(status, "name", one->name);
		printf("\"signal\":\"%s\",\"sent\":%" PRIu64 ",\"lost\":%" PRIu64
		       ",\"waiting\":%" PRIu64 ",\"spooled_bytes\":%" PRIu64 "}",
		       one->signal, one->sent, one->lost, one->waiting, one->spooled_bytes);
	}
	fputs("],", stdout);
}

static void put_session(const struct status *status, const struct status_session *session)
{
	printf("%s\n{", status->sessions ? "," : "");
	put_text(status, "session", session->path);
	printf("\"exporter\":{\"pid\":%u,\"started_unix_ns\":%" PRIu64 ",\"read\":%" PRIu64
	       ",\"unsampled\":%" PRIu64 ",\"delivered\":%" PRIu64 ",\"dropped\":%" PRIu64 "},",
	       session->exporter_pid, session->started_unix_ns, session->read, session->unsampled,
	       session->delivered, session->dropped);
	put_destinations(status, session);
	fputs("\"settings\":{", stdout);
	put_text(status, "file", session->settings_file);
	printf("\"generation\":%u,\"since_unix_ns\":%" PRIu64
	       ",\"refused\":%s,\"disabled\":%s},\"processes\":[",
	       session->generation, session->reloaded_unix_ns, session->refused ? "true" : "false",
	       session->disabled ? "true" : "false");
	for (size_t i = 0; i < session->process_count; i++) {
		if (i)
			putchar(',');
		put_process(status, session, &session->processes[i]);
	}
	fputs("]}", stdout);
}

/* ---- all of them -------------------------------------------------------------------------- */

static void visit(void *context, const char *path)
{
	struct status *status = context;
	struct status_session session;
	int result = status_read(path, &session);

	if (result != 0) {
		if (status->session)
			fprintf(stderr, "tagalong status: %s: %s\n", path,
				result == -EPROTO ? "not a session of this version"
						  : strerror(-result));
		return;
	}
	if (status->json)
		put_session(status, &session);
	else
		print_session(status, &session);
	status->sessions++;
	status_forget(&session);
}

int command_status(int argc, char **argv)
{
	struct status status = {.session = env_get("TAGALONG_SESSION")};
	const char *directory = env_get("TAGALONG_RUN_DIR");
	int result = parse_arguments(&status, argc, argv);

	if (result >= 0)
		return result;
	terminal_detect(&status.terminal, STDOUT_FILENO, status.ascii);
	if (status.json)
		fputs("{\"sessions\":[", stdout);
	if (status.session)
		visit(&status, status.session);
	else
		sessions_visit(directory ? directory : "/run/tagalong", visit, &status);
	if (status.json)
		fputs("]}\n", stdout);
	else if (!status.sessions && !status.session)
		fputs("tagalong status: no session runs (or none that this user may see); "
		      "`tagalong run` and `tagalong export` start one\n",
		      stderr);
	if (fflush(stdout) != 0 || ferror(stdout))
		return 1;
	return status.sessions ? 0 : 1;
}
