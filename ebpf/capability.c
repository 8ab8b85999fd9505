/* capability.c - capget and capset, as system calls: libcap would be one more library for two. */
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ebpf/capability.h"

#define BIT(capability) (1ull << (capability))
#define LOADING         (BIT(CAP_SYS_ADMIN) | BIT(CAP_PERFMON) | BIT(CAP_BPF))

struct set {
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[2];
};

static int read_set(struct set *set)
{
	set->header.version = _LINUX_CAPABILITY_VERSION_3;
	set->header.pid = 0;
	return syscall(SYS_capget, &set->header, set->data) < 0 ? -errno : 0;
}

int capability_to_load(void)
{
	struct set set;

	if (read_set(&set) < 0)
		return 0;
	uint64_t has = set.data[0].effective | (uint64_t)set.data[1].effective << 32;
	uint64_t both = BIT(CAP_BPF) | BIT(CAP_PERFMON);
	return (has & both) == both || (has & BIT(CAP_SYS_ADMIN));
}

int capability_lower(void)
{
	struct set set;
	int result = read_set(&set);

	if (result < 0)
		return result;
	for (int i = 0; i < 2; i++)
		set.data[i].effective &= ~(uint32_t)(LOADING >> (32 * i));
	return syscall(SYS_capset, &set.header, set.data) < 0 ? -errno : 0;
}

int capability_drop(int keep_bpf)
{
	uint64_t gone = LOADING & ~(keep_bpf ? BIT(CAP_BPF) : 0);
	struct set set;
	int result = read_set(&set);

	if (result < 0)
		return result;
	for (int i = 0; i < 2; i++) {
		uint32_t kept = ~(uint32_t)(gone >> (32 * i));
		set.data[i].permitted &= kept;
		set.data[i].inheritable &= kept;
		set.data[i].effective |= (uint32_t)(LOADING >> (32 * i));
		set.data[i].effective &= set.data[i].permitted;
	}
	return syscall(SYS_capset, &set.header, set.data) < 0 ? -errno : 0;
}
