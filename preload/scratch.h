/* scratch.h - room for a long vector of iovecs, outside the host's stack. */
#ifndef TAGALONG_SCRATCH_H
#define TAGALONG_SCRATCH_H

#include <sys/uio.h>

/* Reserves the pool; 0 or -errno. */
int scratch_init(void);

/* What it is for: one of each may be in use at the same time. */
enum scratch_use { SCRATCH_REWRITE, SCRATCH_PART, SCRATCH_USES };

/*
 * Room for IOV_MAX vectors, or NULL: none free. It is the calling thread's until scratch_put; asked
 * again before that, it is the same. A thread that is cancelled in between keeps it for good: the
 * pool is bounded.
 */
struct iovec *scratch_get(enum scratch_use use);
void scratch_put(enum scratch_use use);

#endif
