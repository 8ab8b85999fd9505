/* launch.h - an exporter of our own, under a bare LD_PRELOAD without a session. */
#ifndef TAGALONG_LAUNCH_H
#define TAGALONG_LAUNCH_H

#include <stddef.h>

/*
 * Starts `tagalong export --detach` and waits until its segment is ready; writes the segment's
 * path. The host gets no SIGCHLD and its waits find nothing: the process is cloned without an exit
 * signal and reaped here with __WCLONE. 0, or -errno (-ENOENT: the program is not installed beside
 * the library).
 */
int launch_exporter(char *session, size_t room);

#endif
