/* ring.c - bounded queue between one process's threads and the exporter: the writers' side. */
#include "preload/ring.h"

#include <stdatomic.h>
#include <string.h>

#include "preload/attach.h"

/*
 * Advances head by compare-and-swap: with a plain atomic add, a reservation that does not fit could
 * not be taken back, and the reader would meet bytes that nobody is going to write.
 */
static int reserve(struct ring *ring, uint32_t size, uint64_t *at, uint32_t *filler)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint64_t tail;

	do {
		uint32_t to_end = RING_BYTES - (uint32_t)(head & (RING_BYTES - 1));

		*filler = to_end < size ? to_end : 0;
		tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
		if (head + *filler + size - tail > RING_BYTES)
			return 0;
	} while (!atomic_compare_exchange_weak_explicit(&ring->head, &head, head + *filler + size,
							memory_order_acq_rel,
							memory_order_relaxed));
	*at = head;
	return 1;
}

static struct record_head *head_at(struct ring *ring, uint64_t position)
{
	return (struct record_head *)(ring->data + (position & (RING_BYTES - 1)));
}

static void commit(struct record_head *head, uint64_t position, uint32_t size, uint16_t type)
{
	head->size = size;
	head->type = type;
	head->reserved = 0;
	atomic_store_explicit(&head->commit, position + 1, memory_order_release);
}

void ring_push_span(const struct span *span, const uint8_t *fields, size_t fields_size)
{
	struct slot *slot = attach_slot();
	uint32_t size = (uint32_t)(sizeof(struct record_head) + sizeof(*span) + fields_size);
	uint32_t filler;
	uint64_t at;
	struct record_head *head;

	size = (size + RING_ALIGN - 1) & ~(RING_ALIGN - 1);
	if (!slot)
		return;
	if (!reserve(&slot->ring, size, &at, &filler)) {
		attach_count(DROP_RING_FULL);
		return;
	}
	if (filler) {
		commit(head_at(&slot->ring, at), at, filler, RECORD_FILLER);
		at += filler;
	}
	head = head_at(&slot->ring, at);
	memcpy(head + 1, span, sizeof(*span));
	memcpy((uint8_t *)(head + 1) + sizeof(*span), fields, fields_size);
	commit(head, at, size, RECORD_SPAN);
	atomic_fetch_add_explicit(&slot->counters.spans, 1, memory_order_relaxed);
}
