/* outbox.c - payloads that wait for one collector: in memory, and beyond that in its spool. */
#include "outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What waits on the destination's own account. Of metrics newer ones tell what older ones told. */
#define MEMORY_MOST  (8u << 20)
#define METRICS_MOST 4u

void outbox_init(struct outbox *outbox, enum signal signal, outbox_answered answered, void *context)
{
	memset(outbox, 0, sizeof(*outbox));
	outbox->signal = signal;
	outbox->answered = answered;
	outbox->context = context;
}

void outbox_fini(struct outbox *outbox)
{
	for (size_t i = 0; i < outbox->count; i++)
		payload_put(outbox->queue[i].payload);
	payload_put(outbox->replayed);
	free(outbox->queue);
	spool_close(outbox->spool);
}

/* The batch goes last: what is done with it may look in here. */
static void remove_at(struct outbox *outbox, size_t index)
{
	struct outbox_entry entry = outbox->queue[index];

	outbox->count--;
	outbox->bytes -= entry.payload->size;
	memmove(outbox->queue + index, outbox->queue + index + 1,
		(outbox->count - index) * sizeof(entry));
	payload_put(entry.payload);
	if (entry.batch)
		outbox->answered(outbox->context, entry.batch);
}

static void answer_at(struct outbox *outbox, size_t index)
{
	struct batch *batch = outbox->queue[index].batch;

	outbox->queue[index].batch = NULL;
	if (batch)
		outbox->answered(outbox->context, batch);
}

static int is_beyond_bound(const struct outbox *outbox)
{
	if (outbox->signal == SIGNAL_METRICS)
		return outbox->count - outbox->held > METRICS_MOST;
	return outbox->bytes > MEMORY_MOST && outbox->count > outbox->held;
}

static void keep_bound(struct outbox *outbox)
{
	if (is_beyond_bound(outbox) && outbox->spool)
		outbox_spill(outbox);
	while (is_beyond_bound(outbox)) {
		outbox->lost_items += outbox->queue[outbox->held].payload->items;
		remove_at(outbox, outbox->held);
	}
}

int outbox_push(struct outbox *outbox, struct payload *payload, struct batch *batch)
{
	if (outbox->count == outbox->room) {
		size_t room = outbox->room ? outbox->room * 2 : 64;
		struct outbox_entry *queue = realloc(outbox->queue, room * sizeof(*queue));

		if (!queue)
			return -ENOMEM;
		outbox->queue = queue;
		outbox->room = room;
	}
	outbox->queue[outbox->count++] = (struct outbox_entry){payload_get(payload), batch};
	outbox->bytes += payload->size;
	if (outbox->spool && !spool_is_empty(outbox->spool))
		outbox_spill(outbox);
	if (!batch)
		keep_bound(outbox);
	return 0;
}

/* How many from the front of the queue fit into one export. */
static void gather_queue(struct outbox *outbox, size_t items)
{
	size_t sum = 0;

	while (outbox->held < outbox->count && outbox->held < OUTBOX_GATHER_MAX) {
		struct payload *payload = outbox->queue[outbox->held].payload;

		sum += payload->items;
		if (outbox->held && sum > items)
			break;
		outbox->gathered[outbox->held++] = payload;
	}
	outbox->gathered_count = outbox->held;
}

int outbox_gather(struct outbox *outbox, size_t items)
{
	int result = 0;

	outbox->gathered_count = 0;
	if (outbox->spool && !spool_is_empty(outbox->spool))
		result = spool_next(outbox->spool, &outbox->replayed);
	if (result != 0)
		return result;
	if (outbox->replayed)
		outbox->gathered[outbox->gathered_count++] = outbox->replayed;
	else
		gather_queue(outbox, items);
	return 0;
}

void outbox_unhold(struct outbox *outbox)
{
	payload_put(outbox->replayed);
	outbox->replayed = NULL;
	outbox->held = outbox->gathered_count = 0;
}

void outbox_done(struct outbox *outbox)
{
	size_t held = outbox->held;

	if (outbox->replayed)
		spool_done(outbox->spool);
	outbox_unhold(outbox);
	while (held--)
		remove_at(outbox, 0);
}

size_t outbox_held_items(const struct outbox *outbox)
{
	size_t items = 0;

	for (size_t i = 0; i < outbox->gathered_count; i++)
		items += outbox->gathered[i]->items;
	return items;
}

size_t outbox_waiting(const struct outbox *outbox)
{
	return outbox->count;
}

size_t outbox_waiting_items(const struct outbox *outbox)
{
	size_t items = 0;

	for (size_t i = 0; i < outbox->count; i++)
		items += outbox->queue[i].payload->items;
	return items;
}

int outbox_is_empty(const struct outbox *outbox)
{
	return outbox->count == 0 && (!outbox->spool || spool_is_empty(outbox->spool));
}

int outbox_spill(struct outbox *outbox)
{
	int result = outbox->spool ? 0 : -ENOENT;

	while (result == 0 && outbox->count > outbox->held) {
		result = spool_append(outbox->spool, outbox->queue[outbox->held].payload);
		if (result == 0)
			remove_at(outbox, outbox->held);
	}
	/* Those in the request are older than all: the rings wait for nobody but them by now. */
	for (size_t i = 0; result == 0 && i < outbox->held; i++)
		answer_at(outbox, i);
	return result;
}

void outbox_release(struct outbox *outbox)
{
	for (size_t i = 0; i < outbox->count; i++)
		answer_at(outbox, i);
	keep_bound(outbox);
}
