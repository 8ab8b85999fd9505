/* tcp.bpf.c - connects, accept queues, retransmits and resets, told to the process that they hit.
 */
#include "ebpf/maps.h"

#include "ebpf/thread.h"

#define ESTABLISHED  1
#define SYN_SENT     2
#define PROTOCOL_TCP 6

/*
 * Sockets stay in their map when they are closed, for a reset is sent after that; the next one at
 * the same address takes the entry over, here or when it is established.
 */

/* Runs in the process that connects. */
static __always_inline void begin_connect(__u64 sock, __u64 now)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct probe_thread *thread = thread_current(tid);

	if (!thread) {
		bpf_map_delete_elem(&sockets, &sock);
		return;
	}
	struct socket_state state = {
		.process = thread->process, .since_ns = now, .thread = thread->key_thread};
	bpf_map_update_elem(&sockets, &sock, &state, BPF_ANY);
}

/* Runs wherever the packet was received. */
static __always_inline void establish(__u64 sock, int old, __u64 now)
{
	struct socket_state waiting = {.since_ns = now};
	struct socket_state *state = bpf_map_lookup_elem(&sockets, &sock);

	if (old != SYN_SENT) {
		bpf_map_update_elem(&sockets, &sock, &waiting, BPF_ANY);
		return;
	}
	if (!state || !state->since_ns)
		return;
	struct latency_key key = {.process = state->process,
				  .thread = state->thread,
				  .call = -1,
				  .measure = MEASURE_CONNECT};
	latency_add(&key, now - state->since_ns);
	state->since_ns = 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(on_state, struct sock *sock, int old, int new)
{
	__u64 at = (__u64)sock, now = bpf_ktime_get_ns();

	if (sock->sk_protocol != PROTOCOL_TCP)
		return 0;
	if (new == SYN_SENT)
		begin_connect(at, now);
	else if (new == ESTABLISHED)
		establish(at, old, now);
	return 0;
}

static __always_inline int count_of_socket(__u64 sock, __u16 what)
{
	struct socket_state *state = bpf_map_lookup_elem(&sockets, &sock);

	if (!state || !state->process)
		return 0;
	struct count_key key = {.process = state->process, .thread = state->thread, .what = what};
	count_add(&key);
	return 0;
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(on_retransmit, struct sock *sock)
{
	return count_of_socket((__u64)sock, COUNT_RETRANSMIT);
}

/* Answers to segments for which there is no socket belong to nobody. */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(on_reset_sent, struct sock *sock)
{
	return count_of_socket((__u64)sock, COUNT_RESET_SENT);
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(on_reset_received, struct sock *sock)
{
	return count_of_socket((__u64)sock, COUNT_RESET_RECEIVED);
}
