/* maps.h - what a process has mapped where, read from /proc. */
#ifndef TAGALONG_MAPS_H
#define TAGALONG_MAPS_H

#include <stddef.h>
#include <stdint.h>

struct map {
	uint64_t start, end;
	uint64_t offset;  /* in the file */
	const char *path; /* as proc(5) has it: "" for none, "[vdso]", "/lib/x.so (deleted)" */
	uint8_t executable;
};

struct maps {
	struct map *at; /* ascending */
	size_t count;
	char *text; /* what the paths are in */
};

/*
 * 0, or -errno: -ESRCH if the process is gone, -EACCES or -EPERM without permission, -EFBIG with
 * more mappings than MAPS_MAX. On failure there is nothing to free.
 */
#define MAPS_MAX 65536
int maps_read(struct maps *maps, uint32_t pid);
void maps_free(struct maps *maps); /* harmless on zeros */

/* The mapping that an address is in, or NULL. */
const struct map *maps_find(const struct maps *maps, uint64_t address);

/* The mapping of the beginning of the file that `map` belongs to, or NULL. */
const struct map *maps_first(const struct maps *maps, const struct map *map);

#endif
