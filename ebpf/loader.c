/* loader.c - the programs of the kernel's side: which belong together, loading, attaching. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ebpf/capability.h"
#include "ebpf/loader.h"
#include "ebpf/waits.h"

const struct loader_part loader_parts[] = {
	{.program = "on_fork", .what = "new threads and processes", .feature = 0},
	{.program = "on_exec", .what = "exec", .feature = 0},
	{.program = "on_exit", .what = "the end of threads", .feature = 0},
	{.program = "on_call", .what = "system calls (sys_enter)", .feature = PROBES_SYSCALLS},
	{.program = "on_return", .what = "system calls (sys_exit)", .feature = PROBES_SYSCALLS},
	{.program = "on_switch",
	 .what = "time off the CPU (sched_switch)",
	 .feature = PROBES_SCHED},
	{.program = "on_wakeup", .what = "waits for a CPU (sched_wakeup)", .feature = PROBES_SCHED},
	{.program = "on_wakeup_new",
	 .what = "waits for a CPU (sched_wakeup_new)",
	 .feature = PROBES_SCHED},
	{.program = "on_request_start",
	 .what = "block I/O (block_io_start)",
	 .feature = PROBES_BLOCK,
	 .only_with = "block_io_start"},
	{.program = "on_request_issue",
	 .what = "block I/O (block_rq_issue)",
	 .feature = PROBES_BLOCK,
	 .instead_of = "block_io_start"},
	{.program = "on_request_complete",
	 .what = "block I/O (block_rq_complete)",
	 .feature = PROBES_BLOCK},
	{.program = "on_state",
	 .what = "connects and accept queues (inet_sock_set_state)",
	 .feature = PROBES_TCP},
	{.program = "on_retransmit",
	 .what = "retransmits (tcp_retransmit_skb)",
	 .feature = PROBES_TCP},
	{.program = "on_reset_sent", .what = "resets (tcp_send_reset)", .feature = PROBES_TCP},
	{.program = "on_reset_received",
	 .what = "resets (tcp_receive_reset)",
	 .feature = PROBES_TCP},
};
const unsigned loader_part_count = sizeof(loader_parts) / sizeof(loader_parts[0]);

const char *loader_feature_name(unsigned feature)
{
	switch (feature) {
	case PROBES_SYSCALLS:
		return "syscalls";
	case PROBES_SCHED:
		return "sched";
	case PROBES_BLOCK:
		return "block";
	case PROBES_TCP:
		return "tcp";
	}
	return "lifetime";
}

/* Libbpf's own words are for those who write programs. */
static int be_silent(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

struct programs *loader_open(void)
{
	libbpf_set_print(be_silent);
	struct programs *programs = programs__open();
	if (!programs)
		return NULL;
	programs->rodata->own_tgid = getpid();
	waits_fill((uint8_t *)programs->rodata->wait_of_call);
	return programs;
}

static int has_tracepoint(const char *name)
{
	return libbpf_find_vmlinux_btf_id(name, BPF_TRACE_RAW_TP) > 0;
}

int loader_is_meant(const struct loader_part *part)
{
	return (!part->only_with || has_tracepoint(part->only_with)) &&
	       (!part->instead_of || !has_tracepoint(part->instead_of));
}

static struct bpf_program *find(struct programs *programs, unsigned part)
{
	return bpf_object__find_program_by_name(programs->obj, loader_parts[part].program);
}

int loader_load(struct programs *programs, const uint8_t *chosen)
{
	for (unsigned i = 0; i < loader_part_count; i++)
		bpf_program__set_autoload(find(programs, i),
					  chosen[i] && loader_is_meant(&loader_parts[i]));
	int result = programs__load(programs);
	return result < 0 ? result : programs__attach(programs);
}

int loader_check_host(char *why, size_t room)
{
	if (!capability_to_load()) {
		snprintf(why, room, "it needs CAP_BPF and CAP_PERFMON (or root)");
		return -EPERM;
	}
	if (access("/sys/kernel/btf/vmlinux", R_OK) < 0) {
		snprintf(why, room, "the kernel has no type information (CONFIG_DEBUG_INFO_BTF)");
		return -ENOSYS;
	}
	return 0;
}
