/* profile_data.h - what the probes measured, gathered for a profile: by process, thread and call.
 */
#ifndef TAGALONG_PROFILE_DATA_H
#define TAGALONG_PROFILE_DATA_H

/* One thread. Times are CLOCK_MONOTONIC nanoseconds. */

#include <stddef.h>
#include <stdint.h>

#include "ebpf/probes.h"

#define PROFILE_TICKS 240
#define PROFILE_ENDED 1024 /* processes that ended and are still told one by one */

struct profile_row {
	struct latency_key key; /* first: it is what rows are found by */
	struct latency total;
	struct latency news; /* of the last interval */
};

struct profile_count {
	struct count_key key;
	uint64_t total;
};

struct profile_process {
	uint64_t id;
	uint32_t pid; /* 0: all that ended and had this name */
	char name[PROBE_COMM];
	int ended; /* 1: told in the last reading; 2: before, so nothing can come any more */
};

struct profile_data {
	void *row_tree, *count_tree, *process_tree; /* of tsearch(3) */
	struct profile_row **rows;                  /* in the order of their coming */
	struct profile_count **counts;
	struct profile_process **processes;
	size_t row_count, count_count, process_count;
	size_t merged_count; /* processes that are told with others of their name */
	int failed;          /* for want of memory: the data is not whole */
	uint64_t begun_ns, before_ns, now_ns;
	uint64_t lost[LOST_REASONS];
	/* System calls by bucket in each of the last intervals; of interval i at i % PROFILE_TICKS.
	 */
	uint64_t ticks[PROFILE_TICKS][PROBE_BUCKETS];
	uint64_t tick_count;
};

void profile_data_init(struct profile_data *data, uint64_t now_ns);
void profile_data_fini(struct profile_data *data);

/* Reads what is new: an interval ends. 0, or -errno. */
int profile_data_read(struct profile_data *data, struct probes *probes, uint64_t now_ns);

/* NULL: not known (yet). */
const struct profile_process *profile_data_process(const struct profile_data *data, uint64_t id);

/* The entry with this key, new ones are zeros. NULL: no memory, which data->failed notes. */
struct profile_row *profile_data_row(struct profile_data *data, const struct latency_key *key);
struct profile_count *profile_data_count(struct profile_data *data, const struct count_key *key);
struct profile_process *profile_data_add_process(struct profile_data *data, uint64_t id);

/* Puts processes that ended together by name, once they are more than PROFILE_ENDED. */
void profile_data_merge_ended(struct profile_data *data);

/* Gives back room of a list that has become shorter; see find_or_add. */
void profile_data_resize(void ***list, size_t count);

/* By key, as tsearch(3) has it. */
int profile_compare_rows(const void *left, const void *right);
int profile_compare_counts(const void *left, const void *right);
int profile_compare_processes(const void *left, const void *right);

/* Sums up. */
void profile_latency_add(struct latency *sum, const struct latency *more);
/* The value below which this part (0 to 1) of all lies, as well as the buckets can tell. */
uint64_t profile_quantile(const struct latency *latency, double part);
/* The upper bound of a bucket. */
uint64_t profile_bound_ns(int bucket);

#endif
