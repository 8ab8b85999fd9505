/* profile.c - `tagalong profile`: where the time of programs goes, as the kernel sees it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "exporter/attach.h"
#include "exporter/commands.h"
#include "exporter/flame.h"
#include "exporter/profile_json.h"
#include "exporter/profile_options.h"
#include "exporter/profile_stacks.h"

/* How often threads that are blocked are looked at, and slow calls fetched. */
#define LOOK_NS 50000000ull

#define EXIT_NOT_HERE 3 /* the probes can't be loaded */

struct profile {
	struct profile_options options;
	struct profile_view view;
	struct profile_data data;
	struct profile_stacks stacks;
	struct probes *probes;
	FILE *to;
	sigset_t waited, mask_before;
	char file[PATH_MAX]; /* of the command */
	pid_t command;
	int go; /* the command's: it waits until this is closed; -1: none */
	int command_status;
	bool command_ended, stopped, live;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static bool wants_stacks(const struct profile *profile)
{
	return profile->options.folded || profile->options.svg;
}

/* ---- the command -------------------------------------------------------------------------- */

/* Waits to be let go, with the rights that we had, before we gave up ours. */
static void become_command(const struct profile *profile, int wait)
{
	char **argv = profile->options.command;
	char byte;

	sigprocmask(SIG_SETMASK, &profile->mask_before, NULL);
	if (read(wait, &byte, 1) != 1)
		_exit(EXIT_NOT_HERE);
	execv(profile->file, argv);
	fprintf(stderr, "tagalong: %s: %s\n", argv[0], strerror(errno));
	_exit(126);
}

static int start_command(struct profile *profile)
{
	int ends[2], result = attach_find(profile->options.command[0], NULL, profile->file);

	if (result < 0)
		return result;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	profile->command = fork();
	if (profile->command == 0) {
		close(ends[1]);
		become_command(profile, ends[0]);
	}
	close(ends[0]);
	profile->go = ends[1];
	return profile->command < 0 ? -errno : 0;
}

static void let_go(struct profile *profile)
{
	if (profile->go < 0)
		return;
	if (write(profile->go, "", 1) != 1)
		profile->stopped = true;
	close(profile->go);
	profile->go = -1;
}

/* One that was never let go ends by itself once the pipe is closed. */
static int wait_for_command(struct profile *profile)
{
	int status = profile->command_status;

	if (profile->command <= 0)
		return 0;
	if (profile->go >= 0)
		close(profile->go);
	if (!profile->command_ended && waitpid(profile->command, &status, 0) < 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool is_over(struct profile *profile)
{
	if (profile->command > 0 && !profile->command_ended &&
	    waitpid(profile->command, &profile->command_status, WNOHANG) == profile->command)
		profile->command_ended = true;
	if (profile->options.pid && kill((pid_t)profile->options.pid, 0) < 0 && errno == ESRCH)
		return true;
	return profile->command_ended || profile->stopped;
}

/* ---- beginning ---------------------------------------------------------------------------- */

static int not_here(const char *why)
{
	fprintf(stderr, "tagalong profile: %s\n", why);
	return EXIT_NOT_HERE;
}

static int open_probes(struct profile *profile)
{
	const struct profile_options *asked = &profile->options;
	struct probes_options options = {
		.scope = asked->all      ? SCOPE_HOST
			 : asked->cgroup ? SCOPE_CGROUP
					 : SCOPE_PROCESSES,
		.cgroup = asked->cgroup,
		.features = PROBES_ALL,
		.slow_ns = (uint64_t)asked->slow_ns,
		.follow_children = 1,
		.by_thread = asked->by == BY_THREAD,
		.stacks = wants_stacks(profile),
	};
	uint32_t pid = asked->pid ? asked->pid : (uint32_t)profile->command;
	char why[256];

	if (probes_open(&profile->probes, &options, why, sizeof(why)) < 0)
		return not_here(why);
	probes_drop_capabilities(profile->probes);
	if (options.scope != SCOPE_PROCESSES)
		return -1;
	int result = probes_add(profile->probes, pid);
	if (result == 0)
		return -1;
	fprintf(stderr, "tagalong profile: process %u: %s\n", pid, strerror(-result));
	return 1;
}

static int open_output(struct profile *profile)
{
	const struct profile_options *options = &profile->options;

	profile->to = options->command ? stderr : stdout;
	if (options->output)
		profile->to = fopen(options->output, "we");
	if (!profile->to) {
		fprintf(stderr, "tagalong profile: %s: %s\n", options->output, strerror(errno));
		return 1;
	}
	profile->view = (struct profile_view){.by = options->by, .rows = options->rows};
	terminal_detect(&profile->view.terminal, fileno(profile->to), options->ascii);
	profile->live = !options->json && !options->folded && !options->command &&
			!options->slow_ns && isatty(fileno(profile->to));
	return -1;
}

static void hold_signals(struct profile *profile)
{
	sigemptyset(&profile->waited);
	sigaddset(&profile->waited, SIGINT);
	sigaddset(&profile->waited, SIGTERM);
	sigaddset(&profile->waited, SIGHUP);
	sigaddset(&profile->waited, SIGCHLD);
	sigprocmask(SIG_BLOCK, &profile->waited, &profile->mask_before);
}

/* ---- running ------------------------------------------------------------------------------ */

static void print_drawings(struct profile *profile)
{
	if (profile->options.histogram)
		profile_histogram_print(&profile->data, &profile->view, profile->to);
	if (profile->options.heatmap)
		profile_heatmap_print(&profile->data, &profile->view, profile->to);
}

static void tell_slow(void *own, const struct slow_call *call)
{
	const struct profile *profile = own;

	profile_slow_print(call, profile->to);
}

static void look(struct profile *profile)
{
	if (profile->options.slow_ns)
		probes_poll(profile->probes, 0, tell_slow, profile);
	if (wants_stacks(profile))
		profile_stacks_look(&profile->stacks, profile->probes, now_ns());
}

static int end_interval(struct profile *profile)
{
	bool shown = profile->live ||
		     (profile->options.each && !profile->options.json && !profile->options.folded);
	int result = profile_data_read(&profile->data, profile->probes, now_ns());

	if (result < 0 || !shown)
		return result;
	if (profile->live)
		fputs("\033[H\033[2J", profile->to);
	profile->view.interval = 1;
	profile_table_print(&profile->data, &profile->view, profile->to);
	print_drawings(profile);
	fputs(profile->live ? "" : "\n", profile->to);
	fflush(profile->to);
	return 0;
}

/* Until the time comes, a signal says to stop, or a child has ended. */
static void rest(struct profile *profile, uint64_t until)
{
	uint64_t now = now_ns(), left = until > now ? until - now : 0;
	struct timespec timeout = {(time_t)(left / 1000000000), (long)(left % 1000000000)};
	int number = sigtimedwait(&profile->waited, NULL, &timeout);

	if (number == SIGINT || number == SIGTERM || number == SIGHUP)
		profile->stopped = true;
}

static int run(struct profile *profile)
{
	const struct profile_options *options = &profile->options;
	uint64_t begun = now_ns(), next = begun + (uint64_t)options->interval_ns;
	uint64_t end = options->duration_ns ? begun + (uint64_t)options->duration_ns : UINT64_MAX;
	int result = 0;

	profile_data_init(&profile->data, begun);
	let_go(profile);
	while (result == 0 && !is_over(profile) && now_ns() < end) {
		uint64_t until = now_ns() + LOOK_NS;
		until = until < next ? until : next;
		rest(profile, until < end ? until : end);
		look(profile);
		if (now_ns() < next)
			continue;
		next += (uint64_t)options->interval_ns;
		result = end_interval(profile);
	}
	if (result == 0)
		result = profile_data_read(&profile->data, profile->probes, now_ns());
	look(profile);
	return result;
}

/* ---- telling ------------------------------------------------------------------------------ */

static int write_svg(const struct profile *profile, const struct profile_fold *folds, size_t count)
{
	FILE *file = fopen(profile->options.svg, "we");
	int result = file ? flame_print(folds, count, "time off the CPU", file) : -errno;

	if (file && fclose(file) != 0 && result == 0)
		result = -errno;
	if (result < 0)
		fprintf(stderr, "tagalong profile: %s: %s\n", profile->options.svg,
			strerror(-result));
	return result;
}

static int tell_stacks(struct profile *profile)
{
	size_t count = 0;
	struct profile_fold *folds = profile_stacks_fold(&profile->stacks, &profile->data, &count);
	int result = 0;

	if (!folds)
		return -ENOMEM;
	for (size_t i = 0; i < count && profile->options.folded; i++)
		fprintf(profile->to, "%s %llu\n", folds[i].line,
			(unsigned long long)folds[i].microseconds);
	if (profile->options.svg)
		result = write_svg(profile, folds, count);
	profile_fold_free(folds, count);
	return result;
}

static int tell(struct profile *profile)
{
	int result = wants_stacks(profile) ? tell_stacks(profile) : 0;

	if (profile->options.json) {
		profile_json_print(&profile->data, profile->to);
	} else if (!profile->options.folded && !profile->live) {
		profile->view.interval = 0;
		profile_table_print(&profile->data, &profile->view, profile->to);
		print_drawings(profile);
	}
	if (fflush(profile->to) != 0 || ferror(profile->to))
		result = -EIO;
	return result;
}

static int profile_all(struct profile *profile)
{
	int code = open_output(profile);

	if (code >= 0)
		return code;
	hold_signals(profile);
	int result = profile->options.command ? start_command(profile) : 0;
	if (result < 0) {
		fprintf(stderr, "tagalong: %s: %s\n", profile->options.command[0],
			strerror(-result));
		return result == -ENOENT ? 127 : 126;
	}
	code = open_probes(profile);
	if (code >= 0)
		return code;
	profile_stacks_init(&profile->stacks);
	result = run(profile);
	if (result == 0)
		result = tell(profile);
	if (result < 0)
		fprintf(stderr, "tagalong profile: %s\n", strerror(-result));
	profile_stacks_fini(&profile->stacks);
	profile_data_fini(&profile->data);
	return result < 0 ? 1 : -1;
}

int command_profile(int argc, char **argv)
{
	static struct profile profile = {.go = -1};
	int code = profile_options_parse(&profile.options, argc, argv);

	if (code >= 0)
		return code;
	code = profile_all(&profile);
	probes_close(profile.probes);
	int command_code = wait_for_command(&profile);
	return code >= 0 ? code : command_code;
}
