/* registers.h - the registers of a hook that may wait, for an unwinder in another process. */
#ifndef TAGALONG_REGISTERS_H
#define TAGALONG_REGISTERS_H

#include <stdint.h>

/*
 * Notes rip, rsp, rbp, rbx, r12, r13, r14 and r15, in this order, as they are at the place of the
 * call, which is always inlined: the program counter lies in the function that calls this. With
 * that and the library's unwind tables, the stack can be walked from outside for as long as the
 * function has not returned. So it must be called by a function that
 * - makes the real call itself, or calls what makes it, and
 * - has something left to do afterwards (such as clearing since_ns): a tail call gives its frame
 * up.
 *
 * Returns 1; on architectures other than x86-64 it notes nothing and returns 0.
 * Async-signal-safe; reads and writes nothing but the eight words.
 */
#if defined(__x86_64__)
static inline __attribute__((always_inline)) int registers_note(uint64_t to[8])
{
	/*
	 * The address of the second instruction: what the unwind tables say at the first one holds
	 * at each in here. rax alone is changed, which is nobody's to keep.
	 */
	__asm__ volatile("leaq 0(%%rip), %%rax\n\t"
			 "movq %%rax, 0(%[to])\n\t"
			 "movq %%rsp, 8(%[to])\n\t"
			 "movq %%rbp, 16(%[to])\n\t"
			 "movq %%rbx, 24(%[to])\n\t"
			 "movq %%r12, 32(%[to])\n\t"
			 "movq %%r13, 40(%[to])\n\t"
			 "movq %%r14, 48(%[to])\n\t"
			 "movq %%r15, 56(%[to])"
			 : "=m"(*(uint64_t(*)[8])to)
			 : [to] "r"(to)
			 : "rax");
	return 1;
}
#else
static inline int registers_note(uint64_t to[8])
{
	(void)to;
	return 0;
}
#endif

#endif
