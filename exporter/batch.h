/* batch.h - finished spans on their way to the store and the collector, in one arena. */
#ifndef TAGALONG_BATCH_H
#define TAGALONG_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "exporter/arena.h"
#include "exporter/attribute.h"
#include "exporter/resource.h"
#include "preload/segment.h"

enum span_status { STATUS_UNSET = 0, STATUS_ERROR = 2 }; /* OTLP's numbers */

struct batch_event {
	uint64_t time_unix_ns;
	const char *name;
	const struct attribute *attributes;
	uint16_t attribute_count;
};

struct batch_span {
	struct resource *resource; /* kept by the batch's mark of its slot */
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t parent_id[8]; /* zeros: none */
	uint64_t start_unix_ns;
	uint64_t end_unix_ns;
	const char *name;
	const char *status_message; /* or NULL, as the next four */
	const char *error_type;
	const char *request_id;
	const char *target;
	const char *trace_state;
	const struct attribute *attributes;
	const struct batch_event *events;
	uint32_t flags; /* OTLP's: W3C flags and whether the parent is remote */
	uint16_t attribute_count;
	uint16_t attributes_dropped;
	uint16_t event_count;
	uint16_t http_status; /* 0: none */
	uint8_t kind;         /* enum span_kind */
	uint8_t status;       /* enum span_status */
};

/* How far a process's ring is read once this batch is delivered. */
struct batch_mark {
	uint32_t slot;
	uint32_t generation;
	uint64_t position;
	struct resource *resource; /* a reference */
};

struct batch {
	struct batch *next;
	struct arena arena;
	struct batch_span *spans;
	size_t count, capacity;
	struct batch_mark *marks;
	size_t mark_count;
	uint64_t opened_ns;   /* monotonic, of the first span */
	unsigned waiting_for; /* destinations that have not answered yet */
};

/* With room for `capacity` spans. NULL: no memory. */
struct batch *batch_new(size_t capacity);

/* Gives the references to resources back. Accepts NULL. */
void batch_free(struct batch *batch);

/* Makes it as new, but for memory that the next spans can use. */
void batch_reset(struct batch *batch);

/* Notes that a slot was read up to `position`; takes a reference to its resource the first time. */
void batch_mark(struct batch *batch, uint32_t slot, uint32_t generation, uint64_t position,
		struct resource *resource);

/*
 * Keeps a resource as long as the batch, for spans that are in no ring any more. 0, or -ENOSPC:
 * there are too many.
 */
#define BATCH_NO_SLOT UINT32_MAX
int batch_keep(struct batch *batch, struct resource *resource);

#endif
