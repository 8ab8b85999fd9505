/* unwind.h - the stack of a thread that waits in a call, walked from outside. */
#ifndef TAGALONG_UNWIND_H
#define TAGALONG_UNWIND_H

#include <stddef.h>
#include <stdint.h>

#define UNWIND_FRAMES      64
#define UNWIND_OBJECT_ROOM 256

struct unwind_frame {
	char object[UNWIND_OBJECT_ROOM]; /* path as the process sees it, "" for generated code */
	uint64_t address; /* within the object as linked (generated code: absolute); of the call
			     itself, not of the return */
};

/*
 * Walks the stack from the eight registers of struct inflight_wait. The process is neither stopped
 * nor touched: process_vm_readv(2) reads its stack and the unwind tables that it has mapped. None
 * of that is trusted, and the work is bounded; a stack that moves on meanwhile gives nonsense, so
 * the caller compares since_ns before and after. Returns the number of frames, innermost first, or
 * -errno: -EPERM without permission (as ptrace(2) has it), -ESRCH if the process is gone, -ENOSYS
 * on other architectures than x86-64. One thread.
 */
int unwind_process(uint32_t pid, const uint64_t registers[8], struct unwind_frame *frames,
		   size_t room);

/*
 * The same for addresses that somebody else walked, innermost first and all but the first of them
 * return addresses. Ends at the first that is in no code. The number of frames, or -errno.
 */
int unwind_locate(uint32_t pid, const uint64_t *addresses, size_t count,
		  struct unwind_frame *frames);

/* A part of a stack as it was: `size` bytes, up to UINT64_MAX - `base`. Read, never copied. */
struct unwind_copy {
	uint64_t base;
	size_t size;
	const void *bytes;
};

/*
 * The same of a call that is over: the stack is the copy's, and ends with it. The unwind tables are
 * the process's, or, if its memory may not be read (then there is no -EPERM), its files'. What
 * changes in the copy meanwhile does no harm.
 */
int unwind_copy(uint32_t pid, const uint64_t registers[8], const struct unwind_copy *copy,
		struct unwind_frame *frames, size_t room);

#endif
