/* seen_openssl.c - what the hooks on OpenSSL do: handshakes, and what is read and written in the
 * clear. */
#include <errno.h>

#include "preload/hook.h"
#include "preload/openssl.h"
#include "preload/stream.h"
#include "preload/tls.h"
#include "preload/tls_library.h"
#include "preload/tls_write.h"

/* SSL_read_early_data's results. */
#define EARLY_ERROR 0

static int begin(const struct caller *caller, struct tls_call *call, void *ssl, void *frame)
{
	/* What libpq sends is told by its own hooks. */
	struct thread *self = ssl && !thread_inside_libpq() ? thread_enter() : NULL;
	struct tls_session *session;
	int looked_at;

	if (!self)
		return 0;
	session = tls_find(ssl);
	if (!session)
		session = tls_open(ssl, tls_copy_of(&openssl_kind, caller));
	looked_at = session && tls_enter(call, session, frame);
	thread_leave(self);
	return looked_at;
}

/* After the real call: `size` bytes were read into `at`, if it is not NULL. */
static void finish(const struct tls_call *call, int result, const void *at, size_t size)
{
	int error = errno;
	enum tls_outcome outcome = TLS_DONE;
	struct thread *self;

	tls_leave(call);
	self = thread_enter();
	if (!self)
		return;
	if (result <= 0)
		outcome = openssl_outcome(call->session, result);
	tls_progress(self, call, outcome);
	if (result <= 0)
		tls_failed(self, call, outcome, result, error);
	else if (at && size)
		tls_received(self, call, at, size);
	thread_leave(self);
	errno = error;
}

static void forget(const void *ssl)
{
	struct thread *self = ssl ? thread_enter() : NULL;

	if (!self)
		return;
	tls_close(ssl);
	thread_leave(self);
}

void *around_SSL_new(const struct caller *caller, void *context)
{
	void *ssl = HOOK_REAL(SSL_new, caller)(context);

	/* Its memory may have been another session's, whose end was not seen. */
	forget(ssl);
	return ssl;
}

void around_SSL_free(const struct caller *caller, void *ssl)
{
	forget(ssl);
	HOOK_REAL(SSL_free, caller)(ssl);
}

int around_SSL_clear(const struct caller *caller, void *ssl)
{
	const struct tls_session *session = tls_find(ssl);

	/* A handshake begins with one, made by the library itself. */
	if (session && !tls_is_inside(session, __builtin_frame_address(0)))
		forget(ssl);
	return HOOK_REAL(SSL_clear, caller)(ssl);
}

int around_SSL_shutdown(const struct caller *caller, void *ssl)
{
	struct thread *self = thread_enter();
	struct tls_session *session = self ? tls_find(ssl) : NULL;
	struct tls_call call;

	if (session && tls_enter(&call, session, __builtin_frame_address(0))) {
		tls_leave(&call);
		tls_shut(&call);
	}
	if (self)
		thread_leave(self);
	return HOOK_REAL(SSL_shutdown, caller)(ssl);
}

/* ---- handshakes ------------------------------------------------------------------------------ */

static int handshake(const struct caller *caller, void *ssl, void *frame)
{
	int (*real)(void *) = (int (*)(void *))caller->real;
	struct tls_call call;
	int result;

	if (!begin(caller, &call, ssl, frame))
		return real(ssl);
	result = real(ssl);
	finish(&call, result, NULL, 0);
	return result;
}

int around_SSL_do_handshake(const struct caller *caller, void *ssl)
{
	return handshake(caller, ssl, __builtin_frame_address(0));
}

int around_SSL_connect(const struct caller *caller, void *ssl)
{
	return handshake(caller, ssl, __builtin_frame_address(0));
}

int around_SSL_accept(const struct caller *caller, void *ssl)
{
	return handshake(caller, ssl, __builtin_frame_address(0));
}

/* ---- bytes in -------------------------------------------------------------------------------- */

int around_SSL_read(const struct caller *caller, void *ssl, void *buf, int n)
{
	struct tls_call call;
	int result;

	if (!begin(caller, &call, ssl, __builtin_frame_address(0)))
		return HOOK_REAL(SSL_read, caller)(ssl, buf, n);
	result = HOOK_REAL(SSL_read, caller)(ssl, buf, n);
	finish(&call, result, buf, result > 0 ? (size_t)result : 0);
	return result;
}

int around_SSL_read_ex(const struct caller *caller, void *ssl, void *buf, size_t n, size_t *done)
{
	struct tls_call call;
	int result;

	if (!begin(caller, &call, ssl, __builtin_frame_address(0)))
		return HOOK_REAL(SSL_read_ex, caller)(ssl, buf, n, done);
	result = HOOK_REAL(SSL_read_ex, caller)(ssl, buf, n, done);
	finish(&call, result, buf, result > 0 ? *done : 0);
	return result;
}

int around_SSL_read_early_data(const struct caller *caller, void *ssl, void *buf, size_t n,
			       size_t *done)
{
	struct tls_call call;
	int result;

	if (!begin(caller, &call, ssl, __builtin_frame_address(0)))
		return HOOK_REAL(SSL_read_early_data, caller)(ssl, buf, n, done);
	result = HOOK_REAL(SSL_read_early_data, caller)(ssl, buf, n, done);
	finish(&call, result, buf, result == EARLY_ERROR ? 0 : *done);
	return result;
}

/* ---- bytes out ------------------------------------------------------------------------------- */

static ssize_t write_int(const struct tls_writing *writing, const void *at, size_t size)
{
	real_type_SSL_write real = (real_type_SSL_write)writing->real;

	return real(writing->call->session->handle, at, (int)size);
}

static ssize_t write_size(const struct tls_writing *writing, const void *at, size_t size)
{
	real_type_SSL_write_ex real = (real_type_SSL_write_ex)writing->real;
	size_t done = 0;
	int result = real(writing->call->session->handle, at, size, &done);

	return result > 0 ? (ssize_t)done : result;
}

/* How the call ended, with the session's mark still set. */
static ssize_t write_out(struct tls_writing *writing)
{
	ssize_t result;

	writing->partial = openssl_writes_partly(writing->call->session) != 0;
	result = tls_write(writing);
	finish(writing->call, result > 0 ? 1 : (int)result, NULL, 0);
	return result;
}

int around_SSL_write(const struct caller *caller, void *ssl, const void *buf, int n)
{
	struct tls_call call;
	struct tls_writing writing = {
		.call = &call, .at = buf, .size = (size_t)n, .write = write_int};

	if (n <= 0 || !begin(caller, &call, ssl, __builtin_frame_address(0)))
		return HOOK_REAL(SSL_write, caller)(ssl, buf, n);
	writing.real = caller->real;
	return (int)write_out(&writing);
}

static int write_ex(struct tls_writing *writing, size_t *done)
{
	ssize_t result = write_out(writing);

	if (result <= 0)
		return (int)result;
	*done = (size_t)result;
	return 1;
}

int around_SSL_write_ex(const struct caller *caller, void *ssl, const void *buf, size_t n,
			size_t *done)
{
	struct tls_call call;
	struct tls_writing writing = {.call = &call, .at = buf, .size = n, .write = write_size};

	if (!n || !begin(caller, &call, ssl, __builtin_frame_address(0)))
		return HOOK_REAL(SSL_write_ex, caller)(ssl, buf, n, done);
	writing.real = caller->real;
	return write_ex(&writing, done);
}

int around_SSL_write_early_data(const struct caller *caller, void *ssl, const void *buf, size_t n,
				size_t *done)
{
	struct tls_call call;
	struct tls_writing writing = {.call = &call, .at = buf, .size = n, .write = write_size};

	if (!n || !begin(caller, &call, ssl, __builtin_frame_address(0)))
		return HOOK_REAL(SSL_write_early_data, caller)(ssl, buf, n, done);
	writing.real = caller->real;
	/* A server limits what clients send early, and they count. */
	writing.plain = !call.session->library->is_server(call.session);
	return write_ex(&writing, done);
}

ssize_t around_SSL_sendfile(const struct caller *caller, void *ssl, int fd, off_t offset, size_t n,
			    int flags)
{
	struct thread *self;
	struct tls_call call;
	ssize_t result;

	if (!begin(caller, &call, ssl, __builtin_frame_address(0)))
		return HOOK_REAL(SSL_sendfile, caller)(ssl, fd, offset, n, flags);
	result = HOOK_REAL(SSL_sendfile, caller)(ssl, fd, offset, n, flags);
	finish(&call, result > 0 ? 1 : (int)result, NULL, 0);
	self = result > 0 ? thread_enter() : NULL;
	if (self && tls_lock(&call)) {
		stream_skip(call.conn, STREAM_OUT, (uint64_t)result);
		tls_unlock(&call);
	}
	if (self)
		thread_leave(self);
	return result;
}
