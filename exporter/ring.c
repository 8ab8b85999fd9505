/* ring.c - reading one process's ring: committed records, holes, and what may be overwritten. */
#include "ring.h"

#include <stdatomic.h>
#include <string.h>

void ring_reader_init(struct ring_reader *reader, struct ring *ring)
{
	memset(reader, 0, sizeof(*reader));
	reader->ring = ring;
	reader->cursor = atomic_load(&ring->tail) & ~(uint64_t)(RING_ALIGN - 1);
	reader->boundaries[0] = reader->boundaries[1] = reader->cursor;
}

static struct record_head *head_at(const struct ring_reader *reader, uint64_t position)
{
	return (struct record_head *)(reader->ring->data + position % RING_BYTES);
}

static int committed(const struct ring_reader *reader, uint64_t position)
{
	return atomic_load_explicit(&head_at(reader, position)->commit, memory_order_acquire) ==
	       position + 1;
}

static void advance(struct ring_reader *reader, uint64_t position)
{
	reader->cursor = position;
	reader->stuck_since_ns = 0;
	if (position - reader->boundaries[1] >= RING_BYTES / 4) {
		reader->boundaries[0] = reader->boundaries[1];
		reader->boundaries[1] = position;
	}
}

/* The writers' position, or the cursor's if it can't be true: then all is given up. */
static uint64_t checked_head(struct ring_reader *reader)
{
	uint64_t head = atomic_load_explicit(&reader->ring->head, memory_order_acquire);

	if (head - reader->cursor <= RING_BYTES && head % RING_ALIGN == 0)
		return head;
	head &= ~(uint64_t)(RING_ALIGN - 1);
	reader->damaged++;
	reader->cursor = reader->boundaries[0] = reader->boundaries[1] = head;
	reader->stuck_since_ns = 0;
	atomic_store_explicit(&reader->ring->tail, head, memory_order_release);
	return head;
}

/* Whether the uncommitted record at the cursor is to be given up. */
static int is_hole(struct ring_reader *reader, uint64_t head, int writer_gone, uint64_t now_ns)
{
	if (writer_gone)
		return 1;
	if (reader->stuck_since_ns == 0) {
		reader->stuck_since_ns = now_ns ? now_ns : 1;
		reader->stuck_head = head;
		return 0;
	}
	return now_ns - reader->stuck_since_ns >= RING_STUCK_NS && head != reader->stuck_head;
}

static void skip_hole(struct ring_reader *reader, uint64_t head)
{
	uint64_t position = reader->cursor + RING_ALIGN;

	while (position < head && !committed(reader, position))
		position += RING_ALIGN;
	/* It may go round the end. */
	for (uint64_t at = reader->cursor; at < position; at += RING_ALIGN)
		memset(head_at(reader, at), 0, RING_ALIGN);
	reader->holes++;
	advance(reader, position);
}

/* Size of the committed record at the cursor, or 0 if it is no sane record. */
static uint32_t checked_size(const struct ring_reader *reader, uint64_t head, uint16_t *type)
{
	const struct record_head *record = head_at(reader, reader->cursor);
	uint32_t size = *(const volatile uint32_t *)&record->size;
	uint64_t offset = reader->cursor % RING_BYTES;

	*type = *(const volatile uint16_t *)&record->type;
	if (size < RING_ALIGN || size % RING_ALIGN != 0 || size > head - reader->cursor ||
	    size > RING_BYTES - offset)
		return 0;
	if ((*type == RECORD_SPAN && size > RING_RECORD_MAX + RING_ALIGN) ||
	    (*type == RECORD_STACK && size > RING_STACK_MAX + RING_ALIGN))
		return 0;
	return size;
}

enum ring_result ring_next(struct ring_reader *reader, int writer_gone, uint64_t now_ns,
			   const void **payload, size_t *size)
{
	uint64_t head = checked_head(reader);

	while (reader->cursor != head) {
		uint64_t position = reader->cursor;
		uint32_t record_size;
		uint16_t type;

		if (!committed(reader, position)) {
			if (!is_hole(reader, head, writer_gone, now_ns))
				return RING_EMPTY;
			skip_hole(reader, head);
			continue;
		}
		record_size = checked_size(reader, head, &type);
		if (record_size == 0) {
			reader->damaged++;
			advance(reader, position + RING_ALIGN);
			continue;
		}
		advance(reader, position + record_size);
		if (type != RECORD_SPAN && type != RECORD_STACK)
			continue;
		*payload = (const uint8_t *)head_at(reader, position) + sizeof(struct record_head);
		*size = record_size - sizeof(struct record_head);
		return type == RECORD_SPAN ? RING_SPAN : RING_STACK;
	}
	return RING_EMPTY;
}

void ring_wipe(struct ring_reader *reader, const void *payload, size_t size)
{
	uint8_t *at = reader->ring->data + ((const uint8_t *)payload - reader->ring->data);
	struct record_head *head = (struct record_head *)at - 1;

	memset(at, 0, size);
	head->type = RECORD_FILLER;
}

uint64_t ring_pending(const struct ring_reader *reader)
{
	uint64_t pending =
		atomic_load_explicit(&reader->ring->head, memory_order_relaxed) - reader->cursor;

	/* Writers only move in whole steps; less than one is a lie that must not keep us busy. */
	pending &= ~(uint64_t)(RING_ALIGN - 1);
	return pending <= RING_BYTES ? pending : RING_BYTES;
}

void ring_release(struct ring_reader *reader, uint64_t position)
{
	uint64_t tail = atomic_load_explicit(&reader->ring->tail, memory_order_relaxed);

	/* Never back, and never past what was read, whatever stands in the shared word. */
	if (position > reader->cursor || reader->cursor - position > RING_BYTES)
		return;
	if (tail > reader->cursor || tail < position)
		atomic_store_explicit(&reader->ring->tail, position, memory_order_release);
}

void ring_release_excess(struct ring_reader *reader)
{
	uint64_t tail = atomic_load_explicit(&reader->ring->tail, memory_order_relaxed);

	if (reader->cursor - tail > RING_UNRELEASED_HALF)
		ring_release(reader, reader->boundaries[0]);
}
