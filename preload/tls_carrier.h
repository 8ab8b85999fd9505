/* tls_carrier.h - which socket is below an encrypted session? */
#ifndef TAGALONG_TLS_CARRIER_H
#define TAGALONG_TLS_CARRIER_H

/*
 * While a library's function runs, the thread is inside its session: a socket that a handshake
 * record moves on then is the session's. A program that moves the bytes itself (memory BIOs) is
 * told by the client's random: seen in the ClientHello on a socket, and asked of the library.
 */

#include <stddef.h>
#include <stdint.h>

#include "preload/conn.h"
#include "preload/thread.h"
#include "preload/tls.h"

/* What a handshake record begins with. */
#define TLS_HANDSHAKE 0x16

/*
 * The first bytes of a read or write on a socket, with `carrier` locked, begin with TLS_HANDSHAKE.
 * 1: it carries an encrypted session and nothing else from now on; the caller forgets it
 * (ROLE_OPAQUE). 0: it may be anything.
 */
int tls_carries(struct thread *self, struct conn *carrier, int fd, const uint8_t *at, size_t size);

/*
 * Before the first clear text: looks for the socket of a session that none was seen for. In the
 * guard, nothing locked.
 */
void tls_find_carrier(const struct tls_call *call);

/*
 * The clear text `conn` is carried by `carrier`: takes over its addresses, and the context that it
 * was connected in. With the carrier locked.
 */
void tls_associate(struct conn *conn, struct conn *carrier);

#endif
