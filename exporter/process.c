/* process.c - whether instrumented processes are alive, and how they ended. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 6.13's struct pidfd_info, first version; exit_code is valid with the EXIT bit since 6.15.
 */
struct pidfd_info_first {
	uint64_t mask;
	uint64_t cgroup_id;
	uint32_t pid, tgid, ppid;
	uint32_t ids[8];
	int32_t exit_code;
};

_Static_assert(sizeof(struct pidfd_info_first) == 64, "PIDFD_INFO_SIZE_VER0");

#define PIDFD_INFO_EXIT_BIT (1ull << 3)
#define PIDFD_GET_INFO_CALL _IOWR(0xff, 11, struct pidfd_info_first)

int process_set_init(struct process_set *set)
{
	set->descriptor = epoll_create1(EPOLL_CLOEXEC);
	return set->descriptor < 0 ? -errno : 0;
}

void process_set_fini(struct process_set *set)
{
	if (set->descriptor >= 0)
		close(set->descriptor);
	set->descriptor = -1;
}

uint64_t process_start_ticks(uint32_t pid)
{
	char path[32], text[1024];
	const char *at;
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (size <= 0)
		return 0;
	text[size] = '\0';
	/* The name, field 2, may hold anything, ") " too; fields are counted from its last ')'. */
	at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at ? strtoull(at, NULL, 10) : 0;
}

void process_ask(struct process *process)
{
	uint64_t ticks;

	if (kill((pid_t)process->pid, 0) != 0 && errno == ESRCH) {
		process->ended = 1;
		return;
	}
	ticks = process_start_ticks(process->pid);
	if (ticks && process->start_ticks && ticks != process->start_ticks)
		process->ended = 1;
}

void process_watch(struct process_set *set, struct process *process, uint32_t pid,
		   uint64_t start_ticks)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = process};

	*process = (struct process){pid, start_ticks, -1, 0, -1};
	/* kill(2) gives 0 and negative numbers other meanings. */
	if (pid == 0 || pid > INT32_MAX) {
		process->ended = 1;
		return;
	}
	process->descriptor = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	process_ask(process);
	if (process->descriptor < 0 || process->ended)
		return;
	if (epoll_ctl(set->descriptor, EPOLL_CTL_ADD, process->descriptor, &event) != 0) {
		close(process->descriptor);
		process->descriptor = -1;
	}
}

int process_set_collect(struct process_set *set)
{
	struct epoll_event events[32];
	int count = epoll_wait(set->descriptor, events, 32, 0);

	for (int i = 0; i < count; i++) {
		struct process *process = events[i].data.ptr;

		process->ended = 1;
		/* It stays readable for ever. */
		epoll_ctl(set->descriptor, EPOLL_CTL_DEL, process->descriptor, NULL);
	}
	return count > 0 ? count : 0;
}

void process_ask_status(struct process *process)
{
	struct pidfd_info_first info = {.mask = PIDFD_INFO_EXIT_BIT};

	if (process->descriptor < 0 || process->wait_status >= 0)
		return;
	if (ioctl(process->descriptor, PIDFD_GET_INFO_CALL, &info) == 0 &&
	    (info.mask & PIDFD_INFO_EXIT_BIT))
		process->wait_status = info.exit_code & 0xffff;
}

void process_forget(struct process_set *set, struct process *process)
{
	if (process->descriptor >= 0) {
		epoll_ctl(set->descriptor, EPOLL_CTL_DEL, process->descriptor, NULL);
		close(process->descriptor);
	}
	process->descriptor = -1;
}
