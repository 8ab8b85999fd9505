/* tls_copy.h - the copies of TLS libraries that the process has, and their functions that we ask.
 */
#ifndef TAGALONG_TLS_COPY_H
#define TAGALONG_TLS_COPY_H

/*
 * The libraries' own headers are not used: a process may hold several versions, and all that is
 * needed are these few functions on opaque pointers, named as the library names them. None of them
 * changes a session or the thread's error queue.
 */

#include <stddef.h>

#include "preload/caller.h"
#include "preload/tls.h"

struct openssl {
	int (*SSL_get_error)(const void *ssl, int result);
	int (*SSL_is_init_finished)(const void *ssl);
	int (*SSL_is_server)(const void *ssl);
	int (*SSL_version)(const void *ssl);
	long (*SSL_ctrl)(void *ssl, int command, long number, void *pointer);
	/* The rest may be missing. */
	int (*SSL_get_rfd)(const void *ssl);
	int (*SSL_session_reused)(const void *ssl);
	size_t (*SSL_get_client_random)(const void *ssl, unsigned char *out, size_t size);
	const char *(*SSL_get_servername)(const void *ssl, int type);
	void (*SSL_get0_alpn_selected)(const void *ssl, const unsigned char **at, unsigned *size);
	unsigned long (*ERR_peek_last_error)(void);
	const char *(*ERR_reason_error_string)(unsigned long error);
};

struct gnutls_datum {
	unsigned char *data;
	unsigned size;
};

struct gnutls {
	int (*gnutls_error_is_fatal)(int error);
	int (*gnutls_protocol_get_version)(void *session);
	/* The rest may be missing. */
	void *(*gnutls_transport_get_ptr)(void *session);
	int (*gnutls_session_is_resumed)(void *session);
	void (*gnutls_session_get_random)(void *session, struct gnutls_datum *client,
					  struct gnutls_datum *server);
	int (*gnutls_server_name_get)(void *session, void *out, size_t *size, unsigned *type,
				      unsigned index);
	int (*gnutls_alpn_get_selected_protocol)(void *session, struct gnutls_datum *out);
	void (*gnutls_packet_get)(void *packet, struct gnutls_datum *out, unsigned char *sequence);
	int (*gnutls_alert_get)(void *session);
	const char *(*gnutls_alert_get_name)(int alert);
	const char *(*gnutls_strerror)(int error);
};

struct tls_copy {
	struct tls_library library; /* first: a session's library is a copy's */
	union {
		void *functions[12];
		struct openssl openssl;
		struct gnutls gnutls;
	};
};

/* What all copies of one library have in common. */
struct tls_kind {
	struct tls_library library;
	const char *const *names; /* of the functions above, in their order */
	size_t count;
	size_t needed; /* the first of them, without which a copy is of no use */
};

static inline const struct tls_copy *tls_copy(const struct tls_session *session)
{
	return (const struct tls_copy *)session->library;
}

/*
 * The copy that a place calls; NULL: there are too many, or it lacks a function. In the guard of
 * re-entry, any thread. Slow at a place's first call.
 */
const struct tls_library *tls_copy_of(const struct tls_kind *kind, const struct caller *caller);

#endif
