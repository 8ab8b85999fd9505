/* profile_data.c - what the probes measured, gathered for a profile: by process, thread and call.
 */
#include "exporter/profile_data.h"

#include <errno.h>
#include <math.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

int profile_compare_rows(const void *left, const void *right)
{
	return memcmp(left, right, sizeof(struct latency_key));
}

int profile_compare_counts(const void *left, const void *right)
{
	return memcmp(left, right, sizeof(struct count_key));
}

int profile_compare_processes(const void *left, const void *right)
{
	return memcmp(left, right, sizeof(uint64_t));
}

static void keep(void *item)
{
	(void)item;
}

void profile_data_init(struct profile_data *data, uint64_t now_ns)
{
	memset(data, 0, sizeof(*data));
	data->begun_ns = data->before_ns = data->now_ns = now_ns;
}

static void free_list(void **list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(list[i]);
	free(list);
}

void profile_data_fini(struct profile_data *data)
{
	tdestroy(data->row_tree, keep);
	tdestroy(data->count_tree, keep);
	tdestroy(data->process_tree, keep);
	free_list((void **)data->rows, data->row_count);
	free_list((void **)data->counts, data->count_count);
	free_list((void **)data->processes, data->process_count);
	memset(data, 0, sizeof(*data));
}

/* Lists have room for the next power of two. */
static size_t room_for(size_t count)
{
	size_t room = 1;

	while (room < count)
		room *= 2;
	return room;
}

void profile_data_resize(void ***list, size_t count)
{
	void **shorter = realloc(*list, room_for(count) * sizeof(void *));

	if (shorter)
		*list = shorter;
}

/* Room for one more in a list that is doubled whenever its count is a power of two. */
static void *grow(void *list, size_t count)
{
	if (count & (count - 1))
		return list;
	return realloc(list, room_for(count + 1) * sizeof(void *));
}

/*
 * The item with this key, which is what items begin with; a new one is zeros behind its key. NULL:
 * no memory.
 */
static void *find_or_add(void **tree, void ***list, size_t *count, size_t size, size_t key_size,
			 const void *key)
{
	__compar_fn_t compare = key_size == sizeof(struct latency_key) ? profile_compare_rows
				: key_size == sizeof(struct count_key) ? profile_compare_counts
								       : profile_compare_processes;
	void **found = tfind(key, tree, compare);

	if (found)
		return *found;
	void **longer = grow(*list, *count);
	void *item = longer ? calloc(1, size) : NULL;
	if (longer)
		*list = longer;
	if (!item)
		return NULL;
	memcpy(item, key, key_size);
	if (!tsearch(item, tree, compare)) {
		free(item);
		return NULL;
	}
	(*list)[(*count)++] = item;
	return item;
}

struct profile_row *profile_data_row(struct profile_data *data, const struct latency_key *key)
{
	struct profile_row *row = find_or_add(&data->row_tree, (void ***)&data->rows,
					      &data->row_count, sizeof(*row), sizeof(*key), key);

	if (!row)
		data->failed = 1;
	return row;
}

struct profile_count *profile_data_count(struct profile_data *data, const struct count_key *key)
{
	struct profile_count *count =
		find_or_add(&data->count_tree, (void ***)&data->counts, &data->count_count,
			    sizeof(*count), sizeof(*key), key);

	if (!count)
		data->failed = 1;
	return count;
}

struct profile_process *profile_data_add_process(struct profile_data *data, uint64_t id)
{
	struct profile_process *process =
		find_or_add(&data->process_tree, (void ***)&data->processes, &data->process_count,
			    sizeof(*process), sizeof(id), &id);

	if (!process)
		data->failed = 1;
	return process;
}

void profile_latency_add(struct latency *sum, const struct latency *more)
{
	sum->count += more->count;
	sum->total_ns += more->total_ns;
	if (more->max_ns > sum->max_ns)
		sum->max_ns = more->max_ns;
	for (int i = 0; i < PROBE_BUCKETS; i++)
		sum->buckets[i] += more->buckets[i];
}

static void take_latency(void *own, const struct latency_key *key, const struct latency *total,
			 const struct latency *news)
{
	struct profile_data *data = own;
	struct profile_row *row = profile_data_row(data, key);
	uint64_t *tick = data->ticks[data->tick_count % PROFILE_TICKS];

	if (!row)
		return;
	row->total = *total;
	row->news = *news;
	for (int i = 0; i < PROBE_BUCKETS && key->measure == MEASURE_CALL; i++)
		tick[i] += news->buckets[i];
}

static void take_count(void *own, const struct count_key *key, uint64_t total, uint64_t news)
{
	struct profile_data *data = own;
	struct profile_count *count = profile_data_count(data, key);

	if (!count)
		return;
	(void)news;
	count->total = total;
}

static void take_process(void *own, uint64_t id, const struct process_info *info)
{
	struct profile_data *data = own;
	struct profile_process *process = profile_data_add_process(data, id);

	if (!process)
		return;
	process->pid = (uint32_t)(id >> 32);
	memcpy(process->name, info->comm, sizeof(process->name));
	process->name[sizeof(process->name) - 1] = '\0';
	process->ended = info->ended_ns != 0;
}

int profile_data_read(struct profile_data *data, struct probes *probes, uint64_t now_ns)
{
	int result;

	data->before_ns = data->now_ns;
	data->now_ns = now_ns;
	for (size_t i = 0; i < data->row_count; i++)
		memset(&data->rows[i]->news, 0, sizeof(data->rows[i]->news));
	memset(data->ticks[data->tick_count % PROFILE_TICKS], 0, sizeof(data->ticks[0]));
	result = probes_latencies(probes, take_latency, data);
	if (result == 0)
		result = probes_counts(probes, take_count, data);
	if (result == 0)
		result = probes_processes(probes, take_process, data);
	if (result == 0)
		result = probes_lost(probes, data->lost);
	profile_data_merge_ended(data);
	data->tick_count++;
	return data->failed ? -ENOMEM : result;
}

const struct profile_process *profile_data_process(const struct profile_data *data, uint64_t id)
{
	void *const *found = tfind(&id, &data->process_tree, profile_compare_processes);

	return found ? *found : NULL;
}

/* ---- quantiles ---------------------------------------------------------------------------- */

uint64_t profile_bound_ns(int bucket)
{
	return (uint64_t)(ldexp(1e9, bucket + 1 + PROBE_UNIT_LOG2));
}

/* Within a bucket values are taken to lie evenly on the logarithmic scale. */
uint64_t profile_quantile(const struct latency *latency, double part)
{
	double rank = part * (double)latency->count, below = 0;

	for (int i = 0; i < PROBE_BUCKETS; i++) {
		double here = (double)latency->buckets[i];
		if (here > 0 && below + here >= rank) {
			double exponent = i + PROBE_UNIT_LOG2 + (rank - below) / here;
			double value = exp2(exponent) * 1e9;
			return value < (double)latency->max_ns ? (uint64_t)value : latency->max_ns;
		}
		below += here;
	}
	return latency->max_ns;
}
