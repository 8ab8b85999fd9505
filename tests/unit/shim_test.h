/* shim_test.h - the shim inside a test program: a session of its own, and the spans that it told.
 */
#ifndef TAGALONG_SHIM_TEST_H
#define TAGALONG_SHIM_TEST_H

/* For one source file of a program: it also stands in for preload/init.c, which defines hooks. */

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "preload/attach.h"
#include "preload/conf.h"
#include "preload/conn.h"
#include "preload/context.h"
#include "preload/exchange.h"
#include "preload/fd.h"
#include "preload/scratch.h"
#include "preload/segment.h"
#include "preload/thread.h"
#include "preload/threads.h"

/* A finished span as it came out of the ring. */
struct told {
	struct span span;
	uint8_t fields[SPAN_FIELDS_MAX];
};

/* As in preload/init.c. */
void process_forked(void)
{
	process_epoch++;
	attach_forked();
}

/* Makes a segment file with `slots` free slots, as the exporter does; the header is the caller's.
 */
static inline struct segment_header *shim_segment(char path[32], uint32_t slots)
{
	struct segment_header *header;
	int fd;

	strcpy(path, "/tmp/tagalong-test-XXXXXX");
	fd = mkstemp(path);
	if (fd < 0 || ftruncate(fd, (off_t)segment_slot_offset(slots)))
		abort();
	header = mmap(NULL, SEGMENT_HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (header == MAP_FAILED)
		abort();
	header->version = SEGMENT_VERSION;
	header->header_bytes = SEGMENT_HEADER_BYTES;
	header->slot_bytes = sizeof(struct slot);
	header->slot_count = slots;
	header->ring_bytes = RING_BYTES;
	header->inflight_count = INFLIGHT_COUNT;
	header->span_bytes = SPAN_BYTES;
	header->magic = SEGMENT_MAGIC;
	return header;
}

/* What the constructor does, with that environment. Once a process. */
static inline void shim_start(char **environment, const void *main_frame)
{
	if (conf_init(environment, "test") || exchanges_init() || conns_init() || threads_init() ||
	    scratch_init())
		abort();
	context_init(main_frame);
	fd_init();
	atomic_store(&process_mode, MODE_ON);
}

/* Starts the shim and takes a slot in a segment of its own, which nobody else can find. */
static inline struct slot *shim_attach(const void *main_frame)
{
	char *none[] = {NULL};
	char path[32];

	munmap(shim_segment(path, 1), SEGMENT_HEADER_BYTES);
	shim_start(none, main_frame);
	strcpy(conf.session, path);
	if (!attach_ready())
		abort();
	unlink(path);
	return attach_slot();
}

/* Takes the next span out of the ring; 0: none is committed at its tail. */
static inline int shim_next(struct slot *slot, struct told *to)
{
	struct ring *ring = &slot->ring;
	uint64_t at = atomic_load(&ring->tail);

	while (at != atomic_load(&ring->head)) {
		const struct record_head *record = (void *)(ring->data + at % RING_BYTES);
		const uint8_t *payload = (const uint8_t *)(record + 1);

		if (atomic_load(&record->commit) != at + 1)
			return 0;
		at += record->size;
		if (record->type == RECORD_SPAN) {
			memcpy(&to->span, payload, sizeof(to->span));
			memcpy(to->fields, payload + sizeof(to->span), to->span.fields_size);
		}
		atomic_store(&ring->tail, at);
		if (record->type == RECORD_SPAN)
			return 1;
	}
	return 0;
}

/* Copies a text field, NUL-terminated; its size, or -1 if the span has none of that id. */
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
