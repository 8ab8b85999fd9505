/* syscalls.bpf.c - how long system calls take, how they fail, and which were slow. */
#include "ebpf/maps.h"

#include <bpf/bpf_endian.h>

#include "ebpf/back.h"
#include "ebpf/descriptor.h"
#include "ebpf/span.h"
#include "ebpf/thread.h"

#define LAST_ERRNO   4095
#define CALL_ACCEPT  43
#define CALL_ACCEPT4 288

static __always_inline void describe_peer(struct slow_call *event, struct file *file)
{
	if (!is_socket(event->mode))
		return;
	struct sock *sock = sock_of(file);
	event->family = BPF_CORE_READ(sock, __sk_common.skc_family);
	event->port = bpf_ntohs(BPF_CORE_READ(sock, __sk_common.skc_dport));
	if (event->family == FAMILY_INET)
		bpf_core_read(event->address, 4, &sock->__sk_common.skc_daddr);
	else if (event->family == FAMILY_INET6)
		bpf_core_read(event->address, 16, &sock->__sk_common.skc_v6_daddr);
	else
		event->family = 0;
}

/* The fields are all set one by one: what is reserved in the ring is not zeroed. */
static __noinline int tell_slow(struct probe_thread *thread, __u64 now, long result)
{
	struct slow_call *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	__u32 tid = bpf_get_current_pid_tgid();

	if (!event) {
		count_lost(LOST_EVENTS);
		return 0;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->process = thread->process;
	event->start_ns = thread->enter_ns;
	event->duration_ns = now - thread->enter_ns;
	event->result = result;
	event->thread = tid;
	event->call = thread->call;
	const struct pt_regs *regs = (const struct pt_regs *)thread->registers_at;
	event->arguments[0] = BPF_CORE_READ(regs, di);
	event->arguments[1] = BPF_CORE_READ(regs, si);
	event->arguments[2] = BPF_CORE_READ(regs, dx);
	if (takes_descriptor(thread->call)) {
		struct file *file = file_of(event->arguments[0]);
		event->mode = mode_of(file);
		describe_peer(event, file);
	}
	if (want_contexts)
		event->has_context = context_read(thread, tid, &event->context);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

static __always_inline __u8 error_of(long result)
{
	if (result >= 0 || result < -LAST_ERRNO)
		return 0;
	if (result <= -PROBE_FIRST_RESTART && result >= -PROBE_LAST_RESTART)
		return PROBE_RESTART + (-result - PROBE_FIRST_RESTART);
	return result > -PROBE_RESTART ? -result : PROBE_ERROR_OTHER;
}

/* How long the connection had waited to be accepted; from now on its socket belongs to us. */
static __noinline int tell_accepted(struct probe_thread *thread, __u64 now, long descriptor)
{
	struct latency_key key = {
		.process = thread->process, .call = -1, .measure = MEASURE_ACCEPT};
	__u64 sock = (__u64)sock_of(file_of(descriptor));
	struct socket_state *state = bpf_map_lookup_elem(&sockets, &sock);

	if (!state)
		return 0;
	key.thread = state->thread = thread->key_thread;
	state->process = thread->process;
	if (state->since_ns && now > state->since_ns)
		latency_add(&key, now - state->since_ns);
	state->since_ns = 0;
	return 0;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_call, struct pt_regs *regs, long number)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct probe_thread *thread = thread_current(tid);

	if (!thread)
		return 0;
	__u64 now = bpf_ktime_get_ns();
	thread->call = number >= 0 && number < PROBE_CALLS ? number : PROBE_CALL_OTHER;
	thread->registers_at = (__u64)regs;
	thread->known = 1;
	thread->enter_ns = now;
	if (want_contexts)
		span_mark(thread, tid, now);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_return, struct pt_regs *regs, long result)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct probe_thread *thread = bpf_map_lookup_elem(&threads, &tid);

	if (!thread)
		return 0;
	__u64 now = bpf_ktime_get_ns(), begun = thread->enter_ns;
	thread->known = 1;
	thread->registers_at = (__u64)regs;
	take_cpu_unseen(thread, now);
	if (want_contexts)
		span_mark(thread, tid, now);
	if (!begun)
		return 0;
	struct latency_key key = {.process = thread->process,
				  .thread = thread->key_thread,
				  .call = thread->call,
				  .measure = MEASURE_CALL,
				  .error = error_of(result)};
	latency_add(&key, now - begun);
	if (!key.error && (key.call == CALL_ACCEPT || key.call == CALL_ACCEPT4))
		tell_accepted(thread, now, result);
	if (slow_ns && now - begun >= slow_ns)
		tell_slow(thread, now, result);
	thread->enter_ns = 0;
	thread->call = -1;
	return 0;
}
