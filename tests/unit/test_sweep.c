/* test_sweep.c - only segments that nobody uses any more are removed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "exporter/process.h"
#include "exporter/segment_file.h"
#include "exporter/sweep.h"

struct place {
	char directory[64];
	char path[128];
};

static int make_place(void **state)
{
	static struct place place;

	snprintf(place.directory, sizeof(place.directory), "/tmp/tagalong-sweep-XXXXXX");
	if (!mkdtemp(place.directory) ||
	    segment_file_name(place.directory, place.path, sizeof(place.path)) != 0)
		return -1;
	*state = &place;
	return 0;
}

static int remove_place(void **state)
{
	struct place *place = *state;

	unlink(place->path);
	return rmdir(place->directory);
}

/* A segment whose only claimed slot belongs to that process. */
static void leave_segment(const struct place *place, uint32_t pid, uint64_t start_ticks)
{
	struct segment_file file;

	assert_int_equal(segment_file_create(&file, place->path, 2), 0);
	if (pid) {
		file.slots[1]->identity.pid = pid;
		file.slots[1]->identity.start_ticks = start_ticks;
		atomic_store(&file.slots[1]->state, SLOT_READY);
	}
	segment_file_close(&file);
}

static void a_segment_without_processes_goes(void **state)
{
	struct place *place = *state;

	leave_segment(place, 0, 0);
	assert_int_equal(sweep_directory(place->directory, -1), 1);
	assert_int_equal(access(place->path, F_OK), -1);
}

static void a_young_segment_stays(void **state)
{
	struct place *place = *state;

	leave_segment(place, 0, 0);
	assert_int_equal(sweep_directory(place->directory, 60), 0);
	assert_int_equal(access(place->path, F_OK), 0);
}

static void a_segment_of_a_living_process_stays(void **state)
{
	struct place *place = *state;

	leave_segment(place, (uint32_t)getpid(), process_start_ticks((uint32_t)getpid()));
	assert_int_equal(sweep_directory(place->directory, -1), 0);
}

static void a_segment_of_a_reused_pid_goes(void **state)
{
	struct place *place = *state;

	leave_segment(place, (uint32_t)getpid(), 1);
	assert_int_equal(sweep_directory(place->directory, -1), 1);
}

static void a_segment_that_an_exporter_holds_stays(void **state)
{
	struct place *place = *state;
	int descriptor;

	leave_segment(place, 0, 0);
	descriptor = open(place->path, O_RDWR);
	assert_true(descriptor >= 0);
	sweep_spare(descriptor);
	assert_int_equal(sweep_directory(place->directory, -1), 0);
	close(descriptor);
	assert_int_equal(sweep_directory(place->directory, -1), 1);
}

static void what_is_no_segment_stays(void **state)
{
	struct place *place = *state;
	FILE *file = fopen(place->path, "w");

	assert_non_null(file);
	fputs("somebody else's", file);
	fclose(file);
	assert_int_equal(sweep_directory(place->directory, -1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_segment_without_processes_goes, make_place,
						remove_place),
		cmocka_unit_test_setup_teardown(a_young_segment_stays, make_place, remove_place),
		cmocka_unit_test_setup_teardown(a_segment_of_a_living_process_stays, make_place,
						remove_place),
		cmocka_unit_test_setup_teardown(a_segment_of_a_reused_pid_goes, make_place,
						remove_place),
		cmocka_unit_test_setup_teardown(a_segment_that_an_exporter_holds_stays, make_place,
						remove_place),
		cmocka_unit_test_setup_teardown(what_is_no_segment_stays, make_place, remove_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
