/* launch.h - starts the two processes of `tagalong run`: the exporter and the command. */
#ifndef TAGALONG_LAUNCH_H
#define TAGALONG_LAUNCH_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* What the caller's program found and the command must find as well. */
struct launch_signals {
	sigset_t mask;
	struct sigaction child; /* SIGCHLD's */
};

/* Blocks every signal that can be waited for, in `waited`, and keeps what was there in `saved`. */
void launch_hold_signals(struct launch_signals *saved, sigset_t *waited);

/*
 * Makes the name of a new segment in the directory for them, which is made if need be, and checks
 * that there is room. Returns 0, or -errno with a clause about it in `why`. `path` has PATH_MAX.
 */
int launch_segment_path(char *path, const char **why);

struct launch_exporter {
	const char *segment;
	const char *store; /* TAGALONG_STORE for it; NULL: as it is */
	int exits_fd;      /* end of the pipe to read from; -1: none */
	bool stay;         /* outlives the launcher, ends when the segment's processes have */
};

/*
 * Starts `tagalong export` in a session of its own and waits at most `wait_ms` (0: not at all)
 * until the segment is ready. Returns 0 and its pid, or -errno: -ETIMEDOUT leaves it running, with
 * the pid in *pid; after -ECHILD it has given up on its own.
 */
int launch_start_exporter(const struct launch_exporter *how, const struct launch_signals *signals,
			  int wait_ms, pid_t *pid);

struct launch_command {
	char **argv;
	const char *service; /* OTEL_SERVICE_NAME for it; NULL: as it is */
	const char *library; /* NULL: runs bare */
	const char *segment;
	pid_t reader; /* the process that may read its stack; 0: none */
};

/*
 * Replaces this process by the command. Returns -errno if that fails. With `library` set,
 * LD_PRELOAD keeps what it had and gets the library at its end.
 */
int launch_exec(const struct launch_command *command);

/*
 * Starts the command as a child, with the caller's signals. 0 and *pid, or -errno if it could not
 * be executed.
 */
int launch_start_command(const struct launch_command *command, const struct launch_signals *signals,
			 pid_t *pid);

#endif
