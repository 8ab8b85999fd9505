/* drain.h - all rings of a segment into batches: who is attached, what they finished, who died. */
#ifndef TAGALONG_DRAIN_H
#define TAGALONG_DRAIN_H

/* One thread. What stands in the segment is never trusted. */

#include <stdint.h>

#include "exporter/batch.h"
#include "exporter/drops.h"
#include "exporter/exits.h"
#include "exporter/process.h"
#include "exporter/ring.h"
#include "exporter/segment_file.h"
#include "exporter/settings.h"

struct kernel;
struct measure;
struct redact;
struct repeats;
struct routes;
struct slow_calls;
struct source; /* one process's slot, as the exporter sees it */

struct drain {
	struct segment_file *file;
	const struct settings *settings;
	struct drops *drops;
	struct exits *exits;
	struct process_set processes;
	struct slow_calls *slow; /* NULL: off */
	struct repeats *repeats; /* NULL: off */
	struct measure *measure; /* NULL: nothing is measured; borrowed, for its owner to set */
	struct routes *routes;   /* NULL: spans have no routes; borrowed, likewise */
	struct kernel *kernel;   /* NULL: not asked; borrowed, its own to set */
	struct redact *redact;   /* NULL: nothing is masked here; borrowed, likewise */
	struct source *sources;  /* SEGMENT_SLOTS_MAX of them */
	uint32_t next_source;    /* where the next pass begins, so that none starves */
	uint32_t recent_claims;  /* slots claimed in the present second */
	uint64_t recent_since_ns;
	uint32_t attached; /* processes that live, or whose end is not told yet */
	uint64_t ever_attached;
	uint64_t spans_read;
	uint64_t spans_unsampled;
	uint64_t repeated_queries;
	uint64_t connections;    /* that the processes recognised */
	uint64_t unix_offset_ns; /* of this pass: Unix time less monotonic time */
	uint64_t now_ns;         /* of this pass */
};

/* 0, or -errno. Everything passed in must outlive the drain. */
int drain_init(struct drain *drain, struct segment_file *file, const struct settings *settings,
	       struct drops *drops, struct exits *exits);

/* After a change of slow_call_ms or repeated_queries: what was noted of open requests is forgotten.
 */
void drain_tune(struct drain *drain);

/* Spans that were not read stay where they are; of stacks nothing does. Before the file is closed.
 */
void drain_fini(struct drain *drain);

/*
 * Begins a pass: takes the time, meets new processes, keeps free slots ahead, notices ends.
 */
void drain_watch(struct drain *drain);

/*
 * Reads until the batch is full or the rings are empty. Returns the most bytes that waited in one
 * ring when it was met.
 */
uint64_t drain_read(struct drain *drain, struct batch *batch);

/* 1 if some ring holds what could be read now. */
int drain_pending(const struct drain *drain);

/* Visits all processes that live; the slot may change at any time, and can't be trusted. */
typedef void (*drain_visitor)(void *context, struct resource *resource, const struct slot *slot);
void drain_each(struct drain *drain, drain_visitor visitor, void *context);

/* The spans of this batch are safe: their room in the rings, and slots that are told, are free. */
void drain_delivered(struct drain *drain, const struct batch *batch);

/* CLOCK_MONOTONIC. */
uint64_t drain_clock_ns(void);

#endif
