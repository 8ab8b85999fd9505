/* maps.h - the maps of the programs in the kernel, and what the loader tells them. */
#ifndef TAGALONG_EBPF_MAPS_H
#define TAGALONG_EBPF_MAPS_H

/*
 * Defined in lifetime.bpf.c. All are bounded; what finds no room is counted in `lost`. The sizes
 * here are for a few processes; the loader raises them for a whole host.
 */

#include "ebpf/data.h"
#include "ebpf/kernel.h"
#include "ebpf/thread_data.h"

#define MAP(name, kind, key_type, value_type, room)                                                \
	struct map_##name {                                                                        \
		__uint(type, kind);                                                                \
		__type(key, key_type);                                                             \
		__type(value, value_type);                                                         \
		__uint(max_entries, room);                                                         \
	};                                                                                         \
	extern struct map_##name name SEC(".maps")

/* The address of a thread's published context in its process, by tid. */
struct context_address {
	__u64 address;
};

struct stack_frames {
	__u64 frames[PROBE_STACK_FRAMES];
};

/* What a socket is up to: who connects, since when; or since when it waits to be accepted. */
struct socket_state {
	__u64 process;
	__u64 since_ns;
	__u32 thread;
	__u32 reserved;
};

MAP(targets, BPF_MAP_TYPE_HASH, __u32, __u8, 16384); /* by tgid, in SCOPE_PROCESSES */
MAP(processes, BPF_MAP_TYPE_HASH, __u64, struct process_info, 4096);
MAP(threads, BPF_MAP_TYPE_HASH, __u32, struct probe_thread, 8192);
MAP(latencies, BPF_MAP_TYPE_HASH, struct latency_key, struct latency, 8192);
MAP(counts, BPF_MAP_TYPE_HASH, struct count_key, __u64, 4096);
MAP(contexts, BPF_MAP_TYPE_HASH, __u32, struct context_address, 8192);
MAP(spans, BPF_MAP_TYPE_LRU_HASH, __u64, struct span_times, 16384);
MAP(requests, BPF_MAP_TYPE_HASH, __u64, struct socket_state,
    4096); /* by struct request's address */
MAP(sockets, BPF_MAP_TYPE_LRU_HASH, __u64, struct socket_state, 8192); /* by struct sock's */
MAP(blocked_stacks, BPF_MAP_TYPE_HASH, struct blocked_key, struct blocked, 4096);
MAP(stacks, BPF_MAP_TYPE_STACK_TRACE, __u32, struct stack_frames, 4096);
MAP(lost, BPF_MAP_TYPE_PERCPU_ARRAY, __u32, __u64, LOST_REASONS);

struct map_events {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
};
extern struct map_events events SEC(".maps");

/* Set by the loader before it loads. */
extern const volatile __u32 scope;    /* enum probe_scope */
extern const volatile __u32 own_tgid; /* the loader's own process is never measured */
extern const volatile __u64 cgroup_id;
extern const volatile __u32 cgroup_level;
extern const volatile __u64 slow_ns;
extern const volatile __u8 follow_children;
extern const volatile __u8 by_thread;
extern const volatile __u8 want_stacks;
extern const volatile __u8 want_contexts;
extern const volatile __u8 wait_of_call[PROBE_CALLS]; /* enum probe_wait */

#endif
