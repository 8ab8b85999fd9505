/* names.c - names of system calls, errors, and what threads wait for. */
#include <string.h>
#include <sys/stat.h>

#include "ebpf/probes.h"

#define CALL(number, name) [number] = #name,
static const char *const call_names[PROBE_CALLS] = {
#include "ebpf/calls.inc"
};
#undef CALL

static const char *const wait_names[WAIT_KINDS] = {
	[WAIT_OTHER] = "other",     [WAIT_NETWORK] = "network", [WAIT_DISK] = "disk",
	[WAIT_LOCK] = "lock",       [WAIT_SLEEP] = "sleep",     [WAIT_FAULT] = "page_fault",
	[WAIT_PIPE] = "pipe",       [WAIT_POLL] = "poll",       [WAIT_CHILD] = "child",
	[WAIT_STOPPED] = "stopped",
};

static const char *const lost_names[LOST_REASONS] = {
	[LOST_EVENTS] = "events",       [LOST_THREADS] = "threads", [LOST_PROCESSES] = "processes",
	[LOST_LATENCIES] = "latencies", [LOST_COUNTS] = "counts",   [LOST_REQUESTS] = "requests",
	[LOST_STACKS] = "stacks",
};

/* A call that a signal interrupted leaves with one of these: it begins anew, or fails with EINTR.
 */
static const char *restart_name(int code)
{
	static const char *const names[] = {"ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND", "",
					    "ERESTART_RESTARTBLOCK"};

	return code >= 0 && code <= PROBE_LAST_RESTART - PROBE_FIRST_RESTART ? names[code] : "";
}

const char *probes_call_name(int call)
{
	const char *name = call >= 0 && call < PROBE_CALLS ? call_names[call] : NULL;

	return name ? name : "other";
}

const char *probes_wait_name(int wait)
{
	return wait >= 0 && wait < WAIT_KINDS ? wait_names[wait] : "other";
}

const char *probes_error_name(int error)
{
	const char *name = error < PROBE_RESTART ? strerrorname_np(error) : NULL;

	if (error == PROBE_ERROR_OTHER)
		return "other";
	if (error >= PROBE_FIRST_RESTART)
		return restart_name(error - PROBE_FIRST_RESTART);
	return name ? name : restart_name(error - PROBE_RESTART);
}

const char *probes_lost_name(int reason)
{
	return reason >= 0 && reason < LOST_REASONS ? lost_names[reason] : "";
}

const char *probes_file_name(uint32_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFSOCK:
		return "socket";
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFIFO:
		return "pipe";
	case S_IFBLK:
	case S_IFCHR:
		return "device";
	}
	return "";
}
