/* exchange_cpu.h - what a thread did for a request: its CPU time, and its calls. */
#ifndef TAGALONG_EXCHANGE_CPU_H
#define TAGALONG_EXCHANGE_CPU_H

#include "preload/exchange.h"
#include "preload/thread.h"

/*
 * Server, once its head is read: the calling thread's CPU time until the end is told. A thread that
 * waits for events in epoll is not asked for its clock: it works for many requests in turn, and the
 * question is a system call.
 */
void exchange_count_cpu(struct thread *self, struct exchange *exchange);

/* When its span's end is known: CPU time is a server's, a client's call is its request's. */
void exchange_counted(struct thread *self, struct exchange *exchange);

#endif
