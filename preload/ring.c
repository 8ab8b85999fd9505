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

/* Room for a record behind whatever filler it takes; NULL: it is full. */
static struct record_head *begin(struct ring *ring, uint32_t size, uint64_t *at)
{
	uint32_t filler;

	if (!reserve(ring, size, at, &filler))
		return NULL;
	if (filler) {
		commit(head_at(ring, *at), *at, filler, RECORD_FILLER);
		*at += filler;
	}
	return head_at(ring, *at);
}

static uint32_t record_size(size_t payload)
{
	return (uint32_t)(sizeof(struct record_head) + payload + RING_ALIGN - 1) &
	       ~(RING_ALIGN - 1);
}

void ring_push_span(const struct span *span, const uint8_t *fields, size_t fields_size)
{
	struct slot *slot = attach_slot();
	uint32_t size = record_size(sizeof(*span) + fields_size);
	struct record_head *head;
	uint64_t at;

	if (!slot)
		return;
	head = begin(&slot->ring, size, &at);
	if (!head) {
		attach_count(DROP_RING_FULL);
		return;
	}
	memcpy(head + 1, span, sizeof(*span));
	memcpy((uint8_t *)(head + 1) + sizeof(*span), fields, fields_size);
	commit(head, at, size, RECORD_SPAN);
	atomic_fetch_add_explicit(&slot->counters.spans, 1, memory_order_relaxed);
}

/* Word by word: a checked memcpy has objections to the gaps between other functions' variables. */
__attribute__((no_sanitize_address)) static void copy_words(uint64_t *to,
							    const volatile uint64_t *from,
							    size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = from[i];
}

int ring_push_stack(const struct stack_record *stack)
{
	struct slot *slot = attach_slot();
	uint32_t size = record_size(sizeof(*stack) + stack->size);
	struct record_head *head;
	uint64_t at;

	if (!slot || atomic_load_explicit(&slot->ring.head, memory_order_relaxed) -
				     atomic_load_explicit(&slot->ring.tail, memory_order_relaxed) >
			     RING_BYTES / 2)
		return 0;
	head = begin(&slot->ring, size, &at);
	if (!head)
		return 0;
	memcpy(head + 1, stack, sizeof(*stack));
	copy_words((uint64_t *)((struct stack_record *)(head + 1) + 1),
		   (const uint64_t *)(uintptr_t)stack->base, stack->size / sizeof(uint64_t));
	commit(head, at, size, RECORD_STACK);
	return 1;
}
