/* sys.h - system calls of our own: they touch neither errno nor a function that we interpose. */
#ifndef TAGALONG_SYS_H
#define TAGALONG_SYS_H

/*
 * Each returns what the kernel returns: a result, or -errno. None is a cancellation point, so our
 * code can't be cancelled half-way. Any thread, async-signal-safe.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#if defined(__x86_64__)

static inline long sys_call6(long n, long a, long b, long c, long d, long e, long f)
{
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

#elif defined(__aarch64__)

static inline long sys_call6(long n, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = n;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

#else
#error "tagalong knows x86-64 and aarch64"
#endif

static inline long sys_call3(long n, long a, long b, long c)
{
	return sys_call6(n, a, b, c, 0, 0, 0);
}

/* Anonymous private zeroed memory, reserved lazily; NULL if there is none. */
void *sys_map(size_t size);
void sys_unmap(void *at, size_t size);

/* CLOCK_MONOTONIC in nanoseconds, through the vDSO. */
uint64_t sys_now_ns(void);

/* CPU time of the calling thread in nanoseconds. */
uint64_t sys_thread_cpu_ns(void);

/* Fills `size` random bytes from the kernel; 0 or -errno. */
int sys_random(void *out, size_t size);

#endif
