/* kernel.h - the few fields of the kernel's structs that the programs read; CO-RE finds them. */
#ifndef TAGALONG_EBPF_KERNEL_H
#define TAGALONG_EBPF_KERNEL_H

/*
 * Written by hand: a struct lists what is used, in any order, and the loader looks up where the
 * running kernel has it. A name that ends in ___WORD stands for the struct before the underscores
 * as some versions have it.
 */

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

typedef _Bool bool; /* as the kernel's BTF names it */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax;
	unsigned long ip, cs, flags, sp, ss;
};

struct inode {
	unsigned short i_mode;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct sock_common {
	unsigned short skc_family;
	__be16 skc_dport;
	__be32 skc_daddr;
	struct {
		__u8 bytes[16];
	} skc_v6_daddr;
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_protocol;
};

struct socket {
	struct sock *sk;
};

struct signal_struct {
	struct {
		int counter;
	} live;
};

struct thread_struct {
	unsigned long fsbase; /* the thread pointer, as of glibc */
};

struct task_struct {
	unsigned int __state; /* Linux 5.14 */
	unsigned int flags;
	unsigned int in_iowait : 1;
	int pid, tgid;
	__u64 start_boottime;
	char comm[16];
	struct task_struct *group_leader;
	struct files_struct *files;
	struct signal_struct *signal;
	struct thread_struct thread;
};

struct task_struct___before_5_14 {
	volatile long state;
};

struct request;
struct sk_buff;

#pragma clang attribute pop

#define TASK_STOPPED_OR_TRACED 0x000c
#define PF_EXITING             0x00000004
#define PF_KTHREAD             0x00200000

static __always_inline unsigned int task_state(const struct task_struct *task)
{
	if (bpf_core_field_exists(task->__state))
		return BPF_CORE_READ(task, __state);
	return BPF_CORE_READ((const struct task_struct___before_5_14 *)task, state);
}

#endif
