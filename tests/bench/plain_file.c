/* plain_file.c - the time of a read and of a write of a file that is no socket. */

/* plain_file CALLS: prints nanoseconds "read write" per call, each the fastest of 20 equal parts.
 */

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define PARTS 20

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double fastest(const char *path, int writes, long calls)
{
	int fd = open(path, writes ? O_WRONLY : O_RDONLY);
	long each = calls / PARTS;
	char byte = 0;
	uint64_t best = UINT64_MAX;

	if (fd < 0)
		exit(2);
	for (int part = 0; part < PARTS; part++) {
		uint64_t start = now_ns(), took;

		for (long i = 0; i < each; i++)
			if ((writes ? write(fd, &byte, 1) : read(fd, &byte, 1)) != 1)
				exit(1);
		took = now_ns() - start;
		best = took < best ? took : best;
	}
	close(fd);
	return (double)best / (double)each;
}

int main(int argc, char **argv)
{
	long calls = argc == 2 ? atol(argv[1]) : 0;

	if (calls < PARTS)
		return 2;
	printf("%.2f %.2f\n", fastest("/dev/zero", 0, calls), fastest("/dev/null", 1, calls));
	return 0;
}
