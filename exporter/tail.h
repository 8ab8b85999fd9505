/* tail.h - tail sampling: whole traces wait in memory until it is known what they are worth. */
#ifndef TAGALONG_TAIL_H
#define TAGALONG_TAIL_H

/*
 * Between the rings and the destinations. Spans are copied, packed, so their room in the rings is
 * free at once; what waits here is lost if the exporter is killed. A trace is decided when no span
 * of it came for the grace period and none of its spans here lacks a local parent, or when its
 * decision wait is over. Spans that come later follow the decision. What was kept has
 * `tagalong.sampling.policy`, and, if it was kept by ratio, th: of that ratio in its tracestate.
 *
 * Memory has a ceiling. With 3/4 of it in use the oldest traces are decided at once. With 15/16,
 * while destinations take nothing, only traces with errors are kept. Beyond that spans stay in the
 * rings. One thread.
 */

#include <stdint.h>

#include "exporter/batch.h"
#include "exporter/drops.h"
#include "exporter/tail_policy.h"

struct tail;

/* Where kept spans go. */
struct tail_outlet {
	struct batch *(*take)(void *context); /* an empty batch, NULL: no memory */
	void (*emit)(void *context, struct batch *batch);
	int (*has_room)(void *context);
	void *context;
};

struct tail_counts {
	uint64_t kept[TAIL_KINDS]; /* traces, by the policy that kept them */
	uint64_t dropped;          /* traces */
	uint64_t early;            /* traces decided for want of memory, kept or not */
	uint64_t kept_spans, dropped_spans;
};

/* Off until it is configured. NULL: no memory. */
struct tail *tail_new(const struct tail_outlet *outlet, struct drops *drops);

/* What still waits counts as dropped by the shutdown. Accepts NULL. */
void tail_close(struct tail *tail);

/*
 * Takes the section `tail_sampling`, NULL: off, then all that waits is kept. The memory is that of
 * the first time. The section's texts must live until the next call.
 */
void tail_configure(struct tail *tail, const struct config_node *section);

int tail_is_on(const struct tail *tail);

/* 1 if a batch has room. */
int tail_has_room(const struct tail *tail);

/* Copies the spans of a batch; the batch stays the caller's. */
void tail_take(struct tail *tail, const struct batch *batch, uint64_t now_ns);

/*
 * Decides what is due, and passes on what was kept, in batches that are full or were open for
 * `delay_ns`. `flush`: decides everything now.
 */
void tail_pass(struct tail *tail, uint64_t now_ns, uint64_t delay_ns, int flush);

/* 1 if nothing waits. */
int tail_is_empty(const struct tail *tail);

const struct tail_counts *tail_counts(const struct tail *tail);

/* One debug line with the counts, if there are any. */
void tail_report(const struct tail *tail);

#endif
