/* tls_library.h - what is asked of a TLS library, whichever it is. */
#ifndef TAGALONG_TLS_LIBRARY_H
#define TAGALONG_TLS_LIBRARY_H

/* Each kind of library, and each copy of it, has one of its own; called in the guard of re-entry.
 */

#include <stdint.h>

#define TLS_RANDOM_SIZE 32

struct tls_session;

/* What is asked of a library's copy. Nothing in it changes the session, nor the error queue. */
struct tls_library {
	/* 1 once the handshake is complete. */
	int (*established)(const struct tls_session *session);
	/* Fills in version, protocol, server_name and resumed. */
	void (*describe)(struct tls_session *session);
	/* The descriptor that it reads from, or -1. */
	int (*descriptor)(const struct tls_session *session);
	/* The client's random of the ClientHello; 0, or -1: not known (yet). */
	int (*client_random)(const struct tls_session *session, uint8_t out[TLS_RANDOM_SIZE]);
	int (*is_server)(const struct tls_session *session);
	/* Why the last call failed, in words of the library; NULL: not known. */
	const char *(*why)(const struct tls_session *session, long result);
};

#endif
