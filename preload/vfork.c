/* vfork.c - vfork, whose child returns through the parent's frame and so needs a wrapper without
 * one. */
#include "preload/hook.h"

#include <errno.h>

#include "preload/environment.h"

#if defined(__x86_64__)

/*
 * Until the child execs or exits it shares our memory and this thread's TLS while the parent
 * sleeps: a flag there keeps the child's hooks from changing the parent's tables, and the parent
 * clears it.
 */
__attribute__((visibility("hidden"), used)) void vfork_begins(void);
__attribute__((visibility("hidden"), used)) long vfork_ended(long result);

void vfork_begins(void)
{
	thread_self.in_vfork = 1;
}

long vfork_ended(long result)
{
	thread_self.in_vfork = 0;
	environment_release(&thread_self);
	if (result < 0) {
		errno = (int)-result;
		return -1;
	}
	return result;
}

/*
 * The return address is kept in a register across the system call, for the child's later calls
 * overwrite the stack below the frame of vfork's caller. rdi is not changed by the call, so each
 * process has its own copy.
 */
__asm__(".text\n"
	".globl vfork\n"
	".type vfork, @function\n"
	"vfork:\n"
	"	.cfi_startproc\n"
	"	subq $8, %rsp\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	call vfork_begins\n"
	"	addq $8, %rsp\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	popq %rdi\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"	.cfi_register %rip, %rdi\n"
	"	movl $58, %eax\n" /* SYS_vfork */
	"	syscall\n"
	"	pushq %rdi\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	.cfi_rel_offset %rip, 0\n"
	"	testq %rax, %rax\n"
	"	jz 1f\n"
	"	subq $8, %rsp\n"
	"	.cfi_adjust_cfa_offset 8\n"
	"	movq %rax, %rdi\n"
	"	call vfork_ended\n"
	"	addq $8, %rsp\n"
	"	.cfi_adjust_cfa_offset -8\n"
	"1:	ret\n"
	"	.cfi_endproc\n"
	".size vfork, .-vfork\n");

#else

/* A fork is a correct vfork, if a slower one. */
__attribute__((visibility("default"))) pid_t vfork(void)
{
	return hooks_off() ? real_fork() : around_fork();
}

#endif
