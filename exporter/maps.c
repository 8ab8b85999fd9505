/* maps.c - what a process has mapped where, read from /proc. */
#include "maps.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_STEP  (256u << 10)
#define TEXT_MAX   (16u << 20)
#define READ_LEAST 8192

struct text_buffer {
	char *bytes;
	size_t used, room;
};

static int make_room(struct text_buffer *buffer)
{
	char *larger;

	if (buffer->room - buffer->used >= READ_LEAST)
		return 0;
	if (buffer->room >= TEXT_MAX)
		return -EFBIG;
	larger = realloc(buffer->bytes, buffer->room + TEXT_STEP);
	if (!larger)
		return -ENOMEM;
	buffer->bytes = larger;
	buffer->room += TEXT_STEP;
	return 0;
}

static int read_rest(int fd, struct text_buffer *buffer)
{
	ssize_t size;

	do {
		int result = make_room(buffer);

		if (result != 0)
			return result;
		size = read(fd, buffer->bytes + buffer->used, buffer->room - buffer->used - 1);
		if (size < 0)
			return -errno;
		buffer->used += (size_t)size;
	} while (size > 0);
	buffer->bytes[buffer->used] = '\0';
	return 0;
}

/* The whole file, NUL-terminated; NULL with *result set. */
static char *read_text(uint32_t pid, int *result)
{
	struct text_buffer buffer = {0};
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		*result = errno == ENOENT ? -ESRCH : -errno;
		return NULL;
	}
	*result = read_rest(fd, &buffer);
	close(fd);
	if (*result == 0)
		return buffer.bytes;
	free(buffer.bytes);
	return NULL;
}

/* START-END rwxp OFFSET DEVICE INODE     PATH */
static int parse_line(const char *line, struct map *map)
{
	char rights[5];
	int path_at = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %n", &map->start,
		   &map->end, rights, &map->offset, &path_at) != 4)
		return 0;
	map->executable = strchr(rights, 'x') != NULL;
	map->path = path_at ? line + path_at : "";
	return 1;
}

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

int maps_read(struct maps *maps, uint32_t pid)
{
	struct maps new = {0};
	size_t lines;
	char *rest;
	int result;

	new.text = read_text(pid, &result);
	if (!new.text)
		return result;
	lines = count_lines(new.text);
	new.at = lines &&lines <= MAPS_MAX ? calloc(lines, sizeof(*new.at)) : NULL;
	if (!new.at) {
		free(new.text);
		/* A kernel thread, or a process that ended and is not reaped yet, has none. */
		if (lines == 0)
			return -ESRCH;
		return lines > MAPS_MAX ? -EFBIG : -ENOMEM;
	}
	rest = new.text;
	while (new.count < lines) {
		char *end = strchr(rest, '\n');

		if (!end)
			break;
		*end = '\0';
		new.count += (size_t)parse_line(rest, &new.at[new.count]);
		rest = end + 1;
	}
	*maps = new;
	return 0;
}

void maps_free(struct maps *maps)
{
	free(maps->at);
	free(maps->text);
	memset(maps, 0, sizeof(*maps));
}

const struct map *maps_find(const struct maps *maps, uint64_t address)
{
	size_t low = 0, high = maps->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (address < maps->at[middle].start)
			high = middle;
		else if (address >= maps->at[middle].end)
			low = middle + 1;
		else
			return &maps->at[middle];
	}
	return NULL;
}

const struct map *maps_first(const struct maps *maps, const struct map *map)
{
	for (;; map--) {
		if (map->offset == 0)
			return map;
		if (map == maps->at || strcmp(map[-1].path, map->path) != 0)
			return NULL;
	}
}
