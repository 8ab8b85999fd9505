/* segment_file.c - the shared file: creating, adopting, growing it and giving slots back. */
#include "segment_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const char hex_digits[] = "0123456789abcdef";

/* Others must be able to enter, not to list; an attacker's own directory is refused. */
static int make_directory(const char *directory)
{
	struct stat status;

	if (mkdir(directory, 0711) != 0 && errno != EEXIST)
		return -errno;
	if (lstat(directory, &status) != 0)
		return -errno;
	if (!S_ISDIR(status.st_mode))
		return -ENOTDIR;
	if (status.st_uid == geteuid()) {
		if ((status.st_mode & 07777) != 0711 && chmod(directory, 0711) != 0)
			return -errno;
		return 0;
	}
	/* Somebody else's: only root's is to be trusted with the name of our file. */
	return status.st_uid == 0 ? 0 : -EPERM;
}

int segment_file_name(const char *directory, char *path, size_t room)
{
	unsigned char random[SEGMENT_NAME_HEX / 2];
	char name[SEGMENT_NAME_HEX + 1];
	int size, result;

	if (!directory)
		directory = SEGMENT_DIRECTORY;
	result = make_directory(directory);
	if (result != 0)
		return result;
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	for (size_t i = 0; i < sizeof(random); i++) {
		name[2 * i] = hex_digits[random[i] >> 4];
		name[2 * i + 1] = hex_digits[random[i] & 15];
	}
	name[SEGMENT_NAME_HEX] = '\0';
	size = snprintf(path, room, "%s/%s", directory, name);
	return size < 0 || (size_t)size >= room ? -ENAMETOOLONG : 0;
}

static int reserve(int fd, uint64_t offset, uint64_t size)
{
	int result;

	do {
		result = fallocate(fd, 0, (off_t)offset, (off_t)size);
	} while (result != 0 && errno == EINTR);
	return result == 0 ? 0 : -errno;
}

static int map_slot(struct segment_file *file, uint32_t index)
{
	void *at = mmap(NULL, sizeof(struct slot), PROT_READ | PROT_WRITE, MAP_SHARED, file->fd,
			(off_t)segment_slot_offset(index));

	if (at == MAP_FAILED)
		return -errno;
	file->slots[index] = at;
	return 0;
}

static int map_header(struct segment_file *file)
{
	void *at =
		mmap(NULL, SEGMENT_HEADER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	file->header = at;
	return 0;
}

/* Space first, then the mapping, and only then may a process see the slot. */
static int add_slot(struct segment_file *file)
{
	uint32_t index = file->slot_count;
	int result;

	if (index >= SEGMENT_SLOTS_MAX)
		return -ENOSPC;
	result = reserve(file->fd, segment_slot_offset(index), sizeof(struct slot));
	if (result != 0)
		return result;
	result = map_slot(file, index);
	if (result != 0)
		return result;
	file->slot_count = index + 1;
	/* A process may have raised it further meanwhile: never lower it. */
	atomic_compare_exchange_strong(&file->header->slot_count, &index, index + 1);
	return 0;
}

/* Slots that processes added themselves; a count that can't be is met by add_slot's own limits. */
static void follow(struct segment_file *file)
{
	while (file->slot_count < atomic_load(&file->header->slot_count))
		if (add_slot(file) != 0)
			return;
}

int segment_file_grow(struct segment_file *file, uint32_t free_slots)
{
	uint32_t available = 0;
	int added = 0;

	follow(file);
	for (uint32_t i = 0; i < file->slot_count; i++) {
		if (atomic_load_explicit(&file->slots[i]->state, memory_order_relaxed) == SLOT_FREE)
			available++;
	}
	while (available + (uint32_t)added < free_slots) {
		int result = add_slot(file);

		if (result != 0)
			return added ? added : result;
		added++;
	}
	return added;
}

static void write_header(struct segment_header *header)
{
	header->version = SEGMENT_VERSION;
	header->header_bytes = SEGMENT_HEADER_BYTES;
	header->slot_bytes = sizeof(struct slot);
	header->ring_bytes = RING_BYTES;
	header->inflight_count = INFLIGHT_COUNT;
	header->span_bytes = SPAN_BYTES;
}

static int fill_new(struct segment_file *file, uint32_t slots)
{
	int result;

	/* The creator's umask must not close the file to those who know its name. */
	if (fchmod(file->fd, 0666) != 0)
		return -errno;
	result = reserve(file->fd, 0, segment_slot_offset(slots));
	if (result != 0)
		return result;
	result = map_header(file);
	if (result != 0)
		return result;
	write_header(file->header);
	for (uint32_t i = 0; i < slots; i++) {
		result = add_slot(file);
		if (result != 0)
			return result;
	}
	__atomic_store_n(&file->header->magic, SEGMENT_MAGIC, __ATOMIC_RELEASE);
	return 0;
}

int segment_file_create(struct segment_file *file, const char *path, uint32_t slots)
{
	int result;

	memset(file, 0, sizeof(*file));
	file->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (file->fd < 0)
		return -errno;
	result = fill_new(file, slots);
	if (result != 0) {
		unlink(path);
		segment_file_close(file);
	}
	return result;
}

static int header_matches(const struct segment_header *header)
{
	return header->magic == SEGMENT_MAGIC && header->version == SEGMENT_VERSION &&
	       header->header_bytes == SEGMENT_HEADER_BYTES &&
	       header->slot_bytes == sizeof(struct slot) && header->ring_bytes == RING_BYTES &&
	       header->inflight_count == INFLIGHT_COUNT && header->span_bytes == SPAN_BYTES;
}

static int map_existing(struct segment_file *file)
{
	struct stat status;
	uint32_t count;
	int result;

	if (fstat(file->fd, &status) != 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || status.st_size < (off_t)SEGMENT_HEADER_BYTES)
		return -EPROTO;
	result = map_header(file);
	if (result != 0)
		return result;
	count = atomic_load(&file->header->slot_count);
	if (!header_matches(file->header) || count > SEGMENT_SLOTS_MAX ||
	    (uint64_t)status.st_size < segment_slot_offset(count))
		return -EPROTO;
	/* Pages that the file merely claims to have would be SIGBUS for everybody later. */
	result = reserve(file->fd, 0, segment_slot_offset(count));
	if (result != 0)
		return result;
	for (uint32_t i = 0; i < count; i++) {
		result = map_slot(file, i);
		if (result != 0)
			return result;
		file->slot_count = i + 1;
	}
	return 0;
}

int segment_file_adopt(struct segment_file *file, const char *path)
{
	int result;

	memset(file, 0, sizeof(*file));
	file->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (file->fd < 0)
		return -errno;
	result = map_existing(file);
	if (result != 0)
		segment_file_close(file);
	return result;
}

void segment_file_free_slot(struct segment_file *file, uint32_t index)
{
	struct slot *slot = file->slots[index];
	uint64_t head = atomic_load(&slot->ring.head);

	/*
	 * Positions begin at 0 again, so commit words of an earlier owner would match: the ring is
	 * wiped as far as it was ever written.
	 */
	memset(slot->ring.data, 0, head < RING_BYTES ? (size_t)head : RING_BYTES);
	memset(slot->inflight, 0, sizeof(slot->inflight));
	memset(&slot->counters, 0, sizeof(slot->counters));
	memset(&slot->identity, 0, sizeof(slot->identity));
	atomic_store(&slot->ring.head, 0);
	atomic_store(&slot->ring.tail, 0);
	atomic_store(&slot->settings_generation, 0);
	atomic_store_explicit(&slot->state, SLOT_FREE, memory_order_release);
}

uint32_t segment_file_claimed(const struct segment_file *file)
{
	uint32_t claimed = 0;

	for (uint32_t i = 0; i < file->slot_count; i++) {
		if (atomic_load_explicit(&file->slots[i]->state, memory_order_relaxed) != SLOT_FREE)
			claimed++;
	}
	return claimed;
}

void segment_file_close(struct segment_file *file)
{
	for (uint32_t i = 0; i < SEGMENT_SLOTS_MAX; i++) {
		if (file->slots[i])
			munmap(file->slots[i], sizeof(struct slot));
		file->slots[i] = NULL;
	}
	if (file->header)
		munmap(file->header, SEGMENT_HEADER_BYTES);
	file->header = NULL;
	file->slot_count = 0;
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}
