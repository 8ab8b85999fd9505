/* spool_files.h - the directory of a spool: numbered files, and a cursor into the oldest. */
#ifndef TAGALONG_SPOOL_FILES_H
#define TAGALONG_SPOOL_FILES_H

#include <stdint.h>

/* Makes a directory and those above it, 0700. `path` is changed while it runs. 0, or -errno. */
int spool_files_make(char *path);

/* A descriptor of the file of that number (flags as open's; 0600), or -errno. */
int spool_files_open(int directory, uint64_t number, int flags);
void spool_files_remove(int directory, uint64_t number);

/* Tells each file's number, in no order, until `tell` returns something else than 0. 0, or -errno.
 */
int spool_files_list(int directory, int (*tell)(void *context, uint64_t number), void *context);

/*
 * How far the file of that number is done: 0 unless the cursor says so. It is written without a
 * promise: what is lost of it is delivered twice.
 */
uint64_t spool_files_cursor(int directory, uint64_t number);
void spool_files_set_cursor(int directory, uint64_t number, uint64_t offset);

#endif
