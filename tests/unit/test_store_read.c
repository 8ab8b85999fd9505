/* test_store_read.c - listing and finding traces in a database that is being written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/store.h"
#include "exporter/store_read.h"

#define SECOND 1000000000ll

struct fixture {
	char directory[64];
	char path[96];
	sqlite3 *writer;
};

static void run_sql(sqlite3 *database, const char *sql)
{
	char *message = NULL;

	if (sqlite3_exec(database, sql, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %s", sql, message);
}

/* A span given by the last bytes of its IDs; no parent if that is 0. */
static void add_span(struct fixture *fixture, int trace, int span, int parent, const char *rest)
{
	char sql[1024], parent_id[32] = "NULL";

	if (parent)
		snprintf(parent_id, sizeof(parent_id), "x'%016x'", parent);
	snprintf(sql, sizeof(sql),
		 "INSERT INTO spans(trace_id, span_id, kind, parent_id, service, name, "
		 "start_unix_ns, duration_ns, status, http_status, request_id, target, "
		 "resource_id, attributes) VALUES(x'abcdef0000000000%016x', x'%016x', 2, %s, %s, "
		 "1, '{\"tagalong.parent.guess\":\"thread\"}')",
		 trace, span, parent_id, rest);
	run_sql(fixture->writer, sql);
}

static int set_up(void **state)
{
	static struct fixture the_fixture;
	struct fixture *fixture = &the_fixture;

	memset(fixture, 0, sizeof(*fixture));
	strcpy(fixture->directory, "/tmp/test_store_read.XXXXXX");
	if (!mkdtemp(fixture->directory))
		return -1;
	/* Characters that mean something in an URI. */
	snprintf(fixture->path, sizeof(fixture->path), "%s/a b?c%%d#.db", fixture->directory);
	if (sqlite3_open(fixture->path, &fixture->writer) != SQLITE_OK)
		return -1;
	run_sql(fixture->writer, "PRAGMA journal_mode=WAL; PRAGMA user_version=2");
	run_sql(fixture->writer, STORE_SCHEMA);
	run_sql(fixture->writer, "INSERT INTO resources VALUES(1, '{\"service.name\":\"shop\"}')");
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	char command[160];

	sqlite3_close(fixture->writer);
	snprintf(command, sizeof(command), "rm -rf '%s'", fixture->directory);
	int result = system(command);
	return result;
}

static struct store_read *open_reader(struct fixture *fixture)
{
	const char *problem = NULL;
	struct store_read *store = store_read_open(fixture->path, &problem);

	if (!store)
		fail_msg("%s", problem);
	return store;
}

static void fill(struct fixture *fixture)
{
	add_span(fixture, 1, 0x11, 0, "'gateway','GET',1000000000,50000000,0,200,'req-1','/a'");
	add_span(fixture, 1, 0x12, 0x11, "'shop','GET',1010000000,20000000,0,200,'req-1','/b'");
	add_span(fixture, 2, 0x21, 0, "'gateway','GET',2000000000,900000000,0,500,'req-2','/c'");
	add_span(fixture, 2, 0x22, 0x21, "'stock','GET',2010000000,20000000,2,500,'req-2','/d'");
	add_span(fixture, 3, 0x31, 0x99, "'stock','PUT',3000000000,1000000,0,204,NULL,NULL");
}

static void newest_traces_come_last_and_limited(void **state)
{
	struct trace_filter filter = {.limit = 2};
	struct trace_row *rows;

	fill(*state);
	struct store_read *store = open_reader(*state);
	assert_int_equal(store_read_traces(store, &filter, &rows), 2);
	assert_int_equal(rows[0].trace_id[15], 2);
	assert_int_equal(rows[0].spans, 2);
	assert_int_equal(rows[0].errors, 1);
	assert_int_equal(rows[0].duration_ns, 900000000);
	assert_string_equal(rows[0].root.service, "gateway");
	assert_string_equal(rows[0].root.target, "/c");
	assert_string_equal(rows[0].root.request_id, "req-2");
	assert_int_equal(rows[1].trace_id[15], 3);
	assert_string_equal(rows[1].root.target, "");
	store_read_free_traces(rows, 2);
	store_read_close(store);
}

static void filters_select_traces(void **state)
{
	static const struct {
		struct trace_filter filter;
		int count;
		int first; /* last byte of the first trace's ID */
	} cases[] = {
		{{.limit = 9}, 3, 1},
		{{.limit = 9, .errors = true}, 1, 2},
		{{.limit = 9, .slower_ns = 50000000}, 2, 1},
		{{.limit = 9, .slower_ns = 50000001}, 1, 2},
		{{.limit = 9, .service = "shop"}, 1, 1},
		{{.limit = 9, .service = "stock"}, 2, 2},
		{{.limit = 9, .service = "nobody"}, 0, 0},
		{{.limit = 9, .service = "shop", .errors = true}, 0, 0},
	};
	struct trace_row *rows;

	fill(*state);
	struct store_read *store = open_reader(*state);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int count = store_read_traces(store, &cases[i].filter, &rows);
		assert_int_equal(count, cases[i].count);
		if (count > 0)
			assert_int_equal(rows[0].trace_id[15], cases[i].first);
		store_read_free_traces(rows, count);
	}
	store_read_close(store);
}

static void ids_are_found_by_prefix_and_by_request(void **state)
{
	static const struct {
		const char *id;
		int count;
	} cases[] = {
		{"abcdef00000000000000000000000001", 1},
		{"ABCDEF00000000000000000000000002", 1},
		{"abcdef0000000000000000000000000", 3}, /* one digit short */
		{"abcd", 3},
		{"abc", 0}, /* too short for a prefix */
		{"abce", 0},
		{"req-2", 1},
		{"req-", 0},
		{"abcdef000000000000000000000000011", 0},
		{"", 0},
		{"'", 0},
	};
	uint8_t ids[4][STORE_TRACE_ID];

	fill(*state);
	struct store_read *store = open_reader(*state);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(store_read_find(store, cases[i].id, ids, 4), cases[i].count);
	assert_int_equal(store_read_find(store, "req-1", ids, 4), 1);
	assert_int_equal(ids[0][15], 1);
	/* More than fit: told by one more. */
	assert_int_equal(store_read_find(store, "abcd", ids, 2), 3);
	store_read_close(store);
}

static void spans_have_all_their_columns(void **state)
{
	static const uint8_t id[STORE_TRACE_ID] = {0xab, 0xcd, 0xef, [15] = 1};
	static const uint8_t unknown[STORE_TRACE_ID] = {1};
	struct span_row *rows;

	fill(*state);
	struct store_read *store = open_reader(*state);
	assert_int_equal(store_read_spans(store, id, &rows), 2);
	assert_false(rows[0].has_parent);
	assert_true(rows[1].has_parent);
	assert_memory_equal(rows[1].parent_id, rows[0].span_id, STORE_SPAN_ID);
	assert_int_equal(rows[1].start_unix_ns, SECOND + 10000000);
	assert_int_equal(rows[1].http_status, 200);
	assert_int_equal(rows[1].kind, 2);
	assert_string_equal(rows[1].name, "GET");
	assert_string_equal(rows[1].guess, "thread");
	assert_string_equal(rows[1].error_type, "");
	assert_string_equal(rows[1].resource, "{\"service.name\":\"shop\"}");
	store_read_free_spans(rows, 2);
	assert_int_equal(store_read_spans(store, unknown, &rows), 0);
	store_read_free_spans(rows, 0);
	store_read_close(store);
}

static void damaged_rows_are_still_read(void **state)
{
	struct fixture *fixture = *state;
	struct trace_filter filter = {.limit = 9};
	struct trace_row *rows;

	run_sql(fixture->writer,
		"INSERT INTO spans VALUES(x'abcdef00000000000000000000000001', x'01', 2, x'', 's', "
		"'GET', 5, 6, 0, NULL, NULL, NULL, NULL, NULL, 77, 'no JSON', 'no JSON')");
	run_sql(fixture->writer, "INSERT INTO spans VALUES(x'0102', x'01', 2, NULL, 's', 'GET', 5, "
				 "6, 0, NULL, NULL, NULL, NULL, NULL, 1, '{}', NULL)");
	struct store_read *store = open_reader(fixture);
	assert_int_equal(store_read_traces(store, &filter, &rows), 1);
	assert_string_equal(rows[0].root.guess, "");
	assert_string_equal(rows[0].root.resource, "");
	assert_false(rows[0].root.has_parent);
	store_read_free_traces(rows, 1);
	store_read_close(store);
}

static void what_is_committed_later_is_seen_later(void **state)
{
	struct fixture *fixture = *state;
	struct trace_filter filter = {.limit = 9};
	struct trace_row *rows;
	struct store_read *store = open_reader(fixture);

	run_sql(fixture->writer, "BEGIN IMMEDIATE");
	fill(fixture);
	assert_int_equal(store_read_traces(store, &filter, &rows), 0);
	store_read_free_traces(rows, 0);
	run_sql(fixture->writer, "COMMIT");
	assert_int_equal(store_read_traces(store, &filter, &rows), 3);
	store_read_free_traces(rows, 3);
	store_read_close(store);
}

static void more_traces_than_the_first_table_holds(void **state)
{
	struct fixture *fixture = *state;
	struct trace_filter filter = {.limit = 2000};
	struct trace_row *rows;

	run_sql(fixture->writer, "BEGIN");
	for (int i = 1; i <= 1500; i++) {
		add_span(fixture, i, 1, 0, "'s','GET',1000,1,0,200,NULL,'/'");
		add_span(fixture, i, 2, 1, "'s','GET',2000,1,0,200,NULL,'/'");
	}
	run_sql(fixture->writer, "COMMIT");
	struct store_read *store = open_reader(fixture);
	assert_int_equal(store_read_traces(store, &filter, &rows), 1500);
	for (int i = 0; i < 1500; i++)
		assert_int_equal(rows[i].spans, 2);
	store_read_free_traces(rows, 1500);
	store_read_close(store);
}

static void what_is_no_store_is_refused_with_a_reason(void **state)
{
	struct fixture *fixture = *state;
	const char *problem = NULL;

	assert_null(store_read_open("/nonexistent/traces.db", &problem));
	assert_string_equal(problem, "there is no store yet");
	assert_null(store_read_open("/etc/passwd", &problem));
	assert_non_null(strstr(problem, "not a database"));
	run_sql(fixture->writer, "PRAGMA user_version=3");
	assert_null(store_read_open(fixture->path, &problem));
	assert_string_equal(problem, "written by a later version of tagalong");
	run_sql(fixture->writer, "PRAGMA user_version=1");
	assert_null(store_read_open(fixture->path, &problem));
	assert_non_null(strstr(problem, "earlier version"));
	run_sql(fixture->writer, "DROP TABLE spans; PRAGMA user_version=2");
	assert_null(store_read_open(fixture->path, &problem));
	assert_string_equal(problem, "not a store of spans");
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_STORE(newest_traces_come_last_and_limited),
		WITH_STORE(filters_select_traces),
		WITH_STORE(ids_are_found_by_prefix_and_by_request),
		WITH_STORE(spans_have_all_their_columns),
		WITH_STORE(damaged_rows_are_still_read),
		WITH_STORE(what_is_committed_later_is_seen_later),
		WITH_STORE(more_traces_than_the_first_table_holds),
		WITH_STORE(what_is_no_store_is_refused_with_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
