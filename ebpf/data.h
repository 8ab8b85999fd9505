/* data.h - what the programs in the kernel and their loader share: keys, values and events. */
#ifndef TAGALONG_EBPF_DATA_H
#define TAGALONG_EBPF_DATA_H

/*
 * Fixed width, host byte order. Times are CLOCK_MONOTONIC nanoseconds. Pids and tids are those of
 * the first pid namespace.
 */

#include <linux/types.h>

#define PROBE_CALLS        512 /* system calls: 0 to 511, the last one for all others */
#define PROBE_CALL_OTHER   (PROBE_CALLS - 1)
#define PROBE_BUCKETS      36
#define PROBE_UNIT_LOG2    (-26) /* bucket i: (2^(i-26) s, 2^(i-25) s]; the first from 0 on */
#define PROBE_STACK_FRAMES 64
#define PROBE_COMM         16
#define PROBE_NO_STACK     0xffffffffu

enum probe_scope { SCOPE_PROCESSES, SCOPE_CGROUP, SCOPE_HOST };

/* What a thread waits for that is off the CPU. */
enum probe_wait {
	WAIT_OTHER,
	WAIT_NETWORK,
	WAIT_DISK, /* block I/O, or a call on a file */
	WAIT_LOCK, /* futex */
	WAIT_SLEEP,
	WAIT_FAULT, /* page fault: off the CPU outside of any call */
	WAIT_PIPE,
	WAIT_POLL, /* for any of several descriptors */
	WAIT_CHILD,
	WAIT_STOPPED, /* by a signal or a debugger */
	WAIT_KINDS,
	WAIT_BY_DESCRIPTOR = 64, /* only in the table of calls: the first argument decides */
};

enum probe_measure {
	MEASURE_CALL,     /* duration of a system call */
	MEASURE_OFFCPU,   /* from leaving the CPU to being runnable again; with call and wait */
	MEASURE_RUNQUEUE, /* from being runnable to running */
	MEASURE_BLOCK,    /* block I/O */
	MEASURE_CONNECT,  /* TCP: SYN sent to established */
	MEASURE_ACCEPT,   /* TCP: established to accepted */
	MEASURE_KINDS,
};

/*
 * The kernel's own codes of calls that begin anew after a signal, ERESTARTSYS (512) and up, have
 * their place behind the errnos.
 */
#define PROBE_RESTART       200
#define PROBE_ERROR_OTHER   255
#define PROBE_FIRST_RESTART 512
#define PROBE_LAST_RESTART  516

struct latency_key {
	__u64 process; /* see struct process_info */
	__u32 thread;  /* 0 unless threads are told apart */
	__s16 call;    /* -1: none */
	__u8 measure;  /* enum probe_measure */
	union {
		__u8 wait;  /* enum probe_wait, MEASURE_OFFCPU's */
		__u8 error; /* MEASURE_CALL's: errno, 0: none; see probe_error */
	};
};

struct latency {
	__u64 count; /* the kernel leaves it to the loader, which adds the buckets up */
	__u64 total_ns;
	__u64 max_ns;
	__u64 buckets[PROBE_BUCKETS];
};

enum probe_count { COUNT_RETRANSMIT, COUNT_RESET_SENT, COUNT_RESET_RECEIVED, COUNT_KINDS };

struct count_key {
	__u64 process;
	__u32 thread;
	__u32 what; /* enum probe_count */
};

/* A process is told by pid (upper half) and a mark of its start, for pids are used again. */
struct process_info {
	__u64 start_boot_ns; /* CLOCK_BOOTTIME */
	__u64 ended_ns;      /* 0: lives */
	__s64 context_at;    /* of a thread's context, from its thread pointer; 0: not known yet */
	char comm[PROBE_COMM];
};

enum probe_lost {
	LOST_EVENTS,
	LOST_THREADS,
	LOST_PROCESSES,
	LOST_LATENCIES,
	LOST_COUNTS,
	LOST_REQUESTS, /* block I/O in flight */
	LOST_STACKS,
	LOST_REASONS,
};

#endif
