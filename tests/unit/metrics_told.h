/* metrics_told.h - for tests: what a collection of metrics has told. */
#ifndef TAGALONG_METRICS_TOLD_H
#define TAGALONG_METRICS_TOLD_H

#include "exporter/metrics_collect.h"
#include "exporter/metrics_options.h"

#define SECOND   1000000000ull
#define TOLD_MAX 64

/* Instruments to try: a sum of integers, a histogram of seconds, a level that is observed. */
extern const struct metric_definition told_counter, told_duration, told_level;

/* The points, and what they only lend. */
struct told {
	size_t count;
	struct metric_point at[TOLD_MAX];
	uint64_t buckets[TOLD_MAX][4];
	struct exponential exponential[TOLD_MAX];
	char key[TOLD_MAX][64]; /* of the first attribute */
};

extern struct told told; /* of the last collection */

/* CLOCK_REALTIME. */
uint64_t now_ns(void);

void collect_at(struct metrics *metrics, enum metrics_reader reader, uint64_t at);
void collect(struct metrics *metrics, enum metrics_reader reader);

/* Metrics that are pushed and pulled; never NULL. */
struct metrics *with(struct metrics_options options);

#endif
