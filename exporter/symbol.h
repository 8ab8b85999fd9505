/* symbol.h - from an object's path and an address in it to function, file and line; cached. */
#ifndef TAGALONG_SYMBOL_H
#define TAGALONG_SYMBOL_H

#include <stdint.h>

#include "exporter/object.h"

/* Where an object is to be looked for: the process that has it mapped. */
struct symbol_process {
	uint32_t pid;
	uint64_t start_ticks; /* tells a reused pid, whose root isn't asked */
};

/*
 * Both texts are valid UTF-8, and "" if unknown, as the line is 0. `address` is as linked: for a
 * return address ask for the byte before it. While the process lives, its own root is searched, so
 * that containers are seen; afterwards, ours. A file that is gone, stripped, no ELF or not to be
 * read gives less. Returns 1 if anything is known.
 *
 * Files stay open for a while, and are looked at anew when they changed; what was found once for a
 * process stays as it is. One thread; all of it is the module's own, and symbol_forget gives it
 * back.
 */
int symbol_find(const struct symbol_process *process, const char *path, uint64_t address,
		struct object_place *place);

/* The same, lent until the next call; NULL if nothing is known. */
const struct object_place *symbol_place(const struct symbol_process *process, const char *path,
					uint64_t address);

void symbol_forget(void);

#endif
