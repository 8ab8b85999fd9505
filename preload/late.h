/* late.h - what the last requests that a runtime has taken were called, after they have ended. */
#ifndef TAGALONG_LATE_H
#define TAGALONG_LATE_H

/*
 * A runtime keeps the IDs of its requests itself (runtime.h); this is the rest of what a call made
 * in one needs, after the response has gone out. The oldest are forgotten. Any thread, lock-free.
 */

#include <stdint.h>

#include "preload/exchange.h"

/* Reserves the memory; 0 or -errno. Without it nothing is kept. */
int late_init(void);

/* The server exchange of that reference ends. */
void late_keep(const struct exchange *exchange, uint64_t reference);

/* Gives its request ID and its tracestate to a call; 0: it is not known any more. */
int late_find(uint64_t reference, struct exchange *call);

#endif
