/* stream.h - bytes of a connection, in either direction, become messages. */
#ifndef TAGALONG_STREAM_H
#define TAGALONG_STREAM_H

/*
 * All with the connection locked. Bytes are those that really were received or accepted by the
 * kernel, never more than the call returned. After any of them the role may be ROLE_OPAQUE: then
 * the caller forgets the connection.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "preload/conn.h"
#include "preload/thread.h"

enum stream_way { STREAM_IN, STREAM_OUT };

/* Bytes that were read or sent, in `count` pieces, `size` of them in all. */
void stream_bytes(struct thread *self, struct conn *conn, int fd, enum stream_way way,
		  const struct iovec *iov, size_t count, size_t size);

/*
 * As above for sent bytes that begin with a head which the caller has parsed already, when all of
 * that head went out: it is not parsed again.
 */
void stream_sent_head(struct thread *self, struct conn *conn, int fd, const struct http1_head *head,
		      const struct iovec *iov, size_t count, size_t size);

/* Bytes that passed without being seen (sendfile, splice). */
void stream_skip(struct conn *conn, enum stream_way way, uint64_t size);

/* The message in that direction is complete. */
void stream_done(struct conn *conn, enum stream_way way);

/* What messages this direction carries, or -1 while the role is unknown. */
int stream_kind(const struct conn *conn, enum stream_way way);

#endif
