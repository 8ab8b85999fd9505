/* sched.bpf.c - where threads are when they do not run: waiting for a CPU, or blocked, on what. */
#include "ebpf/maps.h"

#include "ebpf/back.h"
#include "ebpf/descriptor.h"
#include "ebpf/span.h"
#include "ebpf/thread.h"

/* Outside of any call, and not stopped, a thread leaves the CPU for a page fault alone. */
static __always_inline __u8 wait_of(struct task_struct *task, struct probe_thread *thread)
{
	if (task_state(task) & TASK_STOPPED_OR_TRACED)
		return WAIT_STOPPED;
	if (!thread->enter_ns)
		return thread->known ? WAIT_FAULT : WAIT_OTHER;
	__u8 wait = wait_of_call[(__u16)thread->call % PROBE_CALLS];
	if (BPF_CORE_READ_BITFIELD(task, in_iowait) && wait != WAIT_POLL)
		return WAIT_DISK;
	if (wait != WAIT_BY_DESCRIPTOR)
		return wait & ~WAIT_BY_DESCRIPTOR;
	const struct pt_regs *regs = (const struct pt_regs *)thread->registers_at;
	return wait_on_descriptor(BPF_CORE_READ(regs, di));
}

/* What an unwinder outside needs; see inflight_wait in the segment. */
static __always_inline void keep_registers(struct probe_thread *thread)
{
	const struct pt_regs *regs = (const struct pt_regs *)thread->registers_at;

	if (!regs)
		return;
	thread->registers[0] = BPF_CORE_READ(regs, ip);
	thread->registers[1] = BPF_CORE_READ(regs, sp);
	thread->registers[2] = BPF_CORE_READ(regs, bp);
	thread->registers[3] = BPF_CORE_READ(regs, bx);
	thread->registers[4] = BPF_CORE_READ(regs, r12);
	thread->registers[5] = BPF_CORE_READ(regs, r13);
	thread->registers[6] = BPF_CORE_READ(regs, r14);
	thread->registers[7] = BPF_CORE_READ(regs, r15);
}

static __always_inline void keep_stack(void *context, struct probe_thread *thread)
{
	long stack = bpf_get_stackid(context, &stacks, BPF_F_USER_STACK);

	thread->stack = stack >= 0 ? stack : PROBE_NO_STACK;
	if (stack < 0 && stack != -14)
		count_lost(LOST_STACKS);
	keep_registers(thread);
}

static __always_inline void leave_cpu(void *context, bool preempted, struct task_struct *task,
				      __u64 now)
{
	__u32 tid = task->pid;
	struct probe_thread *thread = bpf_map_lookup_elem(&threads, &tid);

	if (!thread)
		thread = thread_begin(task);
	if (!thread)
		return;
	if (want_contexts)
		span_mark(thread, tid, now);
	thread->on_ns = 0;
	thread->wait = WAIT_OTHER;
	if (preempted || task_state(task) == 0) {
		thread->off_ns = 0;
		thread->runnable_ns = now;
		return;
	}
	thread->runnable_ns = 0;
	thread->wait = wait_of(task, thread);
	if (want_stacks)
		keep_stack(context, thread);
	thread->off_ns = now; /* last: a reader outside goes by it */
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u64 now = bpf_ktime_get_ns();

	if (prev->pid)
		leave_cpu(ctx, preempt, prev, now);
	__u32 tid = next->pid;
	struct probe_thread *thread = tid ? bpf_map_lookup_elem(&threads, &tid) : 0;
	if (thread)
		take_cpu(thread, now);
	return 0;
}

/* A thread that is woken before it has left the CPU stays on it: take_cpu ignores that. */
static __always_inline int wake(struct task_struct *task)
{
	__u32 tid = task->pid;
	struct probe_thread *thread = bpf_map_lookup_elem(&threads, &tid);

	if (thread && !thread->on_ns)
		thread->runnable_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *task)
{
	return wake(task);
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(on_wakeup_new, struct task_struct *task)
{
	return wake(task);
}
