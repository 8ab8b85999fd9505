/* failure.c - error.type for what went wrong below HTTP. */
#include "failure.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static const struct {
	int error_number;
	const char *type;
} errno_types[] = {
	{ECONNREFUSED, "connection_refused"},
	{ECONNRESET, "connection_reset"},
	{ECONNABORTED, "connection_aborted"},
	{EPIPE, "broken_pipe"},
	{ETIMEDOUT, "timed_out"},
	{EHOSTUNREACH, "host_unreachable"},
	{ENETUNREACH, "network_unreachable"},
	{ENETDOWN, "network_down"},
	{EADDRINUSE, "address_already_in_use"},
	{EADDRNOTAVAIL, "address_not_available"},
	{EAFNOSUPPORT, "address_family_not_supported"},
	{EACCES, "access_denied"},
	{EPERM, "access_denied"},
	{EINTR, "interrupted"},
	{EINPROGRESS, "in_progress"},
	{EALREADY, "already_in_progress"},
	{ENOBUFS, "no_buffer_space_available"},
	{EINVAL, "invalid_argument"},
	{EISCONN, "is_connected"},
	{EFAULT, "fault"},
	{EPROTOTYPE, "protocol_type"},
	{ENOENT, "not_found"},
	{ECANCELED, "canceled"},
};

static const char *errno_type(int error_number)
{
	for (size_t i = 0; i < sizeof(errno_types) / sizeof(errno_types[0]); i++) {
		if (errno_types[i].error_number == error_number)
			return errno_types[i].type;
	}
	return "_OTHER";
}

const char *failure_error_type(enum span_failure failure, int error_number)
{
	switch (failure) {
	case FAILURE_NONE:
		return NULL;
	case FAILURE_CONNECTION_RESET:
		return "connection_reset";
	case FAILURE_BROKEN_PIPE:
		return "broken_pipe";
	case FAILURE_TIMED_OUT:
		return "timed_out";
	case FAILURE_PEER_CLOSED:
		return "peer_closed";
	case FAILURE_CLOSED:
		return "closed";
	case FAILURE_CONNECTION_REFUSED:
		return "connection_refused";
	case FAILURE_UNREACHABLE:
		return error_number == ENETUNREACH ? "network_unreachable" : "host_unreachable";
	case FAILURE_PROTOCOL:
		return "protocol_error";
	case FAILURE_LOGIN:
		return "login_failed";
	case FAILURE_OTHER:
		break;
	}
	return errno_type(error_number);
}

/* sigabbrev_np is newer than the oldest libc that this is built on, and knows no real-time signals.
 */
static const char *const signal_names[] = {
	[SIGHUP] = "SIGHUP",       [SIGINT] = "SIGINT",       [SIGQUIT] = "SIGQUIT",
	[SIGILL] = "SIGILL",       [SIGTRAP] = "SIGTRAP",     [SIGABRT] = "SIGABRT",
	[SIGBUS] = "SIGBUS",       [SIGFPE] = "SIGFPE",       [SIGKILL] = "SIGKILL",
	[SIGUSR1] = "SIGUSR1",     [SIGSEGV] = "SIGSEGV",     [SIGUSR2] = "SIGUSR2",
	[SIGPIPE] = "SIGPIPE",     [SIGALRM] = "SIGALRM",     [SIGTERM] = "SIGTERM",
	[SIGSTKFLT] = "SIGSTKFLT", [SIGXCPU] = "SIGXCPU",     [SIGXFSZ] = "SIGXFSZ",
	[SIGPROF] = "SIGPROF",     [SIGVTALRM] = "SIGVTALRM", [SIGPOLL] = "SIGPOLL",
	[SIGPWR] = "SIGPWR",       [SIGSYS] = "SIGSYS",
};

static const char *signal_name(int number)
{
	if (number > 0 && (size_t)number < sizeof(signal_names) / sizeof(signal_names[0]) &&
	    signal_names[number])
		return signal_names[number];
	return "signal";
}

const char *failure_of_process(int wait_status, char *message, size_t room)
{
	if (wait_status >= 0 && WIFSIGNALED(wait_status)) {
		const char *name = signal_name(WTERMSIG(wait_status));

		snprintf(message, room, "process killed by %s (%d)", name, WTERMSIG(wait_status));
		return name;
	}
	if (wait_status >= 0 && WIFEXITED(wait_status))
		snprintf(message, room, "process exited with code %d", WEXITSTATUS(wait_status));
	else
		snprintf(message, room, "process ended");
	return "exit";
}
