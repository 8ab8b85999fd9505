/* store_read.c - reading the local store of spans, also while it is being written. */
#include "exporter/store_read.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporter/store.h"

#define BUSY_MS      2000
#define PREFIX_MIN   4
#define SEEN_START   256
#define COLUMN_TEXTS 8 /* the first of the text columns below */
/* A line break in a value would begin a line of its own. */
#define EVENT_LINES                                                                                \
	"(SELECT group_concat(json_extract(e.value, '$.time_unix_ns') || char(9) || "              \
	"replace(json_extract(e.value, '$.name'), char(10), ' ') || char(9) || "                   \
	"coalesce((SELECT group_concat(a.key || '=' || replace(a.value, char(10), ' '), '  ') "    \
	"FROM json_each(e.value, '$.attributes') a), '') || char(10), '') "                        \
	"FROM json_each(s.events) e)"
#define SPAN_QUERY                                                                                 \
	"SELECT trace_id, span_id, parent_id, kind, status, http_status, start_unix_ns, "          \
	"duration_ns, service, name, target, request_id, status_message, error_type, "             \
	"CASE WHEN json_valid(s.attributes) THEN "                                                 \
	"json_extract(s.attributes, '$.\"tagalong.parent.guess\"') END, "                          \
	"s.attributes, r.attributes, s.events, CASE WHEN json_valid(s.events) THEN " EVENT_LINES   \
	" END "                                                                                    \
	"FROM spans s LEFT JOIN resources r ON r.id = s.resource_id "                              \
	"WHERE trace_id = ? ORDER BY start_unix_ns, kind"

struct store_read {
	sqlite3 *database;
	sqlite3_stmt *spans;
};

/* ---- opening ------------------------------------------------------------------------------ */

/* The path as a URI: some characters have a meaning there. NULL: no memory. */
static char *make_uri(const char *path, const char *options)
{
	static const char prefix[] = "file:";
	char *uri = malloc(sizeof(prefix) + 3 * strlen(path) + strlen(options));
	size_t at = sizeof(prefix) - 1;

	if (!uri)
		return NULL;
	memcpy(uri, prefix, at);
	for (; *path; path++)
		at += strchr("%?#", *path) ? (size_t)sprintf(uri + at, "%%%02x", *path)
					   : (size_t)sprintf(uri + at, "%c", *path);
	memcpy(uri + at, options, strlen(options) + 1);
	return uri;
}

static int query_version(sqlite3 *database, int *version)
{
	sqlite3_stmt *statement = NULL;
	int result = sqlite3_prepare_v2(database, "PRAGMA user_version", -1, &statement, NULL);

	if (result == SQLITE_OK)
		result = sqlite3_step(statement);
	if (result == SQLITE_ROW) {
		*version = sqlite3_column_int(statement, 0);
		result = SQLITE_OK;
	}
	sqlite3_finalize(statement);
	return result;
}

static int open_database(const char *path, const char *options, sqlite3 **database, int *version)
{
	char *uri = make_uri(path, options);

	if (!uri)
		return SQLITE_NOMEM;
	int result = sqlite3_open_v2(uri, database, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
	free(uri);
	if (result == SQLITE_OK) {
		sqlite3_busy_timeout(*database, BUSY_MS);
		result = query_version(*database, version);
	}
	if (result != SQLITE_OK) {
		sqlite3_close(*database);
		*database = NULL;
	}
	return result;
}

static struct store_read *prepare(sqlite3 *database, const char **problem)
{
	struct store_read *store = calloc(1, sizeof(*store));

	*problem = "out of memory";
	if (!store)
		goto failed;
	if (sqlite3_prepare_v2(database, SPAN_QUERY, -1, &store->spans, NULL) != SQLITE_OK) {
		*problem = "not a store of spans";
		goto failed;
	}
	store->database = database;
	return store;
failed:
	free(store);
	sqlite3_close(database);
	return NULL;
}

struct store_read *store_read_open(const char *path, const char **problem)
{
	sqlite3 *database = NULL;
	int version = 0;

	if (access(path, R_OK) < 0) {
		*problem = errno == ENOENT ? "there is no store yet" : strerror(errno);
		return NULL;
	}
	int result = open_database(path, "?mode=ro", &database, &version);
	/* Readers of WAL need its index; where they may not make one, nobody else writes either. */
	if (result == SQLITE_CANTOPEN || result == SQLITE_READONLY)
		result = open_database(path, "?immutable=1", &database, &version);
	if (result != SQLITE_OK) {
		*problem = sqlite3_errstr(result);
		return NULL;
	}
	if (version != STORE_USER_VERSION) {
		*problem = version == 0 ? "not a store of spans"
			   : version < STORE_USER_VERSION
				   ? "of an earlier version; an exporter that writes it converts it"
				   : "written by a later version of tagalong";
		sqlite3_close(database);
		return NULL;
	}
	return prepare(database, problem);
}

void store_read_close(struct store_read *store)
{
	if (!store)
		return;
	sqlite3_finalize(store->spans);
	sqlite3_close(store->database);
	free(store);
}

/* ---- spans -------------------------------------------------------------------------------- */

/* Copies an ID; one of another length counts as absent. */
static bool copy_id(sqlite3_stmt *statement, int column, uint8_t *out, int size)
{
	const void *blob = sqlite3_column_blob(statement, column);

	if (!blob || sqlite3_column_bytes(statement, column) != size)
		return false;
	memcpy(out, blob, size);
	return true;
}

/* All texts of a row share one allocation, which begins with the service. */
static int copy_texts(sqlite3_stmt *statement, struct span_row *row)
{
	const char **texts[] = {&row->service,    &row->name,           &row->target,
				&row->request_id, &row->status_message, &row->error_type,
				&row->guess,      &row->attributes,     &row->resource,
				&row->events,     &row->event_lines};
	const int count = sizeof(texts) / sizeof(texts[0]);
	size_t size = 0;

	for (int i = 0; i < count; i++)
		size += sqlite3_column_bytes(statement, COLUMN_TEXTS + i) + 1;
	char *at = malloc(size);
	if (!at)
		return -ENOMEM;
	for (int i = 0; i < count; i++) {
		const char *text = (const char *)sqlite3_column_text(statement, COLUMN_TEXTS + i);
		/* A text with a NUL inside ends there. */
		size_t length = text ? strlen(text) : 0;
		memcpy(at, text ? text : "", length + 1);
		*texts[i] = at;
		at += length + 1;
	}
	return 0;
}

static int read_row(sqlite3_stmt *statement, struct span_row *row)
{
	memset(row, 0, sizeof(*row));
	copy_id(statement, 0, row->trace_id, STORE_TRACE_ID);
	copy_id(statement, 1, row->span_id, STORE_SPAN_ID);
	row->has_parent = copy_id(statement, 2, row->parent_id, STORE_SPAN_ID);
	row->kind = sqlite3_column_int(statement, 3);
	row->status = sqlite3_column_int(statement, 4);
	row->http_status = sqlite3_column_int(statement, 5);
	row->start_unix_ns = sqlite3_column_int64(statement, 6);
	row->duration_ns = sqlite3_column_int64(statement, 7);
	return copy_texts(statement, row);
}

void store_read_free_spans(struct span_row *rows, int count)
{
	for (int i = 0; i < count; i++)
		free((char *)rows[i].service);
	free(rows);
}

int store_read_spans(struct store_read *store, const uint8_t *trace_id, struct span_row **rows)
{
	struct span_row *found = NULL;
	int count = 0, room = 0, step;

	sqlite3_bind_blob(store->spans, 1, trace_id, STORE_TRACE_ID, SQLITE_TRANSIENT);
	while ((step = sqlite3_step(store->spans)) == SQLITE_ROW) {
		if (count == room) {
			room = room ? 2 * room : 16;
			struct span_row *more = realloc(found, room * sizeof(*found));
			if (!more)
				break;
			found = more;
		}
		if (read_row(store->spans, &found[count]) < 0)
			break;
		count++;
	}
	sqlite3_reset(store->spans);
	if (step != SQLITE_DONE) {
		store_read_free_spans(found, count);
		return -EIO;
	}
	*rows = found;
	return count;
}

/* ---- list of traces ----------------------------------------------------------------------- */

/* Traces met so far: open addressing, at most half full. */
struct seen {
	uint8_t (*ids)[STORE_TRACE_ID]; /* zeros: free, as no valid trace ID is */
	size_t room, count;
};

/* The place of an ID, or the free place for it. Trace IDs are random in their last bytes. */
static uint8_t *seen_place(struct seen *seen, const uint8_t *id)
{
	static const uint8_t zeros[STORE_TRACE_ID];
	uint64_t hash;

	memcpy(&hash, id + (STORE_TRACE_ID - sizeof(hash)), sizeof(hash));
	for (size_t i = hash % seen->room;; i = (i + 1) % seen->room)
		if (memcmp(seen->ids[i], id, STORE_TRACE_ID) == 0 ||
		    memcmp(seen->ids[i], zeros, STORE_TRACE_ID) == 0)
			return seen->ids[i];
}

static int seen_grow(struct seen *seen)
{
	static const uint8_t zeros[STORE_TRACE_ID];
	struct seen larger = {.room = seen->room ? 2 * seen->room : SEEN_START,
			      .count = seen->count};

	larger.ids = calloc(larger.room, STORE_TRACE_ID);
	if (!larger.ids)
		return -ENOMEM;
	for (size_t i = 0; i < seen->room; i++)
		if (memcmp(seen->ids[i], zeros, STORE_TRACE_ID) != 0)
			memcpy(seen_place(&larger, seen->ids[i]), seen->ids[i], STORE_TRACE_ID);
	free(seen->ids);
	*seen = larger;
	return 0;
}

/* 1 if the ID is new, 0 if it was met before, or -ENOMEM. */
static int seen_add(struct seen *seen, const uint8_t *id)
{
	if (2 * seen->count >= seen->room && seen_grow(seen) < 0)
		return -ENOMEM;
	uint8_t *place = seen_place(seen, id);
	if (memcmp(place, id, STORE_TRACE_ID) == 0)
		return 0;
	memcpy(place, id, STORE_TRACE_ID);
	seen->count++;
	return 1;
}

/* Sums a trace up; takes the root's texts over. 1 if it passes the filter. */
static bool sum_up(struct span_row *spans, int count, const struct trace_filter *filter,
		   struct trace_row *row)
{
	int64_t end = INT64_MIN;
	bool takes_part = !filter->service;
	int root = 0;

	memset(row, 0, sizeof(*row));
	for (int i = 0; i < count; i++) {
		int64_t span_end = spans[i].start_unix_ns + spans[i].duration_ns;
		if (span_end > end)
			end = span_end;
		row->errors += spans[i].status == 2;
		if (filter->service && strcmp(spans[i].service, filter->service) == 0)
			takes_part = true;
		if (spans[root].has_parent && !spans[i].has_parent)
			root = i;
	}
	if (count == 0 || !takes_part || (filter->errors && row->errors == 0))
		return false;
	row->spans = count;
	row->start_unix_ns = spans[0].start_unix_ns;
	row->duration_ns = end - row->start_unix_ns;
	if (row->duration_ns < filter->slower_ns)
		return false;
	memcpy(row->trace_id, spans[0].trace_id, STORE_TRACE_ID);
	row->root = spans[root];
	spans[root].service = NULL;
	return true;
}

static int add_trace(struct store_read *store, const uint8_t *id, const struct trace_filter *filter,
		     struct trace_row *row)
{
	struct span_row *spans = NULL;
	int count = store_read_spans(store, id, &spans);

	if (count < 0)
		return count;
	int added = sum_up(spans, count, filter, row);
	store_read_free_spans(spans, count);
	return added;
}

static int compare_start(const void *left, const void *right)
{
	const struct trace_row *a = left, *b = right;

	return (a->start_unix_ns > b->start_unix_ns) - (a->start_unix_ns < b->start_unix_ns);
}

int store_read_traces(struct store_read *store, const struct trace_filter *filter,
		      struct trace_row **rows)
{
	struct trace_row *found = calloc(filter->limit, sizeof(*found));
	struct seen seen = {0};
	sqlite3_stmt *newest = NULL;
	uint8_t id[STORE_TRACE_ID] = {0};
	int count = 0, result = found ? 0 : -ENOMEM, step = SQLITE_DONE;

	/* Follows the index by start and ends as soon as there are enough. */
	if (result == 0 && sqlite3_prepare_v2(store->database,
					      "SELECT trace_id FROM spans "
					      "ORDER BY start_unix_ns DESC",
					      -1, &newest, NULL) != SQLITE_OK)
		result = -EIO;
	while (result >= 0 && count < filter->limit &&
	       (step = sqlite3_step(newest)) == SQLITE_ROW) {
		if (!copy_id(newest, 0, id, STORE_TRACE_ID))
			continue;
		result = seen_add(&seen, id);
		if (result == 1)
			result = add_trace(store, id, filter, &found[count]);
		if (result == 1)
			count++;
	}
	if (result >= 0 && step != SQLITE_ROW && step != SQLITE_DONE)
		result = -EIO;
	sqlite3_finalize(newest);
	free(seen.ids);
	if (result < 0) {
		store_read_free_traces(found, count);
		return -EIO;
	}
	qsort(found, count, sizeof(*found), compare_start);
	*rows = found;
	return count;
}

void store_read_free_traces(struct trace_row *rows, int count)
{
	for (int i = 0; i < count; i++)
		free((char *)rows[i].root.service);
	free(rows);
}

/* ---- by ID -------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The lowest and the highest trace ID that begin with these digits; false if it's no such prefix.
 */
static bool parse_prefix(const char *text, uint8_t *low, uint8_t *high)
{
	size_t length = strlen(text);

	if (length < PREFIX_MIN || length > (size_t)2 * STORE_TRACE_ID)
		return false;
	memset(low, 0, STORE_TRACE_ID);
	memset(high, 0xff, STORE_TRACE_ID);
	for (size_t i = 0; i < length; i++) {
		int digit = hex_digit(text[i]);
		if (digit < 0)
			return false;
		int shift = i % 2 ? 0 : 4;
		low[i / 2] |= digit << shift;
		high[i / 2] &= (digit << shift) | (0xf0 >> shift);
	}
	return true;
}

static int collect(sqlite3_stmt *statement, uint8_t (*trace_ids)[STORE_TRACE_ID], int room)
{
	int count = 0, step;

	while ((step = sqlite3_step(statement)) == SQLITE_ROW && count <= room) {
		uint8_t id[STORE_TRACE_ID];
		if (!copy_id(statement, 0, id, STORE_TRACE_ID))
			continue;
		if (count < room)
			memcpy(trace_ids[count], id, STORE_TRACE_ID);
		count++;
	}
	return step == SQLITE_ROW || step == SQLITE_DONE ? count : -EIO;
}

int store_read_find(struct store_read *store, const char *id, uint8_t (*trace_ids)[STORE_TRACE_ID],
		    int room)
{
	uint8_t low[STORE_TRACE_ID], high[STORE_TRACE_ID];
	sqlite3_stmt *statement = NULL;
	int count = 0;

	if (parse_prefix(id, low, high)) {
		if (sqlite3_prepare_v2(store->database,
				       "SELECT trace_id FROM spans WHERE trace_id BETWEEN ? AND ? "
				       "GROUP BY trace_id",
				       -1, &statement, NULL) != SQLITE_OK)
			return -EIO;
		sqlite3_bind_blob(statement, 1, low, sizeof(low), SQLITE_STATIC);
		sqlite3_bind_blob(statement, 2, high, sizeof(high), SQLITE_STATIC);
		count = collect(statement, trace_ids, room);
		sqlite3_finalize(statement);
	}
	if (count != 0)
		return count;
	if (sqlite3_prepare_v2(store->database,
			       "SELECT trace_id FROM spans WHERE request_id = ? "
			       "GROUP BY trace_id ORDER BY max(start_unix_ns) DESC",
			       -1, &statement, NULL) != SQLITE_OK)
		return -EIO;
	sqlite3_bind_text(statement, 1, id, -1, SQLITE_STATIC);
	count = collect(statement, trace_ids, room);
	sqlite3_finalize(statement);
	return count;
}
