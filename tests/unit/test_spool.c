/* test_spool.c - payloads on disk: order, restarts, bounds, torn writes, damage. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "exporter/spool_record.h"
#include "tests/unit/spool_test.h"

#define FIRST "0000000000000001.spool"

static int append(uint32_t number, size_t size)
{
	struct payload *payload = numbered_payload(number, size);
	int result = spool_append(spool, payload);

	payload_put(payload);
	return result;
}

/* The number of the oldest, -1: none. */
static int64_t next(void)
{
	struct payload *payload;
	uint32_t number;

	assert_int_equal(spool_next(spool, &payload), 0);
	if (!payload)
		return -1;
	memcpy(&number, payload->bytes, sizeof(number));
	assert_int_equal(payload->items, number + 1);
	assert_int_equal(payload->signal, SIGNAL_TRACES);
	payload_put(payload);
	return number;
}

static int64_t take(void)
{
	int64_t number = next();

	spool_done(spool);
	return number;
}

static struct spool_stats stats(void)
{
	struct spool_stats now;

	spool_stats(spool, &now);
	return now;
}

static void nothing_is_made_before_the_first_append(void **state)
{
	(void)state;
	spool_begin();
	assert_true(spool_is_empty(spool));
	assert_int_equal(next(), -1);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(append(0, 10), 0);
	assert_int_equal(access(path, F_OK), 0);
}

static void what_goes_in_comes_out_in_order(void **state)
{
	(void)state;
	spool_begin();
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(append(i, 4 + 1000ull * i), 0);
	assert_int_equal(stats().payloads, 100);
	assert_int_equal(stats().items, 5050);
	for (uint32_t i = 0; i < 100; i++) {
		assert_int_equal(next(), i);
		assert_int_equal(take(), i);
		/* What comes in meanwhile is behind all others. */
		if (i < 50)
			assert_int_equal(append(100 + i, 10), 0);
	}
	for (uint32_t i = 0; i < 50; i++)
		assert_int_equal(take(), 100 + i);
	assert_true(spool_is_empty(spool));
	assert_int_equal(stats().items, 0);
	assert_int_equal(stats().bytes, 0);
	assert_int_equal(append(7, 10), 0);
	assert_int_equal(take(), 7);
}

static void a_restart_goes_on_where_it_was(void **state)
{
	(void)state;
	spool_begin();
	for (uint32_t i = 0; i < 6; i++)
		assert_int_equal(append(i, 100), 0);
	for (uint32_t i = 0; i < 20; i++) {
		spool_begin();
		assert_int_equal(stats().payloads, 6);
		assert_int_equal(next(), i);
		spool_begin();
		assert_int_equal(take(), i);
		assert_int_equal(append(6 + i, 100), 0);
	}
	for (uint32_t i = 20; i < 26; i++)
		assert_int_equal(take(), i);
	spool_begin();
	assert_true(spool_is_empty(spool));
}

static void one_process_has_it(void **state)
{
	struct spool *other;
	int error = 0;

	(void)state;
	spool_begin();
	assert_int_equal(append(1, 10), 0);
	other = spool_open(path, &limits, &error);
	assert_null(other);
	assert_int_equal(error, -EBUSY);
	spool_begin();
	assert_int_equal(take(), 1);
}

static void the_oldest_make_room_for_the_newest(void **state)
{
	int64_t first;

	(void)state;
	limits.max_bytes = 1 << 20;
	spool_begin();
	for (uint32_t i = 0; i < 300; i++) {
		assert_int_equal(append(i, 10000), 0);
		assert_true(stats().bytes <= limits.max_bytes);
	}
	first = next();
	/* An eighth may go at once. */
	assert_true(first >= 300 - (1 << 20) / 10032 && first < 300 - 80);
	assert_int_equal(stats().payloads, 300 - first);
	/* Those that were dropped are the first ones, and are counted: i + 1 items each. */
	assert_int_equal(stats().dropped_full, (uint64_t)first * (first + 1) / 2);
	for (int64_t i = first; i < 300; i++)
		assert_int_equal(take(), i);
	assert_int_equal(append(0, 2 << 20), -EFBIG);
}

/* Done comes too late for one that was dropped meanwhile, and hits no other. */
static void what_was_dropped_in_the_request_is_not_done_twice(void **state)
{
	int64_t first;

	(void)state;
	limits.max_bytes = 1 << 20;
	spool_begin();
	assert_int_equal(append(0, 10000), 0);
	assert_int_equal(next(), 0);
	for (uint32_t i = 1; i < 200; i++)
		assert_int_equal(append(i, 10000), 0);
	spool_done(spool);
	first = next();
	assert_int_equal(stats().payloads, 200 - first);
}

static void what_is_too_old_is_dropped(void **state)
{
	struct timespec now;
	uint64_t unix_ns;

	(void)state;
	spool_begin();
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(append(i, 10), 0);
	clock_gettime(CLOCK_REALTIME, &now);
	unix_ns = (uint64_t)now.tv_sec * 1000000000ull;
	spool_housekeep(spool, unix_ns + HOUR_NS / 2);
	assert_int_equal(next(), 0);
	spool_housekeep(spool, unix_ns - HOUR_NS);
	assert_int_equal(next(), 0);
	spool_housekeep(spool, unix_ns + 2 * HOUR_NS);
	assert_int_equal(next(), -1);
	assert_int_equal(stats().dropped_age, 6);
	/* After a restart as well. */
	assert_int_equal(append(3, 10), 0);
	limits.max_age_ns = 1;
	spool_begin();
	assert_true(spool_is_empty(spool));
	assert_int_equal(stats().dropped_age, 4);
}

/* ---- damage --------------------------------------------------------------------------------- */

#define RECORDS 5
#define BYTES   40

static size_t read_file(uint8_t *to, size_t room)
{
	char name[128];
	size_t size;
	FILE *file;

	snprintf(name, sizeof(name), "%s/" FIRST, path);
	file = fopen(name, "r");
	assert_non_null(file);
	size = fread(to, 1, room, file);
	fclose(file);
	return size;
}

static void write_file(const uint8_t *from, size_t size)
{
	char name[128];
	FILE *file;

	snprintf(name, sizeof(name), "%s/" FIRST, path);
	file = fopen(name, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(from, 1, size, file), size);
	fclose(file);
}

static size_t make_records(uint8_t *to, size_t room)
{
	size_t size;

	spool_begin();
	for (uint32_t i = 0; i < RECORDS; i++)
		assert_int_equal(append(i, BYTES), 0);
	spool_close(spool);
	spool = NULL;
	size = read_file(to, room);
	assert_int_equal(size, RECORDS * (SPOOL_HEAD_BYTES + BYTES));
	return size;
}

static void a_torn_write_costs_itself_alone(void **state)
{
	uint8_t bytes[1024];
	size_t size = make_records(bytes, sizeof(bytes));

	(void)state;
	for (size_t cut = 0; cut <= size; cut++) {
		size_t whole = cut / (SPOOL_HEAD_BYTES + BYTES);

		write_file(bytes, cut);
		spool_begin();
		assert_int_equal(stats().payloads, whole);
		/* Behind what is torn there is room for more. */
		assert_int_equal(append(9, 10), 0);
		for (size_t i = 0; i < whole; i++)
			assert_int_equal(take(), i);
		assert_int_equal(take(), 9);
		assert_int_equal(next(), -1);
		assert_int_equal(stats().damaged, cut % (SPOOL_HEAD_BYTES + BYTES) != 0);
	}
}

static void a_damaged_byte_costs_one_payload(void **state)
{
	uint8_t bytes[1024];
	size_t size = make_records(bytes, sizeof(bytes));

	(void)state;
	for (size_t at = 0; at < size; at++) {
		int64_t hit = (int64_t)(at / (SPOOL_HEAD_BYTES + BYTES));

		bytes[at] ^= 0x55;
		write_file(bytes, size);
		bytes[at] ^= 0x55;
		spool_begin();
		for (int64_t i = 0; i < RECORDS; i++)
			if (i != hit)
				assert_int_equal(take(), i);
		assert_int_equal(next(), -1);
		assert_int_equal(stats().damaged, 1);
		assert_true(spool_is_empty(spool));
	}
}

static void strange_files_are_survived(void **state)
{
	uint8_t bytes[1024];
	char name[128];

	(void)state;
	make_records(bytes, sizeof(bytes));
	memset(bytes, 0, sizeof(bytes));
	write_file(bytes, sizeof(bytes));
	snprintf(name, sizeof(name), "%s/00000000000000ff.spool", path);
	assert_int_equal(mkdir(name, 0700), 0);
	snprintf(name, sizeof(name), "%s/not-ours", path);
	assert_int_equal(mkdir(name, 0700), 0);
	spool_begin();
	assert_true(spool_is_empty(spool));
	assert_int_equal(append(1, 10), 0);
	assert_int_equal(take(), 1);
	snprintf(name, sizeof(name), "%s/cursor", path);
	assert_int_equal(append(2, 10), 0);
	assert_int_equal(truncate(name, 5), 0);
	spool_begin();
	assert_int_equal(take(), 2);
}

/* A file that may not grow is as a disk that is full. */
static void a_full_disk_refuses_and_keeps_the_rest(void **state)
{
	struct rlimit before, small;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	spool_begin();
	assert_int_equal(append(0, 1000), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	small.rlim_cur = 2000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(append(1, 5000), -EFBIG);
	assert_int_equal(append(2, 500), 0);
	assert_int_equal(append(3, 5000), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(stats().failed, 2);
	assert_int_equal(append(4, 5000), 0);
	spool_begin();
	assert_int_equal(take(), 0);
	assert_int_equal(take(), 2);
	assert_int_equal(take(), 4);
	assert_int_equal(next(), -1);
	assert_int_equal(stats().damaged, 0);
}

static void a_place_that_cant_be_written_can_be_later(void **state)
{
	char file[96];

	(void)state;
	snprintf(file, sizeof(file), "%s/deep", directory);
	assert_int_equal(close(creat(file, 0600)), 0);
	snprintf(path, sizeof(path), "%s/deep/spool", directory);
	spool_begin();
	assert_true(spool_is_empty(spool));
	assert_int_equal(append(1, 10), -ENOTDIR);
	assert_int_equal(stats().failed, 1);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(append(2, 10), 0);
	assert_int_equal(take(), 2);
}

int main(void)
{
#define SPOOL_TEST(name) cmocka_unit_test_setup_teardown(name, spool_set_up, spool_tear_down)
	const struct CMUnitTest tests[] = {
		SPOOL_TEST(nothing_is_made_before_the_first_append),
		SPOOL_TEST(what_goes_in_comes_out_in_order),
		SPOOL_TEST(a_restart_goes_on_where_it_was),
		SPOOL_TEST(one_process_has_it),
		SPOOL_TEST(the_oldest_make_room_for_the_newest),
		SPOOL_TEST(what_was_dropped_in_the_request_is_not_done_twice),
		SPOOL_TEST(what_is_too_old_is_dropped),
		SPOOL_TEST(a_torn_write_costs_itself_alone),
		SPOOL_TEST(a_damaged_byte_costs_one_payload),
		SPOOL_TEST(strange_files_are_survived),
		SPOOL_TEST(a_full_disk_refuses_and_keeps_the_rest),
		SPOOL_TEST(a_place_that_cant_be_written_can_be_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
