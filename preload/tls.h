/* tls.h - encrypted sessions: the clear text of each is a connection of its own. */
#ifndef TAGALONG_TLS_H
#define TAGALONG_TLS_H

/*
 * A session is known by the pointer that the library gave to the program (SSL, gnutls_session_t).
 * What it reads and writes in the clear goes through a struct conn that no descriptor leads to; the
 * socket below it is forgotten as soon as it is known, so that ciphertext is never looked at.
 *
 * Sessions live in a pool. A library's session is used by one thread at a time, or by one reader
 * and one writer (GnuTLS); the writer alone touches `writer`.
 */

#include <stddef.h>
#include <stdint.h>

#include "preload/conn.h"
#include "preload/exchange.h"
#include "preload/thread.h"
#include "preload/tls_write.h"

struct tls_library;

struct tls_session {
	uint32_t free_link; /* of the pool */
	uint32_t index;
	void *handle; /* the library's pointer */
	const struct tls_library *library;
	uint32_t conn;       /* of the clear text; 0: not looked at any more */
	uint8_t carried;     /* the socket below it is known */
	uint8_t established; /* the handshake is complete */
	uint8_t described;   /* the fields below are filled in */
	uint8_t failed;      /* its handshake failed, and that was told */
	uint8_t resumed;     /* from an earlier session */
	/* Of a library that can't be asked (GnuTLS): as its calls have told. */
	uint8_t is_server;
	uint8_t completed;     /* a handshake */
	uint8_t corked;        /* the program collects what it sends */
	uint8_t protocol_size; /* ALPN; 0: none */
	uint8_t server_name_size;
	uint32_t handshake_us; /* for the next span to tell, then 0 */
	uint64_t since_ns;     /* first call of the handshake */
	char version[4];       /* "1.3"; "": not known */
	char protocol[16];
	char server_name[128];
	struct tls_writer writer;
};

/* One call of the program into the library; between tls_enter and tls_leave the real one runs. */
struct tls_call {
	struct tls_session *session;
	struct conn *conn;   /* of the session */
	uint32_t generation; /* of the connection */
	uint32_t outer;      /* the call around it: a session carried by another one */
	uintptr_t outer_frame;
};

enum tls_outcome {
	TLS_DONE,
	TLS_AGAIN,  /* the program is to call again */
	TLS_END,    /* the peer has said good-bye */
	TLS_BROKEN, /* end of file, or an errno */
	TLS_FAILED, /* the library's own refusal, or an alert */
};

/* Reserves the pool; 0 or -errno. */
int tls_init(void);

/* The session of a library's pointer, or NULL. Any thread, lock-free. */
struct tls_session *tls_find(const void *handle);

/*
 * A new session, in the guard of re-entry; NULL: the ceiling is reached (counted), or the process
 * has no slot yet.
 */
struct tls_session *tls_open(void *handle, const struct tls_library *library);

/* In the guard. The library's pointer is free, or used anew: what is in flight is closed by the
 * program. */
void tls_close(const void *handle);

struct tls_session *tls_at(uint32_t index);

/*
 * A call into the library begins, in the hook whose frame address is given; in the guard. 0: it is
 * not to be looked at, for the session is not understood, or the library itself calls, inside
 * another call of the same session. Then nothing below may be called.
 */
int tls_enter(struct tls_call *call, struct tls_session *session, void *frame);

/* 1: the hook with that frame was called by the library, inside a call of the same session. */
int tls_is_inside(const struct tls_session *session, const void *frame);

/* The real call has returned. */
void tls_leave(const struct tls_call *call);

/* The connection of a call, locked; NULL: it is not looked at any more. */
struct conn *tls_lock(const struct tls_call *call);
void tls_unlock(const struct tls_call *call);

/*
 * What came of it, in the guard, after tls_leave. First tls_progress: it sees how far the handshake
 * is. Then bytes that were read, or why there are none: `result` is the library's, `error` errno.
 */
void tls_progress(struct thread *self, const struct tls_call *call, enum tls_outcome outcome);
void tls_received(struct thread *self, const struct tls_call *call, const void *at, size_t size);
void tls_failed(struct thread *self, const struct tls_call *call, enum tls_outcome outcome,
		long result, int error);

/* The program sends no more. In the guard. */
void tls_shut(const struct tls_call *call);

/* Fields and flags of a span on an encrypted connection, one with conn->tls set. */
void tls_describe(struct exchange *exchange, const struct conn *conn);

#endif
