/* drops.c - what was lost, counted by reason, and told. */
#include "drops.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "exporter/log.h"

#define REPORT_NS 10000000000ull

static const char *const names[DROPS_COUNT] = {
	[DROP_RING_FULL] = "ring_full",
	[DROP_INFLIGHT_FULL] = "inflight_full",
	[DROP_CONNECTIONS] = "connections",
	[DROP_EXCHANGES] = "exchanges",
	[DROP_BUFFERS] = "buffers",
	[DROP_HEAD_TOO_LARGE] = "head_too_large",
	[DROP_GAVE_UP] = "gave_up",
	[DROPS_HOLE] = "hole",
	[DROPS_DAMAGED] = "damaged",
	[DROPS_MALFORMED] = "malformed",
	[DROPS_MEMORY] = "memory",
	[DROPS_STORE] = "store",
	[DROPS_REFUSED] = "refused",
	[DROPS_REJECTED] = "rejected",
	[DROPS_TIMED_OUT] = "timed_out",
	[DROPS_LAGGED] = "lagged",
	[DROPS_SPOOL] = "spool",
	[DROPS_SHUTDOWN] = "shutdown",
};

const char *drops_name(unsigned reason)
{
	return reason < DROPS_COUNT ? names[reason] : NULL;
}

void drops_add(struct drops *drops, unsigned reason, uint64_t count)
{
	drops->count[reason] += count;
}

void drops_add_counters(struct drops *drops, struct slot_counters *counters,
			uint64_t seen[DROP_REASONS])
{
	for (unsigned i = 0; i < DROP_REASONS; i++) {
		uint64_t count = atomic_load_explicit(&counters->dropped[i], memory_order_relaxed);

		/* A counter that goes back is a lie or a new owner; either way there is no sum. */
		if (count > seen[i])
			drops->count[i] += count - seen[i];
		seen[i] = count;
	}
}

void drops_report(struct drops *drops, uint64_t now_ns, int at_once)
{
	char line[1024];
	size_t size = 0;

	if (!at_once && now_ns - drops->told_ns < REPORT_NS)
		return;
	if (memcmp(drops->count, drops->told, sizeof(drops->count)) == 0)
		return;
	for (unsigned i = 0; i < DROPS_COUNT && size < sizeof(line) - 64; i++) {
		if (drops->count[i])
			size += (size_t)snprintf(line + size, sizeof(line) - size, " %s=%llu",
						 names[i] ? names[i] : "other",
						 (unsigned long long)drops->count[i]);
	}
	log_line(LOG_WARN, "drain", "dropped%s", line);
	memcpy(drops->told, drops->count, sizeof(drops->told));
	drops->told_ns = now_ns;
}
