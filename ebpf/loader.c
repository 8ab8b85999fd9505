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
	{"on_fork", "new threads and processes", 0},
	{"on_exec", "exec", 0},
	{"on_exit", "the end of threads", 0},
	{"on_call", "system calls (sys_enter)", PROBES_SYSCALLS},
	{"on_return", "system calls (sys_exit)", PROBES_SYSCALLS},
	{"on_switch", "time off the CPU (sched_switch)", PROBES_SCHED},
	{"on_wakeup", "waits for a CPU (sched_wakeup)", PROBES_SCHED},
	{"on_wakeup_new", "waits for a CPU (sched_wakeup_new)", PROBES_SCHED},
	{"on_request_issue", "block I/O (block_rq_issue)", PROBES_BLOCK},
	{"on_request_complete", "block I/O (block_rq_complete)", PROBES_BLOCK},
	{"on_state", "connects and accept queues (inet_sock_set_state)", PROBES_TCP},
	{"on_retransmit", "retransmits (tcp_retransmit_skb)", PROBES_TCP},
	{"on_reset_sent", "resets (tcp_send_reset)", PROBES_TCP},
	{"on_reset_received", "resets (tcp_receive_reset)", PROBES_TCP},
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

static struct bpf_program *find(struct programs *programs, unsigned part)
{
	return bpf_object__find_program_by_name(programs->obj, loader_parts[part].program);
}

int loader_load(struct programs *programs, const uint8_t *chosen)
{
	for (unsigned i = 0; i < loader_part_count; i++)
		bpf_program__set_autoload(find(programs, i), chosen[i]);
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
