/* sweep.h - segments that nobody uses any more are removed. */
#ifndef TAGALONG_SWEEP_H
#define TAGALONG_SWEEP_H

/*
 * An exporter that is killed can't remove its segment, and each takes megabytes of /dev/shm.
 * Removes the segments of a directory that are older than `age_s`, on which no exporter holds a
 * lock, and whose processes are all gone. What can't be read stays. Returns how many were removed.
 */
int sweep_directory(const char *directory, int age_s);

/* Holds the lock that keeps a segment from being swept, for as long as the descriptor is open. */
void sweep_spare(int descriptor);

#endif
