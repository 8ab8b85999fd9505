/* message.h - what a request or response head means: it begins, answers or ends an exchange. */
#ifndef TAGALONG_MESSAGE_H
#define TAGALONG_MESSAGE_H

/*
 * Called with the connection locked, by the thread that sees the bytes. `link` values are of enum
 * span_link. Times are CLOCK_MONOTONIC nanoseconds.
 */

#include <stdint.h>

#include "preload/conn.h"
#include "preload/exchange.h"
#include "preload/http1.h"
#include "preload/thread.h"

/*
 * Server: a request head was read. Begins an exchange, makes it the current context, unless others
 * are unanswered, and prepares `in.body`. 0, or -1: no exchange could be had; the connection is
 * given up.
 */
int message_request_read(struct thread *self, struct conn *conn, int fd,
			 const struct http1_head *head, uint64_t since_ns);

/* Server: a response head was sent. Prepares `out.body`. */
void message_response_sent(struct thread *self, struct conn *conn, const struct http1_head *head);

/*
 * Client: a request head is about to be sent. Makes and queues its exchange (the answer may be read
 * by another thread before the call that sends it returns), decides its context and its trace, and
 * writes the header lines to add into exchange->added, and exchange->replace_at. NULL: none could
 * be had.
 */
struct exchange *message_request_prepare(struct thread *self, struct conn *conn, int fd,
					 const struct http1_head *head);

/*
 * Client: an operation of a database is about to be sent. Makes and queues its exchange, in the
 * context that the rules give; its protocol and texts are the caller's. NULL: none could be had.
 */
struct exchange *message_operation_prepare(struct thread *self, struct conn *conn, int fd);

/* Client: that head was sent whole. Prepares `out.body`. */
void message_request_sent(struct conn *conn, const struct http1_head *head);

/* Client: a response head was read; answers the oldest exchange. Prepares `in.body`. */
void message_response_read(struct thread *self, struct conn *conn, const struct http1_head *head);

/* The body that follows a head which is about to be sent; the connection has its exchange. */
void message_body(const struct conn *conn, const struct http1_head *head, struct http1_body *body);

/* Server: the line to add to a response head, in exchange->added; its size, 0: none. */
uint32_t message_response_prepare(struct exchange *exchange, const struct http1_head *head);

/* Client: bytes of a reply were read: whoever sent the request is current again. */
void message_reply_context(struct thread *self, struct conn *conn);

#endif
