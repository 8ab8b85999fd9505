/* stack_words.c - a program whose stack must not be written to by the functions that it calls. */

/*
 * Calls syscall() with the stack pointer at the end of the memory that can be written, as if what
 * stands above were a variable that another thread writes to meanwhile. Prints the results of a
 * call with every number of words.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096

#if defined(__x86_64__)
/* Of up to six words after the number; the sixth stands on the stack that is called on. */
long call_on(void *stack, const long words[6]);
__asm__(".text\n"
	"call_on:\n"
	"	pushq %rbp\n"
	"	movq %rsp, %rbp\n"
	"	movq %rdi, %rsp\n"
	"	movq %rsi, %rax\n"
	"	movq (%rax), %rdi\n"
	"	movq 8(%rax), %rsi\n"
	"	movq 16(%rax), %rdx\n"
	"	movq 24(%rax), %rcx\n"
	"	movq 32(%rax), %r8\n"
	"	movq 40(%rax), %r9\n"
	"	call syscall@PLT\n"
	"	movq %rbp, %rsp\n"
	"	popq %rbp\n"
	"	ret\n");
#else
/* All words are in registers there. */
static long call_on(void *stack, const long words[6])
{
	(void)stack;
	return syscall(words[0], words[1], words[2], words[3], words[4], words[5], 0l);
}
#endif

int main(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	/* cppcheck-suppress invalidFunctionArg ; no file */
	char *stack = mmap(NULL, 64 * (size_t)PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
	int fd = open("/dev/null", O_RDONLY);
	/* What the sixth word of mmap is on this stack: its offset, 0. */
	const long map[6] = {SYS_mmap, 0, PAGE, PROT_READ, flags, -1};
	const long parent[6] = {SYS_getppid};
	const long end[6] = {SYS_close, fd};
	char *top = stack + 63 * (size_t)PAGE;

	if (stack == MAP_FAILED || fd < 0 || mprotect(top, PAGE, PROT_READ) != 0)
		return 2;
	printf("%d", call_on(top, parent) == getppid());
	printf(" %d", call_on(top, map) > 0);
	printf(" %ld", call_on(top, end));
	errno = 0;
	printf(" %ld", call_on(top, end));
	printf(" %d\n", errno == EBADF);
	/* cppcheck-suppress resourceLeak ; call_on has closed it */
	return 0;
}
