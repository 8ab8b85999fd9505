/* snapshot.h - what stands in a segment at one moment, for those who only look. */
#ifndef TAGALONG_SNAPSHOT_H
#define TAGALONG_SNAPSHOT_H

/* Read, not mapped: a file of another version, or one that is cut short, can do no harm. */

#include <stdint.h>

#include "preload/segment.h"

struct snapshot {
	uint32_t index; /* of the slot */
	struct slot_identity identity;
	struct inflight inflight[INFLIGHT_COUNT];
};

/* Opens a segment; fills the number of its slots. A descriptor, or -errno, -EPROTO for another
 * file. */
int snapshot_open(const char *path, uint32_t *slots);

/* Reads one slot. 1; 0 if it is free or its process has ended. */
int snapshot_read(int descriptor, uint32_t index, struct snapshot *snapshot);

/* Whether the call that an entry of the snapshot waits in still lasts. */
int snapshot_waits(int descriptor, const struct snapshot *snapshot, uint32_t entry);

#endif
