/* snapshot.c - what stands in a segment at one moment, for those who only look. */
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/process.h"

static int read_at(int descriptor, off_t at, void *to, size_t size)
{
	return pread(descriptor, to, size, at) == (ssize_t)size;
}

static int is_ours(const struct segment_header *header)
{
	return header->magic == SEGMENT_MAGIC && header->version == SEGMENT_VERSION &&
	       header->slot_bytes == sizeof(struct slot) &&
	       header->inflight_count == INFLIGHT_COUNT && header->span_bytes == SPAN_BYTES;
}

int snapshot_open(const char *path, uint32_t *slots)
{
	int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct segment_header header;
	struct stat status;

	if (descriptor < 0)
		return -errno;
	if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode) ||
	    !read_at(descriptor, 0, &header, sizeof(header)) || !is_ours(&header)) {
		close(descriptor);
		return -EPROTO;
	}
	*slots = header.slot_count;
	if (*slots > SEGMENT_SLOTS_MAX)
		*slots = SEGMENT_SLOTS_MAX;
	return descriptor;
}

int snapshot_read(int descriptor, uint32_t index, struct snapshot *snapshot)
{
	off_t slot = (off_t)segment_slot_offset(index);
	uint32_t state;

	snapshot->index = index;
	if (!read_at(descriptor, slot + (off_t)offsetof(struct slot, state), &state,
		     sizeof(state)) ||
	    state != SLOT_READY ||
	    !read_at(descriptor, slot + (off_t)offsetof(struct slot, identity), &snapshot->identity,
		     sizeof(snapshot->identity)))
		return 0;
	if (process_start_ticks(snapshot->identity.pid) != snapshot->identity.start_ticks)
		return 0;
	return read_at(descriptor, slot + (off_t)offsetof(struct slot, inflight),
		       snapshot->inflight, sizeof(snapshot->inflight));
}

int snapshot_waits(int descriptor, const struct snapshot *snapshot, uint32_t entry)
{
	off_t at = (off_t)segment_slot_offset(snapshot->index) +
		   (off_t)(offsetof(struct slot, inflight) + entry * sizeof(struct inflight));
	struct inflight now;

	return read_at(descriptor, at, &now, offsetof(struct inflight, fields)) && now.live &&
	       now.wait.since_ns == snapshot->inflight[entry].wait.since_ns;
}
