/* process.h - what holds for the whole process: whether we act in it, and its forks. */
#ifndef TAGALONG_PRELOAD_PROCESS_H
#define TAGALONG_PRELOAD_PROCESS_H

#include <stdint.h>

/* Counts the forks that led here; contexts and threads of an earlier epoch are the parent's. */
extern uint32_t process_epoch __attribute__((visibility("hidden")));

enum process_mode {
	MODE_OFF, /* before the constructor, and when anything looks wrong: all is passed on */
	MODE_ON,
};

extern _Atomic uint8_t process_mode __attribute__((visibility("hidden")));

/* A page that the kernel wipes in a fork child; NULL before the first connection. */
extern const uint8_t *process_alive __attribute__((visibility("hidden")));

/* Forgets what belongs to the parent process; called once in a fork child, by its only thread. */
void process_forked(void);

#endif
