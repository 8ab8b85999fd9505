/* probes.c - opens the probes for a scope, and chooses processes. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/capability.h"
#include "ebpf/loader.h"
#include "ebpf/scope.h"

/* A whole host has more of everything. */
#define HOST_FACTOR 4

static int tell_slow(void *context, void *data, size_t size)
{
	const struct probes *probes = context;

	if (size >= sizeof(struct slow_call) && probes->slow_visitor)
		probes->slow_visitor(probes->slow_own, data);
	return 0;
}

static void widen(struct bpf_map *map)
{
	bpf_map__set_max_entries(map, bpf_map__max_entries(map) * HOST_FACTOR);
}

static void set_sizes(struct programs *programs, const struct probes_options *options)
{
	if (options->events_bytes)
		bpf_map__set_max_entries(programs->maps.events, options->events_bytes);
	if (!options->stacks) {
		bpf_map__set_max_entries(programs->maps.stacks, 1);
		bpf_map__set_max_entries(programs->maps.blocked_stacks, 1);
	}
	if (!options->contexts) {
		bpf_map__set_max_entries(programs->maps.contexts, 1);
		bpf_map__set_max_entries(programs->maps.spans, 1);
	}
	if (options->scope == SCOPE_PROCESSES)
		return;
	widen(programs->maps.processes);
	widen(programs->maps.threads);
	widen(programs->maps.latencies);
	widen(programs->maps.counts);
	bpf_map__set_max_entries(programs->maps.targets, 1);
}

static struct programs *open_programs(const struct probes_options *options)
{
	struct programs *programs = loader_open();

	if (!programs)
		return NULL;
	programs->rodata->scope = options->scope;
	programs->rodata->slow_ns = options->slow_ns;
	programs->rodata->follow_children = options->follow_children != 0;
	programs->rodata->by_thread = options->by_thread != 0;
	programs->rodata->want_stacks = options->stacks != 0;
	programs->rodata->want_contexts = options->contexts != 0;
	set_sizes(programs, options);
	if (options->scope == SCOPE_CGROUP) {
		uint64_t id = 0;
		uint32_t level = 0;
		int result = scope_find_cgroup(options->cgroup, &id, &level);
		programs->rodata->cgroup_id = id;
		programs->rodata->cgroup_level = level;
		if (result < 0) {
			programs__destroy(programs);
			errno = -result;
			return NULL;
		}
	}
	return programs;
}

static int try_features(struct probes *probes, const struct probes_options *options,
			unsigned features)
{
	uint8_t chosen[64];

	for (unsigned i = 0; i < loader_part_count; i++)
		chosen[i] = !loader_parts[i].feature || (loader_parts[i].feature & features);
	probes->programs = open_programs(options);
	if (!probes->programs)
		return -errno;
	int result = loader_load(probes->programs, chosen);
	if (result == 0) {
		probes->features = features;
		return 0;
	}
	programs__destroy(probes->programs);
	probes->programs = NULL;
	return result;
}

/* All at once, as a rule; where the kernel refuses something, one feature after the other. */
static int load(struct probes *probes, const struct probes_options *options)
{
	unsigned working = 0;
	int result = try_features(probes, options, options->features);

	if (result == 0)
		return 0;
	for (unsigned feature = 1; feature <= PROBES_ALL; feature <<= 1) {
		if (!(options->features & feature))
			continue;
		if (try_features(probes, options, feature) == 0)
			working |= feature;
		programs__destroy(probes->programs);
		probes->programs = NULL;
	}
	return working ? try_features(probes, options, working) : result;
}

static int explain(int result, char *why, size_t room)
{
	switch (-result) {
	case EPERM:
	case EACCES:
		snprintf(why, room,
			 "the kernel does not let us load programs: it needs CAP_BPF "
			 "and CAP_PERFMON (or root)");
		return -EPERM;
	case ENOMEM:
		snprintf(why, room, "there is no memory for the maps");
		return -ENOMEM;
	}
	snprintf(why, room, "the kernel takes none of the programs: %s", strerror(-result));
	return -ENOSYS;
}

static int check_options(const struct probes_options *options, char *why, size_t room)
{
	uint64_t id;
	uint32_t level;

	if (options->scope == SCOPE_CGROUP &&
	    (!options->cgroup || scope_find_cgroup(options->cgroup, &id, &level) < 0)) {
		snprintf(why, room, "%s is no directory of cgroup2",
			 options->cgroup ? options->cgroup : "\"\"");
		return -EINVAL;
	}
	if (!scope_sees_pids()) {
		snprintf(why, room, "this is a pid namespace of its own: run it in the host's");
		return -ENOSYS;
	}
	return 0;
}

int probes_open(struct probes **out, const struct probes_options *options, char *why, size_t room)
{
	int result = check_options(options, why, room);

	if (result == 0)
		result = loader_check_host(why, room);
	if (result < 0)
		return result;
	struct probes *probes = calloc(1, sizeof(*probes));
	if (!probes)
		return explain(-ENOMEM, why, room);
	probes->scope = options->scope;
	table_init(&probes->latencies, sizeof(struct latency_key), sizeof(struct latency));
	table_init(&probes->counts, sizeof(struct count_key), sizeof(uint64_t));
	table_init(&probes->ended, sizeof(uint64_t), 0);
	result = load(probes, options);
	if (result == 0) {
		probes->events = ring_buffer__new(bpf_map__fd(probes->programs->maps.events),
						  tell_slow, probes, NULL);
		result = probes->events ? 0 : -errno;
	}
	if (result < 0) {
		probes_close(probes);
		return explain(result, why, room);
	}
	*out = probes;
	return 0;
}

void probes_close(struct probes *probes)
{
	if (!probes)
		return;
	ring_buffer__free(probes->events);
	programs__destroy(probes->programs);
	table_fini(&probes->latencies);
	table_fini(&probes->counts);
	table_fini(&probes->ended);
	free(probes->batch);
	free(probes);
}

unsigned probes_features(const struct probes *probes)
{
	return probes->features;
}

/* Tried, for what it takes to read a map depends on the kernel and on its settings. */
int probes_drop_capabilities(struct probes *probes)
{
	uint64_t lost[LOST_REASONS];
	int result = capability_lower();

	if (result < 0)
		return result;
	return capability_drop(probes_lost(probes, lost) < 0);
}

int probes_add(struct probes *probes, uint32_t pid)
{
	uint8_t yes = 1;

	if (kill((pid_t)pid, 0) < 0 && errno == ESRCH)
		return -ESRCH;
	int result = bpf_map_update_elem(bpf_map__fd(probes->programs->maps.targets), &pid, &yes,
					 BPF_ANY);
	/* Had it ended meanwhile, nobody would remove it again. */
	if (result == 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH) {
		probes_remove(probes, pid);
		return -ESRCH;
	}
	return result;
}

void probes_remove(struct probes *probes, uint32_t pid)
{
	bpf_map_delete_elem(bpf_map__fd(probes->programs->maps.targets), &pid);
}

int probes_set_context(struct probes *probes, uint32_t tid, uint64_t address)
{
	int map = bpf_map__fd(probes->programs->maps.contexts);

	if (address)
		return bpf_map_update_elem(map, &tid, &address, BPF_ANY);
	int result = bpf_map_delete_elem(map, &tid);
	return result == -ENOENT ? 0 : result;
}

int probes_take_span(struct probes *probes, const uint8_t span_id[8], struct span_times *times)
{
	int map = bpf_map__fd(probes->programs->maps.spans);
	int result = bpf_map_lookup_elem(map, span_id, times);

	if (result == 0)
		bpf_map_delete_elem(map, span_id);
	return result;
}

int probes_poll(struct probes *probes, int timeout_ms, probes_slow_visitor *visit, void *own)
{
	probes->slow_visitor = visit;
	probes->slow_own = own;
	int result = ring_buffer__poll(probes->events, timeout_ms);
	probes->slow_visitor = NULL;
	return result;
}
