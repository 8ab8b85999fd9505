/* failure.h - error.type for what went wrong below HTTP. */
#ifndef TAGALONG_FAILURE_H
#define TAGALONG_FAILURE_H

#include <stddef.h>

#include "preload/segment.h"

/*
 * The error.type of enum span_failure: connection_reset, broken_pipe, timed_out, peer_closed (end
 * of file inside a message), closed (the program itself closed the connection inside a message),
 * connection_refused, host_unreachable, network_unreachable, protocol_error, and for other errors
 * the names of the conventions' socket vocabulary, else _OTHER. NULL for FAILURE_NONE.
 */
const char *failure_error_type(enum span_failure failure, int error_number);

/*
 * How a process ended, from its wait status (or -1: unknown): writes "process killed by SIGKILL
 * (9)", "process exited with code 3" or "process ended" into `message`, and returns error.type: the
 * signal's name, or "exit".
 */
const char *failure_of_process(int wait_status, char *message, size_t room);

#endif
