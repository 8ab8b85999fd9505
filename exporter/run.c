/* run.c - `tagalong run`: starts the exporter and the command, and stands in for the command. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "exporter/attach.h"
#include "exporter/commands.h"
#include "exporter/launch.h"
#include "exporter/log.h"
#include "exporter/reap.h"
#include "exporter/shim_settings.h"
#include "exporter/slots.h"

#define READY_MS         2000
#define GRACE_MS         300 /* for children that end together with the command */
#define SHUTDOWN_MS      5000
#define SHUTDOWN_MORE_MS 1000 /* the exporter keeps to its time; this is for a busy machine */
#define RESTARTS_MAX     5
#define RESTART_SPAN_MS  60000
#define CHILDREN_MAX     1024
#define CHAIN_MAX        32

/*
 * When to look whether the library got into the program: an entry-point script may replace itself
 * several times before the server runs, so the last look counts.
 */
static const int look_at_ms[] = {50, 150, 500, 2000};
#define LOOKS (int)(sizeof(look_at_ms) / sizeof(look_at_ms[0]))

struct run {
	struct launch_command command;
	struct launch_exporter exporter;
	struct launch_signals signals;
	sigset_t waited;
	struct reaper reaper;
	char library[PATH_MAX];
	char segment[PATH_MAX];
	int exits[2];
	bool init;   /* this is PID 1 */
	bool traced; /* the command gets the library */
	int64_t started_ms;
	int looks;      /* done so far */
	bool looked_ok; /* some look told something */
	char why_not[PATH_MAX + 256];
	int64_t restart_span_ms;
	int restarts;
};

static const char usage[] =
	"usage: tagalong run [OPTIONS] [--] COMMAND [ARGUMENTS]\n\n"
	"Runs COMMAND with tracing and ends with its exit code. As PID 1 it forwards signals and\n"
	"reaps orphans, so it can be a container's entry point.\n\n"
	"  --service NAME  service.name of the command (OTEL_SERVICE_NAME)\n"
	"  --store FILE    keep the spans in this SQLite database (TAGALONG_STORE)\n"
	"  --help          this text\n\n"
	"Spans go to OTEL_EXPORTER_OTLP_ENDPOINT if that is set, else to the local store, which\n"
	"`tagalong traces` shows. TAGALONG_DISABLE=1 runs the command as it is.\n"
	"TAGALONG_SHUTDOWN_TIMEOUT: milliseconds for shipping what is left at the end (5000).\n";

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_true(const char *name)
{
	const char *value = getenv(name);

	return value && (strcmp(value, "1") == 0 || strcasecmp(value, "true") == 0);
}

/* ---- arguments ---------------------------------------------------------------------------- */

/* Returns -1 to go on, else the exit code. */
static int parse_arguments(struct run *run, int argc, char **argv)
{
	static const struct option options[] = {
		{"service", required_argument, NULL, 's'},
		{"store", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "+h", options, NULL)) >= 0) {
		switch (option) {
		case 's':
			run->command.service = optarg;
			break;
		case 'f':
			run->exporter.store = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return 2;
		}
	}
	run->command.argv = argv + optind;
	if (optind < argc)
		return -1;
	fputs("tagalong run: no command given; see `tagalong run --help`\n", stderr);
	return 2;
}

/* Says why the command can't be executed; the exit code for it. */
static int cannot_execute(const struct run *run, int error)
{
	fprintf(stderr, "tagalong: %s: %s\n", run->command.argv[0], strerror(-error));
	return error == -ENOENT ? 127 : 126;
}

/*
 * Descriptors 0 to 2 that the caller has closed are kept occupied, or a pipe of ours would be taken
 * for one of them. They are closed again in the command.
 */
static void occupy_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* ---- the exporter's life ------------------------------------------------------------------ */

static void start_exporter(struct run *run)
{
	const char *why = "";
	int result = attach_library(run->library);

	if (result < 0) {
		log_line(LOG_WARN, "run", "libtagalong.so not found: the command runs untraced");
		return;
	}
	result = launch_segment_path(run->segment, &why);
	if (result < 0) {
		log_line(LOG_WARN, "run", "%s: the command runs untraced", why);
		return;
	}
	if (pipe2(run->exits, O_CLOEXEC | O_NONBLOCK) == 0)
		run->reaper.exits_fd = run->exits[1];
	run->exporter.segment = run->segment;
	run->exporter.exits_fd = run->exits[0];
	result = launch_start_exporter(&run->exporter, &run->signals, READY_MS,
				       &run->reaper.exporter);
	if (result < 0 && result != -ETIMEDOUT) {
		log_line(LOG_WARN, "run", "the exporter did not start: the command runs untraced");
		unlink(run->segment);
		return;
	}
	run->traced = true;
	run->command.library = run->library;
	run->command.segment = run->segment;
	run->command.reader = run->reaper.exporter;
}

/*
 * Another loader than glibc's could fail to resolve the library's symbols and refuse to start the
 * program, so a command that has one runs without it.
 */
static bool is_harmed(const struct run *run)
{
	struct attach_target target;
	char file[PATH_MAX], why[PATH_MAX + 256];

	if (attach_find(run->command.argv[0], NULL, file) < 0 ||
	    attach_examine(file, &target) < 0 || !(target.obstacles & ATTACH_OTHER_LIBC))
		return false;
	log_line(LOG_WARN, "run", "not traced: %s",
		 attach_explain(&target, ATTACH_OTHER_LIBC, why, sizeof(why)));
	return true;
}

/* The rings keep what was written meanwhile; the new exporter goes on from there. */
static void restart_exporter(struct run *run)
{
	int64_t now = now_ms();

	run->reaper.exporter_ended = false;
	if (now - run->restart_span_ms > RESTART_SPAN_MS) {
		run->restart_span_ms = now;
		run->restarts = 0;
	}
	if (++run->restarts > RESTARTS_MAX) {
		if (run->restarts == RESTARTS_MAX + 1)
			log_line(LOG_ERROR, "run", "the exporter keeps ending: left off");
		return;
	}
	log_line(LOG_WARN, "run", "the exporter has ended: started again");
	launch_start_exporter(&run->exporter, &run->signals, 0, &run->reaper.exporter);
}

static int shutdown_ms(void)
{
	const char *text = getenv("TAGALONG_SHUTDOWN_TIMEOUT");
	char *end;
	long value = text ? strtol(text, &end, 10) : SHUTDOWN_MS;

	return text && (*end || end == text || value < 0 || value > 3600000) ? SHUTDOWN_MS
									     : (int)value;
}

static int wait_signal(struct run *run, siginfo_t *info, int64_t timeout_ms)
{
	struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000};

	return sigtimedwait(&run->waited, info, timeout_ms < 0 ? NULL : &timeout);
}

/* Lets the exporter ship what is left. A second signal from the user hurries it. */
static void stop_exporter(struct run *run)
{
	struct reaper *reaper = &run->reaper;
	int64_t end = now_ms() + shutdown_ms() + SHUTDOWN_MORE_MS;
	siginfo_t info;

	if (reaper->exporter > 0)
		kill(reaper->exporter, SIGTERM);
	while (reaper->exporter > 0) {
		int64_t left = end - now_ms();
		if (left <= 0) {
			log_line(LOG_WARN, "run", "the exporter did not end in time");
			kill(reaper->exporter, SIGKILL);
			return;
		}
		int number = wait_signal(run, &info, left);
		if (number == SIGTERM || number == SIGINT)
			kill(reaper->exporter, number);
		reap_children(reaper);
	}
}

/* Daemons that the command left behind keep an exporter, which ends after them. */
static void hand_over(struct run *run)
{
	pid_t pid;

	run->exporter.stay = true;
	run->exporter.exits_fd = -1;
	launch_start_exporter(&run->exporter, &run->signals, READY_MS, &pid);
}

/* ---- did it attach? ----------------------------------------------------------------------- */

/* From the command down as long as there is one child: a script's server, not the script. */
static pid_t find_final_process(const struct run *run)
{
	pid_t pid = run->reaper.command, child;

	for (int i = 0; i < CHAIN_MAX; i++) {
		if (reap_list_children(&run->reaper, pid, &child, 1) != 1)
			break;
		pid = child;
	}
	return pid;
}

static void report_not_attached(struct run *run)
{
	struct slots_count slots;

	if (run->why_not[0] == '\0')
		return;
	if (slots_look(run->segment, &slots) == 0 && slots.claimed > 0)
		log_line(LOG_DEBUG, "run", "in part untraced: %s", run->why_not);
	else
		log_line(LOG_WARN, "run", "not traced: %s", run->why_not);
	run->why_not[0] = '\0';
}

static void look_for_library(struct run *run)
{
	char why[sizeof(run->why_not)];
	int result = attach_look(find_final_process(run), run->library, why, sizeof(why));

	run->looks++;
	if (result >= 0) {
		run->looked_ok = true;
		snprintf(run->why_not, sizeof(run->why_not), "%s", result ? "" : why);
	}
	if (run->looks == LOOKS)
		report_not_attached(run);
}

/* For a command that ended before anyone could look: by its file alone. */
static void judge_by_file(struct run *run)
{
	struct attach_target target;
	char file[PATH_MAX];

	if (run->looked_ok || attach_find(run->command.argv[0], NULL, file) < 0 ||
	    attach_examine(file, &target) < 0 || !target.obstacles)
		return;
	attach_explain(&target, attach_first_obstacle(&target), run->why_not, sizeof(run->why_not));
}

/* ---- standing in for the command ---------------------------------------------------------- */

/*
 * A signal of the terminal went to the whole foreground group: the command has it already. Those
 * that someone sent to us are meant for the command.
 */
static void forward_signal(struct run *run, const siginfo_t *info)
{
	const struct reaper *reaper = &run->reaper;
	pid_t children[CHILDREN_MAX];

	if (info->si_signo == SIGCHLD)
		return;
	if (!reaper->command_ended) {
		if (info->si_code != SI_KERNEL || getpgid(reaper->command) != getpgrp())
			kill(reaper->command, info->si_signo);
		return;
	}
	int count = reap_list_children(reaper, getpid(), children, CHILDREN_MAX);
	for (int i = 0; i < count && i < CHILDREN_MAX; i++)
		kill(children[i], info->si_signo);
}

/* ^Z stopped the command: the shell waits for us to stop as well. `fg` continues both. */
static void follow_stop(struct run *run)
{
	int number = run->reaper.stop_signal;

	run->reaper.stop_signal = 0;
	if (run->init || (number != SIGTSTP && number != SIGTTIN && number != SIGTTOU))
		return;
	int terminal = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (terminal < 0)
		return;
	close(terminal);
	kill(getpid(), SIGSTOP);
	kill(run->reaper.command, SIGCONT);
}

static bool is_finished(const struct run *run)
{
	if (!run->reaper.command_ended)
		return false;
	return !run->init || reap_list_children(&run->reaper, getpid(), NULL, 0) <= 0;
}

static void stand_in(struct run *run)
{
	siginfo_t info;

	while (!is_finished(run)) {
		int64_t wait = -1;
		bool looking = run->traced && run->looks < LOOKS && !run->reaper.command_ended;
		if (looking) {
			wait = run->started_ms + look_at_ms[run->looks] - now_ms();
			if (wait < 0)
				wait = 0;
		}
		int number = wait_signal(run, &info, wait);
		if (number > 0)
			forward_signal(run, &info);
		else if (looking && errno == EAGAIN)
			look_for_library(run);
		reap_children(&run->reaper);
		if (run->reaper.stop_signal)
			follow_stop(run);
		if (run->reaper.exporter_ended && run->traced)
			restart_exporter(run);
	}
}

/* Who is attached still, after a moment for those who are about to end. */
static bool is_left_behind(struct run *run)
{
	int64_t end = now_ms() + GRACE_MS;
	struct slots_count slots;
	siginfo_t info;

	while (slots_look(run->segment, &slots) == 0 && slots.living > 0) {
		int64_t left = end - now_ms();
		if (left <= 0)
			return true;
		wait_signal(run, &info, left < 20 ? left : 20);
		reap_children(&run->reaper);
	}
	return false;
}

static void wind_up(struct run *run)
{
	if (!run->traced)
		return;
	judge_by_file(run);
	report_not_attached(run);
	bool left_behind = !run->init && is_left_behind(run);
	stop_exporter(run);
	if (left_behind)
		hand_over(run);
	else
		unlink(run->segment);
}

static void set_log_level(void)
{
	const char *text = getenv("OTEL_LOG_LEVEL");
	int level;

	if (text && log_level_parse(text, &level) == 0)
		log_set_level(level);
}

int command_run(int argc, char **argv)
{
	static struct run run = {.exits = {-1, -1}, .reaper = {.exits_fd = -1}};
	int result = parse_arguments(&run, argc, argv);

	if (result >= 0)
		return result;
	if (is_true("TAGALONG_DISABLE"))
		return cannot_execute(&run, launch_exec(&run.command));
	set_log_level();
	shim_settings_check();
	occupy_standard_descriptors();
	launch_hold_signals(&run.signals, &run.waited);
	run.init = getpid() == 1;
	if (!run.init)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (!is_harmed(&run))
		start_exporter(&run);
	result = launch_start_command(&run.command, &run.signals, &run.reaper.command);
	if (result < 0) {
		stop_exporter(&run);
		unlink(run.segment);
		return cannot_execute(&run, result);
	}
	run.started_ms = now_ms();
	stand_in(&run);
	wind_up(&run);
	return reap_exit_code(run.reaper.command_status);
}
