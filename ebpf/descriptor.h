/* descriptor.h - what is behind a descriptor of the current thread, from within the kernel. */
#ifndef TAGALONG_EBPF_DESCRIPTOR_H
#define TAGALONG_EBPF_DESCRIPTOR_H

#include "ebpf/maps.h"

#define FAMILY_INET    2
#define FAMILY_INET6   10
#define MODE_KIND      0170000
#define MODE_SOCKET    0140000
#define MODE_FILE      0100000
#define MODE_BLOCK     0060000
#define MODE_DIRECTORY 0040000
#define MODE_PIPE      0010000

/* All of these accept NULL, for what is read through it is 0 then. */

static __always_inline struct file *file_of(__u64 descriptor)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd), *file = 0;

	if ((__u32)descriptor < BPF_CORE_READ(table, max_fds))
		bpf_probe_read_kernel(&file, sizeof(file), files + (__u32)descriptor);
	return file;
}

static __always_inline __u32 mode_of(struct file *file)
{
	return BPF_CORE_READ(file, f_inode, i_mode);
}

static __always_inline bool is_socket(__u32 mode)
{
	return (mode & MODE_KIND) == MODE_SOCKET;
}

/* Of a file that is a socket. */
static __always_inline struct sock *sock_of(struct file *file)
{
	struct socket *socket = BPF_CORE_READ(file, private_data);

	return BPF_CORE_READ(socket, sk);
}

static __always_inline bool takes_descriptor(__s16 call)
{
	return wait_of_call[(__u16)call % PROBE_CALLS] & WAIT_BY_DESCRIPTOR;
}

static __always_inline enum probe_wait wait_on_descriptor(__u64 descriptor)
{
	switch (mode_of(file_of(descriptor)) & MODE_KIND) {
	case MODE_SOCKET:
		return WAIT_NETWORK;
	case MODE_FILE:
	case MODE_BLOCK:
	case MODE_DIRECTORY:
		return WAIT_DISK;
	case MODE_PIPE:
		return WAIT_PIPE;
	}
	return WAIT_OTHER;
}

#endif
