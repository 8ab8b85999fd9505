/* sweep.c - segments that nobody uses any more are removed. */
#include "exporter/sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "exporter/process.h"
#include "exporter/segment_file.h"

void sweep_spare(int descriptor)
{
	flock(descriptor, LOCK_EX | LOCK_NB);
}

static int is_segment_name(const char *name)
{
	return strlen(name) == SEGMENT_NAME_HEX &&
	       strspn(name, "0123456789abcdef") == SEGMENT_NAME_HEX;
}

/* Read, not mapped: a file of another version, or one that is cut short, can do no harm. */
static int slot_in_use(int descriptor, uint32_t index)
{
	off_t at = (off_t)segment_slot_offset(index);
	uint32_t state;
	struct slot_identity identity;

	if (pread(descriptor, &state, sizeof(state), at + (off_t)offsetof(struct slot, state)) !=
		    (ssize_t)sizeof(state) ||
	    pread(descriptor, &identity, sizeof(identity),
		  at + (off_t)offsetof(struct slot, identity)) != (ssize_t)sizeof(identity))
		return 0;
	if (state == SLOT_FREE)
		return 0;
	/* A claimed slot may not have its identity yet. */
	return state != SLOT_READY || process_start_ticks(identity.pid) == identity.start_ticks;
}

static int in_use(int descriptor, int age_s)
{
	struct segment_header header;
	struct stat status;

	if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode) ||
	    status.st_ctime > time(NULL) - age_s || flock(descriptor, LOCK_EX | LOCK_NB) != 0)
		return 1;
	if (pread(descriptor, &header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
	    header.magic != SEGMENT_MAGIC || header.version != SEGMENT_VERSION)
		return 1;
	for (uint32_t i = 0; i < header.slot_count && i < SEGMENT_SLOTS_MAX; i++)
		if (slot_in_use(descriptor, i))
			return 1;
	return 0;
}

int sweep_directory(const char *directory, int age_s)
{
	DIR *entries = opendir(directory);
	struct dirent *entry;
	int removed = 0;

	/* cppcheck-suppress readdirCalled ; no other thread has this stream */
	while (entries && (entry = readdir(entries))) {
		int descriptor;

		if (!is_segment_name(entry->d_name))
			continue;
		descriptor = openat(dirfd(entries), entry->d_name,
				    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (descriptor < 0)
			continue;
		if (!in_use(descriptor, age_s) && unlinkat(dirfd(entries), entry->d_name, 0) == 0)
			removed++;
		close(descriptor);
	}
	if (entries)
		closedir(entries);
	return removed;
}
