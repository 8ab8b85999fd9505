/* file.h - payloads as lines of OTLP JSON, in files of bounded size. */
#ifndef TAGALONG_FILE_H
#define TAGALONG_FILE_H

/* OpenTelemetry's file exporter: one Export*ServiceRequest a line, one signal a file. One thread.
 */

#include <stdint.h>

#include "exporter/payload.h"

struct file;

struct file_stats {
	uint64_t sent_items, sent_bytes;
	uint64_t failed_items; /* could not be written */
	uint64_t rotations;
};

/*
 * Lines go to `path`, 0640. When it would grow beyond `max_bytes` (0: no bound) it becomes PATH.1,
 * that one PATH.2 and so on; of more than `max_files` in all the oldest is removed. It is opened
 * when the first line comes. NULL: no memory.
 */
struct file *file_new(const char *path, uint64_t max_bytes, uint32_t max_files);

/* Lines go to a descriptor that stays the caller's. */
struct file *file_of_descriptor(int descriptor);

void file_free(struct file *file); /* accepts NULL */

/* One line, whole or not at all. 0, or -errno, which was counted and said. */
int file_write(struct file *file, const struct payload *payload);

void file_stats(const struct file *file, struct file_stats *stats);

/* Where the lines of a signal go: traces to the path itself, "a.jsonl", others to "a.logs.jsonl".
 * Allocated; NULL: no memory. */
char *file_path_of(const char *path, enum signal signal);

#endif
