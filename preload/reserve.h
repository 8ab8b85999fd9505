/* reserve.h - address space for all that is tracked, on a process's first connection. */
#ifndef TAGALONG_RESERVE_H
#define TAGALONG_RESERVE_H

/*
 * Maps every pool; no page of them is touched yet. Programs without a network never get here. 0, or
 * -ENOMEM: step aside. Called by one thread at a time; again after a success, it does nothing.
 */
int reserve_pools(void);

#endif
