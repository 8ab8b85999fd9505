/* segment_file.h - the shared file: creating, adopting, growing it and giving slots back. */
#ifndef TAGALONG_SEGMENT_FILE_H
#define TAGALONG_SEGMENT_FILE_H

/* Layout and rules: preload/segment.h. One thread. */

#include <limits.h>
#include <stdint.h>

#include "preload/segment.h"

#define SEGMENT_DIRECTORY  "/dev/shm/tagalong"
#define SEGMENT_NAME_HEX   32
#define SEGMENT_PATH_BYTES (sizeof(SEGMENT_DIRECTORY) + 1 + SEGMENT_NAME_HEX)

struct segment_file {
	int fd; /* -1: not open */
	struct segment_header *header;
	struct slot *slots[SEGMENT_SLOTS_MAX]; /* mapped up to slot_count */
	uint32_t slot_count;                   /* ours; never read back from the file */
	int out_of_space;                      /* growing failed and was said */
};

/*
 * Makes SEGMENT_DIRECTORY (0711) and writes a path with an unguessable name in it. 0, or -errno.
 * `directory` NULL: SEGMENT_DIRECTORY.
 */
int segment_file_name(const char *directory, char *path, size_t room);

/*
 * Creates the file with `slots` free slots, every byte reserved, its magic stored last. 0, or
 * -errno: -EEXIST, -ENOSPC (nothing is left behind), ...
 */
int segment_file_create(struct segment_file *file, const char *path, uint32_t slots);

/*
 * Opens an existing file and maps its slots. 0, or -errno; -EPROTO if it is not a segment of this
 * version or shorter than it says.
 */
int segment_file_adopt(struct segment_file *file, const char *path);

/*
 * Adds free slots until `free_slots` of them are ahead of the claimed ones, as far as space goes.
 * Returns how many were added, or -errno of the failure if none was.
 */
int segment_file_grow(struct segment_file *file, uint32_t free_slots);

/* Zeroes a slot whose process is gone and makes it free again. */
void segment_file_free_slot(struct segment_file *file, uint32_t index);

/* Number of slots that are not free. */
uint32_t segment_file_claimed(const struct segment_file *file);

/* Unmaps and closes; harmless if not open. The file itself stays. */
void segment_file_close(struct segment_file *file);

#endif
