/* spool_files.c - the directory of a spool: numbered files, and a cursor into the oldest. */
#include "spool_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_FORMAT "%016llx.spool"
#define NAME_SIZE   22
#define CURSOR      "cursor"

/* A torn one is known by its third word. */
struct cursor {
	uint64_t number, offset, check;
};

int spool_files_make(char *path)
{
	for (char *at = path + 1; *at; at++) {
		int result;

		if (*at != '/')
			continue;
		*at = '\0';
		result = mkdir(path, 0700);
		*at = '/';
		if (result != 0 && errno != EEXIST)
			return -errno;
	}
	return mkdir(path, 0700) != 0 && errno != EEXIST ? -errno : 0;
}

static void name_of(char name[NAME_SIZE + 1], uint64_t number)
{
	snprintf(name, NAME_SIZE + 1, NAME_FORMAT, (unsigned long long)number);
}

int spool_files_open(int directory, uint64_t number, int flags)
{
	char name[NAME_SIZE + 1];
	int descriptor;

	name_of(name, number);
	descriptor = openat(directory, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (descriptor < 0)
		return -errno;
	return descriptor;
}

void spool_files_remove(int directory, uint64_t number)
{
	char name[NAME_SIZE + 1];

	name_of(name, number);
	unlinkat(directory, name, 0);
}

int spool_files_list(int directory, int (*tell)(void *context, uint64_t number), void *context)
{
	int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *entry;
	int result = 0;

	if (!list) {
		result = -errno;
		if (copy >= 0)
			close(copy);
		return result;
	}
	/* cppcheck-suppress readdirCalled ; no other thread has this stream */
	while (result == 0 && (entry = readdir(list))) {
		unsigned long long number;
		int size = 0;

		if (sscanf(entry->d_name, "%16llx.spool%n", &number, &size) == 1 &&
		    size == NAME_SIZE && !entry->d_name[size])
			result = tell(context, number);
	}
	closedir(list);
	return result;
}

void spool_files_set_cursor(int directory, uint64_t number, uint64_t offset)
{
	struct cursor cursor = {number, offset, ~(number ^ offset)};
	int descriptor =
		openat(directory, CURSOR, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (descriptor < 0)
		return;
	if (pwrite(descriptor, &cursor, sizeof(cursor), 0) != (ssize_t)sizeof(cursor))
		unlinkat(directory, CURSOR, 0);
	close(descriptor);
}

uint64_t spool_files_cursor(int directory, uint64_t number)
{
	int descriptor = openat(directory, CURSOR, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct cursor cursor = {0};
	ssize_t size = 0;

	if (descriptor >= 0) {
		size = pread(descriptor, &cursor, sizeof(cursor), 0);
		close(descriptor);
	}
	if (size != (ssize_t)sizeof(cursor) || cursor.number != number ||
	    cursor.check != ~(cursor.number ^ cursor.offset))
		return 0;
	return cursor.offset;
}
