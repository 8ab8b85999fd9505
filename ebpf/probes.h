/* probes.h - probes in the kernel: loads them, chooses processes, reads what they measured. */
#ifndef TAGALONG_EBPF_PROBES_H
#define TAGALONG_EBPF_PROBES_H

/*
 * The only header of this room for others. Built without eBPF, all of it is there, and probes_open
 * and probes_try say so. Functions return 0 or -errno unless it says otherwise. One thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "ebpf/data.h"
#include "ebpf/thread_data.h"

struct probes;

enum probes_feature {
	PROBES_SYSCALLS = 1,
	PROBES_SCHED = 2, /* run-queue delay, time off the CPU */
	PROBES_BLOCK = 4,
	PROBES_TCP = 8,
	PROBES_ALL = 15,
};

struct probes_options {
	enum probe_scope scope;
	const char *cgroup;    /* SCOPE_CGROUP: its directory in a cgroup2 file system */
	unsigned features;     /* those to be loaded if the kernel has them */
	uint64_t slow_ns;      /* calls that take so long are told one by one; 0: none */
	int follow_children;   /* of chosen processes */
	int by_thread;         /* keys carry the thread */
	int stacks;            /* of blocked threads */
	int contexts;          /* read what threads publish: spans are told their times */
	uint32_t events_bytes; /* of the ring for slow calls, a power of two; 0: 256 KiB */
};

/*
 * Loads and attaches. What this kernel lacks is left out (probes_features tells what is there).
 * Failure leaves one clause in `why`: -EPERM without the capabilities CAP_BPF and CAP_PERFMON,
 * -ENOSYS if it can't work on this kernel or was built without, -EINVAL for a bad cgroup.
 */
int probes_open(struct probes **probes, const struct probes_options *options, char *why,
		size_t room);
void probes_close(struct probes *probes); /* detaches; accepts NULL */
unsigned probes_features(const struct probes *probes);

/* Gives up what loading took, for this thread and those that it starts from now on. */
int probes_drop_capabilities(struct probes *probes);

/* SCOPE_PROCESSES: -ESRCH for a process that is gone. Its end forgets it. */
int probes_add(struct probes *probes, uint32_t pid);
void probes_remove(struct probes *probes, uint32_t pid);

/*
 * Where a thread publishes its context (OpenTelemetry's thread context, in the address space of its
 * process); 0: nowhere. Forgotten when the thread ends or calls exec. It must be thread-local at a
 * fixed distance from the thread pointer, for the other threads of the process are then known, too.
 */
int probes_set_context(struct probes *probes, uint32_t tid, uint64_t address);

/* Where a span's time went, once: it is forgotten with this. -ENOENT: nothing is known. */
int probes_take_span(struct probes *probes, const uint8_t span_id[8], struct span_times *times);

/*
 * What was measured since probes_open, and what of it is new since the last reading. Nothing is
 * told of entries without news. A visitor may not call back.
 */
typedef void probes_latency_visitor(void *own, const struct latency_key *key,
				    const struct latency *total, const struct latency *news);
typedef void probes_count_visitor(void *own, const struct count_key *key, uint64_t total,
				  uint64_t news);
typedef void probes_process_visitor(void *own, uint64_t process, const struct process_info *info);
typedef void probes_blocked_visitor(void *own, const struct blocked_key *key,
				    const struct blocked *total);
typedef void probes_thread_visitor(void *own, uint32_t tid, const struct probe_thread *thread);

int probes_latencies(struct probes *probes, probes_latency_visitor *visit, void *own);
int probes_counts(struct probes *probes, probes_count_visitor *visit, void *own);
int probes_blocked(struct probes *probes, probes_blocked_visitor *visit, void *own);
int probes_threads(struct probes *probes, probes_thread_visitor *visit, void *own);
/* One of them. -ENOENT: it is not measured. */
int probes_thread(struct probes *probes, uint32_t tid, struct probe_thread *thread);
/* Tells all processes; those that ended are forgotten with all that was measured. Read it last. */
int probes_processes(struct probes *probes, probes_process_visitor *visit, void *own);

/* Return addresses, innermost first; how many, up to PROBE_STACK_FRAMES. */
int probes_stack(struct probes *probes, uint32_t stack, uint64_t frames[PROBE_STACK_FRAMES]);

/* Waits for slow calls and tells them. How many, or -errno. */
typedef void probes_slow_visitor(void *own, const struct slow_call *call);
int probes_poll(struct probes *probes, int timeout_ms, probes_slow_visitor *visit, void *own);

/* What found no room since probes_open, by enum probe_lost. */
int probes_lost(struct probes *probes, uint64_t lost[LOST_REASONS]);

/* Tries every program on this kernel, alone. `result` is 0 or -errno. How many work, or -errno. */
typedef void probes_trial_visitor(void *own, const char *feature, const char *what, int result);
int probes_try(probes_trial_visitor *visit, void *own, char *why, size_t room);

/* Texts that live for ever. */
const char *probes_call_name(int call); /* "read"; "other" */
const char *probes_wait_name(int wait); /* "network" */
/* Of an errno, a kernel's code, or a latency_key's error: "ENOENT"; "" if it has none. */
const char *probes_error_name(int error);
const char *probes_lost_name(int reason); /* "events" */
/* Of what a descriptor is open on, by its st_mode: "socket"; "" if that is not known. */
const char *probes_file_name(uint32_t mode);

#endif
