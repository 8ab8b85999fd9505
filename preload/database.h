/* database.h - connections of clients to databases: which protocol, and its bytes in order. */
#ifndef TAGALONG_DATABASE_H
#define TAGALONG_DATABASE_H

/*
 * The state of such a connection: a parser (wire.h) and what it told so far (operation.h). All
 * under the lock of the connection. Requests are looked at before they are sent, for the answer may
 * be read by another thread before the call that sends them returns; how much of them the kernel
 * took is told afterwards. What can't be understood makes the connection opaque.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "preload/conn.h"
#include "preload/thread.h"
#include "preload/wire.h"

/* Reserves the pool; 0 or -errno. */
int databases_init(void);

/*
 * Looks at the first bytes of a connection that the program sends (WIRE_REQUEST) or receives
 * (WIRE_REPLY). 1: a database's, conn->database is set and the role is client; 0: not; -2: too few
 * to tell.
 */
int database_detect(struct conn *conn, enum wire_way way, const char *at, size_t size);

/* Bytes that the program is about to send; those that were looked at before are passed over. */
void database_requests(struct thread *self, struct conn *conn, int fd, const struct iovec *iov,
		       size_t count);

/* The kernel took that many bytes of them. */
void database_sent(struct conn *conn, size_t size);

/* Bytes that were read. */
void database_replies(struct thread *self, struct conn *conn, int fd, const char *at, size_t size);

/* The clear text goes on in another connection, which takes the state over. */
void database_move(struct conn *from, struct conn *to);

/* The end is near: open operations get what is known of them. */
void database_close(struct conn *conn);

/* Gives the state back, if there is one. */
void database_free(struct conn *conn);

#endif
