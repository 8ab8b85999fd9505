/* exchange.h - one request and its response: identity, span under construction, end. */
#ifndef TAGALONG_EXCHANGE_H
#define TAGALONG_EXCHANGE_H

/*
 * Exchanges live in a pool; a reference is index | generation << 32, so that one which outlived its
 * exchange is recognised. The span is built in the process's table of requests in flight, which is
 * shared memory: it is written there but never trusted; what decisions depend on is kept here.
 * An exchange is changed only under the lock of its connection.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/pool.h"
#include "preload/segment.h"
#include "preload/thread.h"
#include "preload/tracecontext.h"

/* Room for the header lines that we add: trace headers with tracestate, and the request ID. */
#define EXCHANGE_ADDED_MAX 1024

struct exchange {
	uint32_t free_link;          /* of the pool */
	_Atomic uint32_t generation; /* changes when the exchange ends */
	uint32_t index;
	uint32_t next;   /* on the same connection, 0: last */
	uint32_t epoch;  /* process_epoch of its birth: one inherited by fork is not ours to tell */
	uint8_t kind;    /* enum span_kind */
	uint8_t link;    /* enum span_link */
	uint8_t is_head; /* the method was HEAD */
	uint8_t is_connect; /* the method was CONNECT */
	uint8_t responded;  /* the final response head was seen */
	uint8_t debug;      /* B3's debug flag */
	uint8_t request_done;
	uint8_t is_operation; /* of a database: the next five are its */
	uint8_t closed;       /* all of its requests are known */
	uint8_t told;         /* closed, and worth a span */
	uint8_t failed;       /* FIELD_STATUS is set */
	uint32_t replies_due;
	uint32_t unit;
	uint8_t taken;                /* server: by a runtime, see runtime.h */
	uint8_t private_span;         /* `inflight` is from the private pool */
	uint8_t repeated;             /* see call_stack.h */
	uint64_t parent;              /* client: context it was sent in, 0: none */
	uint64_t cpu_start_ns;        /* server: of the thread's clock, 0: not asked */
	uint32_t turn;                /* of the thread at that time */
	uint32_t reader;              /* server: the thread that read the last of its bytes */
	uint64_t target_hash;         /* server: of method and target; 0: none */
	struct trace_parent incoming; /* server: what the caller sent; span_id 0: nothing */
	struct trace_parent own;      /* trace, our span, flags */
	struct inflight *inflight;
	uint32_t inflight_index;
	uint32_t replace_at; /* client: where in its head 16 digits become our span ID, 0: none */
	uint16_t fields_size;
	uint16_t request_id_size;
	uint16_t tracestate_size;
	uint16_t added_size;
	char request_id[REQUEST_ID_MAX];
	char tracestate[TRACESTATE_MAX];
	char added[EXCHANGE_ADDED_MAX];
};

/* Reserves the pools; 0 or -errno. */
int exchanges_init(void);

/* One that starts at start_ns, with a fresh span ID; NULL: the ceiling is reached (counted),
 * or everything is switched off. */
struct exchange *exchange_new(enum span_kind kind, uint64_t start_ns);

extern struct pool exchanges __attribute__((visibility("hidden")));
static inline struct exchange *exchange_at(uint32_t index)
{
	return index ? (struct exchange *)exchanges.base + (index - 1) : NULL;
}

/* The exchange of a reference, or NULL if it ended. */
uint64_t exchange_reference(const struct exchange *exchange);
static inline struct exchange *exchange_of(uint64_t reference)
{
	struct exchange *at = exchange_at((uint32_t)reference);
	uint32_t now = at ? atomic_load_explicit(&at->generation, memory_order_acquire) : 0;

	return at && now == (uint32_t)(reference >> 32) ? at : NULL;
}

/*
 * Appends a text field, what looks like a secret in it masked; one that doesn't fit, or is longer
 * than `most`, is cut and flagged. The same without a bound; of bytes that were masked before; and
 * fields as they were written so before: if they don't fit, none of them.
 */
void exchange_text(struct exchange *exchange, enum span_field id, const char *at, size_t size,
		   size_t most);
void exchange_field(struct exchange *exchange, enum span_field id, const char *at, size_t size);
void exchange_masked(struct exchange *exchange, enum span_field id, const char *at, size_t size);
void exchange_fields(struct exchange *exchange, const char *at, size_t size);

/* Sets trace and parent of the span (no parent_id: only the trace). */
void exchange_identify(struct exchange *exchange, const uint8_t trace_id[16],
		       const uint8_t parent_id[8], uint8_t flags, enum span_link link);

/* Its span, to be filled in place. */
static inline struct span *exchange_span(struct exchange *exchange)
{
	return &exchange->inflight->span;
}

/* Makes the entry in the table of requests in flight visible to the exporter. */
void exchange_publish(struct exchange *exchange);

/* Ends it, and every reference dies: the span goes into the ring, or there is none. */
void exchange_end(struct exchange *exchange, uint64_t end_ns);
void exchange_drop(struct exchange *exchange);

#endif
