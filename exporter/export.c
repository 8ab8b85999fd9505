/* export.c - `tagalong export`: collects spans of all attached processes and delivers them. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/commands.h"
#include "exporter/log.h"
#include "exporter/pipeline.h"
#include "exporter/reload.h"
#include "exporter/session.h"
#include "exporter/settings_file.h"
#include "exporter/settings_section.h"
#include "exporter/sweep.h"

/* A younger segment may belong to an exporter that has not locked it yet. */
#define SWEEP_AGE_S 60

struct options {
	const char *segment;
	int ready_descriptor;
	int exits_descriptor;
	int private_segment;
	int detach;
	const char *config;
};

static const char help[] =
	"usage: tagalong export [OPTIONS]\n\n"
	"Collects the spans of instrumented processes and sends them to a collector\n"
	"(OTEL_EXPORTER_OTLP_ENDPOINT) or keeps them in the local store. Without options it\n"
	"serves all processes of this machine.\n\n"
	"  --segment FILE   the shared memory file: created, or taken over if it exists\n"
	"  --config FILE    the settings file instead of TAGALONG_CONFIG or\n"
	"                   /etc/tagalong/tagalong.yaml; SIGHUP and changes make it be read again\n"
	"  --private        end when no process uses the segment any more, and remove it\n"
	"  --detach         go on in the background; implies --private\n"
	"  --ready-fd FD    write one byte to this descriptor when processes can attach\n"
	"  --exits-fd FD    read \"PID WAITSTATUS\" lines of processes that a launcher reaped\n";

static int parse_options(int argc, char **argv, struct options *options)
{
	enum { SEGMENT = 256, READY, EXITS, PRIVATE, DETACH, CONFIG, HELP };
	static const struct option known[] = {
		{"segment", required_argument, NULL, SEGMENT},
		{"ready-fd", required_argument, NULL, READY},
		{"exits-fd", required_argument, NULL, EXITS},
		{"private", no_argument, NULL, PRIVATE},
		{"detach", no_argument, NULL, DETACH},
		{"config", required_argument, NULL, CONFIG},
		{"help", no_argument, NULL, HELP},
		{NULL, 0, NULL, 0},
	};
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
		if (option == SEGMENT)
			options->segment = optarg;
		else if (option == READY)
			options->ready_descriptor = atoi(optarg);
		else if (option == EXITS)
			options->exits_descriptor = atoi(optarg);
		else if (option == PRIVATE)
			options->private_segment = 1;
		else if (option == DETACH)
			options->detach = options->private_segment = 1;
		else if (option == CONFIG)
			options->config = optarg;
		else if (option == HELP || option == 'h')
			return 1;
		else
			return -EINVAL;
	}
	if (optind != argc || (options->detach && !options->segment))
		return -EINVAL;
	return 0;
}

/* Every attached process costs a descriptor. The exporter itself is never to be instrumented. */
static void prepare_process(void)
{
	struct rlimit limit;

	unsetenv("LD_PRELOAD");
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max < 8192 ? limit.rlim_max : 8192;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int open_named(struct segment_file *file, const char *path, uint32_t slots)
{
	int result = segment_file_adopt(file, path);
	char *slash;

	if (result == -ENOENT) {
		char directory[4096];

		snprintf(directory, sizeof(directory), "%s", path);
		slash = strrchr(directory, '/');
		if (slash && slash != directory) {
			*slash = '\0';
			mkdir(directory, 0711);
		}
		result = segment_file_create(file, path, slots);
	}
	if (result != 0)
		log_line(LOG_ERROR, "export", "can't use the segment %s: %s", path,
			 strerror(-result));
	return result;
}

static void tell_ready(int descriptor)
{
	if (descriptor < 0)
		return;
	if (write(descriptor, "", 1) != 1)
		log_line(LOG_WARN, "export", "can't write to the descriptor of --ready-fd: %s",
			 strerror(errno));
	close(descriptor);
}

/*
 * The child goes on; the first process waits until the segment is ready and ends with 0, so that
 * who started it knows. Returns the child's end of that pipe, or -errno; doesn't return in the
 * parent.
 */
static int go_into_background(void)
{
	int ends[2];
	int null_descriptor;
	pid_t child;
	char byte;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return -errno;
	child = fork();
	if (child < 0)
		return -errno;
	if (child > 0) {
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 1 ? 0 : 1);
	}
	setsid();
	if (chdir("/") != 0)
		return -errno;
	null_descriptor = open("/dev/null", O_RDWR);
	if (null_descriptor < 0)
		return -errno;
	for (int i = 0; i < 3; i++)
		dup2(null_descriptor, i);
	if (ends[1] != 3)
		dup2(ends[1], 3);
	close_range(4, ~0u, 0);
	fcntl(3, F_SETFD, FD_CLOEXEC);
	return 3;
}

/* What killed exporters left in the same place. */
static void sweep_beside(const char *segment)
{
	char directory[4096];
	char *slash;
	int removed;

	snprintf(directory, sizeof(directory), "%s", segment ? segment : SEGMENT_DIRECTORY "/");
	slash = strrchr(directory, '/');
	if (!slash)
		return;
	*slash = '\0';
	removed = sweep_directory(directory, SWEEP_AGE_S);
	if (removed > 0)
		log_line(LOG_DEBUG, "export", "removed %d segments that nobody uses", removed);
}

static int serve(struct segment_file *file, const struct settings *settings,
		 const struct options *options)
{
	struct pipeline_options pipeline_options = {
		.exits_descriptor = options->exits_descriptor,
		.private_segment = options->private_segment,
	};
	int code;

	sweep_spare(file->fd);
	sweep_beside(options->segment);
	reload_tell_settings(settings, &file->header->control);
	atomic_store(&file->header->control.exporter_pid, (uint32_t)getpid());
	segment_file_grow(file, settings->reserved_slots);
	tell_ready(options->ready_descriptor);
	code = pipeline_run(file, settings, &pipeline_options);
	atomic_store(&file->header->control.exporter_pid, 0);
	return code;
}

static int export_named(const struct settings *settings, const struct options *options)
{
	struct segment_file file;
	int code = 1;

	if (open_named(&file, options->segment, settings->reserved_slots) != 0)
		return 1;
	code = serve(&file, settings, options);
	if (options->private_segment)
		unlink(options->segment);
	segment_file_close(&file);
	return code;
}

static int export_node(const struct settings *settings, const struct options *options)
{
	struct segment_file file;
	struct session session;
	int code;

	if (session_begin(&session, settings->run_directory, settings->reserved_slots, &file) != 0)
		return 1;
	code = serve(&file, settings, options);
	session_end(&session, &file);
	segment_file_close(&file);
	return code;
}

/*
 * From the ready byte on, somebody may ask us to end: that must wait until the loop can do it in
 * order, or to read the settings again. The loop lets them through.
 */
static void hold_ends(void)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGHUP);
	sigprocmask(SIG_BLOCK, &ends, NULL);
}

/* At the start it completes the environment's settings, later it changes them. */
static void take_settings(void *context, const struct config_node *root)
{
	struct settings *settings = context;

	settings->changed = settings_section_change(root, settings);
}

static int read_settings(struct settings *settings, struct settings_file *file)
{
	int result = settings_read(settings);

	if (result != 0)
		return result;
	settings->file = file;
	result = settings_section_start(settings_file_root(file), settings);
	if (result == 0)
		result = settings_file_register(file, NULL, take_settings, settings);
	return result;
}

/* In the background, if asked to, from here on. */
static int export_with(struct settings_file *file, struct options *options)
{
	struct settings settings;
	int result, code;

	if (options->detach) {
		options->exits_descriptor = -1;
		options->ready_descriptor = go_into_background();
		if (options->ready_descriptor < 0)
			return 1;
	}
	result = read_settings(&settings, file);
	if (result != 0) {
		log_line(LOG_ERROR, "export", "can't start: %s", strerror(-result));
		return 1;
	}
	/* A program's own exporter ends with it; the machine's comes back, and finds its spool. */
	if (!options->segment)
		destinations_default_spool(&settings.destinations);
	/* After settings_read, so that "none" can't hide what is wrong with the settings
	 * themselves. */
	log_set_level((enum log_level)settings.log_level);
	code = options->segment ? export_named(&settings, options)
				: export_node(&settings, options);
	settings_free(&settings);
	return code;
}

int command_export(int argc, char **argv)
{
	struct options options = {.ready_descriptor = -1, .exits_descriptor = -1};
	struct settings_file *file;
	int result = parse_options(argc, argv, &options);
	int code;

	if (result != 0) {
		fputs(help, result > 0 ? stdout : stderr);
		return result > 0 ? 0 : 2;
	}
	prepare_process();
	hold_ends();
	file = settings_file_open(options.config, &result);
	if (!file) {
		log_line(LOG_ERROR, "export", "can't start: %s",
			 result ? "the settings file can't be used" : "no memory");
		return 1;
	}
	code = export_with(file, &options);
	settings_file_close(file);
	return code;
}
