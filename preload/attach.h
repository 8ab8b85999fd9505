/* attach.h - this process's place in the segment: find the session, claim a slot, count. */
#ifndef TAGALONG_ATTACH_H
#define TAGALONG_ATTACH_H

#include <stdint.h>

#include "preload/segment.h"

/*
 * 1 if connections are to be tracked now; claims a slot of the session if there is none yet (on the
 * first socket, in a fork child, and again after a while where it failed). Any thread; never
 * blocks, but under a bare LD_PRELOAD, where the first call starts an exporter and waits until it
 * is ready.
 */
int attach_ready(void);

/* 1 while the exporter says that everything is to pass through. */
int attach_is_off(void);

/* The slot of this process, or NULL. */
struct slot *attach_slot(void);

/* Cached getpid(). */
uint32_t attach_pid(void);

/* 1 while an exporter reads what this process writes. */
int attach_is_read(void);

/* Path of the session's segment for children, "" if there is none. */
const char *attach_session(void);

void attach_count(enum drop_reason reason);
void attach_count_connection(void);
void attach_count_redaction(enum redaction rule, unsigned times);

/* Bytes that the program received (`sent` 0) or sent on a connection that is understood. */
void attach_count_bytes(int sent, uint64_t size);

/* Takes and returns an entry of the table of requests in flight; NULL: none free, or no slot. */
struct inflight *attach_inflight_get(uint32_t *index);
void attach_inflight_put(uint32_t index);

/* In a fork child: the parent's slot is not ours. */
void attach_forked(void);

#endif
