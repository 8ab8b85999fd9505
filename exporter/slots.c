/* slots.c - a look from outside at who has attached to a segment. */
#include "exporter/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "preload/segment.h"

/* Field 22 of /proc/PID/stat; 0 if there is no such process or it is a zombie. */
static uint64_t start_ticks(uint32_t pid)
{
	char path[64], line[1024];
	unsigned long long ticks = 0;
	char state = 'Z';

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	/* The name in field 2 can hold blanks and brackets: go by the last one. */
	char *rest = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	if (!rest || sscanf(rest,
			    ") %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
			    "%*d %*d %llu",
			    &state, &ticks) != 2)
		return 0;
	return state == 'Z' || state == 'X' ? 0 : ticks;
}

static bool read_all(int fd, void *out, size_t size, uint64_t offset)
{
	return pread(fd, out, size, (off_t)offset) == (ssize_t)size;
}

static void look_at_slot(int fd, uint32_t index, struct slots_count *count)
{
	uint64_t base = segment_slot_offset(index);
	struct slot_identity identity;
	uint32_t state;

	if (!read_all(fd, &state, sizeof(state), base + offsetof(struct slot, state)) ||
	    state == SLOT_FREE)
		return;
	count->claimed++;
	if (state == SLOT_READY &&
	    read_all(fd, &identity, sizeof(identity), base + offsetof(struct slot, identity)) &&
	    identity.start_ticks != 0 && start_ticks(identity.pid) == identity.start_ticks)
		count->living++;
}

int slots_look(const char *segment, struct slots_count *count)
{
	struct segment_header header;
	int fd = open(segment, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int result = 0;

	if (fd < 0)
		return -errno;
	if (!read_all(fd, &header, sizeof(header), 0) || header.magic != SEGMENT_MAGIC ||
	    header.version != SEGMENT_VERSION || header.slot_bytes != sizeof(struct slot)) {
		result = -EINVAL;
		goto out;
	}
	memset(count, 0, sizeof(*count));
	uint32_t slots = header.slot_count;
	if (slots > SEGMENT_SLOTS_MAX)
		slots = SEGMENT_SLOTS_MAX;
	for (uint32_t i = 0; i < slots; i++)
		look_at_slot(fd, i, count);
out:
	close(fd);
	return result;
}
