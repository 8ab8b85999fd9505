/* waits.c - the table of what blocks threads in which system call. */
#include <stddef.h>
#include <sys/syscall.h>

#include "ebpf/waits.h"

struct row {
	int16_t call;
	uint8_t wait;
};

/* Calls on any descriptor say what they wait for by what is behind it. */
static const struct row rows[] = {
	{SYS_read, WAIT_BY_DESCRIPTOR},
	{SYS_write, WAIT_BY_DESCRIPTOR},
	{SYS_readv, WAIT_BY_DESCRIPTOR},
	{SYS_writev, WAIT_BY_DESCRIPTOR},
	{SYS_pread64, WAIT_BY_DESCRIPTOR},
	{SYS_pwrite64, WAIT_BY_DESCRIPTOR},
	{SYS_preadv, WAIT_BY_DESCRIPTOR},
	{SYS_pwritev, WAIT_BY_DESCRIPTOR},
	{SYS_preadv2, WAIT_BY_DESCRIPTOR},
	{SYS_pwritev2, WAIT_BY_DESCRIPTOR},
	{SYS_sendfile, WAIT_BY_DESCRIPTOR},
	{SYS_splice, WAIT_BY_DESCRIPTOR},
	{SYS_close, WAIT_BY_DESCRIPTOR},
	{SYS_ioctl, WAIT_BY_DESCRIPTOR},
	{SYS_fcntl, WAIT_BY_DESCRIPTOR},
	{SYS_fstat, WAIT_BY_DESCRIPTOR},
	{SYS_lseek, WAIT_BY_DESCRIPTOR},
	{SYS_ftruncate, WAIT_BY_DESCRIPTOR | WAIT_DISK},
	{SYS_fallocate, WAIT_BY_DESCRIPTOR | WAIT_DISK},
	{SYS_fsync, WAIT_BY_DESCRIPTOR | WAIT_DISK},
	{SYS_fdatasync, WAIT_BY_DESCRIPTOR | WAIT_DISK},
	{SYS_sync_file_range, WAIT_BY_DESCRIPTOR | WAIT_DISK},
	{SYS_getdents64, WAIT_BY_DESCRIPTOR | WAIT_DISK},
	{SYS_flock, WAIT_BY_DESCRIPTOR | WAIT_LOCK},
	{SYS_accept, WAIT_BY_DESCRIPTOR | WAIT_NETWORK},
	{SYS_accept4, WAIT_BY_DESCRIPTOR | WAIT_NETWORK},
	{SYS_connect, WAIT_BY_DESCRIPTOR | WAIT_NETWORK},
	{SYS_recvfrom, WAIT_BY_DESCRIPTOR | WAIT_NETWORK},
	{SYS_recvmsg, WAIT_BY_DESCRIPTOR | WAIT_NETWORK},
	{SYS_recvmmsg, WAIT_BY_DESCRIPTOR | WAIT_NETWORK},
	{SYS_sendto, WAIT_BY_DESCRIPTOR | WAIT_NETWORK},
	{SYS_sendmsg, WAIT_BY_DESCRIPTOR | WAIT_NETWORK},
	{SYS_sendmmsg, WAIT_BY_DESCRIPTOR | WAIT_NETWORK},
	{SYS_shutdown, WAIT_BY_DESCRIPTOR | WAIT_NETWORK},
	{SYS_epoll_wait, WAIT_POLL},
	{SYS_epoll_pwait, WAIT_POLL},
	{SYS_epoll_pwait2, WAIT_POLL},
	{SYS_poll, WAIT_POLL},
	{SYS_ppoll, WAIT_POLL},
	{SYS_select, WAIT_POLL},
	{SYS_pselect6, WAIT_POLL},
	{SYS_io_uring_enter, WAIT_POLL},
	{SYS_futex, WAIT_LOCK},
	{SYS_futex_waitv, WAIT_LOCK},
	{SYS_semop, WAIT_LOCK},
	{SYS_semtimedop, WAIT_LOCK},
	{SYS_nanosleep, WAIT_SLEEP},
	{SYS_clock_nanosleep, WAIT_SLEEP},
	{SYS_restart_syscall, WAIT_SLEEP},
	{SYS_pause, WAIT_SLEEP},
	{SYS_rt_sigsuspend, WAIT_SLEEP},
	{SYS_rt_sigtimedwait, WAIT_SLEEP},
	{SYS_wait4, WAIT_CHILD},
	{SYS_waitid, WAIT_CHILD},
	{SYS_vfork, WAIT_CHILD},
	{SYS_clone, WAIT_CHILD}, /* with CLONE_VFORK */
	{SYS_clone3, WAIT_CHILD},
	{SYS_open, WAIT_DISK},
	{SYS_openat, WAIT_DISK},
	{SYS_openat2, WAIT_DISK},
	{SYS_creat, WAIT_DISK},
	{SYS_stat, WAIT_DISK},
	{SYS_lstat, WAIT_DISK},
	{SYS_newfstatat, WAIT_DISK},
	{SYS_statx, WAIT_DISK},
	{SYS_access, WAIT_DISK},
	{SYS_faccessat, WAIT_DISK},
	{SYS_readlink, WAIT_DISK},
	{SYS_readlinkat, WAIT_DISK},
	{SYS_rename, WAIT_DISK},
	{SYS_renameat, WAIT_DISK},
	{SYS_renameat2, WAIT_DISK},
	{SYS_unlink, WAIT_DISK},
	{SYS_unlinkat, WAIT_DISK},
	{SYS_mkdir, WAIT_DISK},
	{SYS_rmdir, WAIT_DISK},
	{SYS_truncate, WAIT_DISK},
	{SYS_execve, WAIT_DISK},
	{SYS_execveat, WAIT_DISK},
	{SYS_msync, WAIT_DISK},
	{SYS_sync, WAIT_DISK},
	{SYS_syncfs, WAIT_BY_DESCRIPTOR | WAIT_DISK},
};

void waits_fill(uint8_t wait_of_call[PROBE_CALLS])
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		wait_of_call[rows[i].call] = rows[i].wait;
}
