/* without.c - what stands in for the probes where they were not built. */
#include <errno.h>
#include <stdio.h>

#include "ebpf/probes.h"

static int refuse(char *why, size_t room)
{
	snprintf(why, room, "this tagalong was built without eBPF");
	return -ENOSYS;
}

int probes_open(struct probes **probes, const struct probes_options *options, char *why,
		size_t room)
{
	(void)probes;
	(void)options;
	return refuse(why, room);
}

int probes_try(probes_trial_visitor *visit, void *own, char *why, size_t room)
{
	(void)visit;
	(void)own;
	return refuse(why, room);
}

void probes_close(struct probes *probes)
{
	(void)probes;
}

unsigned probes_features(const struct probes *probes)
{
	(void)probes;
	return 0;
}

int probes_drop_capabilities(struct probes *probes)
{
	(void)probes;
	return -ENOSYS;
}

int probes_add(struct probes *probes, uint32_t pid)
{
	(void)probes;
	(void)pid;
	return -ENOSYS;
}

void probes_remove(struct probes *probes, uint32_t pid)
{
	(void)probes;
	(void)pid;
}

int probes_set_context(struct probes *probes, uint32_t tid, uint64_t address)
{
	(void)probes;
	(void)tid;
	(void)address;
	return -ENOSYS;
}

int probes_take_span(struct probes *probes, const uint8_t span_id[8], struct span_times *times)
{
	(void)probes;
	(void)span_id;
	(void)times;
	return -ENOENT;
}

int probes_latencies(struct probes *probes, probes_latency_visitor *visit, void *own)
{
	(void)probes;
	(void)visit;
	(void)own;
	return -ENOSYS;
}

int probes_counts(struct probes *probes, probes_count_visitor *visit, void *own)
{
	(void)probes;
	(void)visit;
	(void)own;
	return -ENOSYS;
}

int probes_blocked(struct probes *probes, probes_blocked_visitor *visit, void *own)
{
	(void)probes;
	(void)visit;
	(void)own;
	return -ENOSYS;
}

int probes_threads(struct probes *probes, probes_thread_visitor *visit, void *own)
{
	(void)probes;
	(void)visit;
	(void)own;
	return -ENOSYS;
}

int probes_thread(struct probes *probes, uint32_t tid, struct probe_thread *thread)
{
	(void)probes;
	(void)tid;
	(void)thread;
	return -ENOSYS;
}

int probes_processes(struct probes *probes, probes_process_visitor *visit, void *own)
{
	(void)probes;
	(void)visit;
	(void)own;
	return -ENOSYS;
}

int probes_stack(struct probes *probes, uint32_t stack, uint64_t frames[PROBE_STACK_FRAMES])
{
	(void)probes;
	(void)stack;
	(void)frames;
	return -ENOSYS;
}

int probes_poll(struct probes *probes, int timeout_ms, probes_slow_visitor *visit, void *own)
{
	(void)probes;
	(void)timeout_ms;
	(void)visit;
	(void)own;
	return -ENOSYS;
}

int probes_lost(struct probes *probes, uint64_t lost[LOST_REASONS])
{
	(void)probes;
	(void)lost;
	return -ENOSYS;
}
