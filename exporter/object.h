/* object.h - one ELF file and its debugging information: which function and line is at an address?
 */
#ifndef TAGALONG_OBJECT_H
#define TAGALONG_OBJECT_H

/*
 * libelf and libdw read the file, not a mapping of it, so that a file that is cut meanwhile is no
 * SIGBUS. Tables over OBJECT_TABLE_MAX bytes, and debugging information that is larger in all
 * (uncompressed), are not looked at. Nothing is asked of the network. One thread.
 */

#include <stddef.h>
#include <stdint.h>

#define OBJECT_TABLE_MAX     (128u << 20)
#define OBJECT_FUNCTION_ROOM 256
#define OBJECT_FILE_ROOM     512

struct object;

/* What is unknown is empty or 0; what is too long is cut. As the file has it: any bytes. */
struct object_place {
	char function[OBJECT_FUNCTION_ROOM];
	char file[OBJECT_FILE_ROOM];
	uint32_t line;
};

/*
 * Takes the descriptor over, whatever happens. A separate file of debugging information is looked
 * for by build ID and by debug link below /usr/lib/debug and beside `path`, within `root` (see
 * rooted.h; -1: ours). NULL: not an ELF file, or no memory.
 */
struct object *object_open(int fd, int root, const char *path);
void object_close(struct object *object); /* accepts NULL */

/* About how much memory its debugging information may take. */
uint64_t object_bytes(const struct object *object);

/*
 * The innermost function (inlined ones included, where debugging information has them) and line of
 * an address as it was linked. Returns 1 if anything is known, and 0 with an empty place.
 */
int object_find(struct object *object, uint64_t address, struct object_place *place);

#endif
