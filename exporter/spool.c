/* spool.c - payloads that a destination can't take now, on disk, in order. */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "exporter/spool_files.h"
#include "exporter/spool_record.h"

/*
 * Files of records that are only appended to, named by a number that grows, removed whole when all
 * in them is done, or when there is no room for newer ones. A cursor says how far the oldest is
 * done.
 */
#define FILE_MOST     (8ull << 20)
#define FILE_LEAST    (64ull << 10)
#define FILES_A_SPOOL 8
#define SYNC_NS       1000000000ull

struct part {
	uint64_t number;
	uint64_t size;
	uint64_t payloads, items; /* not done yet */
};

struct spool {
	char *path;
	int directory; /* locked; -1: not there yet */
	struct spool_limits limits;
	struct part *parts; /* oldest first; the last one is written to if `writing` >= 0 */
	size_t count, room;
	int reading, writing; /* descriptors of the first and the last, or -1 */
	uint64_t offset;      /* in the first one: what is before is done */
	uint64_t next_number;
	struct spool_record told; /* by spool_next, if is_told */
	int is_told, is_dirty;
	uint64_t housekept_ns;
	struct spool_stats stats;
};

static uint64_t unix_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void close_descriptor(int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
	*descriptor = -1;
}

/* ---- files ---------------------------------------------------------------------------------- */

static struct part *add_part(struct spool *spool, uint64_t number)
{
	if (spool->count == spool->room) {
		size_t room = spool->room ? spool->room * 2 : 16;
		struct part *parts = realloc(spool->parts, room * sizeof(*parts));

		if (!parts)
			return NULL;
		spool->parts = parts;
		spool->room = room;
	}
	spool->parts[spool->count] = (struct part){.number = number};
	if (number >= spool->next_number)
		spool->next_number = number + 1;
	return &spool->parts[spool->count++];
}

static void keep_cursor(const struct spool *spool)
{
	uint64_t number = spool->count ? spool->parts[0].number : 0;

	spool_files_set_cursor(spool->directory, number, spool->offset);
}

static void remove_first(struct spool *spool)
{
	struct part *first = &spool->parts[0];
	uint64_t number = first->number;

	close_descriptor(&spool->reading);
	if (spool->count == 1)
		close_descriptor(&spool->writing);
	spool->stats.bytes -= first->size;
	spool->stats.payloads -= first->payloads;
	spool->stats.items -= first->items;
	spool->count--;
	memmove(first, first + 1, spool->count * sizeof(*first));
	spool->offset = 0;
	spool->is_told = 0;
	/* First the cursor: it must not be there for another file of that number. */
	keep_cursor(spool);
	spool_files_remove(spool->directory, number);
}

static void sync_writing(struct spool *spool)
{
	if (spool->is_dirty && spool->writing >= 0)
		fdatasync(spool->writing);
	spool->is_dirty = 0;
}

/* What is appended next begins another file. */
static void end_writing(struct spool *spool)
{
	sync_writing(spool);
	close_descriptor(&spool->writing);
}

/* Counts what waits in a file that was found. */
static void count_part(struct spool *spool, struct part *part, uint64_t offset)
{
	int descriptor = spool_files_open(spool->directory, part->number, O_RDONLY);
	struct spool_record record;
	struct stat status;

	if (descriptor < 0)
		return;
	if (fstat(descriptor, &status) == 0)
		part->size = (uint64_t)status.st_size;
	/* What is damaged is counted when it is to be delivered. */
	for (uint64_t ignored = 0;
	     spool_record_find(descriptor, offset, part->size, &record, &ignored) == 1;
	     offset = spool_record_end(&record)) {
		part->payloads++;
		part->items += record.items;
	}
	close(descriptor);
	spool->stats.bytes += part->size;
	spool->stats.payloads += part->payloads;
	spool->stats.items += part->items;
}

static int by_number(const void *one, const void *other)
{
	const struct part *left = one, *right = other;

	return left->number < right->number ? -1 : left->number > right->number;
}

static int note_part(void *context, uint64_t number)
{
	return add_part(context, number) ? 0 : -ENOMEM;
}

/* Takes the lock and what lies there. */
static int open_directory(struct spool *spool)
{
	int result;

	spool->directory = open(spool->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (spool->directory < 0)
		return -errno;
	if (flock(spool->directory, LOCK_EX | LOCK_NB) != 0) {
		result = errno == EWOULDBLOCK ? -EBUSY : -errno;
		close_descriptor(&spool->directory);
		return result;
	}
	result = spool_files_list(spool->directory, note_part, spool);
	if (spool->count)
		qsort(spool->parts, spool->count, sizeof(*spool->parts), by_number);
	if (spool->count)
		spool->offset = spool_files_cursor(spool->directory, spool->parts[0].number);
	for (size_t i = 0; i < spool->count; i++)
		count_part(spool, &spool->parts[i], i == 0 ? spool->offset : 0);
	/* Where nothing is left that could be delivered. */
	while (spool->count && !spool->parts[0].payloads) {
		spool->stats.damaged += spool->offset < spool->parts[0].size;
		remove_first(spool);
	}
	return result;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* What stands before `offset` in the first file is done. */
static void advance(struct spool *spool, const struct spool_record *record)
{
	struct part *first = &spool->parts[0];

	spool->offset = spool_record_end(record);
	spool->is_told = 0;
	/* A file that changed behind our back may have more in it than was counted. */
	if (first->payloads) {
		first->payloads--;
		spool->stats.payloads--;
	}
	if (first->items >= record->items) {
		first->items -= record->items;
		spool->stats.items -= record->items;
	}
}

/* Finds the oldest record. 1, 0: the spool is empty, or -errno. */
static int find_first(struct spool *spool, struct spool_record *record)
{
	while (spool->count) {
		struct part *first = &spool->parts[0];
		int result;

		if (spool->reading < 0)
			spool->reading =
				spool_files_open(spool->directory, first->number, O_RDONLY);
		result = spool->reading < 0
				 ? spool->reading
				 : spool_record_find(spool->reading, spool->offset, first->size,
						     record, &spool->stats.damaged);
		if (result == 1) {
			/* What had to be stepped over is told once. */
			spool->offset = record->offset;
			return 1;
		}
		/* One that is gone, or can't be read to its end, is none. */
		if (result == -EMFILE || result == -ENFILE || result == -ENOMEM)
			return result;
		if (result < 0)
			spool->stats.damaged++;
		remove_first(spool);
	}
	return 0;
}

int spool_next(struct spool *spool, struct payload **payload)
{
	int result;

	*payload = NULL;
	for (;;) {
		result = find_first(spool, &spool->told);
		if (result <= 0)
			return result;
		result = spool_record_read(spool->reading, &spool->told, payload);
		if (result == 0 || result == -ENOMEM)
			break;
		spool->stats.damaged++;
		advance(spool, &spool->told);
	}
	spool->is_told = result == 0;
	return result;
}

void spool_done(struct spool *spool)
{
	if (!spool->is_told)
		return;
	advance(spool, &spool->told);
	if (spool->offset >= spool->parts[0].size)
		remove_first(spool);
	else
		keep_cursor(spool);
}

/* ---- bounds --------------------------------------------------------------------------------- */

static void drop_too_old(struct spool *spool, uint64_t unix_ns)
{
	struct spool_record record;

	while (spool->limits.max_age_ns && find_first(spool, &record) == 1) {
		/* A clock that was set back makes nothing old. */
		if (unix_ns < record.unix_ns ||
		    unix_ns - record.unix_ns <= spool->limits.max_age_ns)
			return;
		spool->stats.dropped_age += record.items;
		advance(spool, &record);
		if (spool->offset >= spool->parts[0].size)
			remove_first(spool);
		else
			keep_cursor(spool);
	}
}

static void make_room(struct spool *spool, uint64_t size)
{
	while (spool->count && spool->stats.bytes + size > spool->limits.max_bytes) {
		if (spool->count == 1)
			end_writing(spool);
		spool->stats.dropped_full += spool->parts[0].items;
		remove_first(spool);
	}
}

void spool_housekeep(struct spool *spool, uint64_t unix_ns)
{
	/* A clock that was set back is no reason to wait for it. */
	if (unix_ns >= spool->housekept_ns && unix_ns - spool->housekept_ns < SYNC_NS)
		return;
	spool->housekept_ns = unix_ns;
	sync_writing(spool);
	drop_too_old(spool, unix_ns);
}

/* ---- appending ------------------------------------------------------------------------------ */

static uint64_t file_bytes(const struct spool *spool)
{
	uint64_t bytes = spool->limits.max_bytes / FILES_A_SPOOL;

	if (bytes < FILE_LEAST)
		return FILE_LEAST;
	return bytes > FILE_MOST ? FILE_MOST : bytes;
}

static int begin_writing(struct spool *spool)
{
	int descriptor =
		spool_files_open(spool->directory, spool->next_number, O_WRONLY | O_CREAT | O_EXCL);

	if (descriptor < 0)
		return descriptor;
	if (!add_part(spool, spool->next_number)) {
		close(descriptor);
		return -ENOMEM;
	}
	spool->writing = descriptor;
	/* The name is to last as long as what is in the file. */
	fsync(spool->directory);
	return 0;
}

static int prepare(struct spool *spool, uint64_t size)
{
	int result = 0;

	if (size > spool->limits.max_bytes)
		return -EFBIG;
	if (spool->directory < 0) {
		result = spool_files_make(spool->path);
		if (result == 0)
			result = open_directory(spool);
		if (result != 0)
			return result;
	}
	make_room(spool, size);
	if (spool->writing >= 0 && spool->parts[spool->count - 1].size + size > file_bytes(spool))
		end_writing(spool);
	return spool->writing < 0 ? begin_writing(spool) : 0;
}

int spool_append(struct spool *spool, const struct payload *payload)
{
	uint64_t size = SPOOL_HEAD_BYTES + payload->size;
	struct part *last;
	int result = payload->size > SPOOL_SIZE_MOST ? -EFBIG : prepare(spool, size);

	if (result != 0) {
		spool->stats.failed++;
		return result;
	}
	last = &spool->parts[spool->count - 1];
	result = spool_record_write(spool->writing, last->size, payload, unix_now_ns());
	if (result != 0) {
		spool->stats.failed++;
		/* A part of it must not be taken for the beginning of the next one. */
		if (ftruncate(spool->writing, (off_t)last->size) != 0)
			end_writing(spool);
		return result;
	}
	last->size += size;
	last->payloads++;
	last->items += payload->items;
	spool->stats.bytes += size;
	spool->stats.payloads++;
	spool->stats.items += payload->items;
	spool->is_dirty = 1;
	return 0;
}

/* ---- begin and end -------------------------------------------------------------------------- */

struct spool *spool_open(const char *directory, const struct spool_limits *limits, int *error)
{
	struct spool *spool = calloc(1, sizeof(*spool));
	int result = -ENOMEM;

	if (!spool) {
		*error = result;
		return NULL;
	}
	spool->directory = spool->reading = spool->writing = -1;
	spool->limits = *limits;
	spool->next_number = 1;
	spool->path = strdup(directory);
	if (spool->path)
		result = open_directory(spool);
	/* What stands in the way of a directory may be gone when there is something to append. */
	if (result == -ENOMEM || result == -EBUSY) {
		*error = result;
		spool_close(spool);
		return NULL;
	}
	drop_too_old(spool, unix_now_ns());
	return spool;
}

void spool_close(struct spool *spool)
{
	if (!spool)
		return;
	end_writing(spool);
	close_descriptor(&spool->reading);
	close_descriptor(&spool->directory);
	free(spool->parts);
	free(spool->path);
	free(spool);
}

int spool_is_empty(const struct spool *spool)
{
	return spool->count == 0 || spool->stats.payloads == 0;
}

void spool_stats(const struct spool *spool, struct spool_stats *stats)
{
	*stats = spool->stats;
}
