/* shim_told.h - the spans that the shim told: read back out of its ring, for its tests. */
#ifndef TAGALONG_SHIM_TOLD_H
#define TAGALONG_SHIM_TOLD_H

#include <stdatomic.h>
#include <string.h>

#include "preload/segment.h"

/* A finished span as it came out of the ring. */
struct told {
	struct span span;
	uint8_t fields[SPAN_FIELDS_MAX];
};

/* Takes the next span out of the ring; 0: none is committed at its tail. */
static inline int shim_next(struct slot *slot, struct told *to)
{
	struct ring *ring = &slot->ring;
	const struct record_head *record;
	uint16_t type = RECORD_FILLER;

	to->span = (struct span){0};
	while (type != RECORD_SPAN) {
		uint64_t at = atomic_load(&ring->tail);

		record = (void *)(ring->data + at % RING_BYTES);
		if (at == atomic_load(&ring->head) || atomic_load(&record->commit) != at + 1)
			return 0;
		type = record->type;
		if (type == RECORD_SPAN) {
			memcpy(&to->span, record + 1, sizeof(to->span));
			memcpy(to->fields, (struct span *)(record + 1) + 1, to->span.fields_size);
		}
		atomic_store(&ring->tail, at + record->size);
	}
	return 1;
}

/* Copies a text field with a NUL; its size, or -1: the span has none of that id. */
static inline int shim_field(const struct told *from, uint8_t id, char *out, size_t room)
{
	for (size_t at = 0; at + 4 <= from->span.fields_size;) {
		uint16_t size;

		memcpy(&size, from->fields + at + 2, sizeof(size));
		if (from->fields[at] == id && size < room) {
			memcpy(out, from->fields + at + 4, size);
			out[size] = 0;
			return size;
		}
		at += 4u + size;
	}
	return -1;
}

#endif
