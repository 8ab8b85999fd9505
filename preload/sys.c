/* sys.c - system calls of our own: memory, clock, randomness. */
#include "preload/sys.h"

#include <sys/mman.h>
#include <time.h>

void *sys_map(size_t size)
{
	long at = sys_call6(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at < 0 && at > -4096 ? NULL : (void *)at;
}

void sys_unmap(void *at, size_t size)
{
	if (at)
		sys_call3(SYS_munmap, (long)at, (long)size, 0);
}

uint64_t sys_now_ns(void)
{
	struct timespec now;

	/* CLOCK_MONOTONIC can't fail, so errno stays as it was. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t sys_thread_cpu_ns(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int sys_random(void *out, size_t size)
{
	long n = sys_call3(SYS_getrandom, (long)out, (long)size, 1 /* GRND_NONBLOCK */);

	return n == (long)size ? 0 : -1;
}
