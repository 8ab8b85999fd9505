/* drops.h - what was lost, counted by reason, and told. */
#ifndef TAGALONG_DROPS_H
#define TAGALONG_DROPS_H

#include <stdint.h>

#include "preload/segment.h"

/* The shim's reasons (enum drop_reason) come first, then ours. */
enum drops_reason {
	DROPS_HOLE = DROP_REASONS, /* a writer died, or stood still, between reserve and commit */
	DROPS_DAMAGED,             /* bytes in a ring that are no record */
	DROPS_MALFORMED,           /* a record with impossible contents */
	DROPS_MEMORY,
	DROPS_STORE,     /* the local store could not be written */
	DROPS_REFUSED,   /* the collector's answer was final */
	DROPS_REJECTED,  /* by a collector that took the rest: partial success */
	DROPS_TIMED_OUT, /* no answer that was a success, however often tried */
	DROPS_LAGGED,    /* more waited for one of several collectors than memory holds */
	DROPS_SPOOL,     /* the spool was full of newer ones, or they were too old in it */
	DROPS_SHUTDOWN,  /* not delivered when the time to shut down was over */
	DROPS_COUNT,
};

struct drops {
	uint64_t count[DROPS_COUNT];
	uint64_t told[DROPS_COUNT];
	uint64_t told_ns;
};

/* "ring_full"; NULL: there is none of that number. */
const char *drops_name(unsigned reason);

void drops_add(struct drops *drops, unsigned reason, uint64_t count);

/* Adds what the counters of a process have grown by since `seen`, and remembers them there. */
void drops_add_counters(struct drops *drops, struct slot_counters *counters,
			uint64_t seen[DROP_REASONS]);

/* One line with all counts, if they changed since the last one and that is 10 s ago, or `now`. */
void drops_report(struct drops *drops, uint64_t now_ns, int at_once);

#endif
