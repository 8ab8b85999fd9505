/* record.h - adding to the histograms, counts and spans, from within the kernel. */
#ifndef TAGALONG_EBPF_RECORD_H
#define TAGALONG_EBPF_RECORD_H

#include "ebpf/maps.h"

static __always_inline void count_lost(__u32 reason)
{
	__u64 *count = bpf_map_lookup_elem(&lost, &reason);

	if (count)
		*count += 1;
}

/*
 * Bucket boundaries are powers of two of a second, so that they are those of an exponential
 * histogram at scale 0. 2^26 / 10^9 is 288230376 / 2^32, or 70368 / 2^20, a little less in both
 * cases: so a duration right on a boundary falls below it, as the upper bounds are inclusive.
 */
static __always_inline __u32 bucket_of(__u64 ns)
{
	__u64 units = ns < 1ull << 35 ? (ns * 288230376ull) >> 32 : (ns >> 20) * 70368ull;
	__u32 bucket = 0;

	if (units >= 1ull << (PROBE_BUCKETS - 1))
		return PROBE_BUCKETS - 1;
	if (units >= 1ull << 32) {
		units >>= 32;
		bucket += 32;
	}
	if (units >= 1u << 16) {
		units >>= 16;
		bucket += 16;
	}
	if (units >= 1u << 8) {
		units >>= 8;
		bucket += 8;
	}
	if (units >= 1u << 4) {
		units >>= 4;
		bucket += 4;
	}
	if (units >= 1u << 2) {
		units >>= 2;
		bucket += 2;
	}
	return bucket + (units >= 2);
}

static __always_inline struct latency *latency_entry(const struct latency_key *key)
{
	static const struct latency empty;
	struct latency *entry = bpf_map_lookup_elem(&latencies, key);

	if (entry)
		return entry;
	bpf_map_update_elem(&latencies, key, &empty, BPF_NOEXIST);
	entry = bpf_map_lookup_elem(&latencies, key);
	if (!entry)
		count_lost(LOST_LATENCIES);
	return entry;
}

static __always_inline void latency_add(const struct latency_key *key, __u64 ns)
{
	struct latency *entry = latency_entry(key);
	__u32 bucket = bucket_of(ns);

	if (!entry || bucket >= PROBE_BUCKETS)
		return;
	__sync_fetch_and_add(&entry->total_ns, ns);
	__sync_fetch_and_add(&entry->buckets[bucket], 1);
	if (ns > entry->max_ns)
		entry->max_ns = ns;
}

static __always_inline void count_add(const struct count_key *key)
{
	__u64 *count = bpf_map_lookup_elem(&counts, key), zero = 0;

	if (!count) {
		bpf_map_update_elem(&counts, key, &zero, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&counts, key);
	}
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		count_lost(LOST_COUNTS);
}

/* ---- spans -------------------------------------------------------------------------------- */

/*
 * The address that the current thread publishes its context at, 0: none. All threads of a process
 * have it at the same distance from their thread pointers, so the first one that was told of
 * (`contexts`) tells it for all, and for those that are yet to come.
 */
static __always_inline __u64 context_address(struct probe_thread *thread, __u32 tid)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 pointer = BPF_CORE_READ(task, thread.fsbase);

	if (thread->context_at)
		return pointer + thread->context_at;
	struct process_info *info = bpf_map_lookup_elem(&processes, &thread->process);
	if (info && !info->context_at) {
		struct context_address *told = bpf_map_lookup_elem(&contexts, &tid);
		if (told)
			info->context_at = told->address - pointer;
	}
	thread->context_at = info ? info->context_at : 0;
	return thread->context_at ? pointer + thread->context_at : 0;
}

/* What the current thread publishes. 0: nothing. */
static __always_inline int context_read(struct probe_thread *thread, __u32 tid,
					struct thread_context *context)
{
	__u64 address = context_address(thread, tid);

	context->reserved = 0;
	if (!address || bpf_probe_read_user(context, THREAD_CONTEXT_BYTES, (void *)address) < 0)
		return 0;
	return context->valid == 1;
}

static __always_inline __u64 context_span(struct probe_thread *thread, __u32 tid)
{
	struct thread_context context;
	__u64 span = 0;

	if (context_read(thread, tid, &context))
		__builtin_memcpy(&span, context.span_id, sizeof(span));
	return span;
}

static __always_inline struct span_times *span_entry(__u64 span, __u64 since)
{
	struct span_times begin = {.since_ns = since};
	struct span_times *times = bpf_map_lookup_elem(&spans, &span);

	if (times)
		return times;
	bpf_map_update_elem(&spans, &span, &begin, BPF_NOEXIST);
	return bpf_map_lookup_elem(&spans, &span);
}

/*
 * Tells the time on the CPU since the last mark to the span that is current now. The context
 * changes right before or after a system call, so a stretch belongs to the one at its end.
 */
static __always_inline void span_mark(struct probe_thread *thread, __u32 tid, __u64 now)
{
	__u64 since = thread->marked_ns;

	thread->span = context_span(thread, tid);
	thread->marked_ns = now;
	if (!thread->span || !since)
		return;
	struct span_times *times = span_entry(thread->span, since);
	if (times)
		__sync_fetch_and_add(&times->cpu_ns, now - since);
}

#endif
