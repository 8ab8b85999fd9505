/* mapped.c - what a process has mapped from files, read from the files. */
#include "mapped.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "exporter/rooted.h"

void mapped_init(struct mapped *mapped, uint32_t pid, const struct maps *maps, uint32_t reads_max)
{
	mapped->maps = maps;
	mapped->reads_left = reads_max;
	mapped->root = rooted_open(pid);
	mapped->fd = -1;
	mapped->path = NULL;
}

static void close_file(struct mapped *mapped)
{
	if (mapped->fd >= 0)
		close(mapped->fd);
	mapped->fd = -1;
}

void mapped_fini(struct mapped *mapped)
{
	close_file(mapped);
	if (mapped->root >= 0)
		close(mapped->root);
	mapped->root = -1;
}

/* One stays open: a walk stays in an object for many reads. */
static void open_file(struct mapped *mapped, const char *path)
{
	struct stat status;
	int fd;

	if (mapped->path && strcmp(mapped->path, path) == 0)
		return;
	close_file(mapped);
	mapped->path = path;
	fd = rooted_open_file(mapped->root, path, &status);
	if (fd >= 0)
		mapped->fd = fd;
}

int mapped_read(struct mapped *mapped, uint64_t address, void *to, size_t size)
{
	const struct map *map = maps_find(mapped->maps, address);

	if (!map || map->path[0] != '/' || size > map->end - address || mapped->reads_left == 0)
		return -EFAULT;
	mapped->reads_left--;
	open_file(mapped, map->path);
	if (mapped->fd < 0 || pread(mapped->fd, to, size,
				    (off_t)(map->offset + (address - map->start))) != (ssize_t)size)
		return -EFAULT;
	return 0;
}
