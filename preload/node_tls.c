/* node_tls.c - what Node.js reads and writes over TLS, as its script tells. */
#include "preload/node_tls.h"

#include <stdatomic.h>
#include <string.h>

#include "preload/context.h"
#include "preload/runtime_take.h"
#include "preload/stream.h"
#include "preload/sys.h"
#include "preload/thread.h"
#include "preload/tls.h"
#include "preload/tls_carrier.h"
#include "preload/tls_library.h"

/* Handles are multiples of it, as pointers from malloc are. */
#define HANDLE_STEP 16u

/* Of the call that is under way. */
static __thread int descriptor_now;
static __thread const char *why_now;

static int established(const struct tls_session *session)
{
	return session->completed;
}

/* All is told, nothing asked. */
static void describe(struct tls_session *session)
{
	(void)session;
}

static int descriptor(const struct tls_session *session)
{
	(void)session;
	return descriptor_now;
}

static int client_random(const struct tls_session *session, uint8_t out[TLS_RANDOM_SIZE])
{
	(void)session;
	(void)out;
	return -1;
}

static int is_server(const struct tls_session *session)
{
	return session->is_server;
}

static const char *why(const struct tls_session *session, long result)
{
	(void)session;
	(void)result;
	return why_now;
}

static const struct tls_library library = {established,   describe,  descriptor,
					   client_random, is_server, why};

/* In the guard: 1 if the handle's session is looked at. */
static int enter(struct tls_call *call, const void *handle)
{
	struct tls_session *session = tls_find(handle);

	if (!session || session->library != &library ||
	    !tls_enter(call, session, __builtin_frame_address(0)))
		return 0;
	/* Nothing is called from here that could be carried by it. */
	tls_leave(call);
	return 1;
}

static void begin(struct tls_session *session, int fd, int serves, int is_complete)
{
	struct tls_call call;

	session->is_server = (uint8_t)serves;
	session->completed = session->established = (uint8_t)is_complete;
	if (!enter(&call, session->handle))
		return;
	descriptor_now = fd;
	tls_find_carrier(&call);
	descriptor_now = -1;
}

void *node_tls_open(int fd, int serves, int is_complete)
{
	static _Atomic uint64_t last;
	struct thread *self = thread_enter();
	struct tls_session *session;
	void *handle;

	if (!self)
		return NULL;
	handle = (void *)(uintptr_t)((atomic_fetch_add(&last, 1) + 1) * HANDLE_STEP);
	session = tls_open(handle, &library);
	if (session)
		begin(session, fd, serves, is_complete);
	thread_leave(self);
	return session ? handle : NULL;
}

/* "TLSv1.2", or "TLSv1" for 1.0. */
static void take_version(struct tls_session *session, const char *name)
{
	if (strncmp(name, "TLSv1", 5) != 0)
		return;
	memcpy(session->version, "1.0", 4);
	if (name[5] == '.' && name[6])
		session->version[2] = name[6];
}

static void take_facts(struct tls_session *session, const struct node_tls_facts *facts)
{
	size_t protocol = strnlen(facts->protocol, sizeof(facts->protocol));
	size_t name = strnlen(facts->server_name, sizeof(session->server_name));

	take_version(session, facts->version);
	if (protocol <= sizeof(session->protocol)) {
		memcpy(session->protocol, facts->protocol, protocol);
		session->protocol_size = (uint8_t)protocol;
	}
	memcpy(session->server_name, facts->server_name, name);
	session->server_name_size = (uint8_t)name;
	session->resumed = facts->resumed;
	session->completed = 1;
}

void node_tls_secured(void *handle, const struct node_tls_facts *facts)
{
	struct thread *self = thread_enter();
	struct tls_call call;

	if (!self)
		return;
	if (enter(&call, handle)) {
		take_facts(call.session, facts);
		tls_progress(self, &call, TLS_DONE);
		/* Node's client hands its first request over before the handshake is complete. */
		if (tls_lock(&call)) {
			if (call.conn->first)
				tls_describe(conn_first(call.conn), call.conn);
			tls_unlock(&call);
		}
	}
	thread_leave(self);
}

int node_tls_read(void *handle, const void *at, size_t size)
{
	struct thread *self = thread_enter();
	struct tls_call call;
	int looked_at;

	if (!self)
		return 1;
	looked_at = enter(&call, handle);
	if (looked_at && at)
		tls_received(self, &call, at, size);
	else if (looked_at)
		tls_failed(self, &call, TLS_END, 0, 0);
	looked_at = looked_at && call.session->conn;
	thread_leave(self);
	return looked_at;
}

int node_tls_take(void *handle, struct runtime_context *out)
{
	struct thread *self = thread_enter();
	struct tls_call call;
	int taken = 0;

	if (!self)
		return 0;
	if (enter(&call, handle) && tls_lock(&call)) {
		taken = runtime_take_from(call.conn, out);
		tls_unlock(&call);
	}
	thread_leave(self);
	return taken;
}

/* The pieces outlive the lock: what is added is copied. */
static void build(struct node_tls_text *text, const struct iovec *bytes)
{
	struct rewrite *plan = &text->plan;

	if (plan->insert_at != REWRITE_NOWHERE) {
		memcpy(text->added, plan->insert, plan->insert_size);
		plan->insert = text->added;
	}
	text->count = rewrite_build(plan, bytes, 1, text->pieces);
	for (size_t i = 0; i < text->count; i++)
		text->size += text->pieces[i].iov_len;
}

int node_tls_write(void *handle, const void *at, size_t size, struct node_tls_text *text)
{
	struct iovec bytes = {(void *)at, size};
	struct thread *self = thread_enter();
	struct tls_call call;
	int looked_at;

	text->count = text->size = 0;
	if (!self)
		return 1;
	looked_at = enter(&call, handle);
	if (looked_at && size && tls_lock(&call)) {
		rewrite_plan(self, call.conn, -1, &bytes, 1, &text->plan);
		if (text->plan.edits) {
			build(text, &bytes);
			if (text->plan.insert_at != REWRITE_NOWHERE)
				call.conn->inserted = text->plan.insert_size;
		}
		stream_bytes(self, call.conn, -1, STREAM_OUT, &bytes, 1, size);
		tls_unlock(&call);
	}
	looked_at = looked_at && call.session->conn;
	thread_leave(self);
	return looked_at;
}

/* What a client has handed over before the handshake failed has failed by it. */
static void fail_early(const struct tls_call *call, int error)
{
	if (!tls_lock(call))
		return;
	if (call->conn->first)
		conn_fail(call->conn, error ? conn_failure_of(error) : FAILURE_PROTOCOL, error);
	tls_unlock(call);
}

static void fail(struct thread *self, struct tls_call *call, int error, const char *reason)
{
	struct tls_session *session = call->session;
	int begun = call->conn->used;

	why_now = reason;
	if (begun && !session->established) {
		fail_early(call, error);
	} else {
		/* A certificate that the program refuses is a handshake that failed. */
		if (!begun && !session->is_server && reason)
			session->established = 0;
		tls_failed(self, call, reason ? TLS_FAILED : TLS_BROKEN, -1, error);
	}
	why_now = NULL;
}

void node_tls_close(void *handle, int error, const char *reason)
{
	struct thread *self = thread_enter();
	struct tls_call call;

	if (!self)
		return;
	if ((error || reason) && enter(&call, handle))
		fail(self, &call, error, reason);
	tls_close(handle);
	thread_leave(self);
}
