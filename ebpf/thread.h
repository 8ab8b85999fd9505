/* thread.h - which threads are measured, and their entries, from within the kernel. */
#ifndef TAGALONG_EBPF_THREAD_H
#define TAGALONG_EBPF_THREAD_H

#include "ebpf/record.h"

static __always_inline bool is_chosen(__u32 tgid)
{
	if (tgid == own_tgid)
		return 0;
	if (scope == SCOPE_HOST)
		return 1;
	if (scope == SCOPE_CGROUP)
		return (__u64)bpf_get_current_ancestor_cgroup_id(cgroup_level) == cgroup_id;
	return bpf_map_lookup_elem(&targets, &tgid) != 0;
}

static __always_inline __u64 process_of(struct task_struct *task, __u64 *start_ns)
{
	*start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	return (__u64)BPF_CORE_READ(task, tgid) << 32 | (__u32)(*start_ns >> 20);
}

static __always_inline void process_begin(struct task_struct *task, __u64 process, __u64 start_ns)
{
	struct process_info info = {.start_boot_ns = start_ns};

	if (bpf_map_lookup_elem(&processes, &process))
		return;
	BPF_CORE_READ_STR_INTO(&info.comm, task, group_leader, comm);
	if (bpf_map_update_elem(&processes, &process, &info, BPF_NOEXIST) < 0 &&
	    !bpf_map_lookup_elem(&processes, &process))
		count_lost(LOST_PROCESSES);
}

/* A new entry for a thread that is measured; NULL if it isn't, or there is no room. */
static __noinline struct probe_thread *thread_begin(struct task_struct *task)
{
	struct probe_thread thread = {.call = -1, .stack = PROBE_NO_STACK};
	__u32 tgid = BPF_CORE_READ(task, tgid), tid = BPF_CORE_READ(task, pid);
	__u64 start_ns;

	if (!is_chosen(tgid) || BPF_CORE_READ(task, flags) & (PF_KTHREAD | PF_EXITING))
		return 0;
	thread.process = process_of(task, &start_ns);
	thread.key_thread = by_thread ? tid : 0;
	process_begin(task, thread.process, start_ns);
	if (bpf_map_update_elem(&threads, &tid, &thread, BPF_NOEXIST) < 0)
		count_lost(LOST_THREADS);
	return bpf_map_lookup_elem(&threads, &tid);
}

static __always_inline struct probe_thread *thread_current(__u32 tid)
{
	struct probe_thread *thread = bpf_map_lookup_elem(&threads, &tid);

	return thread ? thread : thread_begin((struct task_struct *)bpf_get_current_task());
}

#endif
