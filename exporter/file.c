/* file.c - payloads as lines of OTLP JSON, in files of bounded size. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exporter/json.h"
#include "exporter/log.h"
#include "exporter/otlp_json.h"
#include "exporter/settings_otlp.h"

struct file {
	char *path; /* NULL: a descriptor of somebody else's */
	int descriptor;
	uint64_t size, max_bytes;
	uint32_t max_files;
	struct json line;
	struct file_stats stats;
};

struct file *file_new(const char *path, uint64_t max_bytes, uint32_t max_files)
{
	struct file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->descriptor = -1;
	file->max_bytes = max_bytes;
	file->max_files = max_files ? max_files : 1;
	file->path = strdup(path);
	if (file->path)
		return file;
	free(file);
	return NULL;
}

struct file *file_of_descriptor(int descriptor)
{
	struct file *file = calloc(1, sizeof(*file));

	if (file)
		file->descriptor = descriptor;
	return file;
}

static void close_own(struct file *file)
{
	if (file->path && file->descriptor >= 0)
		close(file->descriptor);
	if (file->path)
		file->descriptor = -1;
}

void file_free(struct file *file)
{
	if (!file)
		return;
	close_own(file);
	free(file->path);
	free(file->line.at);
	free(file);
}

static int open_own(struct file *file)
{
	struct stat status;

	file->descriptor = open(file->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	if (file->descriptor < 0 || fstat(file->descriptor, &status) != 0)
		return -errno;
	file->size = (uint64_t)status.st_size;
	return 0;
}

static char *numbered(const char *path, uint32_t number)
{
	char *name = NULL;

	if (number == 0)
		return strdup(path);
	return asprintf(&name, "%s.%u", path, number) < 0 ? NULL : name;
}

/* The oldest one is overwritten by the one before it; a lone file by nothing. */
static int rotate(struct file *file)
{
	int result = 0;

	close_own(file);
	for (uint32_t number = file->max_files - 1; number > 0 && result == 0; number--) {
		char *from = numbered(file->path, number - 1), *to = numbered(file->path, number);

		if (!from || !to)
			result = -ENOMEM;
		else if (rename(from, to) != 0 && errno != ENOENT)
			result = -errno;
		free(from);
		free(to);
	}
	if (result == 0 && file->max_files == 1 && unlink(file->path) != 0 && errno != ENOENT)
		result = -errno;
	file->stats.rotations += result == 0;
	return result;
}

static int make_room(struct file *file)
{
	int result = 0;

	if (!file->path)
		return 0;
	if (file->descriptor < 0)
		result = open_own(file);
	if (result == 0 && file->max_bytes && file->size &&
	    file->size + file->line.size > file->max_bytes) {
		result = rotate(file);
		if (result == 0)
			result = open_own(file);
	}
	return result;
}

/* Part of a line is worse than none: it is taken back where that can be done. */
static int write_line(struct file *file)
{
	size_t done = 0;

	while (done < file->line.size) {
		ssize_t size =
			write(file->descriptor, file->line.at + done, file->line.size - done);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0) {
			int error = errno;

			if (file->path && done &&
			    ftruncate(file->descriptor, (off_t)file->size) != 0)
				close_own(file);
			return -error;
		}
		done += (size_t)size;
	}
	file->size += done;
	return 0;
}

int file_write(struct file *file, const struct payload *payload)
{
	int result;

	file->line.size = 0;
	result = otlp_json(&file->line, payload->signal, payload->bytes, payload->size);
	json_put(&file->line, "\n", 1);
	if (result == 0 && file->line.failed)
		result = -ENOMEM;
	if (result == 0)
		result = make_room(file);
	if (result == 0)
		result = write_line(file);
	if (result == 0) {
		file->stats.sent_items += payload->items;
		file->stats.sent_bytes += file->line.size;
		return 0;
	}
	/* The next one tries anew: a disk has room again, a directory comes back. */
	if (result == -ENOMEM)
		file->line.failed = 0;
	else
		close_own(file);
	file->stats.failed_items += payload->items;
	log_line(LOG_WARN, "file", "%s: can't be written: %s", file->path ? file->path : "stdout",
		 strerror(-result));
	return result;
}

void file_stats(const struct file *file, struct file_stats *stats)
{
	*stats = file->stats;
}

char *file_path_of(const char *path, enum signal signal)
{
	const char *name = strrchr(path, '/');
	const char *end = strrchr(name ? name : path, '.');
	char *result = NULL;
	int stem;

	if (signal == SIGNAL_TRACES)
		return strdup(path);
	stem = end && end != path && end[-1] != '/' ? (int)(end - path) : (int)strlen(path);
	if (asprintf(&result, "%.*s.%s%s", stem, path, otlp_signal_name(signal), path + stem) < 0)
		return NULL;
	return result;
}
