/* scope.h - a cgroup as the programs know it, and whether pids mean the same here and there. */
#ifndef TAGALONG_EBPF_SCOPE_H
#define TAGALONG_EBPF_SCOPE_H

#include <stdint.h>

/* The id of a cgroup2 directory and how deep below the root it is. 0; -EINVAL: it is none. */
int scope_find_cgroup(const char *path, uint64_t *id, uint32_t *level);

/* 1 if this process is in the first pid namespace, whose pids the kernel's programs see. */
int scope_sees_pids(void);

#endif
