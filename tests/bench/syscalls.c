/* syscalls.c - what a system call costs: CALLS times getppid after a line of input; prints ns. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
	long calls = argc > 1 ? atol(argv[1]) : 1000000;
	char byte;

	if (read(STDIN_FILENO, &byte, 1) != 1)
		return 1;
	double begun = now_ns();
	for (long i = 0; i < calls; i++)
		syscall(SYS_getppid);
	printf("%.2f\n", (now_ns() - begun) / (double)calls);
	return 0;
}
