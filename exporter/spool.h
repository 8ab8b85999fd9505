/* spool.h - payloads that a destination can't take now, on disk, in order. */
#ifndef TAGALONG_SPOOL_H
#define TAGALONG_SPOOL_H

/*
 * One directory (0700) for one destination and signal, one process at a time. What was appended
 * comes out in the same order, after a restart as well; what was not told done comes again.
 * Bounded: the oldest is dropped for the newest. What can't be read back is skipped and counted.
 * What was appended is safe from the end of this process at once, and from that of the machine once
 * it is synced: each second, at the end of a file (8 MiB at most), and by spool_close. One thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "exporter/payload.h"

struct spool;

struct spool_limits {
	uint64_t max_bytes;  /* on disk, of this spool */
	uint64_t max_age_ns; /* by the clock of the day, from the time of appending */
};

struct spool_stats {
	uint64_t payloads, items, bytes; /* waiting now; bytes as on disk */
	uint64_t dropped_full;           /* items, dropped for newer ones */
	uint64_t dropped_age;            /* items, too old */
	uint64_t damaged;                /* records that could not be read back */
	uint64_t failed;                 /* appends that failed */
};

/*
 * Nothing is made on disk before the first append, but what lies there from before is found.
 * NULL with *error: -ENOMEM, -EBUSY: another process has it, -errno of a directory that can't be
 * read for another reason than that it isn't there.
 */
struct spool *spool_open(const char *directory, const struct spool_limits *limits, int *error);

/* Makes what was appended durable, and frees. Accepts NULL. */
void spool_close(struct spool *spool);

/*
 * Behind all others. 0, or -errno (-ENOSPC, -EROFS, -EIO ...): not appended, the spool is as it was
 * and may be tried again later. A failure costs little: callers try each payload.
 */
int spool_append(struct spool *spool, const struct payload *payload);

/*
 * The oldest one: *payload is a reference of the caller's, NULL if the spool is empty. The same one
 * comes again until spool_done. opened_ns is 0. 0, or -ENOMEM, -EIO: it is there, but not now.
 */
int spool_next(struct spool *spool, struct payload **payload);

/* The one that spool_next told last was delivered, or is given up. */
void spool_done(struct spool *spool);

int spool_is_empty(const struct spool *spool);

/* Now and then, `unix_ns` the time of day: drops what is too old, syncs what the policy asks for.
 */
void spool_housekeep(struct spool *spool, uint64_t unix_ns);

void spool_stats(const struct spool *spool, struct spool_stats *stats);

#endif
