/* exits.h - exit statuses that the launcher, as the parent, reaped and passes on. */
#ifndef TAGALONG_EXITS_H
#define TAGALONG_EXITS_H

#include <stdint.h>

#define EXITS_KEPT 256

struct exits {
	int descriptor; /* -1: none, or its end was reached */
	struct {
		uint32_t pid;
		int wait_status;
	} kept[EXITS_KEPT]; /* the newest, round and round */
	unsigned next;
	char line[64];
	unsigned line_size;
};

/* Takes the descriptor (made non-blocking); -1: there is none. */
void exits_init(struct exits *exits, int descriptor);
void exits_fini(struct exits *exits);

/* Reads lines "PID WAITSTATUS\n" without waiting. Returns 0, or -EPIPE at the end: it is closed. */
int exits_read(struct exits *exits);

/* The wait status of a process, forgotten with the answer; -1: not known (yet). */
int exits_take(struct exits *exits, uint32_t pid);

#endif
