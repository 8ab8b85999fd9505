/* ebpf_load.c - does known things a known number of times, for the probes to find. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096

static double seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void pause_ms(int ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000L};

	nanosleep(&time, NULL);
}

static void call(int times)
{
	for (int i = 0; i < times; i++)
		syscall(SYS_getppid);
}

/* CALLS FAILURES SLEEPS: that many getppid, stat of what is not there, and sleeps of 2 ms. */
static int calls(char **argv)
{
	struct stat status;

	call(atoi(argv[0]));
	for (int i = 0; i < atoi(argv[1]); i++)
		stat("/nonexistent", &status);
	for (int i = 0; i < atoi(argv[2]); i++)
		pause_ms(2);
	return 0;
}

/* CALLS FAILURES SLEEPS after a line of input. */
static int calls_when_told(char **argv)
{
	char byte;

	return read(STDIN_FILENO, &byte, 1) == 1 ? calls(argv) : 1;
}

/* What the kernel says that this thread has waited for a CPU. */
static double run_delay(void)
{
	FILE *file = fopen("/proc/thread-self/schedstat", "re");
	unsigned long long ran, waited = 0;

	if (!file || fscanf(file, "%llu %llu", &ran, &waited) != 2)
		waited = 0;
	if (file)
		fclose(file);
	return (double)waited / 1e9;
}

/* MS: keeps the CPU busy so long by the clock; says how much of it it had, and waited for it. */
static int spin(char **argv)
{
	double begun = seconds(CLOCK_MONOTONIC), end = begun + atoi(argv[0]) / 1000.0;

	while (seconds(CLOCK_MONOTONIC) < end)
		;
	printf("%.6f %.6f %.6f\n", seconds(CLOCK_MONOTONIC) - begun,
	       seconds(CLOCK_PROCESS_CPUTIME_ID), run_delay());
	return 0;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t both;
static int rounds, hold_ms;

static void *hold(void *unused)
{
	(void)unused;
	for (int i = 0; i < rounds; i++) {
		pthread_mutex_lock(&lock);
		pthread_barrier_wait(&both);
		pause_ms(hold_ms);
		pthread_mutex_unlock(&lock);
		pthread_barrier_wait(&both);
	}
	return NULL;
}

/* MS TIMES: waits for a mutex that another thread holds for so long. */
static int contend(char **argv)
{
	pthread_t thread;

	hold_ms = atoi(argv[0]);
	rounds = atoi(argv[1]);
	pthread_barrier_init(&both, NULL, 2);
	if (pthread_create(&thread, NULL, hold, NULL) != 0)
		return 1;
	for (int i = 0; i < rounds; i++) {
		pthread_barrier_wait(&both);
		pthread_mutex_lock(&lock);
		pthread_mutex_unlock(&lock);
		pthread_barrier_wait(&both);
	}
	return pthread_join(thread, NULL);
}

/* FILE TIMES FLAGS: reads so many blocks of it. */
static int read_file(char **argv)
{
	void *block = aligned_alloc(BLOCK, BLOCK);
	int fd = open(argv[0], O_RDONLY | (strcmp(argv[2], "direct") == 0 ? O_DIRECT : 0));

	for (int i = 0; fd >= 0 && i < atoi(argv[1]); i++)
		if (pread(fd, block, BLOCK, (off_t)i * BLOCK) != BLOCK)
			return 1;
	free(block);
	return fd < 0;
}

/* FILE TIMES: touches so many pages of it, far from each other. */
static int touch(char **argv)
{
	int fd = open(argv[0], O_RDONLY), pages = atoi(argv[1]);
	size_t size = (size_t)pages * 64 * BLOCK;
	volatile const char *at = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	close(fd);
	if (at == MAP_FAILED || madvise((void *)at, size, MADV_RANDOM) != 0)
		return 1;
	for (int i = 0; i < pages; i++)
		(void)at[(size_t)i * 64 * BLOCK];
	return 0;
}

static void *call_once(void *unused)
{
	(void)unused;
	call(1);
	return NULL;
}

/* TIMES: starts so many threads, one after the other, that call once each. */
static int threads(char **argv)
{
	for (int i = 0; i < atoi(argv[0]); i++) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, call_once, NULL) != 0)
			return 1;
		pthread_join(thread, NULL);
	}
	return 0;
}

/* PROCESSES CALLS: forks so many that call so often. */
static int forks(char **argv)
{
	for (int i = 0; i < atoi(argv[0]); i++) {
		pid_t pid = fork();
		if (pid == 0) {
			call(atoi(argv[1]));
			_exit(0);
		}
		if (waitpid(pid, NULL, 0) != pid)
			return 1;
	}
	return 0;
}

static char **exec_argv;

static void *exec_from_here(void *unused)
{
	(void)unused;
	call(5);
	execv("/proc/self/exe", exec_argv);
	return NULL;
}

/* A thread, not the first, replaces the program by "calls 7 0 0". */
static int exec_in_thread(char **argv)
{
	static char name[] = "replaced", mode[] = "calls", seven[] = "7", none[] = "0";
	static char *next[] = {name, mode, seven, none, none, NULL};
	pthread_t thread;

	(void)argv;
	call(3);
	exec_argv = next;
	if (pthread_create(&thread, NULL, exec_from_here, NULL) != 0)
		return 1;
	pthread_join(thread, NULL);
	return 1;
}

static int call_with_pid(pid_t pid, int times)
{
	FILE *last = fopen("/proc/sys/kernel/ns_last_pid", "we");

	if (pid && (!last || fprintf(last, "%d", pid - 1) < 0))
		return -1;
	if (last)
		fclose(last);
	pid_t child = fork();
	if (child == 0) {
		call(times);
		_exit(0);
	}
	pause_ms(5);
	waitpid(child, NULL, 0);
	return child;
}

/* Two children, one after the other, that have the same number; it is printed. */
static int reuse_pid(char **argv)
{
	int first = call_with_pid(0, 10);

	(void)argv;
	for (int tries = 0; tries < 20; tries++) {
		int second = call_with_pid(first, 20);
		if (second < 0)
			return 1;
		if (second == first) {
			printf("%d\n", first);
			return 0;
		}
	}
	return 1;
}

/* Named, so that a stack can be told by them. */
__attribute__((noinline)) static void inner_wait(int ms)
{
	pause_ms(ms);
	__asm__ volatile("");
}

__attribute__((noinline)) static void outer_wait(int ms)
{
	inner_wait(ms);
	__asm__ volatile("");
}

/* How often the kernel says that the program has left the CPU to wait. */
static long waits(void)
{
	struct rusage usage = {0};

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw;
}

/* MS TIMES: says how many of these sleeps were waits to the kernel. */
static int sleep_deep(char **argv)
{
	long before = waits();

	for (int i = 0; i < atoi(argv[1]); i++)
		outer_wait(atoi(argv[0]));
	printf("%ld\n", waits() - before);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(char **argv);
} modes[] = {
	{"calls", calls},      {"calls_when_told", calls_when_told},
	{"spin", spin},        {"contend", contend},
	{"read", read_file},   {"touch", touch},
	{"threads", threads},  {"forks", forks},
	{"reuse", reuse_pid},  {"exec", exec_in_thread},
	{"sleep", sleep_deep},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			return modes[i].run(argv + 2);
	return 2;
}
