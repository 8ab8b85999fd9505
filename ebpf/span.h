/* span.h - which span a thread works for, and telling it its times, from within the kernel. */
#ifndef TAGALONG_EBPF_SPAN_H
#define TAGALONG_EBPF_SPAN_H

#include "ebpf/maps.h"

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
