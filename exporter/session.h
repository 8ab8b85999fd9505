/* session.h - the node's exporter: one at a time, found by everybody under one name. */
#ifndef TAGALONG_SESSION_H
#define TAGALONG_SESSION_H

/*
 * <run directory>/session is a symbolic link to the segment; <run directory>/lock is held by the
 * exporter while it runs, so that a killed one leaves no lock behind.
 */

#include "exporter/segment_file.h"

struct session {
	char link[4096];
	char segment[4096];
	int lock; /* -1: not held */
};

/*
 * Takes the lock, adopts the segment that the link names, or creates one and points the link at it.
 * 0, or -errno: -EBUSY if another exporter runs; said in a log line.
 */
int session_begin(struct session *session, const char *run_directory, uint32_t slots,
		  struct segment_file *file);

/*
 * Gives the lock back. A segment that no process uses any more goes, with the link; one in use
 * stays for the next exporter.
 */
void session_end(struct session *session, struct segment_file *file);

#endif
