/* mapped.h - what a process has mapped from files, read from the files. */
#ifndef TAGALONG_MAPPED_H
#define TAGALONG_MAPPED_H

/*
 * For a process whose maps may be read, but whose memory may not (Yama). What it has relocated or
 * written since does not stand in the files, so this is good for code and unwind tables. One
 * thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "exporter/maps.h"

struct mapped {
	const struct maps *maps;
	uint32_t reads_left;
	int root;         /* of the process, -1: ours serves */
	int fd;           /* of `path`, -1: it can't be read */
	const char *path; /* of the maps; NULL: none was opened yet */
};

/* At most `reads_max` reads are answered. `maps` must outlive it. */
void mapped_init(struct mapped *mapped, uint32_t pid, const struct maps *maps, uint32_t reads_max);
void mapped_fini(struct mapped *mapped);

/* Copies `size` bytes of one mapping. 0, or -EFAULT. */
int mapped_read(struct mapped *mapped, uint64_t address, void *to, size_t size);

#endif
