/* process_metrics.h - what instrumented processes use: process.*, from /proc and from their slots.
 */
#ifndef TAGALONG_PROCESS_METRICS_H
#define TAGALONG_PROCESS_METRICS_H

#include "exporter/drain.h"
#include "exporter/metrics.h"

struct process_metrics;

/*
 * From now on, processes are looked at in each collection. `proc` is "/proc". Metrics and drain
 * must outlive it. NULL: no memory.
 */
struct process_metrics *process_metrics_new(struct metrics *metrics, struct drain *drain,
					    const char *proc);
void process_metrics_free(struct process_metrics *all); /* accepts NULL */

/*
 * Looks at all of them now. Between collections as well, so that of a process that has ended what
 * was seen last is not old; its series are kept until all readers have seen them.
 */
void process_metrics_look(struct process_metrics *all);

#endif
