/* tls_copy.h - the copies of TLS libraries that the process has, and their functions that we ask.
 */
#ifndef TAGALONG_TLS_COPY_H
#define TAGALONG_TLS_COPY_H

/*
 * The libraries' own headers are not used: a process may hold several versions, and all that is
 * needed are these few functions on opaque pointers, named as the library does without its prefix.
 * None of them changes a session or the thread's error queue.
 */

#include <stddef.h>

#include "preload/caller.h"
#include "preload/tls.h"
#include "preload/tls_library.h"

struct openssl {
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

struct gnutls_datum {
	unsigned char *data;
	unsigned size;
};

struct gnutls {
	int (*error_is_fatal)(int error);
	int (*protocol_get_version)(void *session);
	/* The rest may be missing. */
	void *(*transport_get_ptr)(void *session);
	int (*session_is_resumed)(void *session);
	void (*session_get_random)(void *session, struct gnutls_datum *client,
				   struct gnutls_datum *server);
	int (*server_name_get)(void *session, void *out, size_t *size, unsigned *type,
			       unsigned index);
	int (*alpn_get_selected_protocol)(void *session, struct gnutls_datum *out);
	void (*packet_get)(void *packet, struct gnutls_datum *out, unsigned char *sequence);
	int (*alert_get)(void *session);
	const char *(*alert_get_name)(int alert);
	const char *(*strerror)(int error);
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
