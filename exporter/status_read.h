/* status_read.h - what a session's shared memory tells of its exporter and its processes. */
#ifndef TAGALONG_STATUS_READ_H
#define TAGALONG_STATUS_READ_H

/* Read, not mapped: a file of another version, or one that is cut short, can do no harm. */

#include <stddef.h>
#include <stdint.h>

#include "preload/segment.h"

struct status_process {
	uint32_t pid, parent_pid;
	uint32_t generation; /* of the settings that it took, 0: none */
	char service[128], command[128], executable[256];
	uint64_t spans, connections, dropped_all;
	uint64_t dropped[DROP_REASONS];
};

struct status_destination {
	char name[28];
	const char *signal;
	uint64_t sent, lost, waiting, spooled_bytes;
};

struct status_session {
	const char *path;
	uint32_t exporter_pid; /* 0: none runs */
	uint64_t started_unix_ns, reloaded_unix_ns;
	uint64_t read, unsampled, delivered, dropped;
	uint32_t generation;
	int refused, disabled;
	char settings_file[SEGMENT_PATH_TEXT];
	struct status_destination destinations[SEGMENT_DESTINATIONS];
	size_t destination_count;
	struct status_process *processes;
	size_t process_count;
};

/* 0, or -errno: -EPROTO for what is no segment of this version. `path` is borrowed. */
int status_read(const char *path, struct status_session *session);
void status_forget(struct status_session *session);

/* Whether a process has taken the settings that are in force. */
int status_took(const struct status_session *session, const struct status_process *process);

#endif
