/* launch.c - an exporter of our own, under a bare LD_PRELOAD without a session. */
#include "preload/launch.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "preload/conf.h"
#include "preload/sys.h"
#include "preload/tracecontext.h"

#define SIGNAL_SET_BYTES 8 /* the kernel's sigset_t */

extern char **environ;

/* Appends to a bounded text; 0 if it doesn't fit. */
static int append(char *to, size_t room, const char *text)
{
	size_t used = strlen(to);
	size_t size = strlen(text);

	if (used + size >= room)
		return 0;
	memcpy(to + used, text, size + 1);
	return 1;
}

/* The program lies beside the library (build tree) or in ../../bin of it (installed). */
static int find_program(char *path, size_t room)
{
	static const char *const places[] = {"/tagalong", "/../../bin/tagalong"};
	const char *slash = strrchr(conf.library, '/');

	for (size_t i = 0; slash && i < sizeof(places) / sizeof(places[0]); i++) {
		size_t size = (size_t)(slash - conf.library);

		if (size >= room)
			return -ENAMETOOLONG;
		memcpy(path, conf.library, size);
		path[size] = 0;
		if (append(path, room, places[i]) &&
		    sys_call6(SYS_faccessat, -100 /* AT_FDCWD */, (long)path, 1 /* X_OK */, 0, 0,
			      0) == 0)
			return 0;
	}
	return -ENOENT;
}

/* Users who are not root can't make files in root's directory; each has one of its own. */
static int name_segment(char *path, size_t room)
{
	uint8_t random[16];
	char name[33];
	char digits[16];
	unsigned user = (unsigned)sys_call3(SYS_getuid, 0, 0, 0);
	char *at = digits + sizeof(digits);

	if (sys_random(random, sizeof(random)))
		return -EIO;
	hex_format(random, sizeof(random), name);
	name[32] = 0;
	*--at = 0;
	for (unsigned rest = user; rest; rest /= 10)
		*--at = (char)('0' + rest % 10);
	path[0] = 0;
	if (!append(path, room, "/dev/shm/tagalong") || (user && !append(path, room, "-")) ||
	    !append(path, room, at) || !append(path, room, "/") || !append(path, room, name))
		return -ENAMETOOLONG;
	return 0;
}

/* What the two processes below are given; in the host's memory, which they share. */
struct launch {
	const char *program;
	char *const *argv;
};

/* clone() as vfork is, with an exit signal or without one. The caller must not return in the child.
 */
static inline __attribute__((always_inline)) long clone_shared(int exit_signal)
{
	return sys_call6(SYS_clone, CLONE_VM | CLONE_VFORK | exit_signal, 0, 0, 0, 0, 0);
}

/* A frame of its own keeps a child off the locals that its suspended parent still needs. */
static __attribute__((noinline, noreturn)) void become_exporter(const struct launch *launch)
{
	uint64_t none = 0;

	sys_call6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&none, 0, SIGNAL_SET_BYTES, 0, 0);
	sys_call3(SYS_execve, (long)launch->program, (long)launch->argv, (long)environ);
	for (;;)
		sys_call3(SYS_exit_group, 127, 0, 0);
}

/*
 * The process in between: an exec gives every child SIGCHLD as its exit signal, so the host's own
 * child must never exec. It starts the exporter, whose first process ends when the segment is
 * ready, and ends with its status.
 */
static __attribute__((noinline, noreturn)) void stand_between(const struct launch *launch)
{
	int status = -1;
	long pid = clone_shared(SIGCHLD);
	long n;

	if (pid == 0)
		become_exporter(launch);
	do {
		n = sys_call6(SYS_wait4, pid, (long)&status, __WALL, 0, 0, 0);
	} while (n == -EINTR);
	for (;;)
		sys_call3(SYS_exit_group, n == pid && status == 0 ? 0 : 1, 0, 0);
}

/* CLONE_VFORK: the host's thread sleeps until its child has ended. Signals are blocked, for the
 * children's sake. */
static long spawn(const struct launch *launch)
{
	uint64_t all = ~0ull;
	uint64_t before = 0;
	long pid;

	sys_call6(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&before, SIGNAL_SET_BYTES, 0, 0);
	pid = clone_shared(0);
	if (pid == 0)
		stand_between(launch);
	sys_call6(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, SIGNAL_SET_BYTES, 0, 0);
	return pid;
}

int launch_exporter(char *session, size_t room)
{
	char program[300];
	char name[] = "tagalong";
	char command[] = "export";
	char detach[] = "--detach";
	char option[] = "--segment";
	char *argv[] = {name, command, detach, option, session, NULL};
	struct launch launch = {program, argv};
	int status = 0;
	long pid;
	long n;
	int result = find_program(program, sizeof(program));

	if (!result)
		result = name_segment(session, room);
	if (result)
		return result;
	pid = spawn(&launch);
	if (pid < 0)
		return (int)pid;
	do {
		n = sys_call6(SYS_wait4, pid, (long)&status, __WCLONE, 0, 0, 0);
	} while (n == -EINTR);
	return n == pid && status == 0 ? 0 : -ECHILD;
}
