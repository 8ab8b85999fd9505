/* lifetime.bpf.c - processes and threads that begin, exec and end; the maps of all programs. */
#include "ebpf/maps.h"

#include "ebpf/thread.h"

struct map_targets targets SEC(".maps");
struct map_processes processes SEC(".maps");
struct map_threads threads SEC(".maps");
struct map_latencies latencies SEC(".maps");
struct map_counts counts SEC(".maps");
struct map_contexts contexts SEC(".maps");
struct map_spans spans SEC(".maps");
struct map_requests requests SEC(".maps");
struct map_sockets sockets SEC(".maps");
struct map_blocked_stacks blocked_stacks SEC(".maps");
struct map_stacks stacks SEC(".maps");
struct map_lost lost SEC(".maps");
struct map_events events SEC(".maps");

const volatile __u32 scope = 0;
const volatile __u32 own_tgid = 0;
const volatile __u64 cgroup_id = 0;
const volatile __u32 cgroup_level = 0;
const volatile __u64 slow_ns = 0;
const volatile __u8 follow_children = 0;
const volatile __u8 by_thread = 0;
const volatile __u8 want_stacks = 0;
const volatile __u8 want_contexts = 0;
const volatile __u8 wait_of_call[PROBE_CALLS] = {0};

char LICENSE[] SEC("license") = "GPL";

/* A copy of the parent's image publishes where that did. */
static __always_inline void inherit_context(struct task_struct *parent, struct probe_thread *child)
{
	__u32 tid = parent->pid;
	struct probe_thread *thread = bpf_map_lookup_elem(&threads, &tid);
	struct process_info *info = bpf_map_lookup_elem(&processes, &child->process);

	if (thread && info)
		info->context_at = child->context_at = thread->context_at;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 tgid = parent->tgid, child_tgid = child->tgid;
	__u8 yes = 1;

	if (tgid != child_tgid && scope == SCOPE_PROCESSES && follow_children &&
	    bpf_map_lookup_elem(&targets, &tgid) &&
	    bpf_map_update_elem(&targets, &child_tgid, &yes, BPF_ANY) < 0)
		count_lost(LOST_PROCESSES);
	/* Now, so that its first wait for a CPU is seen. */
	struct probe_thread *thread = thread_begin(child);
	if (want_contexts && thread && tgid != child_tgid)
		inherit_context(parent, thread);
	return 0;
}

/*
 * The image is new, and so is what it publishes. A thread other than the first that calls exec gets
 * the number of the first.
 */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid)
{
	__u32 old_tid = old_pid, tid = task->pid;
	struct probe_thread *thread = bpf_map_lookup_elem(&threads, &old_tid);

	bpf_map_delete_elem(&contexts, &old_tid);
	if (!thread)
		return 0;
	struct process_info *info = bpf_map_lookup_elem(&processes, &thread->process);
	if (info) {
		bpf_core_read_str(info->comm, sizeof(info->comm), &task->comm);
		info->context_at = 0;
	}
	thread->context_at = 0;
	if (tid == old_tid)
		return 0;
	struct probe_thread moved = *thread;
	moved.key_thread = by_thread ? tid : 0;
	bpf_map_update_elem(&threads, &tid, &moved, BPF_ANY);
	bpf_map_delete_elem(&threads, &old_tid);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	__u32 tid = task->pid, tgid = task->tgid;
	struct probe_thread *thread = bpf_map_lookup_elem(&threads, &tid);
	bool last = BPF_CORE_READ(task, signal, live.counter) == 0;

	bpf_map_delete_elem(&contexts, &tid);
	if (last)
		bpf_map_delete_elem(&targets, &tgid);
	if (!thread)
		return 0;
	struct process_info *info = bpf_map_lookup_elem(&processes, &thread->process);
	if (info && last)
		info->ended_ns = bpf_ktime_get_ns();
	bpf_map_delete_elem(&threads, &tid);
	return 0;
}
