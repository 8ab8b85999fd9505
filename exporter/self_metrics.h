/* self_metrics.h - what the exporter tells of itself: tagalong.*. */
#ifndef TAGALONG_SELF_METRICS_H
#define TAGALONG_SELF_METRICS_H

#include "exporter/deliver.h"
#include "exporter/drain.h"
#include "exporter/metrics.h"
#include "exporter/tail.h"

struct self_metrics;

/* Reads at each collection; everything is borrowed. NULL: no memory. */
struct self_metrics *self_metrics_new(struct metrics *metrics, struct drain *drain,
				      struct deliver *deliver, const struct drops *drops,
				      const struct tail *tail);
void self_metrics_free(struct self_metrics *self); /* accepts NULL */

#endif
