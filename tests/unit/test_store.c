/* test_store.c - the local store on real files: duplicates, limits, broken databases, two writers.
 */
#include <errno.h>
#include <glob.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "exporter/enrich.h"
#include "exporter/store.h"
#include "tests/unit/segment_writer.h"

static char directory[64], path[96];
static struct settings settings;
static const struct store_limits wide = {1ull << 30, 0};

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/tagalong-store-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/sub/traces.db", directory);
	clearenv();
	settings_read(&settings);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	settings_free(&settings);
	snprintf(command, sizeof(command), "/bin/rm -rf %s", directory);
	return system(command);
}

/* A batch of `count` spans with the numbers from `first` on, one second apart. */
static struct batch *make_batch(uint64_t first, size_t count)
{
	struct batch *batch = batch_new(count);
	struct slot_identity identity = {.pid = 1};
	struct resource *resource;

	snprintf(identity.executable, sizeof(identity.executable), "/usr/bin/shop");
	resource = resource_new(&identity);
	batch_mark(batch, 0, 0, 0, resource);
	for (size_t i = 0; i < count; i++) {
		struct writer_span from;
		struct record record;

		writer_sample(&from, first + i);
		from.span.start_ns = (first + i + 1) * 1000000000ull;
		from.span.end_ns = from.span.start_ns + 5;
		assert_int_equal(record_parse(&batch->arena, &from, sizeof(from), 1, &record), 0);
		assert_int_equal(enrich_span(batch, &settings, &record, NULL, 0, &batch->spans[i]),
				 0);
		batch->spans[i].resource = resource;
		batch->count++;
	}
	resource_put(resource);
	return batch;
}

static void write_spans(struct store *store, uint64_t first, size_t count)
{
	struct batch *batch = make_batch(first, count);

	assert_int_equal(store_write(store, batch), STORE_DONE);
	batch_free(batch);
}

static struct store *open_store(const struct store_limits *limits)
{
	int error = 0;
	struct store *store = store_open(path, limits, &error);

	assert_non_null(store);
	return store;
}

/* The first column of the first row, by another connection. */
static int64_t ask(const char *sql)
{
	sqlite3 *database;
	sqlite3_stmt *statement;
	int64_t answer = -1;

	assert_int_equal(sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
	if (sqlite3_step(statement) == SQLITE_ROW)
		answer = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(database);
	return answer;
}

static void spans_can_be_read_while_the_store_is_open(void **state)
{
	struct store *store = open_store(&wide);

	(void)state;
	write_spans(store, 0, 10);
	assert_int_equal(ask("SELECT count(*) FROM spans"), 10);
	assert_int_equal(ask("SELECT count(*) FROM resources"), 1);
	assert_int_equal(ask("SELECT count(*) FROM spans WHERE service = 'shop' AND name = 'GET' "
			     "AND http_status = 200 AND target = '/orders/17' AND status = 0 AND "
			     "duration_ns = 5 AND length(trace_id) = 16 AND parent_id IS NULL"),
			 10);
	assert_int_equal(ask("SELECT count(*) FROM spans JOIN resources ON id = resource_id WHERE "
			     "json_extract(spans.attributes, '$.\"server.port\"') = 8080 AND "
			     "json_extract(resources.attributes, '$.\"service.name\"') = "
			     "'unknown_service:shop'"),
			 10);
	assert_int_equal(ask("PRAGMA user_version"), STORE_USER_VERSION);
	store_close(store);
}

static void a_span_that_comes_again_is_kept_once(void **state)
{
	struct store *store = open_store(&wide);

	(void)state;
	write_spans(store, 0, 10);
	write_spans(store, 5, 10);
	assert_int_equal(ask("SELECT count(*) FROM spans"), 15);
	store_close(store);
}

static void two_stores_write_one_file(void **state)
{
	struct store *one = open_store(&wide);
	struct store *two = open_store(&wide);

	(void)state;
	for (uint64_t i = 0; i < 20; i++)
		write_spans(i % 2 ? one : two, i * 10, 10);
	assert_int_equal(ask("SELECT count(*) FROM spans"), 200);
	store_close(one);
	store_close(two);
}

static void another_writer_in_the_way_asks_for_a_retry(void **state)
{
	struct store *store = open_store(&wide);
	struct batch *batch = make_batch(0, 3);
	sqlite3 *other;

	(void)state;
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(store_write(store, batch), STORE_RETRY);
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(store_write(store, batch), STORE_DONE);
	assert_int_equal(ask("SELECT count(*) FROM spans JOIN resources ON id = resource_id"), 3);
	sqlite3_close(other);
	batch_free(batch);
	store_close(store);
}

static void spans_beyond_the_age_go_first(void **state)
{
	struct store_limits limits = {1ull << 30, 100000000000ull};
	struct store *store = open_store(&limits);

	(void)state;
	write_spans(store, 0, 200);
	assert_int_equal(store_prune(store, 200000000000ull), 100);
	assert_int_equal(ask("SELECT min(start_unix_ns) / 1000000000 FROM spans"), 101);
	store_close(store);
}

static void the_oldest_go_when_the_file_grows_over_its_size(void **state)
{
	struct store_limits limits = {1 << 20, 0};
	struct store *store = open_store(&limits);
	int64_t pages;

	(void)state;
	for (uint64_t i = 0; i < 20; i++) {
		write_spans(store, i * 500, 500);
		while (store_prune(store, 1) > 0)
			;
	}
	pages = ask("PRAGMA page_count") - ask("PRAGMA freelist_count");
	assert_true(pages * ask("PRAGMA page_size") <= 1 << 20);
	store_close(store);
}

static void a_corrupt_database_is_moved_aside(void **state)
{
	char pattern[128];
	struct store *store = open_store(&wide);
	FILE *file;
	glob_t found;

	(void)state;
	store_close(store);
	file = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("this is no database ", file);
	fclose(file);
	store = open_store(&wide);
	write_spans(store, 0, 10);
	assert_int_equal(ask("SELECT count(*) FROM spans"), 10);
	snprintf(pattern, sizeof(pattern), "%s.corrupt-*", path);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	assert_int_equal(found.gl_pathc, 1);
	globfree(&found);
	store_close(store);
}

static void a_database_of_a_later_version_is_left_alone(void **state)
{
	struct store *store = open_store(&wide);
	sqlite3 *other;
	int error = 0;

	(void)state;
	store_close(store);
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "PRAGMA user_version=99", NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(other);
	assert_null(store_open(path, &wide, &error));
	assert_true(error < 0);
	assert_int_equal(ask("PRAGMA user_version"), 99);
}

static void events_are_kept(void **state)
{
	static const struct attribute attributes[] = {
		{.key = "count", .number = 12, .type = ATTRIBUTE_NUMBER},
		{.key = "text", .text = TEXT_OF("a \"b\""), .type = ATTRIBUTE_TEXT},
	};
	static const struct batch_event events[] = {
		{.time_unix_ns = 7,
		 .name = "first",
		 .attributes = attributes,
		 .attribute_count = 2},
		{.time_unix_ns = 8, .name = "second"},
	};
	struct store *store = open_store(&wide);
	struct batch *batch = make_batch(0, 2);

	(void)state;
	batch->spans[0].events = events;
	batch->spans[0].event_count = 2;
	assert_int_equal(store_write(store, batch), STORE_DONE);
	assert_int_equal(ask("SELECT count(*) FROM spans WHERE events IS NULL"), 1);
	assert_int_equal(ask("SELECT events = '[{\"time_unix_ns\":7,\"name\":\"first\","
			     "\"attributes\":{\"count\":12,\"text\":\"a \\\"b\\\"\"}},"
			     "{\"time_unix_ns\":8,\"name\":\"second\",\"attributes\":{}}]' "
			     "FROM spans WHERE events IS NOT NULL"),
			 1);
	batch_free(batch);
	store_close(store);
}

static void a_database_of_an_earlier_version_is_converted(void **state)
{
	struct store *store = open_store(&wide);
	sqlite3 *other;

	(void)state;
	write_spans(store, 0, 3);
	store_close(store);
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other,
				      "ALTER TABLE spans DROP COLUMN events; PRAGMA user_version=1",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(other);
	store = open_store(&wide);
	write_spans(store, 3, 2);
	assert_int_equal(ask("SELECT count(*) FROM spans WHERE events IS NULL"), 5);
	assert_int_equal(ask("PRAGMA user_version"), STORE_USER_VERSION);
	store_close(store);
}

static void a_place_that_cannot_be_written_is_an_error(void **state)
{
	int error = 0;

	(void)state;
	assert_null(store_open("/proc/tagalong/traces.db", &wide, &error));
	assert_true(error < 0);
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		STORE_TEST(spans_can_be_read_while_the_store_is_open),
		STORE_TEST(a_span_that_comes_again_is_kept_once),
		STORE_TEST(two_stores_write_one_file),
		STORE_TEST(another_writer_in_the_way_asks_for_a_retry),
		STORE_TEST(spans_beyond_the_age_go_first),
		STORE_TEST(the_oldest_go_when_the_file_grows_over_its_size),
		STORE_TEST(a_corrupt_database_is_moved_aside),
		STORE_TEST(a_database_of_a_later_version_is_left_alone),
		STORE_TEST(events_are_kept),
		STORE_TEST(a_database_of_an_earlier_version_is_converted),
		STORE_TEST(a_place_that_cannot_be_written_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
