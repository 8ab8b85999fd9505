/* block.bpf.c - how long block devices take for a process's requests. */
#include "ebpf/maps.h"

#include "ebpf/thread.h"

/*
 * Writes from the page cache are issued by the kernel's own threads, long after the call, and
 * belong to no process here. An entry that was left behind by a request that was merged into
 * another one goes when its address is used again.
 */
static __always_inline int begin_request(__u64 request)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct probe_thread *thread = thread_current(tid);

	if (!thread) {
		bpf_map_delete_elem(&requests, &request);
		return 0;
	}
	struct socket_state state = {.process = thread->process,
				     .since_ns = bpf_ktime_get_ns(),
				     .thread = thread->key_thread};
	if (bpf_map_update_elem(&requests, &request, &state, BPF_ANY) < 0)
		count_lost(LOST_REQUESTS);
	return 0;
}

/* Linux 6.5: always runs in the thread that asks for it. */
SEC("tp_btf/block_io_start")
int BPF_PROG(on_request_start, struct request *request)
{
	return begin_request((__u64)request);
}

/*
 * Before: mostly in that thread, but for devices that are busy. Its first argument was the queue up
 * to Linux 5.10.
 */
extern int LINUX_KERNEL_VERSION __kconfig;

SEC("tp_btf/block_rq_issue")
int on_request_issue(__u64 *arguments)
{
	return begin_request(LINUX_KERNEL_VERSION < KERNEL_VERSION(5, 11, 0) ? arguments[1]
									     : arguments[0]);
}

SEC("tp_btf/block_rq_complete")
int BPF_PROG(on_request_complete, struct request *request)
{
	__u64 at = (__u64)request, now = bpf_ktime_get_ns();
	struct socket_state *state = bpf_map_lookup_elem(&requests, &at);

	if (!state)
		return 0;
	struct latency_key key = {.process = state->process,
				  .thread = state->thread,
				  .call = -1,
				  .measure = MEASURE_BLOCK};
	latency_add(&key, now - state->since_ns);
	bpf_map_delete_elem(&requests, &at);
	return 0;
}
