/* routes_file.h - the learned table on disk, shared by all exporters that use one file. */
#ifndef TAGALONG_ROUTES_FILE_H
#define TAGALONG_ROUTES_FILE_H

/*
 * A head with magic, version, size and checksum, then the nodes in the order of the tree, each with
 * its depth. Reading a table merges it into what is known: a node is in the result if either side
 * has it, hits are the higher ones, and a place that one of them judged to hold values does. A file
 * that is damaged or of another version is as good as none.
 */

#include <stddef.h>
#include <stdint.h>

#include "exporter/routes_tree.h"

/* Merges the file into the tree. 0, -ENOENT, -EINVAL: nothing was changed, or another -errno. */
int routes_file_read(struct route_tree *tree, const char *path);

/* Merges bytes, as of a file; the same results. */
int routes_file_parse(struct route_tree *tree, const void *bytes, size_t size);

/*
 * Merges what others wrote meanwhile and replaces the file in one step, under a lock beside it.
 * 0, or -errno.
 */
int routes_file_write(struct route_tree *tree, const char *path);

#endif
