/* launch.c - starts the two processes of `tagalong run`: the exporter and the command. */
#include "exporter/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "exporter/segment_file.h"
#include "preload/segment.h"

#define SHARED_MEMORY "/dev/shm"

/* ---- signals ------------------------------------------------------------------------------ */

void launch_hold_signals(struct launch_signals *saved, sigset_t *waited)
{
	/* Faults of our own can't be waited for: blocked, they would kill without a trace. */
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};
	struct sigaction defaults = {.sa_handler = SIG_DFL};

	sigfillset(waited);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(waited, faults[i]);
	sigprocmask(SIG_SETMASK, waited, &saved->mask);
	/* If the caller ignores SIGCHLD, the kernel would reap the command without its status. */
	sigaction(SIGCHLD, &defaults, &saved->child);
}

static void restore_signals(const struct launch_signals *saved)
{
	sigaction(SIGCHLD, &saved->child, NULL);
	sigprocmask(SIG_SETMASK, &saved->mask, NULL);
}

/* ---- the segment's name ------------------------------------------------------------------- */

int launch_segment_path(char *path, const char **why)
{
	const uint64_t needed = segment_slot_offset(2);
	char own[64];
	struct statvfs space;
	int result = segment_file_name(NULL, path, PATH_MAX);

	/* The common directory belongs to its first user, so another one has one of his own. */
	if (result == -EPERM || (result == 0 && access(SEGMENT_DIRECTORY, W_OK) < 0)) {
		snprintf(own, sizeof(own), SEGMENT_DIRECTORY "-%u", (unsigned)geteuid());
		result = segment_file_name(own, path, PATH_MAX);
	}
	*why = result == -ENOENT   ? SHARED_MEMORY " is missing"
	       : result == -ENOSPC ? SHARED_MEMORY " is full"
				   : SHARED_MEMORY " is not writable";
	if (result < 0)
		return result;
	*why = SHARED_MEMORY " is full";
	if (statvfs(SHARED_MEMORY, &space) == 0 && space.f_bavail * space.f_frsize < needed)
		return -ENOSPC;
	return 0;
}

/* ---- the exporter ------------------------------------------------------------------------- */

static void open_null(int fd, int flags)
{
	int null = open("/dev/null", flags | O_CLOEXEC);

	if (null >= 0 && null != fd)
		dup2(null, fd);
	else if (null == fd)
		fcntl(fd, F_SETFD, 0);
}

/* In the child. Only the descriptors that it is told of reach it. */
static void exec_exporter(const struct launch_exporter *how, const struct launch_signals *signals,
			  int ready_fd)
{
	char ready[16], exits[16];
	const char *arguments[12] = {"tagalong", "export", "--segment", how->segment};
	int count = 4;

	/* Away from the terminal: ^C must not end it before the command. */
	setsid();
	if (!how->stay)
		prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (how->stay)
		arguments[count++] = "--private";
	if (ready_fd >= 0) {
		fcntl(ready_fd, F_SETFD, 0);
		snprintf(ready, sizeof(ready), "%d", ready_fd);
		arguments[count++] = "--ready-fd";
		arguments[count++] = ready;
	}
	if (how->exits_fd >= 0) {
		fcntl(how->exits_fd, F_SETFD, 0);
		snprintf(exits, sizeof(exits), "%d", how->exits_fd);
		arguments[count++] = "--exits-fd";
		arguments[count++] = exits;
	}
	arguments[count] = NULL;
	open_null(STDIN_FILENO, O_RDONLY);
	open_null(STDOUT_FILENO, O_WRONLY);
	/* Who waits for the end of a pipe to stderr must not wait for what outlives the command. */
	if (how->stay)
		open_null(STDERR_FILENO, O_WRONLY);
	unsetenv("LD_PRELOAD");
	unsetenv("TAGALONG_SESSION");
	if (how->store)
		setenv("TAGALONG_STORE", how->store, 1);
	restore_signals(signals);
	execv("/proc/self/exe", (char **)arguments);
}

/* One byte: ready. End of file: it gave up. */
static int wait_ready(int fd, int wait_ms)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	char byte;

	if (poll(&ready, 1, wait_ms) <= 0)
		return -ETIMEDOUT;
	return read(fd, &byte, 1) == 1 ? 0 : -ECHILD;
}

int launch_start_exporter(const struct launch_exporter *how, const struct launch_signals *signals,
			  int wait_ms, pid_t *pid)
{
	int ready[2] = {-1, -1};

	if (wait_ms > 0 && pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	pid_t child = fork();
	if (child == 0) {
		exec_exporter(how, signals, ready[1]);
		_exit(127);
	}
	int result = child < 0 ? -errno : 0;
	if (result == 0)
		*pid = child;
	if (wait_ms <= 0)
		return result;
	close(ready[1]);
	if (result == 0)
		result = wait_ready(ready[0], wait_ms);
	/* One that is late must find its reader still there, or SIGPIPE ends it. */
	if (result != -ETIMEDOUT)
		close(ready[0]);
	return result;
}

/* ---- the command -------------------------------------------------------------------------- */

/* LD_PRELOAD's items are separated by colons and blanks. */
static bool is_preloaded(const char *list, const char *library)
{
	size_t length = strlen(library);

	for (const char *at = list; (at = strstr(at, library)); at += length)
		if ((at == list || strchr(": ", at[-1])) && strchr(": ", at[length]))
			return true;
	return false;
}

static int set_environment(const struct launch_command *command)
{
	const char *old = getenv("LD_PRELOAD");
	char *list = NULL;

	if (command->service && setenv("OTEL_SERVICE_NAME", command->service, 1) < 0)
		return -errno;
	if (!command->library)
		return 0;
	if (setenv("TAGALONG_SESSION", command->segment, 1) < 0)
		return -errno;
	if (old && is_preloaded(old, command->library))
		return 0;
	if (asprintf(&list, "%s%s%s", old ? old : "", old && old[0] ? ":" : "", command->library) <
	    0)
		return -ENOMEM;
	int result = setenv("LD_PRELOAD", list, 1) < 0 ? -errno : 0;
	free(list);
	return result;
}

int launch_exec(const struct launch_command *command)
{
	int result = set_environment(command);

	if (result < 0)
		return result;
	/* Yama's default is that only ancestors may; this outlives exec. Without Yama it fails. */
	if (command->reader > 0)
		prctl(PR_SET_PTRACER, (unsigned long)command->reader, 0, 0, 0);
	execvp(command->argv[0], command->argv);
	return -errno;
}

int launch_start_command(const struct launch_command *command, const struct launch_signals *signals,
			 pid_t *pid)
{
	int failure[2], error = 0;

	/* Closed by a successful exec; else it carries errno. */
	if (pipe2(failure, O_CLOEXEC) < 0)
		return -errno;
	pid_t child = fork();
	if (child == 0) {
		restore_signals(signals);
		error = launch_exec(command);
		if (write(failure[1], &error, sizeof(error)) < 0)
			_exit(126);
		_exit(127);
	}
	if (child < 0)
		error = -errno;
	close(failure[1]);
	if (child > 0 && read(failure[0], &error, sizeof(error)) != sizeof(error))
		error = 0;
	close(failure[0]);
	if (error == 0)
		*pid = child;
	return error;
}
