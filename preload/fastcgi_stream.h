/* fastcgi_stream.h - connections that speak FastCGI: their bytes become messages. */
#ifndef TAGALONG_FASTCGI_STREAM_H
#define TAGALONG_FASTCGI_STREAM_H

/* As stream.h: all with the connection locked, bytes that were really received or sent. */

#include <stddef.h>
#include <stdint.h>

#include "preload/conn.h"
#include "preload/stream.h"
#include "preload/thread.h"

/*
 * Looks at the first bytes of a connection: 1: FastCGI, conn->fastcgi and the role are set; 0: not;
 * -2: too few to tell.
 */
int fastcgi_detect(struct conn *conn, enum stream_way way, const char *at, size_t size);

/* Takes bytes in that direction; returns how many, always at least one. */
size_t fastcgi_bytes(struct thread *self, struct conn *conn, int fd, enum stream_way way,
		     const char *at, size_t size);

/* As above for bytes that are gathered already, all but `before` of them new. */
size_t fastcgi_gathered(struct thread *self, struct conn *conn, int fd, enum stream_way way,
			size_t before);

/* A request's beginning is out, or was read, whole. */
void fastcgi_head_done(struct thread *self, struct conn *conn, int fd, enum stream_way way,
		       const struct http1_head *head);

/* Bytes that passed without being seen. */
void fastcgi_skip(struct conn *conn, enum stream_way way, uint64_t size);

#endif
