/* openssl.c - what is asked of a copy of OpenSSL. */
#include "preload/openssl.h"

#include <string.h>

/* Numbers of its headers; they have never changed. */
#define ERROR_SSL          1
#define ERROR_SYSCALL      5
#define ERROR_ZERO_RETURN  6
#define CTRL_MODE          33
#define MODE_PARTIAL_WRITE 1
#define NAME_TYPE_HOST     0
#define VERSION_1_0        0x0301
#define VERSION_1_3        0x0304
#define REASON(error)      ((error)&0x7fffff)
#define REASON_END_OF_FILE 294 /* version 3 calls an end of file an error of the protocol */

static const struct openssl *openssl(const struct tls_session *session)
{
	return &tls_copy(session)->openssl;
}

static int established(const struct tls_session *session)
{
	return openssl(session)->is_init_finished(session->handle);
}

static int is_server(const struct tls_session *session)
{
	return openssl(session)->is_server(session->handle);
}

static int descriptor(const struct tls_session *session)
{
	return openssl(session)->get_rfd ? openssl(session)->get_rfd(session->handle) : -1;
}

static int client_random(const struct tls_session *session, uint8_t out[TLS_RANDOM_SIZE])
{
	const struct openssl *library = openssl(session);

	if (!library->get_client_random ||
	    library->get_client_random(session->handle, out, TLS_RANDOM_SIZE) != TLS_RANDOM_SIZE)
		return -1;
	return 0;
}

static void describe(struct tls_session *session)
{
	const struct openssl *library = openssl(session);
	int version = library->version(session->handle);
	const unsigned char *protocol = NULL;
	unsigned size = 0;
	const char *name;

	if (version >= VERSION_1_0 && version <= VERSION_1_3) {
		memcpy(session->version, "1.0", 4);
		session->version[2] = (char)('0' + version - VERSION_1_0);
	}
	if (library->get0_alpn_selected)
		library->get0_alpn_selected(session->handle, &protocol, &size);
	if (protocol && size <= sizeof(session->protocol)) {
		memcpy(session->protocol, protocol, size);
		session->protocol_size = (uint8_t)size;
	}
	name = library->get_servername ? library->get_servername(session->handle, NAME_TYPE_HOST)
				       : NULL;
	if (name) {
		session->server_name_size = (uint8_t)strnlen(name, sizeof(session->server_name));
		memcpy(session->server_name, name, session->server_name_size);
	}
	session->resumed = library->session_reused && library->session_reused(session->handle) == 1;
}

static const char *why(const struct tls_session *session, long result)
{
	const struct openssl *library = openssl(session);

	(void)result;
	if (!library->peek_last_error || !library->reason_error_string)
		return NULL;
	return library->reason_error_string(library->peek_last_error());
}

enum tls_outcome openssl_outcome(const struct tls_session *session, int result)
{
	const struct openssl *library = openssl(session);

	switch (library->get_error(session->handle, result)) {
	case ERROR_ZERO_RETURN:
		return TLS_END;
	case ERROR_SYSCALL:
		return TLS_BROKEN;
	case ERROR_SSL:
		if (library->peek_last_error &&
		    REASON(library->peek_last_error()) == REASON_END_OF_FILE)
			return TLS_BROKEN;
		return TLS_FAILED;
	default:
		return TLS_AGAIN;
	}
}

int openssl_writes_partly(const struct tls_session *session)
{
	return openssl(session)->ctrl(session->handle, CTRL_MODE, 0, NULL) & MODE_PARTIAL_WRITE;
}

static const char *const names[] = {
	"SSL_get_error",
	"SSL_is_init_finished",
	"SSL_is_server",
	"SSL_version",
	"SSL_ctrl",
	"SSL_get_rfd",
	"SSL_session_reused",
	"SSL_get_client_random",
	"SSL_get_servername",
	"SSL_get0_alpn_selected",
	"ERR_peek_last_error",
	"ERR_reason_error_string",
};

_Static_assert(sizeof(names) / sizeof(names[0]) * sizeof(void *) == sizeof(struct openssl),
	       "a name for each function");

const struct tls_kind openssl_kind = {
	.library = {established, describe, descriptor, client_random, is_server, why},
	.names = names,
	.count = sizeof(names) / sizeof(names[0]),
	.needed = 5,
};
