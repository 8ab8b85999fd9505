/* rooted.h - files as another process sees them: below its own root, never outside. */
#ifndef TAGALONG_ROOTED_H
#define TAGALONG_ROOTED_H

#include <stdint.h>
#include <sys/stat.h>

/*
 * The root of a process, to be closed by the caller; -1 if it is gone or may not be looked at.
 * pid 0: -1.
 */
int rooted_open(uint32_t pid);

/*
 * Opens a regular file for reading. With `root` >= 0 the path and all links in it are those of that
 * root (openat2(2); Linux 5.6), else they are our own. Never blocks on what is no regular file.
 * Returns a descriptor and fills `status`, or -errno; -EINVAL if the path is relative or the file
 * not regular.
 */
int rooted_open_file(int root, const char *path, struct stat *status);

#endif
