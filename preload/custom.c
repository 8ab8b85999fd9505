/* custom.c - the hooks that a row can't express: variadic ones, and those that ask who calls. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <unistd.h>

#include "preload/hook.h"
#include "preload/python.h"
#include "preload/sys.h"

#define EXPORT __attribute__((visibility("default")))

static int call_fcntl(int (**real)(int, int, ...), const char *name, int fd, int command,
		      void *argument)
{
	struct thread *self;
	int result;

	if (!*real)
		*real = (int (*)(int, int, ...))hook_find(name);
	if (!*real) {
		errno = ENOSYS;
		return -1;
	}
	/* Every command takes at most one word, passed the same way whatever its type. */
	result = (*real)(fd, command, argument);
	if (result >= 0 && (command == F_DUPFD || command == F_DUPFD_CLOEXEC) && !hooks_off() &&
	    (self = thread_enter())) {
		fd_share(fd, result);
		thread_leave(self);
	}
	return result;
}

EXPORT int fcntl(int fd, int command, ...)
{
	static int (*real)(int, int, ...);
	va_list list;
	void *argument;

	va_start(list, command);
	argument = va_arg(list, void *);
	va_end(list);
	return call_fcntl(&real, "fcntl", fd, command, argument);
}

EXPORT int fcntl64(int fd, int command, ...)
{
	static int (*real)(int, int, ...);
	va_list list;
	void *argument;

	va_start(list, command);
	argument = va_arg(list, void *);
	va_end(list);
	return call_fcntl(&real, "fcntl64", fd, command, argument);
}

typedef long (*syscall_function)(long, ...);

static long syscall_absent(long number, ...)
{
	(void)number;
	errno = ENOSYS;
	return -1;
}

/*
 * libuv, so Node.js, closes its descriptors by it. The caller has passed as many words as the call
 * takes, so what stands where the others would is its own, and another thread may be writing there:
 * it is handed to the real one by a jump, without a frame of ours, and never touched.
 */
__attribute__((used)) static syscall_function syscall_begins(long number, long a)
{
	static syscall_function real;

	if (!real) {
		int before = errno;
		void *found = hook_find("syscall");

		real = found ? (syscall_function)found : syscall_absent;
		errno = before;
	}
	if (number == SYS_close && !fd_ignored((int)a))
		before_close((int)a);
	return real;
}

#if defined(__x86_64__)
__asm__(".pushsection .text\n"
	".p2align 4\n"
	".globl syscall\n"
	".type syscall, @function\n"
	"syscall:\n"
	"	.cfi_startproc\n"
	"	endbr64\n"
	"	pushq %rdi\n"
	"	pushq %rsi\n"
	"	pushq %rdx\n"
	"	pushq %rcx\n"
	"	pushq %r8\n"
	"	pushq %r9\n"
	"	subq $8, %rsp\n"
	"	.cfi_adjust_cfa_offset 56\n"
	"	call syscall_begins\n"
	"	addq $8, %rsp\n"
	"	popq %r9\n"
	"	popq %r8\n"
	"	popq %rcx\n"
	"	popq %rdx\n"
	"	popq %rsi\n"
	"	popq %rdi\n"
	"	.cfi_adjust_cfa_offset -56\n"
	"	jmpq *%rax\n"
	"	.cfi_endproc\n"
	".size syscall, .-syscall\n"
	".popsection\n");
#else
/* All its words are in registers. */
EXPORT long custom_syscall(long number, long a, long b, long c, long d, long e,
			   long f) __asm__("syscall");
EXPORT long custom_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	return syscall_begins(number, a)(number, a, b, c, d, e, f);
}
#endif

/*
 * The arguments of an execl call as an array; `list` stands behind the first
 * and is moved behind the NULL. Returns NULL if there is no memory.
 */
static char **collect(const char *first, va_list *list, size_t *size)
{
	size_t count = 0;
	const char *argument = first;
	char **array;
	va_list again;

	va_copy(again, *list);
	while (argument) {
		count++;
		argument = va_arg(again, const char *);
	}
	va_end(again);
	*size = (count + 1) * sizeof(char *);
	array = sys_map(*size);
	argument = first;
	for (size_t i = 0; array && i < count; i++) {
		array[i] = (char *)argument;
		argument = va_arg(*list, const char *);
	}
	return array;
}

/*
 * An exec of collected arguments; it returns only if it failed. In a vfork child that succeeds, the
 * array stays behind in the parent: a page per such call, which the C library itself avoids by
 * using the stack; this is the price of not growing the host's stack by an unbounded amount.
 */
static int exec_collected(const char *path, char **argv, size_t size, char *const *envp,
			  int in_path)
{
	int result;

	if (!argv) {
		errno = ENOMEM;
		return -1;
	}
	if (hooks_off())
		result = in_path ? real_execvpe(path, argv, envp) : real_execve(path, argv, envp);
	else
		result = in_path ? around_execvpe(path, argv, envp)
				 : around_execve(path, argv, envp);
	sys_unmap(argv, size);
	return result;
}

enum exec_kind { EXEC_PATH, EXEC_SEARCHED, EXEC_WITH_ENVIRONMENT };

static int exec_listed(const char *path, const char *first, va_list *list, enum exec_kind kind)
{
	size_t size;
	char **argv = collect(first, list, &size);
	char *const *envp = environ;

	/* Without memory for the arguments, the list still stands in front of them. */
	if (argv && kind == EXEC_WITH_ENVIRONMENT)
		envp = va_arg(*list, char *const *);
	return exec_collected(path, argv, size, envp, kind == EXEC_SEARCHED);
}

EXPORT int execl(const char *path, const char *arg, ...)
{
	va_list list;
	int result;

	va_start(list, arg);
	result = exec_listed(path, arg, &list, EXEC_PATH);
	va_end(list);
	return result;
}

EXPORT int execlp(const char *file, const char *arg, ...)
{
	va_list list;
	int result;

	va_start(list, arg);
	result = exec_listed(file, arg, &list, EXEC_SEARCHED);
	va_end(list);
	return result;
}

EXPORT int execle(const char *path, const char *arg, ...)
{
	va_list list;
	int result;

	va_start(list, arg);
	result = exec_listed(path, arg, &list, EXEC_WITH_ENVIRONMENT);
	va_end(list);
	return result;
}

static int loop_made(int descriptor, const void *caller)
{
	int error = errno;

	if (descriptor >= 0 && !hooks_off())
		python_loop_made(caller);
	errno = error;
	return descriptor;
}

EXPORT int epoll_create(int size)
{
	static int (*real)(int);

	if (!real)
		real = (int (*)(int))hook_find("epoll_create");
	if (!real) {
		errno = ENOSYS;
		return -1;
	}
	return loop_made(real(size), __builtin_return_address(0));
}

EXPORT int epoll_create1(int flags)
{
	static int (*real)(int);

	if (!real)
		real = (int (*)(int))hook_find("epoll_create1");
	if (!real) {
		errno = ENOSYS;
		return -1;
	}
	return loop_made(real(flags), __builtin_return_address(0));
}
