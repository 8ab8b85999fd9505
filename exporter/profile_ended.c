/* profile_ended.c - what is left of many processes that ended: one of their name, with their sums.
 */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/profile_data.h"

/* FNV-1a. The upper half is the pid, and no process has 0. */
static uint64_t heir_of(const struct profile_process *process)
{
	uint32_t hash = 2166136261u;

	for (const char *at = process->name; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619u;
	return hash;
}

static int is_through(const struct profile_data *data, uint64_t id)
{
	const struct profile_process *process = profile_data_process(data, id);

	return process && process->ended > 1;
}

static void bequeath_row(struct profile_data *data, const struct profile_row *row)
{
	const struct profile_process *process = profile_data_process(data, row->key.process);
	struct latency_key key = row->key;

	key.process = heir_of(process);
	key.thread = 0;
	struct profile_row *heir = profile_data_row(data, &key);
	if (!heir)
		return;
	profile_latency_add(&heir->total, &row->total);
	profile_latency_add(&heir->news, &row->news);
}

static void bequeath_count(struct profile_data *data, const struct profile_count *count)
{
	const struct profile_process *process = profile_data_process(data, count->key.process);
	struct count_key key = count->key;

	key.process = heir_of(process);
	key.thread = 0;
	struct profile_count *heir = profile_data_count(data, &key);
	if (heir)
		heir->total += count->total;
}

/* Heirs that are added meanwhile stand behind the others, and are kept. */
static void sift_rows(struct profile_data *data)
{
	size_t kept = 0;

	for (size_t i = 0; i < data->row_count; i++)
		if (is_through(data, data->rows[i]->key.process))
			bequeath_row(data, data->rows[i]);
	for (size_t i = 0; i < data->row_count; i++) {
		struct profile_row *row = data->rows[i];
		if (!is_through(data, row->key.process)) {
			data->rows[kept++] = row;
			continue;
		}
		tdelete(row, &data->row_tree, profile_compare_rows);
		free(row);
	}
	profile_data_resize((void ***)&data->rows, kept);
	data->row_count = kept;
}

static void sift_counts(struct profile_data *data)
{
	size_t kept = 0;

	for (size_t i = 0; i < data->count_count; i++)
		if (is_through(data, data->counts[i]->key.process))
			bequeath_count(data, data->counts[i]);
	for (size_t i = 0; i < data->count_count; i++) {
		struct profile_count *count = data->counts[i];
		if (!is_through(data, count->key.process)) {
			data->counts[kept++] = count;
			continue;
		}
		tdelete(count, &data->count_tree, profile_compare_counts);
		free(count);
	}
	profile_data_resize((void ***)&data->counts, kept);
	data->count_count = kept;
}

static void sift_processes(struct profile_data *data)
{
	size_t kept = 0;

	for (size_t i = 0; i < data->process_count; i++) {
		struct profile_process *process = data->processes[i];
		if (process->ended <= 1) {
			data->processes[kept++] = process;
			continue;
		}
		tdelete(process, &data->process_tree, profile_compare_processes);
		free(process);
		data->merged_count++;
	}
	profile_data_resize((void ***)&data->processes, kept);
	data->process_count = kept;
}

static void name_heirs(struct profile_data *data)
{
	size_t count = data->process_count;

	for (size_t i = 0; i < count; i++) {
		if (data->processes[i]->ended <= 1)
			continue;
		struct profile_process *heir =
			profile_data_add_process(data, heir_of(data->processes[i]));
		if (heir)
			memcpy(heir->name, data->processes[i]->name, sizeof(heir->name));
	}
}

void profile_data_merge_ended(struct profile_data *data)
{
	size_t through = 0;

	for (size_t i = 0; i < data->process_count; i++)
		through += data->processes[i]->ended > 1;
	if (through > PROFILE_ENDED) {
		name_heirs(data);
		sift_rows(data);
		sift_counts(data);
		sift_processes(data);
	}
	for (size_t i = 0; i < data->process_count; i++)
		data->processes[i]->ended += data->processes[i]->ended == 1;
}
