/* segment_writer.c - a process's side of the segment, for tests of the exporter. */
#include "segment_writer.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

uint64_t writer_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static uint64_t start_ticks(void)
{
	char text[1024], *at;
	FILE *file = fopen("/proc/self/stat", "r");
	size_t size = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	if (file)
		fclose(file);
	text[size] = '\0';
	at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at ? strtoull(at, NULL, 10) : 0;
}

static void identify(struct slot *slot, const char *executable)
{
	slot->identity.pid = (uint32_t)getpid();
	slot->identity.parent_pid = (uint32_t)getppid();
	slot->identity.start_ticks = start_ticks();
	slot->identity.claimed_ns = writer_now_ns();
	slot->identity.uid = (uint32_t)getuid();
	snprintf(slot->identity.executable, sizeof(slot->identity.executable), "%s", executable);
	snprintf(slot->identity.command, sizeof(slot->identity.command), "%s", executable);
	atomic_store_explicit(&slot->state, SLOT_READY, memory_order_release);
}

/* 0: not a segment. */
static uint32_t slot_count(int fd)
{
	struct segment_header *header =
		mmap(NULL, SEGMENT_HEADER_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	uint32_t count = 0;

	if (header == MAP_FAILED)
		return 0;
	if (header->magic == SEGMENT_MAGIC)
		count = atomic_load(&header->slot_count);
	munmap(header, SEGMENT_HEADER_BYTES);
	return count;
}

/* The slot, which was free and is the caller's now; NULL: it was not. */
static struct slot *claim(int fd, uint32_t index)
{
	uint32_t free_state = SLOT_FREE;
	struct slot *slot = mmap(NULL, sizeof(*slot), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				 (off_t)segment_slot_offset(index));

	if (slot == MAP_FAILED)
		return NULL;
	if (atomic_compare_exchange_strong(&slot->state, &free_state, SLOT_CLAIMED))
		return slot;
	munmap(slot, sizeof(*slot));
	return NULL;
}

struct slot *writer_attach(const char *path, const char *executable)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct slot *claimed = NULL;
	uint32_t count;

	if (fd < 0)
		return NULL;
	count = slot_count(fd);
	for (uint32_t i = 0; i < count && !claimed; i++)
		claimed = claim(fd, i);
	close(fd);
	if (claimed)
		identify(claimed, executable);
	return claimed;
}

uint64_t writer_reserve(struct ring *ring, uint32_t size)
{
	for (;;) {
		uint64_t head = atomic_load(&ring->head), tail = atomic_load(&ring->tail);
		uint64_t left = RING_BYTES - head % RING_BYTES;
		uint64_t need = size <= left ? size : left;
		struct record_head *record = (void *)(ring->data + head % RING_BYTES);

		if (head + need - tail > RING_BYTES)
			return UINT64_MAX;
		if (!atomic_compare_exchange_weak(&ring->head, &head, head + need))
			continue;
		if (size <= left)
			return head;
		record->size = (uint32_t)left;
		record->type = RECORD_FILLER;
		atomic_store_explicit(&record->commit, head + 1, memory_order_release);
	}
}

void writer_commit(struct ring *ring, uint64_t position)
{
	struct record_head *record = (void *)(ring->data + position % RING_BYTES);

	atomic_store_explicit(&record->commit, position + 1, memory_order_release);
}

void writer_field(struct writer_span *to, uint8_t id, const void *bytes, size_t size)
{
	uint8_t *at = to->fields + to->span.fields_size;
	uint16_t length = (uint16_t)size;

	at[0] = id;
	at[1] = 0;
	memcpy(at + 2, &length, sizeof(length));
	memcpy(at + 4, bytes, size);
	to->span.fields_size = (uint16_t)(to->span.fields_size + 4 + size);
}

void writer_text(struct writer_span *to, uint8_t id, const char *text)
{
	writer_field(to, id, text, strlen(text));
}

void writer_sample(struct writer_span *to, uint64_t number)
{
	memset(to, 0, sizeof(*to));
	to->span.end_ns = writer_now_ns();
	to->span.start_ns = to->span.end_ns - 2000000;
	memcpy(to->span.trace_id, &number, sizeof(number));
	to->span.trace_id[15] = 1;
	memcpy(to->span.span_id, &number, sizeof(number));
	to->span.span_id[7] |= 0x80;
	to->span.thread_id = (uint32_t)getpid();
	to->span.pid = (uint32_t)getpid();
	to->span.status_code = 200;
	to->span.kind = SPAN_SERVER;
	to->span.protocol = SPAN_HTTP;
	to->span.version = 11;
	to->span.flags = SPAN_RESPONSE_SEEN;
	to->span.trace_flags = 1;
	to->span.response_body_bytes = 12;
	to->span.peer.family = ADDRESS_IPV4;
	to->span.peer.port = 40000;
	memcpy(to->span.peer.bytes, "\x7f\0\0\1", 4);
	writer_text(to, FIELD_METHOD, "GET");
	writer_text(to, FIELD_PATH, "/orders/17");
	writer_text(to, FIELD_QUERY, "page=2");
	writer_text(to, FIELD_HOST, "shop.example:8080");
	writer_text(to, FIELD_USER_AGENT, "curl/7.88.1");
	writer_text(to, FIELD_REQUEST_ID, "3f2b8a54-7f0e-4e0c-9a86-0f3f4a1b2c3d");
}

int writer_push(struct slot *slot, const struct writer_span *from)
{
	uint32_t payload = (uint32_t)(sizeof(from->span) + from->span.fields_size);
	uint32_t size = ((uint32_t)sizeof(struct record_head) + payload + RING_ALIGN - 1) &
			~(RING_ALIGN - 1);
	uint64_t position = writer_reserve(&slot->ring, size);
	struct record_head *record;

	if (position == UINT64_MAX) {
		atomic_fetch_add(&slot->counters.dropped[DROP_RING_FULL], 1);
		return -1;
	}
	record = (void *)(slot->ring.data + position % RING_BYTES);
	record->size = size;
	record->type = RECORD_SPAN;
	memcpy(record + 1, from, payload);
	writer_commit(&slot->ring, position);
	atomic_fetch_add(&slot->counters.spans, 1);
	return 0;
}

int writer_push_stack(struct slot *slot, const struct stack_record *stack, const void *bytes)
{
	uint32_t size = ((uint32_t)(sizeof(struct record_head) + sizeof(*stack)) + stack->size +
			 RING_ALIGN - 1) &
			~(RING_ALIGN - 1);
	uint64_t position = writer_reserve(&slot->ring, size);
	struct record_head *record = (void *)(slot->ring.data + position % RING_BYTES);

	if (position == UINT64_MAX)
		return -1;
	record->size = size;
	record->type = RECORD_STACK;
	memcpy(record + 1, stack, sizeof(*stack));
	memcpy((uint8_t *)(record + 1) + sizeof(*stack), bytes, stack->size);
	writer_commit(&slot->ring, position);
	return 0;
}

void writer_open(struct slot *slot, unsigned index, const struct writer_span *from)
{
	struct inflight *entry = &slot->inflight[index];

	entry->span = from->span;
	entry->span.end_ns = 0;
	memcpy(entry->fields, from->fields, from->span.fields_size);
	atomic_store_explicit(&entry->live, 1, memory_order_release);
}
