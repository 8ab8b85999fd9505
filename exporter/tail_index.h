/* tail_index.h - traces that wait, found by their ID, and decisions on earlier ones. */
#ifndef TAGALONG_TAIL_INDEX_H
#define TAGALONG_TAIL_INDEX_H

/* A fixed number of traces; index 0 is none. One thread. */

#include <stdint.h>

#include "exporter/tail_pool.h"

struct tail_decision {
	uint64_t threshold; /* of a ratio */
	int8_t kind;        /* enum tail_policy_kind that keeps it, or one of the following */
};

#define TAIL_DROPPED   (-1)
#define TAIL_UNKNOWN   (-2)
#define TAIL_UNLABELED (-3) /* kept, for sampling was switched off */

struct tail_trace {
	uint8_t id[16];
	struct tail_stream spans;
	uint32_t next;  /* of the same hash, or free */
	uint32_t after; /* in its queue, 0: last */
	uint32_t matched;
	uint32_t span_count;
	uint64_t randomness;
	uint64_t first_ns, last_ns; /* spans came */
	uint64_t check_ns;
	struct tail_decision decision;
	uint8_t has_root; /* a span without a parent */
};

struct tail_queue {
	uint32_t first, last;
};

struct tail_index {
	struct tail_trace *traces;
	uint32_t *buckets;
	uint32_t bucket_count; /* a power of two */
	uint32_t count, free, touched;
	struct tail_past *past;
};

/* 0, or -ENOMEM. */
int tail_index_init(struct tail_index *index, uint32_t traces);
void tail_index_fini(struct tail_index *index);

/* Bytes that each trace takes in it. */
#define TAIL_INDEX_BYTES (sizeof(struct tail_trace) + 2 * sizeof(uint32_t))

/* The trace of this ID that waits, or 0. */
uint32_t tail_index_find(const struct tail_index *index, const uint8_t id[16]);
/* A new one, zeroed but for its ID; 0: there is no room. */
uint32_t tail_index_add(struct tail_index *index, const uint8_t id[16]);
/* It is not found any more; its decision is remembered. */
void tail_index_decide(struct tail_index *index, uint32_t trace, struct tail_decision decision,
		       uint64_t now_ns);
/* A decided one; its spans were given back. */
void tail_index_free(struct tail_index *index, uint32_t trace);

/* What an earlier trace of this ID was decided, some time ago at most. */
struct tail_decision tail_index_past(const struct tail_index *index, const uint8_t id[16],
				     uint64_t now_ns);

void tail_queue_push(struct tail_index *index, struct tail_queue *queue, uint32_t trace);
uint32_t tail_queue_pop(struct tail_index *index, struct tail_queue *queue); /* 0: empty */

#endif
