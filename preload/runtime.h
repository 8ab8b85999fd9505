/* runtime.h - a language runtime that knows which request its thread works for says so here. */
#ifndef TAGALONG_RUNTIME_H
#define TAGALONG_RUNTIME_H

/*
 * For the bridges of Node.js and CPython. On a managed thread the runtime's word goes before the
 * rules of context.h: what it last wrote is the context, however the thread reads, connects, waits
 * and is woken, and what is sent in it is no guess. What the thread reads makes nothing current:
 * the runtime takes the request when the code that answers it is about to run, keeps it in a
 * variable that follows that code (AsyncLocalStorage, contextvars), and writes it back before bytes
 * leave. All act on the calling thread, without system calls, outside the guard of re-entry.
 */

#include <stdint.h>

#include "preload/tracecontext.h"

/*
 * What a runtime keeps of a request. Plain bytes: to be copied, stored anywhere, and kept as long
 * as it likes. All zeros: none. A call that is made in it after the response has gone out still
 * finds its parent, by the IDs; of the last thousands of requests also the rest (late.h). Without
 * the IDs it is none from then on.
 */
struct runtime_context {
	uint64_t reference;      /* of the server exchange, see exchange.h */
	struct trace_parent own; /* trace, span and flags of it */
	uint8_t reserved[7];
};

/*
 * From now on the runtime answers for this thread: its word is what stands in `current`, memory of
 * its own, which must last until the thread ends or this is called again; NULL: the rules answer.
 */
void runtime_manage(struct runtime_context *current);

/* The memory that was given to runtime_manage by this thread, or NULL. */
struct runtime_context *runtime_current(void);

/* Writes there; NULL: none. Nothing on a thread that is not managed. */
void runtime_switch(const struct runtime_context *context);

/* Whether it holds beyond the response; NULL doesn't. */
static inline int runtime_lasts(const struct runtime_context *context)
{
	static const uint8_t nothing[sizeof(context->own.span_id)];

	return context && context->reference &&
	       __builtin_memcmp(context->own.span_id, nothing, sizeof(nothing)) != 0;
}

/* Whether the response has not gone out yet. Any thread. */
int runtime_alive(const struct runtime_context *context);

/*
 * The oldest request of a server connection that is not answered and was not taken yet, for each is
 * taken once. 1, or 0 with `out` untouched: there is none. For the clear text of an encrypted
 * session that Node.js tells of see node_tls_take().
 */
int runtime_take(int descriptor, struct runtime_context *out);

/*
 * Where the descriptor does not lead to it (TLS by OpenSSL): the request, taken or not, of which
 * this managed thread has read bytes last, if it is not answered. 1 or 0, as above. With `forget`
 * it is not found again until more of it is read.
 */
int runtime_last_read(int forget, struct runtime_context *out);

/*
 * For a runtime that sends between its callbacks what they have written: what is written to that
 * descriptor now, in this managed thread's word, goes out later. If bytes that were written before
 * are still pending there, and in another word, whose the next request is can't be told.
 */
void runtime_sends(int descriptor, int is_pending);

#endif
