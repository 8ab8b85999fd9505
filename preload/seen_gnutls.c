/* seen_gnutls.c - what the hooks on GnuTLS do: handshakes, and what is read and written in the
 * clear. */
#include <errno.h>

#include "preload/gnutls.h"
#include "preload/hook.h"
#include "preload/stream.h"
#include "preload/tls.h"
#include "preload/tls_write.h"

/* Flags of gnutls_init. */
#define FLAG_SERVER   1u
#define FLAG_DATAGRAM 4u

static int begin(const struct caller *caller, struct tls_call *call, void *handle, void *frame,
		 int is_record)
{
	struct thread *self = handle && !thread_inside_libpq() ? thread_enter() : NULL;
	struct tls_session *session;
	int looked_at;

	if (!self)
		return 0;
	session = tls_find(handle);
	if (!session)
		session = tls_open(handle, tls_copy_of(&gnutls_kind, caller));
	/* Records follow a handshake, which may have gone by before we could see it. */
	if (session && is_record && !session->since_ns)
		session->established = 1;
	looked_at = session && tls_enter(call, session, frame);
	thread_leave(self);
	return looked_at;
}

/* After the real call: `size` bytes were read into `at`, if it is not NULL. */
static void finish(const struct tls_call *call, enum tls_outcome outcome, long result,
		   const void *at, size_t size)
{
	int error = errno;
	struct thread *self;

	tls_leave(call);
	self = thread_enter();
	if (!self)
		return;
	tls_progress(self, call, outcome);
	if (outcome != TLS_DONE)
		tls_failed(self, call, outcome, result, error);
	else if (at && size)
		tls_received(self, call, at, size);
	thread_leave(self);
	errno = error;
}

static void forget(const void *handle)
{
	struct thread *self = handle ? thread_enter() : NULL;

	if (!self)
		return;
	tls_close(handle);
	thread_leave(self);
}

int around_gnutls_init(const struct caller *caller, void **handle, unsigned flags)
{
	int result = HOOK_REAL(gnutls_init, caller)(handle, flags);
	struct thread *self = result < 0 || thread_inside_libpq() ? NULL : thread_enter();
	struct tls_session *session = NULL;

	if (!self)
		return result;
	/* Its memory may have been another session's, whose end was not seen. */
	tls_close(*handle);
	if (!(flags & FLAG_DATAGRAM))
		session = tls_open(*handle, tls_copy_of(&gnutls_kind, caller));
	if (session)
		session->is_server = (uint8_t)(flags & FLAG_SERVER);
	thread_leave(self);
	return result;
}

void around_gnutls_deinit(const struct caller *caller, void *handle)
{
	forget(handle);
	HOOK_REAL(gnutls_deinit, caller)(handle);
}

int around_gnutls_handshake(const struct caller *caller, void *handle)
{
	struct tls_call call;
	int result;

	if (!begin(caller, &call, handle, __builtin_frame_address(0), 0))
		return HOOK_REAL(gnutls_handshake, caller)(handle);
	result = HOOK_REAL(gnutls_handshake, caller)(handle);
	call.session->completed |= result == 0;
	finish(&call, result ? gnutls_outcome(call.session, result) : TLS_DONE, result, NULL, 0);
	return result;
}

int around_gnutls_bye(const struct caller *caller, void *handle, int how)
{
	struct thread *self = thread_enter();
	struct tls_session *session = self ? tls_find(handle) : NULL;
	struct tls_call call;

	if (session && tls_enter(&call, session, __builtin_frame_address(0))) {
		tls_leave(&call);
		tls_shut(&call);
	}
	if (self)
		thread_leave(self);
	return HOOK_REAL(gnutls_bye, caller)(handle, how);
}

/* ---- bytes in -------------------------------------------------------------------------------- */

static void read_done(const struct tls_call *call, ssize_t result, const void *at)
{
	finish(call, result > 0 ? TLS_DONE : gnutls_outcome(call->session, result), result, at,
	       result > 0 ? (size_t)result : 0);
}

ssize_t around_gnutls_record_recv(const struct caller *caller, void *handle, void *buf, size_t n)
{
	struct tls_call call;
	ssize_t result;

	if (!begin(caller, &call, handle, __builtin_frame_address(0), 1))
		return HOOK_REAL(gnutls_record_recv, caller)(handle, buf, n);
	result = HOOK_REAL(gnutls_record_recv, caller)(handle, buf, n);
	read_done(&call, result, buf);
	return result;
}

ssize_t around_gnutls_record_recv_seq(const struct caller *caller, void *handle, void *buf,
				      size_t n, unsigned char *sequence)
{
	struct tls_call call;
	ssize_t result;

	if (!begin(caller, &call, handle, __builtin_frame_address(0), 1))
		return HOOK_REAL(gnutls_record_recv_seq, caller)(handle, buf, n, sequence);
	result = HOOK_REAL(gnutls_record_recv_seq, caller)(handle, buf, n, sequence);
	read_done(&call, result, buf);
	return result;
}

ssize_t around_gnutls_record_recv_packet(const struct caller *caller, void *handle, void **packet)
{
	struct gnutls_datum datum = {NULL, 0};
	struct tls_call call;
	ssize_t result;

	if (!begin(caller, &call, handle, __builtin_frame_address(0), 1))
		return HOOK_REAL(gnutls_record_recv_packet, caller)(handle, packet);
	result = HOOK_REAL(gnutls_record_recv_packet, caller)(handle, packet);
	if (result > 0 && tls_copy(call.session)->gnutls.packet_get)
		tls_copy(call.session)->gnutls.packet_get(*packet, &datum, NULL);
	read_done(&call, result, datum.data);
	return result;
}

/* What came before the handshake was complete, which the program asks for apart. */
ssize_t around_gnutls_record_recv_early_data(const struct caller *caller, void *handle, void *buf,
					     size_t n)
{
	struct tls_call call;
	ssize_t result;

	if (!begin(caller, &call, handle, __builtin_frame_address(0), 0))
		return HOOK_REAL(gnutls_record_recv_early_data, caller)(handle, buf, n);
	result = HOOK_REAL(gnutls_record_recv_early_data, caller)(handle, buf, n);
	finish(&call, result > 0 ? TLS_DONE : TLS_AGAIN, result, buf,
	       result > 0 ? (size_t)result : 0);
	return result;
}

/* ---- bytes out ------------------------------------------------------------------------------- */

static void written(const struct tls_call *call, ssize_t result)
{
	finish(call, result > 0 ? TLS_DONE : gnutls_outcome(call->session, result), result, NULL,
	       0);
}

/* It takes one record a call, so that programs take less than they asked for as a success. */
static ssize_t write_out(struct tls_writing *writing)
{
	ssize_t result;

	writing->partial = 1;
	writing->kept = gnutls_kept;
	/* What was collected is counted when it is let go, so nothing of ours may be among it. */
	writing->plain |= writing->call->session->corked;
	result = tls_write(writing);
	written(writing->call, result);
	return result;
}

static ssize_t send_record(const struct tls_writing *writing, const void *at, size_t size)
{
	real_type_gnutls_record_send real = (real_type_gnutls_record_send)writing->real;

	return real(writing->call->session->handle, at, size);
}

ssize_t around_gnutls_record_send(const struct caller *caller, void *handle, const void *buf,
				  size_t n)
{
	struct tls_call call;
	struct tls_writing writing = {.call = &call, .at = buf, .size = n, .write = send_record};

	if (!begin(caller, &call, handle, __builtin_frame_address(0), 1))
		return HOOK_REAL(gnutls_record_send, caller)(handle, buf, n);
	writing.real = caller->real;
	return write_out(&writing);
}

struct padded {
	struct tls_writing writing;
	size_t pad;
	unsigned flags;
};

static ssize_t send_padded(const struct tls_writing *writing, const void *at, size_t size)
{
	const struct padded *padded = (const struct padded *)writing;
	real_type_gnutls_record_send2 real = (real_type_gnutls_record_send2)writing->real;

	return real(writing->call->session->handle, at, size, padded->pad, padded->flags);
}

ssize_t around_gnutls_record_send2(const struct caller *caller, void *handle, const void *buf,
				   size_t n, size_t pad, unsigned flags)
{
	struct tls_call call;
	struct padded padded = {
		.writing = {.call = &call, .at = buf, .size = n, .write = send_padded},
		.pad = pad,
		.flags = flags};

	if (!begin(caller, &call, handle, __builtin_frame_address(0), 1))
		return HOOK_REAL(gnutls_record_send2, caller)(handle, buf, n, pad, flags);
	padded.writing.real = caller->real;
	/* Padding was measured for what the program sends. */
	padded.writing.plain = pad != 0;
	return write_out(&padded.writing);
}

struct ranged {
	struct tls_writing writing;
	const void *range;
};

static ssize_t send_ranged(const struct tls_writing *writing, const void *at, size_t size)
{
	const struct ranged *ranged = (const struct ranged *)writing;
	real_type_gnutls_record_send_range real = (real_type_gnutls_record_send_range)writing->real;

	return real(writing->call->session->handle, at, size, ranged->range);
}

/* The program hides the length of what it sends. */
ssize_t around_gnutls_record_send_range(const struct caller *caller, void *handle, const void *buf,
					size_t n, const void *range)
{
	struct tls_call call;
	struct ranged ranged = {
		.writing = {.call = &call, .at = buf, .size = n, .plain = 1, .write = send_ranged},
		.range = range};

	if (!begin(caller, &call, handle, __builtin_frame_address(0), 1))
		return HOOK_REAL(gnutls_record_send_range, caller)(handle, buf, n, range);
	ranged.writing.real = caller->real;
	return write_out(&ranged.writing);
}

/* Bytes that went through another function of the library; `at` NULL: not seen. */
static void passed(const struct tls_call *call, const void *at, size_t size)
{
	struct iovec one = {(void *)at, size};
	struct thread *self = thread_enter();

	if (!self)
		return;
	if (tls_lock(call)) {
		/* What is sent before the handshake has no address to ask for. */
		call->conn->addressed = 1;
		if (at)
			stream_bytes(self, call->conn, -1, STREAM_OUT, &one, 1, size);
		else
			stream_skip(call->conn, STREAM_OUT, size);
		tls_unlock(call);
	}
	thread_leave(self);
}

/* A server limits what clients send early: it stays as it is. */
ssize_t around_gnutls_record_send_early_data(const struct caller *caller, void *handle,
					     const void *buf, size_t n)
{
	struct tls_call call;
	ssize_t result;

	if (!begin(caller, &call, handle, __builtin_frame_address(0), 0))
		return HOOK_REAL(gnutls_record_send_early_data, caller)(handle, buf, n);
	result = HOOK_REAL(gnutls_record_send_early_data, caller)(handle, buf, n);
	finish(&call, TLS_AGAIN, result, NULL, 0);
	if (result >= 0)
		passed(&call, buf, n);
	return result;
}

ssize_t around_gnutls_record_send_file(const struct caller *caller, void *handle, int fd,
				       off_t *offset, size_t n)
{
	struct tls_call call;
	ssize_t result;

	if (!begin(caller, &call, handle, __builtin_frame_address(0), 1))
		return HOOK_REAL(gnutls_record_send_file, caller)(handle, fd, offset, n);
	result = HOOK_REAL(gnutls_record_send_file, caller)(handle, fd, offset, n);
	written(&call, result ? result : 1);
	if (result > 0)
		passed(&call, NULL, (size_t)result);
	return result;
}

static void set_corked(const void *handle, uint8_t corked)
{
	struct thread *self = thread_enter();
	struct tls_session *session = self ? tls_find(handle) : NULL;

	if (session)
		session->corked = corked;
	if (self)
		thread_leave(self);
}

void around_gnutls_record_cork(const struct caller *caller, void *handle)
{
	HOOK_REAL(gnutls_record_cork, caller)(handle);
	set_corked(handle, 1);
}

int around_gnutls_record_uncork(const struct caller *caller, void *handle, unsigned flags)
{
	struct tls_call call;
	int result;

	if (!begin(caller, &call, handle, __builtin_frame_address(0), 1))
		return HOOK_REAL(gnutls_record_uncork, caller)(handle, flags);
	result = HOOK_REAL(gnutls_record_uncork, caller)(handle, flags);
	if (result >= 0)
		set_corked(handle, 0);
	written(&call, result ? result : 1);
	return result;
}
