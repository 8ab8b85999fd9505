/* node_tls.h - what Node.js reads and writes over TLS, as its script tells. */
#ifndef TAGALONG_NODE_TLS_H
#define TAGALONG_NODE_TLS_H

/*
 * Its OpenSSL is a part of the program, out of reach of the hooks. Each socket gets a session of
 * its own, see tls.h. A handle is never used twice, so one that is closed stays harmless. All in
 * the thread of the socket's event loop; each enters the guard of re-entry itself.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "preload/exchange.h"
#include "preload/rewrite.h"
#include "preload/runtime.h"

/* What came of a handshake, in Node's words: "TLSv1.3", "http/1.1", "localhost". "": not known. */
struct node_tls_facts {
	char version[16];
	char protocol[32];
	char server_name[128];
	uint8_t resumed;
};

/* What is to be written instead of bytes that the program writes. */
struct node_tls_text {
	struct rewrite plan;
	struct iovec pieces[1 + REWRITE_VECTORS]; /* in the program's bytes, `plan` and `added` */
	size_t count;                             /* 0: they are written as they are */
	size_t size;
	char added[EXCHANGE_ADDED_MAX];
};

/*
 * A session on the socket `fd` (-1: none). `is_complete`: its handshake is over, and its time is
 * not known. NULL: it is not to be told of.
 */
void *node_tls_open(int fd, int is_server, int is_complete);

/* The handshake is over. */
void node_tls_secured(void *handle, const struct node_tls_facts *facts);

/* Bytes that were read; NULL: the peer sends no more. 0: nothing more needs to be told. */
int node_tls_read(void *handle, const void *at, size_t size);

/* Bytes that are about to be written, which will be. 0: nothing more needs to be told. */
int node_tls_write(void *handle, const void *at, size_t size, struct node_tls_text *text);

/* As runtime_take. */
int node_tls_take(void *handle, struct runtime_context *out);

/*
 * The socket is closed: by the program, by an errno, or, with `why`, by a refusal of the library or
 * of the program's checks.
 */
void node_tls_close(void *handle, int error, const char *why);

#endif
