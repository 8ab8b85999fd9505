/* scope.c - cgroup ids are inode numbers of cgroup2's directories. */
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "ebpf/scope.h"

/* PROC_PID_INIT_INO of the kernel's proc_ns.h. */
#define FIRST_PID_NAMESPACE 0xeffffffcu

static int is_cgroup(const char *path)
{
	struct statfs system;

	return statfs(path, &system) == 0 && system.f_type == CGROUP2_SUPER_MAGIC;
}

int scope_find_cgroup(const char *path, uint64_t *id, uint32_t *level)
{
	char full[PATH_MAX];
	struct stat status;
	uint32_t depth = 0;

	if (!realpath(path, full) || !is_cgroup(full) || stat(full, &status) < 0)
		return -EINVAL;
	for (;; depth++) {
		char *slash = strrchr(full, '/');
		if (!slash || slash == full)
			break;
		*slash = '\0';
		if (!is_cgroup(full))
			break;
	}
	*id = status.st_ino;
	*level = depth;
	return 0;
}

int scope_sees_pids(void)
{
	struct stat status;

	return stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == FIRST_PID_NAMESPACE;
}
