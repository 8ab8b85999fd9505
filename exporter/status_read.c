/* status_read.c - what a session's shared memory tells of its exporter and its processes. */
#include "exporter/status_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporter/process.h"
#include "exporter/snapshot.h"

static int read_at(int descriptor, uint64_t at, void *to, size_t size)
{
	return pread(descriptor, to, size, (off_t)at) == (ssize_t)size;
}

static void copy_text(char *to, size_t room, const char *from, size_t size)
{
	size = strnlen(from, size < room ? size : room - 1);
	memcpy(to, from, size);
	to[size] = '\0';
}

/* A killed exporter could not say that it is gone. */
static int is_running(uint32_t pid)
{
	return pid && process_start_ticks(pid) != 0;
}

static void read_destinations(const struct segment_exporter *exporter, struct status_session *to)
{
	static const char *const signals[] = {"traces", "metrics", "logs"};
	size_t count = exporter->destination_count;

	to->destination_count = count < SEGMENT_DESTINATIONS ? count : SEGMENT_DESTINATIONS;
	for (size_t i = 0; i < to->destination_count; i++) {
		const struct segment_destination *from = &exporter->destinations[i];
		struct status_destination *one = &to->destinations[i];

		copy_text(one->name, sizeof(one->name), from->name, sizeof(from->name));
		one->signal = signals[from->signal < 3 ? from->signal : 0];
		one->sent = from->sent;
		one->lost = from->lost;
		one->waiting = from->waiting;
		one->spooled_bytes = from->spooled_bytes;
	}
}

static int read_header(int descriptor, struct status_session *to)
{
	struct segment_header header;
	const struct segment_control *control = &header.control;
	const struct segment_exporter *exporter = &control->exporter;

	if (!read_at(descriptor, 0, &header, sizeof(header)))
		return -EPROTO;
	to->exporter_pid = is_running(control->exporter_pid) ? control->exporter_pid : 0;
	to->generation = control->generation;
	to->disabled = control->disabled != 0;
	to->refused = exporter->refused != 0;
	to->started_unix_ns = exporter->started_unix_ns;
	to->reloaded_unix_ns = exporter->reloaded_unix_ns;
	to->read = exporter->spans_read;
	to->unsampled = exporter->spans_unsampled;
	to->delivered = exporter->spans_delivered;
	to->dropped = exporter->spans_dropped;
	read_destinations(exporter, to);
	copy_text(to->settings_file, sizeof(to->settings_file), exporter->settings_file,
		  sizeof(exporter->settings_file));
	return 0;
}

/* 1; 0 if the slot is free or its process has ended. */
static int read_process(int descriptor, uint32_t index, struct status_process *to)
{
	uint64_t slot = segment_slot_offset(index);
	struct slot_identity identity;
	struct slot_counters counters;
	uint32_t words[2]; /* state and settings_generation */

	_Static_assert(offsetof(struct slot, settings_generation) ==
			       offsetof(struct slot, state) + sizeof(uint32_t),
		       "read at once");
	if (!read_at(descriptor, slot + offsetof(struct slot, state), words, sizeof(words)) ||
	    words[0] != SLOT_READY ||
	    !read_at(descriptor, slot + offsetof(struct slot, identity), &identity,
		     sizeof(identity)) ||
	    !read_at(descriptor, slot + offsetof(struct slot, counters), &counters,
		     sizeof(counters)) ||
	    process_start_ticks(identity.pid) != identity.start_ticks)
		return 0;
	memset(to, 0, sizeof(*to));
	to->pid = identity.pid;
	to->parent_pid = identity.parent_pid;
	to->generation = words[1];
	copy_text(to->service, sizeof(to->service), identity.service_name,
		  sizeof(identity.service_name));
	copy_text(to->command, sizeof(to->command), identity.command, sizeof(identity.command));
	copy_text(to->executable, sizeof(to->executable), identity.executable,
		  sizeof(identity.executable));
	to->spans = counters.spans;
	to->connections = counters.connections;
	for (unsigned i = 0; i < DROP_REASONS; i++) {
		to->dropped[i] = counters.dropped[i];
		to->dropped_all += counters.dropped[i];
	}
	return 1;
}

int status_read(const char *path, struct status_session *session)
{
	uint32_t slots;
	int descriptor = snapshot_open(path, &slots);
	int result;

	if (descriptor < 0)
		return descriptor;
	memset(session, 0, sizeof(*session));
	session->path = path;
	session->processes = calloc(slots + 1, sizeof(*session->processes));
	result = session->processes ? read_header(descriptor, session) : -ENOMEM;
	for (uint32_t i = 0; result == 0 && i < slots; i++)
		session->process_count += (size_t)read_process(
			descriptor, i, &session->processes[session->process_count]);
	close(descriptor);
	if (result != 0)
		status_forget(session);
	return result;
}

void status_forget(struct status_session *session)
{
	free(session->processes);
	session->processes = NULL;
}

int status_took(const struct status_session *session, const struct status_process *process)
{
	return process->generation == session->generation;
}
