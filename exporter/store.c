/* store.c - writing the local store: one transaction a batch, bounded in size and age. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "exporter/batch.h"
#include "exporter/json.h"
#include "exporter/log.h"

#define BUSY_TIMEOUT_MS       200
#define PRUNE_ROWS            20000
#define WAL_LIMIT_BYTES       "16777216"
#define TEXT_(token)          #token
#define TEXT_OF_NUMBER(token) TEXT_(token)
#define STORE_VERSION_TEXT    TEXT_OF_NUMBER(STORE_USER_VERSION)

struct store {
	sqlite3 *database;
	sqlite3_stmt *insert_span, *insert_resource, *find_resource;
	struct store_limits limits;
	struct json json, events;
	char *path;
	int broken_was_said;
};

static const char insert_span_sql[] =
	"INSERT OR IGNORE INTO spans(trace_id, span_id, kind, parent_id, service, name, "
	"start_unix_ns, duration_ns, status, status_message, http_status, error_type, request_id, "
	"target, resource_id, attributes, events) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

static int is_corrupt(int code)
{
	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

static int is_busy(int code)
{
	return code == SQLITE_BUSY || code == SQLITE_LOCKED;
}

/* Parents of the file; only those that we make ourselves are closed to others. */
static int make_directories(const char *path)
{
	char *copy = strdup(path);
	int result = 0;

	if (!copy)
		return -ENOMEM;
	for (char *at = strchr(copy + 1, '/'); at && result == 0; at = strchr(at + 1, '/')) {
		*at = '\0';
		if (mkdir(copy, 0700) != 0 && errno != EEXIST)
			result = -errno;
		*at = '/';
	}
	free(copy);
	return result;
}

static int prepare(struct store *store)
{
	sqlite3 *database = store->database;
	int code = sqlite3_prepare_v2(database, insert_span_sql, -1, &store->insert_span, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(database,
					  "INSERT OR IGNORE INTO resources(attributes) VALUES(?)",
					  -1, &store->insert_resource, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_prepare_v2(database, "SELECT id FROM resources WHERE attributes = ?",
					  -1, &store->find_resource, NULL);
	return code;
}

static int read_version(sqlite3 *database, int *version)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(database, "PRAGMA user_version", -1, &statement, NULL);

	if (code != SQLITE_OK)
		return code;
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		*version = sqlite3_column_int(statement, 0);
		code = SQLITE_OK;
	}
	sqlite3_finalize(statement);
	return code;
}

/*
 * Two exporters that start together take turns at it: the version is asked for once more when the
 * database is ours.
 */
static int make_schema(sqlite3 *database)
{
	static const char *const steps[STORE_USER_VERSION] = {STORE_SCHEMA, STORE_UPGRADE_1};
	int version = 0;
	int code = sqlite3_exec(database, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	if (code == SQLITE_OK)
		code = read_version(database, &version);
	if (code == SQLITE_OK && version < STORE_USER_VERSION)
		code = sqlite3_exec(database, steps[version], NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(database, "PRAGMA user_version=" STORE_VERSION_TEXT "; COMMIT",
				    NULL, NULL, NULL);
	if (code != SQLITE_OK)
		sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL);
	return code;
}

/* A database of a later version is not ours to write. */
static int set_up(struct store *store)
{
	sqlite3 *database = store->database;
	int version = 0;
	int code;

	sqlite3_busy_timeout(database, 5000);
	sqlite3_extended_result_codes(database, 0);
	code = read_version(database, &version);
	if (code != SQLITE_OK)
		return code;
	if (version > STORE_USER_VERSION)
		return SQLITE_MISMATCH;
	code = sqlite3_exec(database,
			    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
			    "PRAGMA journal_size_limit=" WAL_LIMIT_BYTES ";"
			    "PRAGMA wal_autocheckpoint=2000; PRAGMA cache_size=-16384;"
			    "PRAGMA temp_store=MEMORY",
			    NULL, NULL, NULL);
	if (code == SQLITE_OK && version != STORE_USER_VERSION)
		code = make_schema(database);
	if (code == SQLITE_OK)
		code = prepare(store);
	sqlite3_busy_timeout(database, BUSY_TIMEOUT_MS);
	return code;
}

static void shut_down(struct store *store)
{
	sqlite3_finalize(store->insert_span);
	sqlite3_finalize(store->insert_resource);
	sqlite3_finalize(store->find_resource);
	sqlite3_close(store->database);
	store->insert_span = store->insert_resource = store->find_resource = NULL;
	store->database = NULL;
}

static int open_database(struct store *store)
{
	int code = sqlite3_open_v2(store->path, &store->database,
				   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);

	if (code == SQLITE_OK)
		code = set_up(store);
	return code;
}

/* The evidence is kept, but it must not stop the recording. */
static int move_aside(const char *path)
{
	char aside[4096], journal[4096];
	int size = snprintf(aside, sizeof(aside), "%s.corrupt-%lld", path, (long long)time(NULL));

	if (size < 0 || (size_t)size >= sizeof(aside) - 8)
		return -ENAMETOOLONG;
	if (rename(path, aside) != 0)
		return -errno;
	snprintf(journal, sizeof(journal), "%s-wal", path);
	unlink(journal);
	snprintf(journal, sizeof(journal), "%s-shm", path);
	unlink(journal);
	log_line(LOG_WARN, "store", "the database is corrupt, moved aside to %s", aside);
	return 0;
}

struct store *store_open(const char *path, const struct store_limits *limits, int *error)
{
	struct store *store = calloc(1, sizeof(*store));
	int result = -ENOMEM;
	int code;

	if (store)
		store->path = strdup(path);
	if (!store || !store->path)
		goto out;
	store->limits = *limits;
	result = make_directories(path);
	if (result != 0) {
		log_line(LOG_ERROR, "store", "can't create the directory of %s: %s", path,
			 strerror(-result));
		goto out;
	}
	code = open_database(store);
	if (is_corrupt(code)) {
		shut_down(store);
		code = move_aside(path) == 0 ? open_database(store) : code;
	}
	if (code == SQLITE_OK)
		return store;
	log_line(LOG_ERROR, "store", "can't use %s: %s", path,
		 code == SQLITE_MISMATCH ? "a later version of tagalong wrote it"
					 : sqlite3_errstr(code));
	result = -EIO;
out:
	if (store)
		store_close(store);
	*error = result;
	return NULL;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	shut_down(store);
	free(store->json.at);
	free(store->events.at);
	free(store->path);
	free(store);
}

static int resource_id(struct store *store, struct resource *resource)
{
	int code;

	if (resource->store_id)
		return SQLITE_DONE;
	sqlite3_bind_text(store->insert_resource, 1, resource->json, -1, SQLITE_STATIC);
	code = sqlite3_step(store->insert_resource);
	sqlite3_reset(store->insert_resource);
	if (code != SQLITE_DONE)
		return code;
	sqlite3_bind_text(store->find_resource, 1, resource->json, -1, SQLITE_STATIC);
	code = sqlite3_step(store->find_resource);
	if (code == SQLITE_ROW) {
		resource->store_id = sqlite3_column_int64(store->find_resource, 0);
		code = SQLITE_DONE;
	}
	sqlite3_reset(store->find_resource);
	return code;
}

static void bind_string(sqlite3_stmt *statement, int at, const char *string)
{
	if (string)
		sqlite3_bind_text(statement, at, string, -1, SQLITE_STATIC);
	else
		sqlite3_bind_null(statement, at);
}

static int has_parent(const struct batch_span *span)
{
	static const uint8_t none[8];

	return memcmp(span->parent_id, none, sizeof(none)) != 0;
}

static void bind_span(struct store *store, const struct batch_span *span)
{
	sqlite3_stmt *to = store->insert_span;

	sqlite3_bind_blob(to, 1, span->trace_id, 16, SQLITE_STATIC);
	sqlite3_bind_blob(to, 2, span->span_id, 8, SQLITE_STATIC);
	sqlite3_bind_int(to, 3, span->kind);
	if (has_parent(span))
		sqlite3_bind_blob(to, 4, span->parent_id, 8, SQLITE_STATIC);
	else
		sqlite3_bind_null(to, 4);
	bind_string(to, 5, span->resource->service);
	bind_string(to, 6, span->name);
	sqlite3_bind_int64(to, 7, (sqlite3_int64)span->start_unix_ns);
	sqlite3_bind_int64(to, 8, (sqlite3_int64)(span->end_unix_ns - span->start_unix_ns));
	sqlite3_bind_int(to, 9, span->status);
	bind_string(to, 10, span->status_message);
	if (span->http_status)
		sqlite3_bind_int(to, 11, span->http_status);
	else
		sqlite3_bind_null(to, 11);
	bind_string(to, 12, span->error_type);
	bind_string(to, 13, span->request_id);
	bind_string(to, 14, span->target);
	sqlite3_bind_int64(to, 15, span->resource->store_id);
	sqlite3_bind_text(to, 16, store->json.at, (int)store->json.size, SQLITE_STATIC);
	if (span->event_count)
		sqlite3_bind_text(to, 17, store->events.at, (int)store->events.size, SQLITE_STATIC);
	else
		sqlite3_bind_null(to, 17);
}

static int write_span(struct store *store, const struct batch_span *span)
{
	int code = resource_id(store, span->resource);

	if (code != SQLITE_DONE)
		return code;
	json_attributes(&store->json, span->attributes, span->attribute_count);
	if (span->event_count)
		json_events(&store->events, span->events, span->event_count);
	if (store->json.failed || store->events.failed)
		return SQLITE_NOMEM;
	bind_span(store, span);
	code = sqlite3_step(store->insert_span);
	sqlite3_reset(store->insert_span);
	return code;
}

static int write_all(struct store *store, struct batch *batch)
{
	int code = sqlite3_exec(store->database, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	if (code != SQLITE_OK)
		return code;
	code = SQLITE_DONE;
	for (size_t i = 0; i < batch->count && code == SQLITE_DONE; i++)
		code = write_span(store, &batch->spans[i]);
	if (code == SQLITE_DONE)
		code = sqlite3_exec(store->database, "COMMIT", NULL, NULL, NULL);
	if (code != SQLITE_OK) {
		sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
		/* Rows of resources that were made in this transaction are gone with it. */
		for (size_t i = 0; i < batch->count; i++)
			batch->spans[i].resource->store_id = 0;
	}
	return code;
}

/* Whether a new database took the place of a broken one. */
static int replaced(struct store *store)
{
	shut_down(store);
	return move_aside(store->path) == 0 && open_database(store) == SQLITE_OK;
}

enum store_result store_write(struct store *store, struct batch *batch)
{
	int code = store->database ? write_all(store, batch) : SQLITE_CANTOPEN;

	if (is_corrupt(code) && replaced(store)) {
		for (size_t i = 0; i < batch->count; i++)
			batch->spans[i].resource->store_id = 0;
		code = write_all(store, batch);
	}
	if (code == SQLITE_OK) {
		store->broken_was_said = 0;
		return STORE_DONE;
	}
	if (is_busy(code))
		return STORE_RETRY;
	if (!store->broken_was_said)
		log_line(LOG_ERROR, "store", "can't write %s, spans are not stored: %s",
			 store->path, sqlite3_errstr(code));
	store->broken_was_said = 1;
	return STORE_DROP;
}

static int64_t pragma(struct store *store, const char *sql)
{
	sqlite3_stmt *statement;
	int64_t value = 0;

	if (sqlite3_prepare_v2(store->database, sql, -1, &statement, NULL) != SQLITE_OK)
		return 0;
	if (sqlite3_step(statement) == SQLITE_ROW)
		value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return value;
}

static int64_t remove_before(struct store *store, uint64_t unix_ns, uint64_t rows)
{
	char sql[256];
	int code;

	snprintf(sql, sizeof(sql),
		 "DELETE FROM spans WHERE rowid IN (SELECT rowid FROM spans "
		 "WHERE start_unix_ns <= %lld ORDER BY start_unix_ns LIMIT %llu)",
		 (long long)unix_ns, (unsigned long long)rows);
	code = sqlite3_exec(store->database, sql, NULL, NULL, NULL);
	return code == SQLITE_OK ? sqlite3_changes(store->database) : -EIO;
}

int64_t store_prune(struct store *store, uint64_t now_unix_ns)
{
	int64_t removed = 0, more, pages;
	uint64_t bytes;

	if (!store->database)
		return -EIO;
	if (store->limits.max_age_ns && now_unix_ns > store->limits.max_age_ns)
		removed = remove_before(store, now_unix_ns - store->limits.max_age_ns, PRUNE_ROWS);
	pages = pragma(store, "PRAGMA page_count") - pragma(store, "PRAGMA freelist_count");
	bytes = (uint64_t)pages * (uint64_t)pragma(store, "PRAGMA page_size");
	if (removed < 0 || !store->limits.max_bytes || bytes <= store->limits.max_bytes)
		return removed;
	more = remove_before(store, INT64_MAX, PRUNE_ROWS);
	/* Resources without spans go with them; the table is small. */
	sqlite3_exec(store->database,
		     "DELETE FROM resources WHERE id < (SELECT max(id) FROM resources) - 1000 AND "
		     "id NOT IN (SELECT DISTINCT resource_id FROM spans)",
		     NULL, NULL, NULL);
	return more < 0 ? more : removed + more;
}
