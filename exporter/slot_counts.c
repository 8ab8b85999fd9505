/* slot_counts.c - what has come to a process's counters since they were read last. */
#include "slot_counts.h"

#include <stdatomic.h>

#include "exporter/redact.h"

/* A counter that goes back is a lie. */
static uint64_t rise(const _Atomic uint64_t *counter, uint64_t *seen)
{
	uint64_t count = atomic_load_explicit(counter, memory_order_relaxed);
	uint64_t more = count > *seen ? count - *seen : 0;

	*seen = count;
	return more;
}

uint64_t slot_counts_read(struct slot_counts *seen, struct slot_counters *counters,
			  const struct ring_reader *reader, struct drops *drops,
			  struct redact *redact)
{
	drops_add_counters(drops, counters, seen->dropped);
	drops_add(drops, DROPS_HOLE, reader->holes - seen->holes);
	drops_add(drops, DROPS_DAMAGED, reader->damaged - seen->damaged);
	seen->holes = reader->holes;
	seen->damaged = reader->damaged;
	for (unsigned i = 0; i < REDACTIONS; i++)
		redact_add(redact, (enum redaction)i,
			   rise(&counters->redacted[i], &seen->redacted[i]));
	return rise(&counters->connections, &seen->connections);
}
