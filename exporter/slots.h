/* slots.h - a look from outside at who has attached to a segment. */
#ifndef TAGALONG_SLOTS_H
#define TAGALONG_SLOTS_H

struct slots_count {
	unsigned claimed; /* slots that a process has taken, also if it is gone */
	unsigned living;  /* processes in them that still run */
};

/* Reads the segment's file, changes nothing in it. 0, or -errno if it isn't a segment of ours. */
int slots_look(const char *segment, struct slots_count *count);

#endif
