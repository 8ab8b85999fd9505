/* gnutls.c - what is asked of a copy of GnuTLS. */
#include "preload/gnutls.h"

#include <string.h>

/* Numbers of its headers; they have never changed. */
#define E_FATAL_ALERT         (-12)
#define E_AGAIN               (-28)
#define E_INTERRUPTED         (-52)
#define E_PUSH                (-53)
#define E_PULL                (-54)
#define E_PREMATURE_TERMINATE (-110)
#define E_SESSION_EOF         (-328)
#define VERSION_TLS1_0        2
#define VERSION_TLS1_3        5
#define NAME_TYPE_HOST        1
#define DESCRIPTORS           (1u << 20) /* no pointer is as small as the largest descriptor */

static const struct gnutls *gnutls(const struct tls_session *session)
{
	return &tls_copy(session)->gnutls;
}

static int established(const struct tls_session *session)
{
	return session->completed;
}

static int is_server(const struct tls_session *session)
{
	return session->is_server;
}

/* A program's own transport may be anything, a pointer most often. */
static int descriptor(const struct tls_session *session)
{
	uintptr_t transport = DESCRIPTORS;

	if (gnutls(session)->transport_get_ptr)
		transport = (uintptr_t)gnutls(session)->transport_get_ptr(session->handle);
	return transport && transport < DESCRIPTORS ? (int)transport : -1;
}

static int client_random(const struct tls_session *session, uint8_t out[TLS_RANDOM_SIZE])
{
	struct gnutls_datum client = {NULL, 0};
	struct gnutls_datum server = {NULL, 0};

	if (gnutls(session)->session_get_random)
		gnutls(session)->session_get_random(session->handle, &client, &server);
	if (client.size != TLS_RANDOM_SIZE)
		return -1;
	memcpy(out, client.data, TLS_RANDOM_SIZE);
	return 0;
}

static void describe(struct tls_session *session)
{
	const struct gnutls *library = gnutls(session);
	int version = library->protocol_get_version(session->handle);
	struct gnutls_datum protocol = {NULL, 0};
	size_t size = sizeof(session->server_name);
	unsigned type = 0;

	if (version >= VERSION_TLS1_0 && version <= VERSION_TLS1_3) {
		memcpy(session->version, "1.0", 4);
		session->version[2] = (char)('0' + version - VERSION_TLS1_0);
	}
	if (library->alpn_get_selected_protocol &&
	    library->alpn_get_selected_protocol(session->handle, &protocol) == 0 &&
	    protocol.size <= sizeof(session->protocol)) {
		memcpy(session->protocol, protocol.data, protocol.size);
		session->protocol_size = (uint8_t)protocol.size;
	}
	/* Of a client it knows what was set, but does not tell. */
	if (session->is_server && library->server_name_get &&
	    library->server_name_get(session->handle, session->server_name, &size, &type, 0) == 0 &&
	    type == NAME_TYPE_HOST)
		session->server_name_size =
			(uint8_t)strnlen(session->server_name, sizeof(session->server_name));
	session->resumed =
		library->session_is_resumed && library->session_is_resumed(session->handle) != 0;
}

static const char *why(const struct tls_session *session, long result)
{
	const struct gnutls *library = gnutls(session);
	const char *alert = NULL;

	if (result == E_FATAL_ALERT && library->alert_get && library->alert_get_name)
		alert = library->alert_get_name(library->alert_get(session->handle));
	if (alert || !library->strerror)
		return alert;
	return library->strerror((int)result);
}

enum tls_outcome gnutls_outcome(const struct tls_session *session, long result)
{
	switch (result) {
	case 0:
	case E_SESSION_EOF:
		return TLS_END;
	case E_PUSH:
	case E_PULL:
	case E_PREMATURE_TERMINATE:
		return TLS_BROKEN;
	default:
		return gnutls(session)->error_is_fatal((int)result) ? TLS_FAILED : TLS_AGAIN;
	}
}

int gnutls_kept(ssize_t result)
{
	return result == E_AGAIN || result == E_INTERRUPTED;
}

static const char *const names[] = {
	"gnutls_error_is_fatal",
	"gnutls_protocol_get_version",
	"gnutls_transport_get_ptr",
	"gnutls_session_is_resumed",
	"gnutls_session_get_random",
	"gnutls_server_name_get",
	"gnutls_alpn_get_selected_protocol",
	"gnutls_packet_get",
	"gnutls_alert_get",
	"gnutls_alert_get_name",
	"gnutls_strerror",
};

_Static_assert(sizeof(names) / sizeof(names[0]) * sizeof(void *) == sizeof(struct gnutls),
	       "a name for each function");

const struct tls_kind gnutls_kind = {
	.library = {established, describe, descriptor, client_random, is_server, why},
	.names = names,
	.count = sizeof(names) / sizeof(names[0]),
	.needed = 2,
};
