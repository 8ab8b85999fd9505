/* batch.c - finished spans on their way to the store and the collector, in one arena. */
#include "batch.h"

#include <errno.h>
#include <stdlib.h>

struct batch *batch_new(size_t capacity)
{
	struct batch *batch = calloc(1, sizeof(*batch));

	if (!batch)
		return NULL;
	batch->spans = calloc(capacity, sizeof(*batch->spans));
	batch->marks = calloc(SEGMENT_SLOTS_MAX, sizeof(*batch->marks));
	batch->capacity = capacity;
	if (!batch->spans || !batch->marks) {
		batch_free(batch);
		return NULL;
	}
	arena_init(&batch->arena);
	return batch;
}

static void forget_marks(struct batch *batch)
{
	for (size_t i = 0; i < batch->mark_count; i++)
		resource_put(batch->marks[i].resource);
	batch->mark_count = 0;
}

void batch_reset(struct batch *batch)
{
	forget_marks(batch);
	arena_reset(&batch->arena);
	batch->next = NULL;
	batch->count = 0;
	batch->opened_ns = 0;
	batch->waiting_for = 0;
}

void batch_free(struct batch *batch)
{
	if (!batch)
		return;
	forget_marks(batch);
	arena_free(&batch->arena);
	free(batch->spans);
	free(batch->marks);
	free(batch);
}

void batch_mark(struct batch *batch, uint32_t slot, uint32_t generation, uint64_t position,
		struct resource *resource)
{
	struct batch_mark *mark;

	for (size_t i = batch->mark_count; i-- > 0;) {
		mark = &batch->marks[i];
		if (mark->slot == slot && mark->generation == generation) {
			mark->position = position;
			return;
		}
	}
	/* A slot can change hands within one batch, but no more than a few times. */
	if (batch->mark_count >= SEGMENT_SLOTS_MAX)
		return;
	mark = &batch->marks[batch->mark_count++];
	*mark = (struct batch_mark){slot, generation, position, resource_get(resource)};
}

int batch_keep(struct batch *batch, struct resource *resource)
{
	for (size_t i = batch->mark_count; i-- > 0;)
		if (batch->marks[i].resource == resource)
			return 0;
	if (batch->mark_count >= SEGMENT_SLOTS_MAX)
		return -ENOSPC;
	batch->marks[batch->mark_count++] =
		(struct batch_mark){BATCH_NO_SLOT, 0, 0, resource_get(resource)};
	return 0;
}
