/* memory.c - another process's memory, read page by page and kept while one stack is walked. */
#include "memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define PAGE  4096u
#define PAGES 256u

struct memory {
	uint32_t pid;
	uint32_t reads_left;
	uint64_t number[PAGES]; /* of the page, + 1; 0: none */
	uint8_t page[PAGES][PAGE];
};

struct memory *memory_new(uint32_t pid, uint32_t reads_max)
{
	struct memory *memory = malloc(sizeof(*memory));

	if (!memory)
		return NULL;
	memory->pid = pid;
	memory->reads_left = reads_max;
	memset(memory->number, 0, sizeof(memory->number));
	return memory;
}

void memory_free(struct memory *memory)
{
	free(memory);
}

/* The page, or NULL with errno. */
static const uint8_t *get_page(struct memory *memory, uint64_t number)
{
	uint32_t place = (uint32_t)(number % PAGES);
	struct iovec to = {memory->page[place], PAGE};
	struct iovec from = {(void *)(number * PAGE), PAGE};

	if (memory->number[place] == number + 1)
		return memory->page[place];
	memory->number[place] = 0;
	errno = EFAULT;
	if (process_vm_readv((pid_t)memory->pid, &to, 1, &from, 1, 0) != (ssize_t)PAGE)
		return NULL;
	memory->number[place] = number + 1;
	return memory->page[place];
}

int memory_read(struct memory *memory, uint64_t address, void *to, size_t size)
{
	uint8_t *out = to;

	if (memory->reads_left == 0)
		return -EOVERFLOW;
	memory->reads_left--;
	while (size) {
		size_t within = address % PAGE;
		size_t part = size < PAGE - within ? size : PAGE - within;
		const uint8_t *page = get_page(memory, address / PAGE);

		if (!page)
			return -errno;
		memcpy(out, page + within, part);
		out += part;
		address += part;
		size -= part;
	}
	return 0;
}
