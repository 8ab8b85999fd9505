/* identity.h - the trace that a request belongs to: from its headers, its context, or new. */
#ifndef TAGALONG_IDENTITY_H
#define TAGALONG_IDENTITY_H

#include "preload/exchange.h"
#include "preload/http1.h"
#include "preload/thread.h"

/*
 * Server: continues the trace of the request's headers (by OTEL_PROPAGATORS), or begins one. Keeps
 * or makes the request ID. Any thread.
 */
void identity_from_request(struct thread *self, struct exchange *exchange,
			   const struct http1_head *head);

/* Client: the trace and the request ID of a server exchange. */
void identity_from_context(struct thread *self, struct exchange *exchange,
			   const struct exchange *context, enum span_link link);

/*
 * Client: as above, for a reference to a server exchange, which becomes its parent; 0 or one that
 * has ended: by the runtime's word (runtime.h), or as below.
 */
void identity_by_context(struct thread *self, struct exchange *exchange, uint64_t context,
			 enum span_link link);

/* Client: of the environment if it names a parent and this process serves nothing, or a new trace.
 */
void identity_from_process(struct thread *self, struct exchange *exchange);

/*
 * Client: what a trace header that the program wrote itself, or passes on, names as the parent,
 * W3C's or, where OTEL_PROPAGATORS has it, B3's. 1: *digits is where its span ID lies in the head,
 * 16 digits.
 */
int identity_of_head(struct exchange *exchange, const struct http1_head *head,
		     struct trace_parent *parent, const char **digits);

/*
 * Writes the header lines that a request sent in this exchange lacks into exchange->added.
 * `own_trace`: the program wrote a trace header itself.
 */
void identity_write_headers(struct exchange *exchange, const struct http1_head *head,
			    int own_trace);

/* Takes over a sane X-Request-ID of the head; 1 if there was one. */
int identity_take_request_id(struct exchange *exchange, const struct http1_head *head);

/* Appends one header line to exchange->added; 0 if it doesn't fit. */
int identity_add_line(struct exchange *exchange, const char *name, const char *value, size_t size);

#endif
