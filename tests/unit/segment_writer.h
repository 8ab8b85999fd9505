/* segment_writer.h - a process's side of the segment, for tests of the exporter. */
#ifndef TAGALONG_SEGMENT_WRITER_H
#define TAGALONG_SEGMENT_WRITER_H

/* Written from preload/segment.h alone, as a second reading of that contract. */

#include <stddef.h>
#include <stdint.h>

#include "preload/segment.h"

/* A span with its fields, as the shim has it under construction. */
struct writer_span {
	struct span span;
	uint8_t fields[SPAN_FIELDS_MAX];
};

uint64_t writer_now_ns(void);

/* Claims the first free slot of the file as the present process; NULL: none. */
struct slot *writer_attach(const char *path, const char *executable);

/* Reserves a record; the position, or UINT64_MAX if the ring is full. */
uint64_t writer_reserve(struct ring *ring, uint32_t size);

/* Lets the reader see the record at `position`. */
void writer_commit(struct ring *ring, uint64_t position);

/* Both add a field to a span; the caller sees to it that there is room. */
void writer_field(struct writer_span *to, uint8_t id, const void *bytes, size_t size);
void writer_text(struct writer_span *to, uint8_t id, const char *text);

/* A GET that a server answered with 200 in 2 ms; `number` makes its ids. */
void writer_sample(struct writer_span *to, uint64_t number);

/* Writes a finished span; 0, or -1: full, counted. */
int writer_push(struct slot *slot, const struct writer_span *from);

/* Writes a stack and `stack->size` bytes of it; 0, or -1: full. */
int writer_push_stack(struct slot *slot, const struct stack_record *stack, const void *bytes);

/* Puts an open request into the in-flight table. */
void writer_open(struct slot *slot, unsigned index, const struct writer_span *from);

#endif
