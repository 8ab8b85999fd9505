/* store.h - the local store of spans: an SQLite database, written here, read while it is written.
 */
#ifndef TAGALONG_STORE_H
#define TAGALONG_STORE_H

/* All functions: one thread. Several processes may write one database. */

#include <stdint.h>

#define STORE_USER_VERSION 2

#define STORE_SCHEMA                                                                               \
	"CREATE TABLE IF NOT EXISTS resources("                                                    \
	"id INTEGER PRIMARY KEY, attributes TEXT NOT NULL UNIQUE);"                                \
	"CREATE TABLE IF NOT EXISTS spans("                                                        \
	"trace_id BLOB NOT NULL, span_id BLOB NOT NULL, kind INTEGER NOT NULL, parent_id BLOB, "   \
	"service TEXT NOT NULL, name TEXT NOT NULL, start_unix_ns INTEGER NOT NULL, "              \
	"duration_ns INTEGER NOT NULL, status INTEGER NOT NULL, status_message TEXT, "             \
	"http_status INTEGER, error_type TEXT, request_id TEXT, target TEXT, "                     \
	"resource_id INTEGER NOT NULL, attributes TEXT NOT NULL, events TEXT, "                    \
	"PRIMARY KEY(trace_id, span_id, kind));"                                                   \
	"CREATE INDEX IF NOT EXISTS spans_by_start ON spans(start_unix_ns);"

/* Version 1 had no events. */
#define STORE_UPGRADE_1 "ALTER TABLE spans ADD COLUMN events TEXT;"

struct store;
struct batch;

struct store_limits {
	uint64_t max_bytes;
	uint64_t max_age_ns;
};

/* What became of a batch. */
enum store_result {
	STORE_DONE,  /* committed */
	STORE_RETRY, /* another writer held the database for too long: give it again later */
	STORE_DROP,  /* can't be stored; said once in a log line */
};

/*
 * Opens or creates the database and its directory (0700). A corrupt one is moved aside. NULL with
 * -errno in *error if it can't be written; said in a log line.
 */
struct store *store_open(const char *path, const struct store_limits *limits, int *error);

/* Writes all spans of a batch in one transaction; those that are there already are left. */
enum store_result store_write(struct store *store, struct batch *batch);

/* Removes the oldest spans beyond the limits, a bounded number a call. Returns how many, or -errno.
 */
int64_t store_prune(struct store *store, uint64_t now_unix_ns);

void store_close(struct store *store);

#endif
