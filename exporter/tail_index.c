/* tail_index.c - traces that wait, found by their ID, and decisions on earlier ones. */
#include "exporter/tail_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAST     65536u /* a power of two */
#define PAST_S   60u
#define NOT_ZERO 1u

/* One of several traces that share a place; the last one wins. */
struct tail_past {
	uint64_t key;
	uint64_t threshold;
	uint32_t until_s;
	int8_t kind;
};

int tail_index_init(struct tail_index *index, uint32_t traces)
{
	memset(index, 0, sizeof(*index));
	index->count = traces + NOT_ZERO;
	index->touched = NOT_ZERO;
	for (index->bucket_count = 64; index->bucket_count < traces; index->bucket_count *= 2)
		;
	/* As large as they are, they take memory as it is touched. */
	index->traces = calloc(index->count, sizeof(*index->traces));
	index->buckets = calloc(index->bucket_count, sizeof(*index->buckets));
	index->past = calloc(PAST, sizeof(*index->past));
	if (index->traces && index->buckets && index->past)
		return 0;
	tail_index_fini(index);
	return -ENOMEM;
}

void tail_index_fini(struct tail_index *index)
{
	free(index->traces);
	free(index->buckets);
	free(index->past);
	memset(index, 0, sizeof(*index));
}

static uint64_t mix(uint64_t value)
{
	value = (value ^ value >> 32) * 0xff51afd7ed558ccdu;
	value = (value ^ value >> 32) * 0xc4ceb9fe1a85ec53u;
	return value ^ value >> 29;
}

/* IDs need not be random: somebody else may have made them. */
static uint64_t hash_of(const uint8_t id[16])
{
	uint64_t parts[2];

	memcpy(parts, id, sizeof(parts));
	return mix(mix(parts[0]) ^ parts[1]);
}

static uint32_t *bucket_of(const struct tail_index *index, const uint8_t id[16])
{
	return &index->buckets[hash_of(id) & (index->bucket_count - 1)];
}

uint32_t tail_index_find(const struct tail_index *index, const uint8_t id[16])
{
	uint32_t trace = *bucket_of(index, id);

	while (trace && memcmp(index->traces[trace].id, id, 16) != 0)
		trace = index->traces[trace].next;
	return trace;
}

uint32_t tail_index_add(struct tail_index *index, const uint8_t id[16])
{
	uint32_t *bucket = bucket_of(index, id);
	uint32_t trace = index->free;
	struct tail_trace *at;

	if (!trace && index->touched == index->count)
		return 0;
	if (trace)
		index->free = index->traces[trace].next;
	else
		trace = index->touched++;
	at = &index->traces[trace];
	memset(at, 0, sizeof(*at));
	memcpy(at->id, id, sizeof(at->id));
	at->next = *bucket;
	*bucket = trace;
	return trace;
}

static uint32_t seconds(uint64_t now_ns)
{
	return (uint32_t)(now_ns / 1000000000);
}

void tail_index_decide(struct tail_index *index, uint32_t trace, struct tail_decision decision,
		       uint64_t now_ns)
{
	struct tail_trace *at = &index->traces[trace];
	uint64_t key = hash_of(at->id);
	uint32_t *link = bucket_of(index, at->id);

	while (*link != trace)
		link = &index->traces[*link].next;
	*link = at->next;
	at->decision = decision;
	index->past[key % PAST] = (struct tail_past){key, decision.threshold,
						     seconds(now_ns) + PAST_S, decision.kind};
}

void tail_index_free(struct tail_index *index, uint32_t trace)
{
	index->traces[trace].next = index->free;
	index->free = trace;
}

struct tail_decision tail_index_past(const struct tail_index *index, const uint8_t id[16],
				     uint64_t now_ns)
{
	uint64_t key = hash_of(id);
	const struct tail_past *past = &index->past[key % PAST];

	if (past->key != key || seconds(now_ns) >= past->until_s)
		return (struct tail_decision){.kind = TAIL_UNKNOWN};
	return (struct tail_decision){past->threshold, past->kind};
}

void tail_queue_push(struct tail_index *index, struct tail_queue *queue, uint32_t trace)
{
	index->traces[trace].after = 0;
	if (queue->last)
		index->traces[queue->last].after = trace;
	else
		queue->first = trace;
	queue->last = trace;
}

uint32_t tail_queue_pop(struct tail_index *index, struct tail_queue *queue)
{
	uint32_t trace = queue->first;

	if (!trace)
		return 0;
	queue->first = index->traces[trace].after;
	if (!queue->first)
		queue->last = 0;
	return trace;
}
