/* thread_data.h - what the programs in the kernel and their loader share of threads and spans. */
#ifndef TAGALONG_EBPF_THREAD_DATA_H
#define TAGALONG_EBPF_THREAD_DATA_H

/* As in data.h. */

#include <linux/types.h>

#include "ebpf/data.h"

/* The layout of OpenTelemetry's thread context (OTEP 4947), its fixed part. */
struct thread_context {
	__u8 trace_id[16];
	__u8 span_id[8];
	__u8 valid;
	__u8 trace_flags;
	__u16 attributes_size;
	__u32 reserved; /* not part of it */
};
#define THREAD_CONTEXT_BYTES 28

/* Where a span's time went. Runs by thread and by span, so threads may sum to more than the clock.
 */
struct span_times {
	__u64 since_ns; /* what was before is not known */
	__u64 cpu_ns;
	__u64 runqueue_ns;
	__u64 blocked_ns[WAIT_KINDS];
};

struct probe_thread {
	__u64 process;
	__u64 enter_ns;     /* 0: in no system call */
	__u64 off_ns;       /* blocked since; 0: not */
	__u64 runnable_ns;  /* waits for a CPU since; 0: not */
	__u64 on_ns;        /* runs since; 0: not known */
	__u64 marked_ns;    /* its time on the CPU is told to its span up to here */
	__u64 span;         /* the span ID when it left the CPU */
	__s64 context_at;   /* its process's, 0: not known yet */
	__u64 registers_at; /* kernel address of the registers that it entered the kernel with */
	__s16 call;
	__u8 wait;
	__u8 known; /* it was seen at the border of the kernel, so enter_ns is right */
	__u32 stack;
	__u32 key_thread; /* its tid if threads are told apart, else 0 */
	__u32 reserved;
	__u64 registers[8]; /* while it is blocked: rip, rsp, rbp, rbx, r12, r13, r14, r15 */
};

struct blocked_key {
	__u64 process;
	__u64 stack_pointer;
	__u32 thread;
	__u32 stack; /* of the stacks map; PROBE_NO_STACK */
	__s16 call;
	__u8 wait;
	__u8 reserved[5];
};

struct blocked {
	__u64 count;
	__u64 total_ns;
};

/* A call over the threshold. */
struct slow_call {
	__u64 process;
	__u64 start_ns;
	__u64 duration_ns;
	__s64 result;
	__u64 arguments[3];
	__u32 thread;
	__s16 call;
	__u8 has_context;
	__u8 family; /* AF_INET, AF_INET6: the descriptor's peer; 0: none */
	__u32 mode;  /* of the first argument's file, as stat(2) has it; 0: none */
	__u16 port;  /* host byte order */
	__u16 reserved;
	__u8 address[16];
	struct thread_context context;
};

#endif
