/* record.h - one record of the segment, copied out of it and checked. */
#ifndef TAGALONG_RECORD_H
#define TAGALONG_RECORD_H

/* Layout: preload/segment.h. The bytes come from another process: nothing is believed. */

#include <stddef.h>

#include "exporter/arena.h"
#include "exporter/text.h"
#include "preload/segment.h"

struct route_match;

#define RECORD_FIELDS      24 /* above the highest enum span_field */
#define RECORD_HEADERS_MAX 16 /* captured headers, requests and responses together */

struct record_header {
	struct text name, value;
	int of_response;
};

/* The call that the span is about; what is unknown is absent. Filled in by others. */
struct record_call {
	struct text function, file; /* where it was made */
	struct text stack;
	uint32_t line;
};

struct record {
	struct span span;                 /* start_ns and end_ns set, end_ns >= start_ns */
	struct text field[RECORD_FIELDS]; /* by enum span_field, but for the two headers */
	struct record_header *headers;
	size_t header_count;
	struct record_call call;         /* zeros after record_parse */
	const struct route_match *route; /* by routes_span, which see; NULL after record_parse */
};

/*
 * Copies `size` bytes (a struct span and its fields) into the arena and checks the copy. Text is
 * valid UTF-8 without NUL and NUL-terminated. An in-flight span has end_ns 0; it becomes `now_ns`.
 * 0, -EINVAL (the arena is as before), or -ENOMEM.
 */
int record_parse(struct arena *arena, const void *bytes, size_t size, uint64_t now_ns,
		 struct record *record);

/*
 * Copies and checks the head of a stack; its bytes, stack->size of them, stay where they are,
 * behind the struct. 0 or -EINVAL.
 */
int record_stack(const void *bytes, size_t size, struct stack_record *stack);

#endif
