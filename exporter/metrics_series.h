/* metrics_series.h - one series and how it is found; private to the metrics_* files. */
#ifndef TAGALONG_METRICS_SERIES_H
#define TAGALONG_METRICS_SERIES_H

#include "exporter/metrics_collect.h"

struct series {
	struct group *group;
	uint64_t hash;                      /* of its attributes */
	const struct attribute *attributes; /* sorted by key, with the series' own texts */
	uint16_t attribute_count;
	uint8_t touched; /* since the last collection */
	uint8_t ended;
	uint8_t unseen; /* bits of readers that have not told its latest state */
	uint8_t has_range;
	uint64_t start_unix_ns;
	uint64_t used_unix_ns; /* when it was found touched last */
	double value;
	double told_value; /* what the last push had, as all that is told_ */
	uint64_t count, told_count;
	double sum, told_sum;
	double min, max; /* since the last push if that is delta */
	uint64_t *buckets, *told_buckets;
	struct exponential *exponential, *told_exponential;
	struct exemplar *exemplars; /* NULL: none yet */
	uint64_t exemplar_mask, exemplar_fresh;
};

/* All series of one metric and one resource. */
struct group {
	struct metric *metric;
	struct resource *resource;
	struct series **at; /* in the order of their making */
	size_t count, room;
	uint32_t *table;   /* positions in `at` + 1, by hash; 0: free */
	size_t table_size; /* power of two */
	struct series *overflow;
	int is_told; /* that it is full */
};

/* The series of sorted attributes, or NULL. */
struct series *group_find(const struct group *group, uint64_t hash,
			  const struct attribute *const *sorted, size_t count);

/* A new one at the end. NULL: no memory. */
struct series *group_add(struct group *group, uint64_t hash, const struct attribute *const *sorted,
			 size_t count);

/* Forgets those for which `is_over` says so. Returns how many. */
size_t group_forget(struct group *group,
		    int (*is_over)(const struct series *series, uint64_t now_unix_ns),
		    uint64_t now_unix_ns);

void group_free(struct group *group); /* accepts NULL */

uint64_t series_hash(const struct attribute *const *sorted, size_t count);

/* Says which attribute has the most values. */
void group_warn(struct group *group);

uint64_t metrics_clock_unix_ns(void);

#endif
