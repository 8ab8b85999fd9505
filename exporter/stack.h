/* stack.h - the stack of a call that waits, or of a snapshot, as text. */
#ifndef TAGALONG_STACK_H
#define TAGALONG_STACK_H

#include <stddef.h>

#include "exporter/symbol.h"
#include "preload/segment.h"

#define STACK_TEXT_ROOM 8192

/*
 * Unwinds the call that an in-flight entry waits in, if it is still the one that began at
 * `since_ns`, and writes a line a frame, innermost first, without the library's own frames:
 *
 *     at function (/src/file.c:12)
 *     at function (/lib/object.so)
 *     at /lib/object.so+0x1234
 *
 * `text` is NUL-terminated UTF-8; what finds no room is left out. Returns the number of frames
 * written, or -errno as unwind_process, -EAGAIN if the call returned meanwhile. One thread.
 */
int stack_of_wait(const struct symbol_process *process, const struct inflight_wait *wait,
		  uint64_t since_ns, char *text, size_t room);

/* The same of a snapshot, whose bytes are read where they are and copied nowhere. */
int stack_of_record(const struct symbol_process *process, const struct stack_record *stack,
		    const void *bytes, char *text, size_t room);

#endif
