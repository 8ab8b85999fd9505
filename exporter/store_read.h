/* store_read.h - reading the local store of spans, also while it is being written. */
#ifndef TAGALONG_STORE_READ_H
#define TAGALONG_STORE_READ_H

/* All functions: one thread. Nothing is ever written to the database. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_TRACE_ID 16
#define STORE_SPAN_ID  8

struct store_read;

/* Texts are never NULL: "" if the store has none. */
struct span_row {
	uint8_t trace_id[STORE_TRACE_ID];
	uint8_t span_id[STORE_SPAN_ID];
	uint8_t parent_id[STORE_SPAN_ID];
	bool has_parent;
	int kind;
	int status; /* 2: error */
	int http_status;
	int64_t start_unix_ns;
	int64_t duration_ns;
	const char *service, *name, *target, *request_id;
	const char *status_message, *error_type;
	const char *guess;      /* tagalong.parent.guess: how a doubtful parent was found */
	const char *attributes; /* JSON object */
	const char *resource;   /* JSON object */
	const char *events;     /* JSON array */
	/* The events to be shown: "unix_ns\tname\tkey=value  key=value\n", one after the other. */
	const char *event_lines;
};

struct trace_row {
	uint8_t trace_id[STORE_TRACE_ID];
	int64_t start_unix_ns;
	int64_t duration_ns; /* first start to last end */
	int spans, errors;
	struct span_row root; /* the earliest span without a parent, else the earliest */
};

struct trace_filter {
	bool errors;         /* only traces with a failed span */
	int64_t slower_ns;   /* only those that took longer; 0: all */
	const char *service; /* only those in which it takes part; NULL: all */
	int limit;           /* the newest so many */
};

/*
 * Opens the database. NULL with a clause for the user in *problem (valid until the next call) if
 * there is none, it can't be read, or it is of another version.
 */
struct store_read *store_read_open(const char *path, const char **problem);
void store_read_close(struct store_read *store);

/*
 * The newest traces that pass the filter, oldest first, as one array; *rows is freed with
 * store_read_free_traces. Returns the number, or -EIO.
 */
int store_read_traces(struct store_read *store, const struct trace_filter *filter,
		      struct trace_row **rows);
void store_read_free_traces(struct trace_row *rows, int count);

/*
 * Which traces a user means by `id`: the first hexadecimal digits of a trace ID (4 at least), else
 * a request ID, the newest first. Fills at most `room` and returns how many (room + 1: there are
 * more), or -EIO.
 */
int store_read_find(struct store_read *store, const char *id, uint8_t (*trace_ids)[STORE_TRACE_ID],
		    int room);

/* All spans of a trace by start time. Returns the number or -EIO; frees as above. */
int store_read_spans(struct store_read *store, const uint8_t *trace_id, struct span_row **rows);
void store_read_free_spans(struct span_row *rows, int count);

#endif
