/* runtime.h - a language runtime that knows which request its thread works for says so here. */
#ifndef TAGALONG_RUNTIME_H
#define TAGALONG_RUNTIME_H

/*
 * For the bridges of Node.js and CPython. On a managed thread the runtime's word goes before the
 * rules of context.h: what it switched to stays current until it switches again, however the thread
 * reads, waits and is woken; only a request that is read is made current besides, so that the code
 * that the runtime runs next can take it. A context is the reference of a server exchange
 * (exchange.h); one that has ended is none. All act on the calling thread, without system calls.
 */

#include <stdint.h>

/* From now on (1) the runtime answers for this thread, or no more (0). */
void runtime_manage(int managed);

/* The context that is current, 0: none, or it has ended. */
uint64_t runtime_current(void);

/* Makes a context current, 0: none. */
void runtime_switch(uint64_t context);

/* Whether it has not ended yet. */
int runtime_alive(uint64_t context);

/*
 * The next request of that server connection which was read and not taken yet, in the order of the
 * requests; 0: none. Also for a TLS session by its handle (see node_tls.h), where there is one.
 */
uint64_t runtime_take(int descriptor);

#endif
