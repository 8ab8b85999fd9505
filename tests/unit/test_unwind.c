/* test_unwind.c - the stack of another process that waits, walked from the registers it noted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exporter/process.h"
#include "exporter/stack.h"
#include "exporter/unwind.h"
#include "preload/registers.h"

#define APART __attribute__((noipa))

static struct inflight_wait *shared; /* as in a segment */
static int ready[2];
static int waited_for; /* a pipe that nobody writes to */

/* As a hook: notes its registers, makes the call, and clears. */
static APART ssize_t hooked_read(int fd, void *to, size_t size)
{
	ssize_t result;

	registers_note(shared->registers);
	atomic_store(&shared->since_ns, 7);
	(void)!write(ready[1], "", 1);
	result = read(fd, to, size);
	atomic_store(&shared->since_ns, 0);
	return result;
}

/* Called back by libc, in the middle of the stack; keeps all it can in registers. */
static APART int compare_slowly(const void *left, const void *right)
{
	int a = *(const int *)left, b = *(const int *)right, c = a ^ b, d = a + b, e = a * b;
	char byte;

	shared->thread_id = __LINE__ + 1; /* for the test to know */
	hooked_read(waited_for, &byte, 1);
	return a - b + (c * d * e == 12345);
}

/* Its frame is of a size that is known at run time only: rbp is the frame pointer. */
static APART int sort_measured(int count)
{
	int *numbers = __builtin_alloca((size_t)count * sizeof(int));

	for (int i = 0; i < count; i++)
		numbers[i] = count - i;
	qsort(numbers, (size_t)count, sizeof(int), compare_slowly);
	return numbers[0];
}

static APART int query_orders(int count)
{
	return sort_measured(count) + 1;
}

static APART int handle_request(int count)
{
	return query_orders(count) * 3;
}

static pid_t start_waiting(void)
{
	pid_t child = fork();
	char byte;

	assert_true(child >= 0);
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(handle_request(5) & 1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	return child;
}

static void stop(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static int set_up(void **state)
{
	int never[2];

	/* cppcheck-suppress invalidFunctionArg ; no file */
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || pipe(ready) != 0 || pipe(never) != 0)
		return -1;
	waited_for = never[0];
	(void)state;
	return 0;
}

static int find_function(const struct symbol_process *process, const struct unwind_frame *frames,
			 int count, const char *function)
{
	struct object_place place;

	for (int i = 0; i < count; i++)
		if (symbol_find(process, frames[i].object, frames[i].address, &place) &&
		    strcmp(place.function, function) == 0)
			return i;
	return -1;
}

static struct symbol_process identity_of(pid_t child)
{
	struct symbol_process process = {.pid = (uint32_t)child};

	process.start_ticks = process_start_ticks(process.pid);
	return process;
}

static void every_frame_is_found_through_a_shared_object(void **state)
{
	/* The first one was inlined into hooked_read. */
	static const char *const expected[] = {"registers_note", "compare_slowly", "sort_measured",
					       "query_orders",   "handle_request", "start_waiting"};
	struct unwind_frame frames[UNWIND_FRAMES];
	pid_t child = start_waiting();
	struct symbol_process process = identity_of(child);
	int count = unwind_process(process.pid, shared->registers, frames, UNWIND_FRAMES);
	int before = -1, others = 0;

	(void)state;
	assert_true(count > 6);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		int at = find_function(&process, frames, count, expected[i]);

		assert_true(at > before);
		before = at;
	}
	assert_int_equal(find_function(&process, frames, count, "registers_note"), 0);
	assert_int_equal(find_function(&process, frames, count, "compare_slowly"), 1);
	/* The C library's qsort stands between the two of ours, and nothing else. */
	for (int i = 2; i < find_function(&process, frames, count, "sort_measured"); i++)
		others += strcmp(frames[i].object, frames[0].object) != 0;
	assert_true(others >= 1);
	assert_int_equal(others, find_function(&process, frames, count, "sort_measured") - 2);
	assert_true(find_function(&process, frames, count, "main") > before);
	stop(child);
}

static void the_text_names_the_line_of_each_call(void **state)
{
	pid_t child = start_waiting();
	struct symbol_process process = identity_of(child);
	char text[STACK_TEXT_ROOM], *compare;
	int line = 0;

	(void)state;
	assert_true(stack_of_wait(&process, shared, 7, text, sizeof(text)) > 6);
	assert_memory_equal(text, "    at registers_note (", 23);
	compare = strstr(text, "\n    at compare_slowly (");
	assert_non_null(compare);
	compare = strstr(compare, "test_unwind.c:");
	assert_non_null(compare);
	sscanf(compare, "test_unwind.c:%d)\n", &line);
	assert_int_equal(line, shared->thread_id);
	assert_int_equal(text[strlen(text) - 1], '\n');
	/* No room: whole lines, or none. */
	assert_int_equal(stack_of_wait(&process, shared, 7, text, 8), 0);
	assert_string_equal(text, "");
	stop(child);
}

static void a_call_that_returned_meanwhile_has_no_stack(void **state)
{
	pid_t child = start_waiting();
	struct symbol_process process = identity_of(child);
	char text[STACK_TEXT_ROOM];

	(void)state;
	assert_int_equal(stack_of_wait(&process, shared, 8, text, sizeof(text)), -EAGAIN);
	stop(child);
	assert_int_equal(stack_of_wait(&process, shared, 7, text, sizeof(text)), -ESRCH);
}

static void registers_of_nowhere_give_few_frames(void **state)
{
	struct unwind_frame frames[UNWIND_FRAMES];
	pid_t child = start_waiting();
	uint64_t registers[8];

	(void)state;
	memcpy(registers, shared->registers, sizeof(registers));
	registers[0] = 0x1234;
	assert_int_equal(unwind_process((uint32_t)child, registers, frames, UNWIND_FRAMES), 0);
	memcpy(registers, shared->registers, sizeof(registers));
	registers[1] = 8;
	assert_int_equal(unwind_process((uint32_t)child, registers, frames, UNWIND_FRAMES),
			 -EFAULT);
	/* No more than what is asked for. */
	assert_int_equal(unwind_process((uint32_t)child, shared->registers, frames, 3), 3);
	stop(child);
}

static void without_permission_it_says_so(void **state)
{
	struct unwind_frame frames[UNWIND_FRAMES];
	pid_t child, stranger;
	int status;

	(void)state;
	if (geteuid() != 0) {
		print_message("only root can become somebody without permission\n");
		skip();
	}
	child = start_waiting();
	stranger = fork();
	if (stranger == 0) {
		int result = setgid(65534) != 0 || setuid(65534) != 0;

		if (result == 0)
			result = unwind_process((uint32_t)child, shared->registers, frames,
						UNWIND_FRAMES);
		_exit(result == -EPERM ? 42 : 1);
	}
	assert_int_equal(waitpid(stranger, &status, 0), stranger);
	assert_int_equal(WEXITSTATUS(status), 42);
	stop(child);
}

/* ---- copies of a stack -------------------------------------------------------------------- */

static void copy_stack(pid_t child, struct unwind_copy *copy)
{
	static uint8_t bytes[8192];
	struct iovec to = {bytes, sizeof(bytes)};
	struct iovec from = {(void *)shared->registers[1], sizeof(bytes)};
	ssize_t size = process_vm_readv(child, &to, 1, &from, 1, 0);

	assert_true(size > 1024);
	copy->base = shared->registers[1];
	copy->size = (size_t)size;
	copy->bytes = bytes;
}

static void a_copy_of_the_stack_gives_what_is_in_it_and_no_more(void **state)
{
	static struct unwind_frame live[UNWIND_FRAMES], frames[UNWIND_FRAMES];
	pid_t child = start_waiting();
	struct unwind_copy copy;
	int count, all;

	(void)state;
	copy_stack(child, &copy);
	all = unwind_process((uint32_t)child, shared->registers, live, UNWIND_FRAMES);
	count = unwind_copy((uint32_t)child, shared->registers, &copy, frames, UNWIND_FRAMES);
	assert_in_range(count, 7, all);
	assert_memory_equal(frames, live, (size_t)count * sizeof(frames[0]));
	/* The stack is still there beyond the copy, but is not looked at. */
	copy.size = 256;
	all = unwind_copy((uint32_t)child, shared->registers, &copy, frames, UNWIND_FRAMES);
	assert_in_range(all, 1, count - 1);
	copy.size = 0;
	assert_int_equal(
		unwind_copy((uint32_t)child, shared->registers, &copy, frames, UNWIND_FRAMES), 1);
	stop(child);
	assert_int_equal(
		unwind_copy((uint32_t)child, shared->registers, &copy, frames, UNWIND_FRAMES),
		-ESRCH);
}

/* As Yama does to one who is not the parent: the maps may be read, the memory may not. */
static int refuse_memory(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void a_copy_is_walked_by_the_files_where_the_memory_is_refused(void **state)
{
	static struct unwind_frame live[UNWIND_FRAMES], frames[UNWIND_FRAMES];
	pid_t child = start_waiting(), restricted;
	struct unwind_copy copy;
	int count, status;

	(void)state;
	copy_stack(child, &copy);
	count = unwind_copy((uint32_t)child, shared->registers, &copy, live, UNWIND_FRAMES);
	assert_true(count >= 7);
	restricted = fork();
	if (restricted == 0) {
		if (refuse_memory() || unwind_process((uint32_t)child, shared->registers, frames,
						      UNWIND_FRAMES) != -EPERM)
			_exit(1);
		if (unwind_copy((uint32_t)child, shared->registers, &copy, frames, UNWIND_FRAMES) !=
		    count)
			_exit(2);
		_exit(memcmp(frames, live, (size_t)count * sizeof(frames[0])) ? 3 : 42);
	}
	assert_int_equal(waitpid(restricted, &status, 0), restricted);
	assert_int_equal(WEXITSTATUS(status), 42);
	stop(child);
}

/* This program's file in memory once more, with one byte in `every` of all after `from` changed. */
static uint8_t *map_damaged(size_t *size, size_t every, uint32_t *random)
{
	char path[] = "/tmp/tagalong-unwind-XXXXXX";
	int from = open("/proc/self/exe", O_RDONLY), to = mkstemp(path);
	struct stat status;
	uint8_t *bytes, *mapped;

	assert_true(from >= 0 && to >= 0);
	unlink(path);
	assert_int_equal(fstat(from, &status), 0);
	*size = (size_t)status.st_size;
	bytes = malloc(*size);
	assert_non_null(bytes);
	assert_int_equal(pread(from, bytes, *size, 0), *size);
	for (size_t i = 0; every && i < *size / every; i++) {
		*random = *random * 1664525 + 1013904223;
		bytes[4096 + (*random >> 4) % (*size - 4096)] = (uint8_t)(*random >> 24);
	}
	assert_int_equal(write(to, bytes, *size), *size);
	free(bytes);
	mapped = mmap(NULL, *size, PROT_READ | PROT_EXEC, MAP_PRIVATE, to, 0);
	assert_ptr_not_equal(mapped, MAP_FAILED);
	close(from);
	close(to);
	return mapped;
}

static void damaged_unwind_tables_do_no_harm(void **state)
{
	struct unwind_frame frames[UNWIND_FRAMES];
	static uint64_t stack[4096];
	uint32_t random = 99;
	size_t size;
	int walked = 0;

	(void)state;
	/* Text and tables are linked where they stand in the file, so one mapping of all serves. */
	for (int round = 0; round < 60; round++) {
		uint8_t *at = map_damaged(&size, round == 0 ? 0 : 8u << (round % 8), &random);

		for (int i = 0; i < 4096; i++)
			stack[i] = (uint64_t)at + 0x1000 + (random + i * 2654435761u) % 0x20000;
		for (uint64_t step = 0; step < 64; step++) {
			uint64_t registers[8] = {(uint64_t)at + 0x2000 + step * 517,
						 (uint64_t)stack};
			int count;

			registers[2] = (uint64_t)(stack + step);
			count = unwind_process((uint32_t)getpid(), registers, frames,
					       UNWIND_FRAMES);
			assert_in_range(count, 0, UNWIND_FRAMES);
			walked += count > 1;
		}
		munmap(at, size);
	}
	assert_true(walked > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_frame_is_found_through_a_shared_object),
		cmocka_unit_test(the_text_names_the_line_of_each_call),
		cmocka_unit_test(a_call_that_returned_meanwhile_has_no_stack),
		cmocka_unit_test(registers_of_nowhere_give_few_frames),
		cmocka_unit_test(without_permission_it_says_so),
		cmocka_unit_test(a_copy_of_the_stack_gives_what_is_in_it_and_no_more),
		cmocka_unit_test(a_copy_is_walked_by_the_files_where_the_memory_is_refused),
		cmocka_unit_test(damaged_unwind_tables_do_no_harm),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
