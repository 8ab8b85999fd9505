/* metrics_options.h - for whom series are kept, how long, and how many. */
#ifndef TAGALONG_METRICS_OPTIONS_H
#define TAGALONG_METRICS_OPTIONS_H

#include <stdint.h>

#include "exporter/metrics.h"

enum metrics_temporality { TEMPORALITY_CUMULATIVE, TEMPORALITY_DELTA, TEMPORALITY_LOW_MEMORY };
enum metrics_exemplars { EXEMPLARS_OF_SAMPLED, EXEMPLARS_OF_ALL, EXEMPLARS_NONE };

struct metrics_options {
	uint32_t series_limit; /* of one metric and resource, with the overflow series; 0: none */
	uint64_t expiry_ns;    /* a series that is idle for longer is forgotten; 0: never */
	enum metrics_temporality temporality; /* of what is pushed; what is pulled is cumulative */
	enum metrics_exemplars exemplars;
	int is_exponential; /* all histograms */
	int has_pull;       /* something is going to pull; else ended series don't wait for it */
	int has_push;
};

const struct metrics_options *metrics_options(const struct metrics *metrics);

/*
 * How many series one metric may have for one resource, by its name, defined or not yet; NULL: all
 * those without a limit of their own. The name lives as long as the metrics. 0, or -ENOMEM. And
 * forgets all of these limits: what the options say is in force again.
 */
int metrics_limit(struct metrics *metrics, const char *name, uint32_t limit);
void metrics_unlimit(struct metrics *metrics);

/* Who reads may change: nothing waits for those who don't any more. */
void metrics_set_readers(struct metrics *metrics, int has_push, int has_pull);

#endif
