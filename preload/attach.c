/* attach.c - this process's place in the segment: find the session, claim a slot, count. */
#include "preload/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "preload/conf.h"
#include "preload/launch.h"
#include "preload/live.h"
#include "preload/published.h"
#include "preload/reserve.h"
#include "preload/sys.h"
#include "preload/thread.h"

#define RETRY_NS 20000000u /* the exporter reserves slots ahead within its polling interval */

/* Each failed try means that another process got its slot. */
#define ADD_TRIES 256

/* Another thread attaches: that takes as long as a few system calls. */
#define WAIT_NS 50000000u

enum attach_state { ATTACH_NONE, ATTACH_BUSY, ATTACH_DONE, ATTACH_NEVER };

static _Atomic uint32_t state;
static _Atomic uint64_t retry_at_ns;
static struct slot *slot;
static const struct segment_header *header;
static _Atomic uint64_t taken[INFLIGHT_COUNT / 64];
static uint32_t pid;
static char session[320];

struct slot *attach_slot(void)
{
	return slot;
}

uint32_t attach_pid(void)
{
	if (!pid)
		pid = (uint32_t)sys_call3(SYS_getpid, 0, 0, 0);
	return pid;
}

const char *attach_session(void)
{
	return session;
}

void attach_count(enum drop_reason reason)
{
	if (slot)
		atomic_fetch_add_explicit(&slot->counters.dropped[reason], 1, memory_order_relaxed);
}

void attach_count_connection(void)
{
	if (slot)
		atomic_fetch_add_explicit(&slot->counters.connections, 1, memory_order_relaxed);
}

void attach_count_redaction(enum redaction rule, unsigned times)
{
	if (slot)
		atomic_fetch_add_explicit(&slot->counters.redacted[rule], times,
					  memory_order_relaxed);
}

void attach_count_bytes(int sent, uint64_t size)
{
	if (slot)
		atomic_fetch_add_explicit(sent ? &slot->counters.sent_bytes
					       : &slot->counters.received_bytes,
					  size, memory_order_relaxed);
}

struct inflight *attach_inflight_get(uint32_t *index)
{
	if (!slot)
		return NULL;
	for (uint32_t word = 0; word < INFLIGHT_COUNT / 64; word++) {
		uint64_t bits = atomic_load_explicit(&taken[word], memory_order_relaxed);

		while (~bits) {
			uint32_t bit = (uint32_t)__builtin_ctzll(~bits);

			if (atomic_compare_exchange_weak(&taken[word], &bits, bits | 1ull << bit)) {
				*index = word * 64 + bit;
				return &slot->inflight[*index];
			}
		}
	}
	return NULL;
}

void attach_inflight_put(uint32_t index)
{
	atomic_fetch_and(&taken[index / 64], ~(1ull << index % 64));
}

static void *map_shared(long fd, uint64_t offset, size_t size)
{
	long at = sys_call6(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			    (long)offset);

	return at < 0 && at > -4096 ? NULL : (void *)at;
}

/* Field 22 of /proc/self/stat; the command in field 2 may hold anything, so count from its last
 * ')'. */
static uint64_t start_ticks(void)
{
	/* Only one thread attaches at a time, on the host's stack. */
	static char text[1024];
	long fd = sys_call6(SYS_openat, AT_FDCWD, (long)"/proc/self/stat", O_RDONLY | O_CLOEXEC, 0,
			    0, 0);
	long n = fd < 0 ? fd : sys_call3(SYS_read, fd, (long)text, sizeof(text) - 1);
	uint64_t ticks = 0;
	char *at;

	if (fd >= 0)
		sys_call3(SYS_close, fd, 0, 0);
	if (n <= 0)
		return 0;
	text[n] = 0;
	at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	for (at = at ? at + 1 : text + n; *at >= '0' && *at <= '9'; at++)
		ticks = ticks * 10 + (uint64_t)(*at - '0');
	return ticks;
}

static void identify(struct slot_identity *identity)
{
	long n;

	identity->pid = attach_pid();
	identity->parent_pid = (uint32_t)sys_call3(SYS_getppid, 0, 0, 0);
	identity->uid = (uint32_t)sys_call3(SYS_getuid, 0, 0, 0);
	identity->start_ticks = start_ticks();
	identity->claimed_ns = sys_now_ns();
	n = sys_call6(SYS_readlinkat, AT_FDCWD, (long)"/proc/self/exe", (long)identity->executable,
		      sizeof(identity->executable) - 1, 0, 0);
	identity->executable[n > 0 ? n : 0] = 0;
	memcpy(identity->command, conf.command, sizeof(identity->command));
	memcpy(identity->service_name, conf.service_name, sizeof(identity->service_name));
	memcpy(identity->resource_attributes, conf.resource_attributes,
	       sizeof(identity->resource_attributes));
}

static int header_fits(const struct segment_header *at)
{
	return at->magic == SEGMENT_MAGIC && at->version == SEGMENT_VERSION &&
	       at->header_bytes == SEGMENT_HEADER_BYTES && at->slot_bytes == sizeof(struct slot) &&
	       at->ring_bytes == RING_BYTES && at->inflight_count == INFLIGHT_COUNT &&
	       at->span_bytes == SPAN_BYTES;
}

static struct slot *claim(long fd, uint32_t count)
{
	for (uint32_t i = 0; i < count && i < SEGMENT_SLOTS_MAX; i++) {
		struct slot *candidate =
			map_shared(fd, segment_slot_offset(i), sizeof(struct slot));
		uint32_t free_state = SLOT_FREE;

		if (!candidate)
			break;
		if (atomic_compare_exchange_strong(&candidate->state, &free_state, SLOT_CLAIMED))
			return candidate;
		sys_unmap(candidate, sizeof(struct slot));
	}
	return NULL;
}

/*
 * Many workers may start between two looks of the exporter, which keeps only a few slots ahead. Who
 * finds none adds one: its bytes are reserved and it is claimed before the count tells of it, so
 * that nobody can be quicker. Whoever loses the claim helps to raise the count and goes on with the
 * next.
 */
static struct slot *add_slot(long fd, struct segment_header *at, uint32_t count)
{
	uint32_t free_state = SLOT_FREE;
	struct slot *added;
	int won;

	if (sys_call6(SYS_fallocate, fd, 0, (long)segment_slot_offset(count), sizeof(struct slot),
		      0, 0))
		return NULL;
	added = map_shared(fd, segment_slot_offset(count), sizeof(struct slot));
	if (!added)
		return NULL;
	won = atomic_compare_exchange_strong(&added->state, &free_state, SLOT_CLAIMED);
	atomic_compare_exchange_strong(&at->slot_count, &count, count + 1);
	if (won)
		return added;
	sys_unmap(added, sizeof(struct slot));
	return NULL;
}

static struct slot *claim_or_add(long fd, struct segment_header *at, uint64_t file_size)
{
	uint32_t count = atomic_load(&at->slot_count);
	struct slot *claimed;

	if (segment_slot_offset(count) > file_size)
		return NULL;
	claimed = claim(fd, count);
	for (int tries = 0; !claimed && tries < ADD_TRIES; tries++) {
		count = atomic_load(&at->slot_count);
		if (count >= SEGMENT_SLOTS_MAX)
			break;
		claimed = add_slot(fd, at, count);
	}
	return claimed;
}

/* 0: a slot is ours; -EAGAIN: later; another: this session will never do. */
static int attach_to(const char *path)
{
	struct segment_header *mapped = NULL;
	struct slot *claimed = NULL;
	struct stat status;
	int result = -EINVAL;
	long fd = sys_call6(SYS_openat, AT_FDCWD, (long)path, O_RDWR | O_CLOEXEC, 0, 0, 0);

	if (fd < 0)
		return -EAGAIN;
	if (sys_call3(SYS_fstat, fd, (long)&status, 0) || status.st_size < SEGMENT_HEADER_BYTES)
		goto out;
	mapped = map_shared(fd, 0, SEGMENT_HEADER_BYTES);
	if (!mapped || !header_fits(mapped))
		goto out;
	claimed = claim_or_add(fd, mapped, (uint64_t)status.st_size);
	result = claimed ? 0 : -EAGAIN;
out:
	sys_call3(SYS_close, fd, 0, 0);
	if (result) {
		sys_unmap(mapped, SEGMENT_HEADER_BYTES);
		return result;
	}
	identify(&claimed->identity);
	atomic_store_explicit(&claimed->state, SLOT_READY, memory_order_release);
	header = mapped;
	slot = claimed;
	live_follow(&mapped->control, &claimed->settings_generation);
	return 0;
}

/* The page that tells a fork: the kernel hands it to a child as zeros. */
static int watch_forks(void)
{
	uint8_t *page;

	if (process_alive)
		return 0;
	page = sys_map(4096);
	if (!page)
		return -ENOMEM;
	sys_call3(SYS_madvise, (long)page, 4096, MADV_WIPEONFORK);
	*page = 1;
	process_alive = page;
	return 0;
}

static int find_session(void)
{
	size_t size = strlen(conf.run_directory);
	int result;

	if (session[0])
		return attach_to(session);
	if (conf.session[0]) {
		memcpy(session, conf.session, sizeof(conf.session));
		return attach_to(session);
	}
	memcpy(session, conf.run_directory, size);
	memcpy(session + size, "/session", sizeof("/session"));
	result = attach_to(session);
	if (result == -EAGAIN && sys_call3(SYS_access, (long)session, 0, 0) != 0) {
		session[0] = 0;
		result = launch_exporter(session, sizeof(session));
		result = result ? result : attach_to(session);
	}
	return result;
}

static int try_attach(void)
{
	int result = reserve_pools();

	if (!result)
		result = watch_forks();

	if (!result && !conf.no_telemetry)
		result = find_session();
	if (!result) {
		if (slot)
			published_process();
		conf_log("attached");
		return ATTACH_DONE;
	}
	if (result == -EAGAIN) {
		atomic_store(&retry_at_ns, sys_now_ns() + RETRY_NS);
		return ATTACH_NONE;
	}
	conf_log("the session's segment can't be used: passing everything through");
	atomic_store(&process_mode, MODE_OFF);
	return ATTACH_NEVER;
}

/*
 * The first connections of a process often come at once, in several threads. One that was used
 * before it is tracked can't be understood later, so the others yield until the first has attached;
 * bounded, and never twice.
 */
static uint32_t wait_for_attach(void)
{
	static _Atomic uint8_t gave_up;
	uint64_t until = sys_now_ns() + WAIT_NS;
	uint32_t now = ATTACH_BUSY;

	while (now == ATTACH_BUSY && !atomic_load(&gave_up) && sys_now_ns() < until) {
		sys_call3(SYS_sched_yield, 0, 0, 0);
		now = atomic_load_explicit(&state, memory_order_acquire);
	}
	if (now == ATTACH_BUSY)
		atomic_store(&gave_up, 1);
	return now;
}

int attach_is_off(void)
{
	return header && atomic_load_explicit(&header->control.disabled, memory_order_relaxed);
}

int attach_ready(void)
{
	uint32_t now = atomic_load_explicit(&state, memory_order_acquire);

	if (now == ATTACH_BUSY)
		now = wait_for_attach();
	if (now == ATTACH_DONE)
		return !attach_is_off();
	if (now != ATTACH_NONE)
		return 0;
	if (atomic_load(&retry_at_ns) && sys_now_ns() < atomic_load(&retry_at_ns))
		return 0;
	if (!atomic_compare_exchange_strong(&state, &now, ATTACH_BUSY))
		return (now == ATTACH_BUSY ? wait_for_attach() : now) == ATTACH_DONE;
	now = (uint32_t)try_attach();
	atomic_store_explicit(&state, now, memory_order_release);
	return now == ATTACH_DONE;
}

int attach_is_read(void)
{
	return header &&
	       atomic_load_explicit(&header->control.exporter_pid, memory_order_relaxed) != 0;
}

void attach_forked(void)
{
	/*
	 * Requests in flight at the fork still point into the parent's slot: they get private zero
	 * pages in its place, so that the child can neither write there nor fault.
	 */
	if (slot)
		sys_call6(SYS_mmap, (long)slot, sizeof(*slot), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	slot = NULL;
	live_forked();
	sys_unmap((void *)header, SEGMENT_HEADER_BYTES);
	header = NULL;
	pid = 0;
	for (uint32_t word = 0; word < INFLIGHT_COUNT / 64; word++)
		atomic_store(&taken[word], 0);
	atomic_store(&retry_at_ns, 0);
	if (atomic_load(&state) != ATTACH_NEVER)
		atomic_store(&state, ATTACH_NONE);
	if (process_alive)
		*(uint8_t *)process_alive = 1;
}
