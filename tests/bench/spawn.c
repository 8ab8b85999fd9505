/* spawn.c - the time to start and end a program, with one environment and with another, in turns.
 */

/*
 * spawn ROUNDS LIBRARY PROGRAM: prints the medians in nanoseconds, "bare traced", of posix_spawn to
 * the end of PROGRAM, without and with LD_PRELOAD=LIBRARY.
 */

#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t start_once(char *program, char **environment)
{
	char *arguments[] = {program, NULL};
	uint64_t start = now_ns();
	pid_t pid;
	int status;

	if (posix_spawn(&pid, program, NULL, NULL, arguments, environment) ||
	    waitpid(pid, &status, 0) < 0 || status != 0) {
		fprintf(stderr, "spawn: %s failed\n", program);
		exit(1);
	}
	return now_ns() - start;
}

static int by_value(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

	return one < other ? -1 : one > other;
}

int main(int argc, char **argv)
{
	int rounds = argc == 4 ? atoi(argv[1]) : 0;
	uint64_t *times;
	char preload[4096];
	char *bare[] = {NULL}, *traced[] = {preload, NULL};
	char **environments[] = {bare, traced};

	if (rounds < 1)
		return 2;
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", argv[2]);
	times = calloc((size_t)rounds * 2, sizeof(*times));
	if (!times)
		return 1;
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < 2; i++)
			times[(size_t)i * (size_t)rounds + (size_t)round] =
				start_once(argv[3], environments[i]);
	for (int i = 0; i < 2; i++) {
		uint64_t *of_one = times + (size_t)i * (size_t)rounds;

		qsort(of_one, (size_t)rounds, sizeof(*of_one), by_value);
		printf("%llu ", (unsigned long long)of_one[rounds / 2]);
	}
	free(times);
	printf("\n");
	return 0;
}
