/* openssl.c - what is asked of a copy of OpenSSL that the process has. */
#include "preload/openssl.h"

#include <stdatomic.h>
#include <string.h>

#define COPIES 16
#define PLACES 64

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
	return (const struct openssl *)session->library;
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

/* ---- copies -----------------------------------------------------------------------------------
 */

static struct openssl copies[COPIES];
static _Atomic uint32_t copy_count;

/* What was found for a real function. */
static struct {
	_Atomic(void *) real; /* NULL: empty; stored last */
	_Atomic uint32_t epoch;
	const struct openssl *copy;
} places[PLACES];
static _Atomic uint32_t place_count;

static int resolve(const struct caller *caller, struct openssl *to)
{
	const struct {
		const char *name;
		void *to;
		int is_needed;
	} functions[] = {
		{"SSL_get_error", &to->get_error, 1},
		{"SSL_is_init_finished", &to->is_init_finished, 1},
		{"SSL_is_server", &to->is_server, 1},
		{"SSL_version", &to->version, 1},
		{"SSL_ctrl", &to->ctrl, 1},
		{"SSL_get_rfd", &to->get_rfd, 0},
		{"SSL_session_reused", &to->session_reused, 0},
		{"SSL_get_client_random", &to->get_client_random, 0},
		{"SSL_get_servername", &to->get_servername, 0},
		{"SSL_get0_alpn_selected", &to->get0_alpn_selected, 0},
		{"ERR_peek_last_error", &to->peek_last_error, 0},
		{"ERR_reason_error_string", &to->reason_error_string, 0},
	};

	memset(to, 0, sizeof(*to));
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *found = caller_sibling(caller, functions[i].name);

		if (!found && functions[i].is_needed)
			return -1;
		memcpy(functions[i].to, &found, sizeof(found));
	}
	to->library = (struct tls_library){established,   describe,  descriptor,
					   client_random, is_server, why};
	return 0;
}

/* The same functions are the same copy; two threads may add it twice, which does no harm. */
static const struct openssl *add_copy(const struct openssl *from)
{
	uint32_t count = atomic_load(&copy_count);

	for (uint32_t i = 0; i < count && i < COPIES; i++)
		if (memcmp(&copies[i], from, sizeof(*from)) == 0)
			return &copies[i];
	count = atomic_fetch_add(&copy_count, 1);
	if (count >= COPIES) {
		atomic_store(&copy_count, COPIES);
		return NULL;
	}
	copies[count] = *from;
	return &copies[count];
}

static const struct openssl *known(const struct caller *caller, uint32_t epoch)
{
	for (uint32_t i = 0; i < PLACES; i++)
		if (atomic_load_explicit(&places[i].real, memory_order_acquire) == caller->real &&
		    atomic_load_explicit(&places[i].epoch, memory_order_relaxed) == epoch)
			return places[i].copy;
	return NULL;
}

static void remember(const struct caller *caller, uint32_t epoch, const struct openssl *copy)
{
	uint32_t at = atomic_fetch_add(&place_count, 1);

	if (at >= PLACES) {
		atomic_store(&place_count, PLACES);
		return;
	}
	places[at].copy = copy;
	atomic_store_explicit(&places[at].epoch, epoch, memory_order_relaxed);
	atomic_store_explicit(&places[at].real, caller->real, memory_order_release);
}

const struct tls_library *openssl_of(const struct caller *caller)
{
	uint32_t epoch = atomic_load_explicit(&caller->epoch, memory_order_relaxed);
	const struct openssl *copy = known(caller, epoch);
	struct openssl fresh;

	if (!copy && resolve(caller, &fresh) == 0) {
		copy = add_copy(&fresh);
		if (copy)
			remember(caller, epoch, copy);
	}
	return copy ? &copy->library : NULL;
}
