/* threads.h - a new thread starts in its creator's context. */
#ifndef TAGALONG_THREADS_H
#define TAGALONG_THREADS_H

#include <stdint.h>

#include "preload/thread.h"

/* Reserves the pool; 0 or -errno. */
int threads_init(void);

/* Notes the creator's context and the real start; 0: there is no context to hand on. */
uint32_t threads_birth(struct thread *self, void *(*start)(void *), void *argument);

/* The thread was not made after all. */
void threads_unborn(uint32_t birth);

/* What pthread_create is called with instead. */
void *threads_argument(uint32_t birth);
void *threads_start(void *argument);

#endif
