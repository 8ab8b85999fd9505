/* test_settings_file.c - the settings file in force: found, checked, applied, read again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "exporter/log.h"
#include "exporter/settings.h"
#include "exporter/settings_file.h"
#include "exporter/settings_section.h"

static char directory[] = "/tmp/tagalong-settings-XXXXXX";
static char path[64];
static FILE *real_stderr;

static int set_up(void **state)
{
	(void)state;
	clearenv();
	unlink(path);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/tagalong.yaml", directory);
	/* What they complain of is told by test_config. */
	real_stderr = stderr;
	stderr = fopen("/dev/null", "we");
	log_set_level((enum log_level) - 1);
	return stderr ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	fclose(stderr);
	stderr = real_stderr;
	unlink(path);
	return rmdir(directory);
}

/* As editors do: a new file takes the name. */
static void write_file(const char *text)
{
	char new[80];
	FILE *file;

	snprintf(new, sizeof(new), "%s.new", path);
	file = fopen(new, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(rename(new, path), 0);
}

static struct settings_file *open_file(const char *text)
{
	struct settings_file *file;
	int error;

	write_file(text);
	file = settings_file_open(path, &error);
	assert_non_null(file);
	assert_int_equal(error, 0);
	return file;
}

struct taken {
	unsigned calls;
	int64_t value; /* 0: no section */
};

static void take(void *context, const struct config_node *node)
{
	struct taken *taken = context;

	taken->calls++;
	taken->value = config_integer(node, 1, 1000, 0);
}

static void who_registers_is_told_at_once_and_after_each_change(void **state)
{
	struct settings_file *file = open_file("repeated_queries: 5\n");
	struct taken first = {0}, second = {0}, absent = {0};

	(void)state;
	assert_int_equal(settings_file_register(file, "repeated_queries", take, &first), 0);
	assert_int_equal(settings_file_register(file, "repeated_queries", take, &second), 0);
	assert_int_equal(settings_file_register(file, "slow_call", take, &absent), 0);
	assert_int_equal(first.value, 5);
	assert_int_equal(absent.calls, 1);
	assert_int_equal(absent.value, 0);
	assert_int_equal(settings_file_reload(file, 0), SETTINGS_FILE_SAME);
	assert_int_equal(first.calls, 1);
	write_file("repeated_queries: 6\n");
	settings_file_forget(file, &second);
	assert_int_equal(settings_file_reload(file, 1), SETTINGS_FILE_APPLIED);
	assert_int_equal(first.value, 6);
	assert_int_equal(second.value, 5);
	write_file("# nothing\n");
	assert_int_equal(settings_file_reload(file, 1), SETTINGS_FILE_APPLIED);
	assert_int_equal(first.value, 0);
	settings_file_close(file);
}

static void a_change_is_taken_when_it_has_stayed_for_a_look(void **state)
{
	struct settings_file *file = open_file("repeated_queries: 5\n");
	struct taken taken = {0};

	(void)state;
	settings_file_register(file, "repeated_queries", take, &taken);
	write_file("repeated_queries: 66\n");
	assert_int_equal(settings_file_reload(file, 0), SETTINGS_FILE_SAME);
	write_file("repeated_queries: 777\n");
	assert_int_equal(settings_file_reload(file, 0), SETTINGS_FILE_SAME);
	assert_int_equal(settings_file_reload(file, 0), SETTINGS_FILE_APPLIED);
	assert_int_equal(taken.calls, 2);
	assert_int_equal(taken.value, 777);
	assert_int_equal(settings_file_reload(file, 0), SETTINGS_FILE_SAME);
	settings_file_close(file);
}

static void a_file_that_cannot_be_used_changes_nothing(void **state)
{
	static const char *const bad[] = {"repeated_queries: [", "repeated_queries: -1\n",
					  "repeated_queries: 7\nunknown: 1\n", NULL};
	struct settings_file *file = open_file("repeated_queries: 5\n");
	struct taken taken = {0};

	(void)state;
	settings_file_register(file, "repeated_queries", take, &taken);
	for (size_t i = 0; bad[i]; i++) {
		write_file(bad[i]);
		assert_int_equal(settings_file_reload(file, 1), SETTINGS_FILE_REFUSED);
		assert_int_equal(settings_file_reload(file, 0), SETTINGS_FILE_SAME);
	}
	unlink(path);
	assert_int_equal(settings_file_reload(file, 1), SETTINGS_FILE_REFUSED);
	assert_int_equal(taken.calls, 1);
	assert_int_equal(
		config_integer(config_get(settings_file_root(file), "repeated_queries"), 0, 9, 0),
		5);
	write_file("repeated_queries: 8\n");
	assert_int_equal(settings_file_reload(file, 0), SETTINGS_FILE_SAME);
	assert_int_equal(settings_file_reload(file, 0), SETTINGS_FILE_APPLIED);
	assert_int_equal(taken.value, 8);
	settings_file_close(file);
}

static void a_file_that_was_asked_for_must_be_usable(void **state)
{
	int error = 0;

	(void)state;
	assert_null(settings_file_open(path, &error));
	assert_int_equal(error, -EINVAL);
	setenv("TAGALONG_CONFIG", path, 1);
	error = 0;
	assert_null(settings_file_open(NULL, &error));
	assert_int_equal(error, -EINVAL);
	write_file("slow_call: soon\n");
	assert_null(settings_file_open(NULL, &error));
	write_file("slow_call: 1s\n");
	struct settings_file *file = settings_file_open(NULL, &error);
	assert_non_null(file);
	assert_string_equal(settings_file_path(file), path);
	settings_file_close(file);
}

static void a_relative_path_is_kept_whole(void **state)
{
	struct settings_file *file;
	int error;

	(void)state;
	write_file("");
	assert_int_equal(chdir(directory), 0);
	file = settings_file_open("tagalong.yaml", &error);
	assert_int_equal(chdir("/"), 0);
	assert_non_null(file);
	assert_string_equal(settings_file_path(file), path);
	assert_int_equal(settings_file_reload(file, 1), SETTINGS_FILE_APPLIED);
	settings_file_close(file);
}

static void without_a_file_everybody_is_told_of_none(void **state)
{
	struct taken taken = {.value = 1};

	(void)state;
	assert_int_equal(settings_file_register(NULL, "store", take, &taken), 0);
	assert_int_equal(taken.calls, 1);
	assert_int_equal(taken.value, 0);
	settings_file_forget(NULL, &taken);
	assert_null(settings_file_root(NULL));
	assert_int_equal(settings_file_reload(NULL, 1), SETTINGS_FILE_SAME);
	settings_file_close(NULL);
}

static void the_environment_goes_before_the_exporters_own_settings(void **state)
{
	struct settings_file *file = open_file("slow_call: 2s\nrepeated_queries: 5\n"
					       "store: {path: /a/b.db, max_size: 64MiB, "
					       "max_age: 2d}\n");
	struct settings settings;

	(void)state;
	assert_int_equal(settings_read(&settings), 0);
	assert_int_equal(settings_section_start(settings_file_root(file), &settings), 0);
	assert_int_equal(settings.slow_call_ms, 2000);
	assert_int_equal(settings.repeated_queries, 5);
	assert_int_equal(settings.store_enabled, 1);
	assert_string_equal(settings.store_path, "/a/b.db");
	assert_int_equal(settings.store_max_mb, 64);
	assert_int_equal(settings.store_max_age_hours, 48);
	settings_free(&settings);
	setenv("TAGALONG_SLOW_CALL_MS", "7", 1);
	setenv("TAGALONG_REPEATED_QUERIES", "8", 1);
	setenv("TAGALONG_STORE", "/c/d.db", 1);
	setenv("TAGALONG_STORE_MAX_MB", "9", 1);
	setenv("TAGALONG_STORE_MAX_AGE", "11", 1);
	assert_int_equal(settings_read(&settings), 0);
	assert_int_equal(settings_section_start(settings_file_root(file), &settings), 0);
	assert_int_equal(settings_section_change(settings_file_root(file), &settings), 0);
	assert_int_equal(settings.slow_call_ms, 7);
	assert_int_equal(settings.repeated_queries, 8);
	assert_string_equal(settings.store_path, "/c/d.db");
	assert_int_equal(settings.store_max_mb, 9);
	assert_int_equal(settings.store_max_age_hours, 11);
	settings_free(&settings);
	settings_file_close(file);
}

static void a_later_change_is_taken_where_it_can_be(void **state)
{
	struct settings_file *file = open_file("slow_call: 2s\n");
	struct settings settings;

	(void)state;
	assert_int_equal(settings_read(&settings), 0);
	assert_int_equal(settings_section_start(settings_file_root(file), &settings), 0);
	assert_int_equal(settings_section_change(settings_file_root(file), &settings), 0);
	write_file("repeated_queries: 3\nstore: {path: /e/f.db}\n");
	assert_int_equal(settings_file_reload(file, 1), SETTINGS_FILE_APPLIED);
	assert_int_equal(settings_section_change(settings_file_root(file), &settings), 1);
	assert_int_equal(settings.slow_call_ms, 100);
	assert_int_equal(settings.repeated_queries, 3);
	assert_true(!settings.store_path || strcmp(settings.store_path, "/e/f.db") != 0);
	settings_free(&settings);
	settings_file_close(file);
}

static void a_check_counts_what_is_wrong(void **state)
{
	(void)state;
	write_file("slow_call: 1s\n");
	assert_int_equal(settings_file_check(path), 0);
	write_file("slow_call: soon\nstore: {path: here, max_size: 1k, max_age: 1s}\nx: 1\n");
	assert_int_equal(settings_file_check(path), 5);
	unlink(path);
	assert_int_equal(settings_file_check(path), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(who_registers_is_told_at_once_and_after_each_change, set_up),
		cmocka_unit_test_setup(a_change_is_taken_when_it_has_stayed_for_a_look, set_up),
		cmocka_unit_test_setup(a_file_that_cannot_be_used_changes_nothing, set_up),
		cmocka_unit_test_setup(a_file_that_was_asked_for_must_be_usable, set_up),
		cmocka_unit_test_setup(a_relative_path_is_kept_whole, set_up),
		cmocka_unit_test_setup(without_a_file_everybody_is_told_of_none, set_up),
		cmocka_unit_test_setup(the_environment_goes_before_the_exporters_own_settings,
				       set_up),
		cmocka_unit_test_setup(a_later_change_is_taken_where_it_can_be, set_up),
		cmocka_unit_test_setup(a_check_counts_what_is_wrong, set_up),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
