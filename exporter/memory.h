/* memory.h - another process's memory, read page by page and kept while one stack is walked. */
#ifndef TAGALONG_MEMORY_H
#define TAGALONG_MEMORY_H

#include <stddef.h>
#include <stdint.h>

struct memory; /* about 1 MB */

/*
 * At most `reads_max` reads are answered, so that what a hostile process has in store is walked in
 * bounded time. NULL: no memory.
 */
struct memory *memory_new(uint32_t pid, uint32_t reads_max);
void memory_free(struct memory *memory); /* accepts NULL */

/*
 * Copies `size` bytes. 0, or -errno: -EFAULT if something is not mapped, -EPERM, -ESRCH,
 * -EOVERFLOW when the reads are used up.
 */
int memory_read(struct memory *memory, uint64_t address, void *to, size_t size);

#endif
