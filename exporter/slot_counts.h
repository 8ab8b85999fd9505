/* slot_counts.h - what has come to a process's counters since they were read last. */
#ifndef TAGALONG_SLOT_COUNTS_H
#define TAGALONG_SLOT_COUNTS_H

#include "exporter/drops.h"
#include "exporter/ring.h"
#include "preload/segment.h"

struct redact;

/* As they were read last; zeros for a new process. */
struct slot_counts {
	uint64_t dropped[DROP_REASONS];
	uint64_t redacted[REDACTIONS];
	uint64_t connections;
	uint64_t holes, damaged; /* of the ring's reader */
};

/* Adds what is new to the drops and the redactions. Returns the new connections. */
uint64_t slot_counts_read(struct slot_counts *seen, struct slot_counters *counters,
			  const struct ring_reader *reader, struct drops *drops,
			  struct redact *redact);

#endif
