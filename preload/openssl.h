/* openssl.h - what is asked of a copy of OpenSSL that the process has. */
#ifndef TAGALONG_OPENSSL_H
#define TAGALONG_OPENSSL_H

/*
 * Versions 1.1 and 3, and what is built like them. Its own headers are not used: a process may hold
 * several versions, and all that is needed are these few functions on opaque pointers. Their names
 * are the library's. None changes a session or the thread's error queue.
 */

#include <stddef.h>
#include <stdint.h>

#include "preload/caller.h"
#include "preload/tls.h"

struct openssl {
	struct tls_library library;
	int (*get_error)(const void *ssl, int result);
	int (*is_init_finished)(const void *ssl);
	int (*is_server)(const void *ssl);
	int (*version)(const void *ssl);
	long (*ctrl)(void *ssl, int command, long number, void *pointer);
	/* The rest may be missing. */
	int (*get_rfd)(const void *ssl);
	int (*session_reused)(const void *ssl);
	size_t (*get_client_random)(const void *ssl, unsigned char *out, size_t size);
	const char *(*get_servername)(const void *ssl, int type);
	void (*get0_alpn_selected)(const void *ssl, const unsigned char **at, unsigned *size);
	unsigned long (*peek_last_error)(void);
	const char *(*reason_error_string)(unsigned long error);
};

/* The copy that a place calls; NULL: too many, or it lacks a function. In the guard, any thread. */
const struct tls_library *openssl_of(const struct caller *caller);

/* What a call that returned `result`, 0 or less, means. */
enum tls_outcome openssl_outcome(const struct tls_session *session, int result);

/* 1 if the program takes less than it asked to write as a success. */
int openssl_writes_partly(const struct tls_session *session);

#endif
