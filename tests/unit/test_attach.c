/* test_attach.c - a process's place in the segment: claimed, refused, added, left at a fork. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include <pthread.h>

#include "tests/unit/shim_test.h"

/*
 * A process attaches once in its life, so each test runs in one of its own. It returns 0 or the
 * line of the check that failed.
 */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return __LINE__;                                                           \
	} while (0)

static char path[32];
static struct segment_header *header;

static int in_child(int (*body)(void))
{
	int line = -1;
	int status;
	int ends[2];
	pid_t pid;

	fflush(stdout);
	if (pipe(ends))
		return -1;
	pid = fork();
	if (pid == 0) {
		line = body();
		_exit(write(ends[1], &line, sizeof(line)) == sizeof(line) ? 0 : 1);
	}
	close(ends[1]);
	if (waitpid(pid, &status, 0) != pid || status ||
	    read(ends[0], &line, sizeof(line)) != sizeof(line))
		line = -1;
	close(ends[0]);
	return line;
}

/* One as the exporter sees it. */
static struct slot *slot_at(uint32_t index)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *slot = mmap(NULL, sizeof(struct slot), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			  (off_t)segment_slot_offset(index));

	close(fd);
	return slot;
}

static void start(void)
{
	shim_start(__builtin_frame_address(0));
	memcpy(conf.session, path, sizeof(path));
}

static void make_segment(uint32_t slots)
{
	header = shim_segment(path, slots);
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	munmap(header, SEGMENT_HEADER_BYTES);
	return 0;
}

static int claim(void)
{
	struct slot *slot = slot_at(0);
	char executable[256] = {0};

	start();
	memcpy(conf.service_name, "shop", 5);
	CHECK(!attach_slot());
	CHECK(attach_ready() == 1 && attach_ready() == 1);
	CHECK(attach_slot());
	CHECK(slot->state == SLOT_READY);
	CHECK(slot->identity.pid == (uint32_t)getpid());
	CHECK(slot->identity.parent_pid == (uint32_t)getppid());
	CHECK(slot->identity.start_ticks > 0 && slot->identity.claimed_ns > 0);
	CHECK(readlink("/proc/self/exe", executable, 255) > 0);
	CHECK(strcmp(slot->identity.executable, executable) == 0);
	CHECK(strcmp(slot->identity.command, "test") == 0);
	CHECK(strcmp(slot->identity.service_name, "shop") == 0);
	CHECK(strcmp(attach_session(), path) == 0);
	attach_count(DROP_BUFFERS);
	attach_count_connection();
	CHECK(slot->counters.dropped[DROP_BUFFERS] == 1 && slot->counters.connections == 1);
	CHECK(slot_at(1)->state == SLOT_FREE);
	return 0;
}

static void a_slot_is_claimed_and_says_whose_it_is(void **state)
{
	(void)state;
	make_segment(2);
	assert_int_equal(in_child(claim), 0);
	/* The next process leaves it alone. */
	assert_int_equal(slot_at(0)->state, SLOT_READY);
}

static int no_descriptor(void)
{
	char target[64];

	start();
	CHECK(attach_ready());
	for (int fd = 0; fd < 100; fd++) {
		char name[32];
		ssize_t n;

		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		n = readlink(name, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = 0;
		CHECK(strcmp(target, path) != 0);
	}
	return 0;
}

static void no_descriptor_stays_open(void **state)
{
	(void)state;
	make_segment(1);
	assert_int_equal(in_child(no_descriptor), 0);
}

/* The byte of the header that is wrong. */
static size_t wrong;

/* Steps aside for good: even when the file becomes right later. */
static int refused(void)
{
	start();
	CHECK(attach_ready() == 0);
	CHECK(process_mode == MODE_OFF);
	CHECK(!attach_slot());
	((uint8_t *)header)[wrong] ^= 0x40;
	CHECK(attach_ready() == 0 && process_mode == MODE_OFF);
	return 0;
}

static void a_foreign_segment_is_refused_for_good(void **state)
{
	static const size_t words[] = {
		offsetof(struct segment_header, magic),
		offsetof(struct segment_header, version),
		offsetof(struct segment_header, header_bytes),
		offsetof(struct segment_header, slot_bytes),
		offsetof(struct segment_header, ring_bytes),
		offsetof(struct segment_header, inflight_count),
		offsetof(struct segment_header, span_bytes),
	};

	(void)state;
	make_segment(1);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		wrong = words[i];
		((uint8_t *)header)[wrong] ^= 0x40;
		assert_int_equal(in_child(refused), 0);
		assert_int_equal(slot_at(0)->state, SLOT_FREE);
	}
}

static void a_file_too_short_for_a_header_is_refused(void **state)
{
	(void)state;
	make_segment(1);
	wrong = offsetof(struct segment_header, reserved);
	assert_int_equal(truncate(path, SEGMENT_HEADER_BYTES - 1), 0);
	assert_int_equal(in_child(refused), 0);
}

static int waits_for_slots(void)
{
	start();
	CHECK(attach_ready() == 0);
	CHECK(process_mode == MODE_ON && !attach_slot());
	return 0;
}

static void a_count_beyond_the_end_of_the_file_is_not_believed(void **state)
{
	(void)state;
	make_segment(1);
	header->slot_count = 3;
	assert_int_equal(in_child(waits_for_slots), 0);
	assert_int_equal(slot_at(0)->state, SLOT_FREE);
}

static int comes_later(void)
{
	char hidden[64];

	snprintf(hidden, sizeof(hidden), "%s-hidden", path);
	CHECK(rename(path, hidden) == 0);
	start();
	CHECK(attach_ready() == 0 && process_mode == MODE_ON);
	CHECK(rename(hidden, path) == 0);
	for (int i = 0; i < 1000 && !attach_ready(); i++)
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	CHECK(attach_ready() == 1 && attach_slot());
	return 0;
}

static void a_session_that_is_not_there_yet_is_asked_again(void **state)
{
	(void)state;
	make_segment(1);
	assert_int_equal(in_child(comes_later), 0);
}

static int just_attach(void)
{
	start();
	CHECK(attach_ready() == 1);
	return 0;
}

static void without_a_free_slot_one_is_added(void **state)
{
	struct stat file;

	(void)state;
	make_segment(1);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(in_child(just_attach), 0);
		assert_int_equal(header->slot_count, i + 1);
		assert_int_equal(slot_at(i)->state, SLOT_READY);
	}
	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_size, segment_slot_offset(4));
	/* Its bytes are really there, not a hole that could end in SIGBUS. */
	assert_true((uint64_t)file.st_blocks * 512 >= 3 * sizeof(struct slot));
}

#define BOUND_NS 50000000 /* how long the others wait for the one that attaches */

static pthread_barrier_t together;

struct attaching {
	pthread_t thread;
	int ready;
	int64_t took_ns;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static void *attach_in_thread(void *argument)
{
	struct attaching *self = argument;
	int64_t begun;

	pthread_barrier_wait(&together);
	begun = now_ns();
	self->ready = attach_ready();
	self->took_ns = now_ns() - begun;
	return NULL;
}

/*
 * In a child, which has attached to nothing yet: none may be told "not now" while another is at it,
 * unless one has waited as long as the bound: a busy machine may stop the one that attaches.
 */
static int attach_in_threads(void)
{
	struct attaching threads[8];
	int64_t longest_ns = 0;
	int ready = 0;

	start();
	pthread_barrier_init(&together, NULL, 8);
	for (int i = 0; i < 8; i++)
		if (pthread_create(&threads[i].thread, NULL, attach_in_thread, &threads[i]))
			return 100;
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i].thread, NULL);
		ready += threads[i].ready;
		if (!threads[i].ready && threads[i].took_ns > longest_ns)
			longest_ns = threads[i].took_ns;
	}
	if (attach_ready() != 1)
		return 101;
	return longest_ns >= BOUND_NS ? 0 : 8 - ready;
}

static void threads_that_attach_at_once_wait_for_each_other(void **state)
{
	(void)state;
	make_segment(2);
	for (int i = 0; i < 50; i++) {
		pid_t pid = fork();
		int status;

		if (!pid)
			_exit(attach_in_threads());
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static void many_processes_at_once_get_a_slot_each(void **state)
{
	pid_t pids[12];
	uint32_t owners = 0;
	int status;

	(void)state;
	make_segment(2);
	for (size_t i = 0; i < 12; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			start();
			while (!attach_ready() && process_mode == MODE_ON)
				;
			_exit(attach_slot()->identity.pid == (uint32_t)getpid() ? 0 : 1);
		}
	}
	for (size_t i = 0; i < 12; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	for (uint32_t i = 0; i < header->slot_count; i++)
		for (size_t one = 0; one < 12; one++)
			owners += slot_at(i)->identity.pid == (uint32_t)pids[one];
	assert_int_equal(owners, 12);
}

static int obeys(void)
{
	start();
	CHECK(attach_ready() == 1);
	header->control.disabled = 1;
	CHECK(attach_ready() == 0 && process_mode == MODE_ON);
	header->control.disabled = 0;
	CHECK(attach_ready() == 1);
	return 0;
}

static void the_exporter_can_switch_it_off_and_on(void **state)
{
	(void)state;
	make_segment(1);
	assert_int_equal(in_child(obeys), 0);
}

static int without_telemetry(void)
{
	struct exchange *exchange;

	start();
	conf.no_telemetry = 1;
	CHECK(attach_ready() == 1 && !attach_slot());
	exchange = exchange_new(SPAN_SERVER, 1);
	CHECK(exchange);
	exchange_publish(exchange);
	exchange_end(exchange, 2);
	CHECK(process_mode == MODE_ON);
	return 0;
}

static void without_telemetry_no_slot_is_taken(void **state)
{
	(void)state;
	make_segment(1);
	assert_int_equal(in_child(without_telemetry), 0);
	assert_int_equal(slot_at(0)->state, SLOT_FREE);
}

/* ---- fork
 * ---------------------------------------------------------------------------------------- */

/* What a child does with a request that it inherited, and with one of its own. */
static int forked(struct exchange *inherited)
{
	struct slot *of_parent = attach_slot();
	struct thread *self = thread_enter();
	struct exchange *own;

	CHECK(self && process_epoch == 2);
	CHECK(!attach_slot());
	exchange_span(inherited)->status_code = 666;
	of_parent->counters.spans = 666;
	exchange_field(inherited, FIELD_PATH, "/child", 6);
	exchange_end(inherited, 5);
	CHECK(attach_ready() == 1 && attach_slot() && attach_slot() != of_parent);
	own = exchange_new(SPAN_CLIENT, 10);
	exchange_publish(own);
	exchange_end(own, 20);
	CHECK(exchange_span(own)->pid == (uint32_t)getpid());
	thread_leave(self);
	return 0;
}

static int forks(void)
{
	struct slot *slot = slot_at(0);
	struct exchange *exchange;
	struct told told;
	int status;
	pid_t pid;

	start();
	CHECK(attach_ready() == 1);
	exchange = exchange_new(SPAN_SERVER, 1);
	exchange_field(exchange, FIELD_PATH, "/parent", 7);
	exchange_publish(exchange);
	pid = fork();
	if (pid == 0)
		_exit(forked(exchange) ? 1 : 0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(process_epoch == 1 && slot->counters.spans == 0);
	CHECK(slot->inflight[0].live == 1 && slot->inflight[0].span.status_code == 0);
	CHECK(slot->inflight[0].span.fields_size == 11);
	CHECK(!shim_next(slot, &told));
	exchange_end(exchange, 100);
	CHECK(shim_next(slot, &told) && told.span.end_ns == 100);
	CHECK(slot_at(1)->identity.pid == (uint32_t)pid);
	CHECK(slot_at(1)->identity.parent_pid == (uint32_t)getpid());
	CHECK(shim_next(slot_at(1), &told) && told.span.kind == SPAN_CLIENT);
	CHECK(told.span.pid == (uint32_t)pid && !shim_next(slot_at(1), &told));
	return 0;
}

static void a_fork_child_takes_its_own_slot_and_cannot_write_to_the_parents(void **state)
{
	(void)state;
	make_segment(2);
	assert_int_equal(in_child(forks), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define ATTACH_TEST(name) cmocka_unit_test_teardown(name, tear_down)
		ATTACH_TEST(a_slot_is_claimed_and_says_whose_it_is),
		ATTACH_TEST(no_descriptor_stays_open),
		ATTACH_TEST(a_foreign_segment_is_refused_for_good),
		ATTACH_TEST(a_file_too_short_for_a_header_is_refused),
		ATTACH_TEST(a_count_beyond_the_end_of_the_file_is_not_believed),
		ATTACH_TEST(a_session_that_is_not_there_yet_is_asked_again),
		ATTACH_TEST(without_a_free_slot_one_is_added),
		ATTACH_TEST(threads_that_attach_at_once_wait_for_each_other),
		ATTACH_TEST(many_processes_at_once_get_a_slot_each),
		ATTACH_TEST(the_exporter_can_switch_it_off_and_on),
		ATTACH_TEST(without_telemetry_no_slot_is_taken),
		ATTACH_TEST(a_fork_child_takes_its_own_slot_and_cannot_write_to_the_parents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
