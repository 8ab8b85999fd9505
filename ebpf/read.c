/* read.c - reads the maps: histograms, counts, stacks, threads, processes; what is new in them. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/loader.h"

#define BATCH 512

typedef void entry_visitor(struct probes *probes, void *own, const void *key, const void *value);

struct reading {
	int map;
	size_t key_bytes, value_bytes;
	entry_visitor *visit;
	void *own;
};

/* Room for `count` keys, then as many values. */
static int make_room(struct probes *probes, const struct reading *reading, uint32_t count)
{
	size_t bytes = count * (reading->key_bytes + reading->value_bytes);

	if (bytes <= probes->batch_bytes)
		return 0;
	uint8_t *batch = realloc(probes->batch, bytes);
	if (!batch)
		return -ENOMEM;
	probes->batch = batch;
	probes->batch_bytes = bytes;
	return 0;
}

/* The kernel wants room for all that hang in one bucket: -ENOSPC says that it is too small. */
static int read_all(struct probes *probes, const struct reading *reading)
{
	uint32_t room = BATCH, at = 0, next = 0, count;
	int result = 0, begun = 0;

	while (result == 0) {
		if (make_room(probes, reading, room) < 0)
			return -ENOMEM;
		uint8_t *values = probes->batch + room * reading->key_bytes;
		count = room;
		result = bpf_map_lookup_batch(reading->map, begun ? &at : NULL, &next,
					      probes->batch, values, &count, NULL);
		if (result == -ENOSPC && room < (1u << 20)) {
			room *= 2;
			result = 0;
			continue;
		}
		if (result < 0 && result != -ENOENT)
			return result;
		for (uint32_t i = 0; i < count; i++)
			reading->visit(probes, reading->own, probes->batch + i * reading->key_bytes,
				       values + i * reading->value_bytes);
		at = next;
		begun = 1;
	}
	return 0;
}

static int map_of(const struct bpf_map *map)
{
	return bpf_map__fd(map);
}

/* ---- histograms --------------------------------------------------------------------------- */

struct latency_work {
	probes_latency_visitor *visit;
	void *own;
};

static void tell_latency(struct probes *probes, void *own, const void *key, const void *value)
{
	const struct latency_work *work = own;
	struct latency *before = table_put(&probes->latencies, key), total, news;

	memcpy(&total, value, sizeof(total));
	for (int i = 0; i < PROBE_BUCKETS; i++)
		total.count += total.buckets[i];
	if (!before || total.count == before->count)
		return;
	news = total;
	news.count -= before->count;
	news.total_ns -= before->total_ns;
	for (int i = 0; i < PROBE_BUCKETS; i++)
		news.buckets[i] -= before->buckets[i];
	*before = total;
	work->visit(work->own, key, &total, &news);
}

int probes_latencies(struct probes *probes, probes_latency_visitor *visit, void *own)
{
	struct latency_work work = {visit, own};
	struct reading reading = {map_of(probes->programs->maps.latencies),
				  sizeof(struct latency_key), sizeof(struct latency), tell_latency,
				  &work};

	return read_all(probes, &reading);
}

struct count_work {
	probes_count_visitor *visit;
	void *own;
};

static void tell_count(struct probes *probes, void *own, const void *key, const void *value)
{
	const struct count_work *work = own;
	uint64_t *before = table_put(&probes->counts, key), total;

	memcpy(&total, value, sizeof(total));
	if (!before || *before == total)
		return;
	uint64_t news = total - *before;
	*before = total;
	work->visit(work->own, key, total, news);
}

int probes_counts(struct probes *probes, probes_count_visitor *visit, void *own)
{
	struct count_work work = {visit, own};
	struct reading reading = {map_of(probes->programs->maps.counts), sizeof(struct count_key),
				  sizeof(uint64_t), tell_count, &work};

	return read_all(probes, &reading);
}

/* ---- stacks and threads ------------------------------------------------------------------- */

struct blocked_work {
	probes_blocked_visitor *visit;
	void *own;
};

static void tell_blocked(struct probes *probes, void *own, const void *key, const void *value)
{
	const struct blocked_work *work = own;

	(void)probes;
	work->visit(work->own, key, value);
}

int probes_blocked(struct probes *probes, probes_blocked_visitor *visit, void *own)
{
	struct blocked_work work = {visit, own};
	struct reading reading = {map_of(probes->programs->maps.blocked_stacks),
				  sizeof(struct blocked_key), sizeof(struct blocked), tell_blocked,
				  &work};

	return read_all(probes, &reading);
}

struct thread_work {
	probes_thread_visitor *visit;
	void *own;
};

static void tell_thread(struct probes *probes, void *own, const void *key, const void *value)
{
	const struct thread_work *work = own;
	uint32_t tid;

	(void)probes;
	memcpy(&tid, key, sizeof(tid));
	work->visit(work->own, tid, value);
}

int probes_threads(struct probes *probes, probes_thread_visitor *visit, void *own)
{
	struct thread_work work = {visit, own};
	struct reading reading = {map_of(probes->programs->maps.threads), sizeof(uint32_t),
				  sizeof(struct probe_thread), tell_thread, &work};

	return read_all(probes, &reading);
}

int probes_thread(struct probes *probes, uint32_t tid, struct probe_thread *thread)
{
	return bpf_map_lookup_elem(map_of(probes->programs->maps.threads), &tid, thread);
}

int probes_stack(struct probes *probes, uint32_t stack, uint64_t frames[PROBE_STACK_FRAMES])
{
	int depth = 0;

	memset(frames, 0, PROBE_STACK_FRAMES * sizeof(frames[0]));
	int result = bpf_map_lookup_elem(map_of(probes->programs->maps.stacks), &stack, frames);
	if (result < 0)
		return result;
	while (depth < PROBE_STACK_FRAMES && frames[depth])
		depth++;
	return depth;
}

int probes_lost(struct probes *probes, uint64_t lost[LOST_REASONS])
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *values = cpus > 0 ? calloc(cpus, sizeof(values[0])) : NULL;
	int result = values ? 0 : -ENOMEM;

	for (uint32_t reason = 0; reason < LOST_REASONS && result == 0; reason++) {
		lost[reason] = 0;
		result = bpf_map_lookup_elem(map_of(probes->programs->maps.lost), &reason, values);
		for (int i = 0; i < cpus && result == 0; i++)
			lost[reason] += values[i];
	}
	free(values);
	return result;
}

/* ---- processes ---------------------------------------------------------------------------- */

struct process_work {
	probes_process_visitor *visit;
	void *own;
	struct table ended;
};

static void tell_process(struct probes *probes, void *own, const void *key, const void *value)
{
	struct process_work *work = own;
	const struct process_info *info = value;
	uint64_t process;

	memcpy(&process, key, sizeof(process));
	if (!table_get(&probes->ended, &process))
		work->visit(work->own, process, info);
	if (info->ended_ns)
		table_put(&work->ended, &process);
}

struct ending {
	const struct table *ended;
	int map;
};

/* All keys begin with their process. */
static int drop_ended(void *own, const void *key, const void *value)
{
	const struct ending *ending = own;

	(void)value;
	if (!table_get(ending->ended, key))
		return 0;
	bpf_map_delete_elem(ending->map, key);
	return 1;
}

/* Nobody has seen these but the reader of the map, so they have to be looked for. */
static void note_blocked(struct probes *probes, void *own, const void *key, const void *value)
{
	(void)value;
	if (table_get(&probes->ended, key))
		table_put(own, key);
}

static void forget_blocked(struct probes *probes)
{
	struct table keys;
	struct reading reading = {map_of(probes->programs->maps.blocked_stacks),
				  sizeof(struct blocked_key), sizeof(struct blocked), note_blocked,
				  &keys};
	const void *key;
	void *value;

	table_init(&keys, sizeof(struct blocked_key), 0);
	read_all(probes, &reading);
	for (size_t i = 0; table_at(&keys, i, &key, &value); i++)
		if (key)
			bpf_map_delete_elem(reading.map, key);
	table_fini(&keys);
}

/* Its last news came before its end was told, so they have been read since. */
static void forget(struct probes *probes)
{
	struct ending latencies = {&probes->ended, map_of(probes->programs->maps.latencies)};
	struct ending counts = {&probes->ended, map_of(probes->programs->maps.counts)};
	const void *key;
	void *value;

	if (!probes->ended.count)
		return;
	table_sift(&probes->latencies, drop_ended, &latencies);
	table_sift(&probes->counts, drop_ended, &counts);
	for (size_t i = 0; table_at(&probes->ended, i, &key, &value); i++)
		if (key)
			bpf_map_delete_elem(map_of(probes->programs->maps.processes), key);
	forget_blocked(probes);
}

int probes_processes(struct probes *probes, probes_process_visitor *visit, void *own)
{
	struct process_work work = {.visit = visit, .own = own};
	struct reading reading = {map_of(probes->programs->maps.processes), sizeof(uint64_t),
				  sizeof(struct process_info), tell_process, &work};

	table_init(&work.ended, sizeof(uint64_t), 0);
	int result = read_all(probes, &reading);
	forget(probes);
	table_fini(&probes->ended);
	probes->ended = work.ended;
	return result;
}
