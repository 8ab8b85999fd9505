/* describe.h - the text fields of a span out of a message's head. */
#ifndef TAGALONG_DESCRIBE_H
#define TAGALONG_DESCRIBE_H

#include <stdint.h>

#include "preload/conn.h"
#include "preload/exchange.h"
#include "preload/http1.h"

/*
 * Copies method, target (query masked), host and what else is on the allow-list into the span of
 * the exchange; no other header value enters the shared memory. Any thread, under the connection's
 * lock. Overwrites exchange->added.
 */
void describe_request(struct exchange *exchange, const struct conn *conn,
		      const struct http1_head *head);

/* Both addresses, and a client's name of its peer. Overwrites exchange->added. */
void describe_peer(struct exchange *exchange, const struct conn *conn);

/* Status and captured response headers. */
void describe_response(struct exchange *exchange, const struct http1_head *head);

/* A number for method, target and host together; 0 for targets that say nothing ("/", "*"). */
uint64_t describe_target_hash(const struct http1_head *head);

#endif
