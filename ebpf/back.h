/* back.h - a thread is back on a CPU: how long it was blocked, and waited for the CPU. */
#ifndef TAGALONG_EBPF_BACK_H
#define TAGALONG_EBPF_BACK_H

#include "ebpf/record.h"
#include "ebpf/span.h"

static __always_inline void blocked_stack_add(const struct probe_thread *thread, __u64 ns)
{
	struct blocked_key key = {.process = thread->process,
				  .stack_pointer = thread->registers[1],
				  .thread = thread->key_thread,
				  .stack = thread->stack,
				  .call = thread->call,
				  .wait = thread->wait};
	struct blocked *entry = bpf_map_lookup_elem(&blocked_stacks, &key), empty = {0};

	if (!entry) {
		bpf_map_update_elem(&blocked_stacks, &key, &empty, BPF_NOEXIST);
		entry = bpf_map_lookup_elem(&blocked_stacks, &key);
	}
	if (!entry) {
		count_lost(LOST_STACKS);
		return;
	}
	__sync_fetch_and_add(&entry->count, 1);
	__sync_fetch_and_add(&entry->total_ns, ns);
}

static __always_inline void tell_span_off(const struct probe_thread *thread, __u64 since,
					  __u64 blocked_ns, __u64 delay_ns)
{
	struct span_times *times = thread->span ? span_entry(thread->span, since) : 0;

	if (!times)
		return;
	__sync_fetch_and_add(&times->runqueue_ns, delay_ns);
	if (thread->wait < WAIT_KINDS)
		__sync_fetch_and_add(&times->blocked_ns[thread->wait], blocked_ns);
}

static __noinline int take_cpu(struct probe_thread *thread, __u64 now)
{
	__u64 blocked_ns = 0, delay_ns = 0;

	struct latency_key key = {.process = thread->process, .thread = thread->key_thread};
	__u64 off = thread->off_ns, runnable = thread->runnable_ns, left = thread->marked_ns;
	thread->off_ns = 0;
	thread->runnable_ns = 0;
	thread->on_ns = thread->marked_ns = now;
	if (runnable && now > runnable) {
		delay_ns = now - runnable;
		key.call = -1;
		key.measure = MEASURE_RUNQUEUE;
		latency_add(&key, delay_ns);
	}
	if (off) {
		blocked_ns = (runnable > off ? runnable : now) - off;
		key.call = thread->call;
		key.measure = MEASURE_OFFCPU;
		key.wait = thread->wait;
		latency_add(&key, blocked_ns);
		if (want_stacks)
			blocked_stack_add(thread, blocked_ns);
	}
	if (want_contexts)
		tell_span_off(thread, left, blocked_ns, delay_ns);
	return 0;
}

/*
 * For a thread at the end of a call: the kernel does not tell of every switch (on Linux 6.18 none
 * away from some threads was seen), but who returns from the call that it was blocked in is back.
 */
static __always_inline void take_cpu_unseen(struct probe_thread *thread, __u64 now)
{
	if (thread->off_ns)
		take_cpu(thread, now);
}

#endif
