/* tls_write.c - writes of clear text, with our header lines in them. */
#include "preload/tls_write.h"

#include <string.h>

#include "preload/attach.h"
#include "preload/conn.h"
#include "preload/pool.h"
#include "preload/rewrite.h"
#include "preload/stream.h"
#include "preload/thread.h"
#include "preload/tls.h"
#include "preload/tls_carrier.h"

#define CHUNKS 1024

static struct pool chunks;

/* What the library is given next. */
struct piece {
	const char *at;
	size_t size;
	uint8_t is_chunk;
};

int tls_writers_init(void)
{
	return pool_init(&chunks, TLS_CHUNK, CHUNKS);
}

void tls_writer_clear(struct tls_writer *writer)
{
	if (writer->buffer)
		pool_put(&chunks, writer->buffer);
	memset(writer, 0, sizeof(*writer));
}

static struct tls_writer *writer_of(const struct tls_writing *writing)
{
	return &writing->call->session->writer;
}

static char *chunk_of(const struct tls_writer *writer)
{
	return pool_at(&chunks, writer->buffer);
}

/* Has a buffer, its own or a fresh one; 0: none is free (counted). */
static int take_buffer(struct tls_writer *writer)
{
	if (!writer->buffer)
		writer->buffer = pool_get(&chunks);
	if (!writer->buffer)
		attach_count(DROP_BUFFERS);
	return writer->buffer != 0;
}

/* Of the first bytes that the program gave: only equality matters. Never 0. */
static uint64_t check_of(const void *at, size_t size)
{
	const uint8_t *byte = at;
	uint64_t hash = 0xcbf29ce484222325ull ^ size;

	for (; size >= 8; byte += 8, size -= 8) {
		uint64_t word;

		memcpy(&word, byte, 8);
		hash = (hash ^ word) * 0x100000001b3ull;
		hash ^= hash >> 29;
	}
	while (size--)
		hash = (hash ^ *byte++) * 0x100000001b3ull;
	return hash | 1;
}

/* Bytes of the program's buffer that are out, or in the chunk. */
static size_t begun(const struct tls_writer *writer)
{
	return writer->out + (writer->size - writer->ours);
}

/*
 * Whether the call goes on with what an earlier one began. A library that was not ready to write at
 * all (a handshake was due) has begun nothing, so the program may have changed its mind since.
 */
static int goes_on(const struct tls_writing *writing)
{
	const struct tls_writer *writer = writer_of(writing);

	return writing->size >= begun(writer) &&
	       check_of(writing->at, begun(writer)) == writer->check;
}

static void give_up(const struct tls_writing *writing)
{
	struct thread *self = thread_enter();

	if (!self)
		return;
	if (tls_lock(writing->call)) {
		conn_give_up(writing->call->conn, FAILURE_OTHER);
		tls_unlock(writing->call);
	}
	thread_leave(self);
}

/* Copies the first bytes of a rewritten call into the chunk, and notes which of them are ours. */
static void fill(struct tls_writer *writer, const struct rewrite *plan, const struct iovec *iov,
		 size_t count)
{
	uint32_t size = 0;
	uint32_t ours = plan->insert_size - plan->inserted;

	for (size_t i = 0; i < count && size < TLS_CHUNK; i++) {
		size_t room = TLS_CHUNK - size;
		size_t n = iov[i].iov_len < room ? iov[i].iov_len : room;

		memcpy(chunk_of(writer) + size, iov[i].iov_base, n);
		size += (uint32_t)n;
	}
	writer->size = size;
	writer->before = size;
	writer->ours = 0;
	writer->inserted = plan->inserted;
	if (plan->insert_at == REWRITE_NOWHERE || plan->insert_at - plan->start >= size)
		return;
	writer->before = plan->insert_at - plan->start;
	writer->ours = size - writer->before < ours ? size - writer->before : ours;
}

/* If a head is to get lines of ours, the next piece becomes a chunk. */
static __attribute__((noinline)) void plan_chunk(const struct tls_writing *writing,
						 struct piece *piece)
{
	struct iovec one = {(void *)piece->at, piece->size};
	struct iovec vector[1 + REWRITE_VECTORS];
	struct conn *conn = writing->call->conn;
	struct tls_writer *writer = writer_of(writing);
	struct thread *self = thread_enter();
	struct rewrite plan;
	uint8_t replacing;

	if (!self)
		return;
	if (!conn->addressed)
		tls_find_carrier(writing->call);
	if (tls_lock(writing->call)) {
		replacing = conn->replacing;
		rewrite_plan(self, conn, -1, &one, 1, &plan);
		/* The next message of this call gets lines of its own. */
		if (plan.extent < one.iov_len)
			one.iov_len = piece->size = plan.extent;
		if (plan.edits && !writing->plain && take_buffer(writer)) {
			fill(writer, &plan, vector, rewrite_build(&plan, &one, 1, vector));
			piece->at = chunk_of(writer);
			piece->size = writer->size;
			piece->is_chunk = 1;
		} else {
			conn->replacing = replacing;
		}
		tls_unlock(writing->call);
	}
	thread_leave(self);
}

/* A body needs no look before it is sent, but for where it ends. */
static void stop_at_message(const struct tls_writing *writing, struct piece *piece)
{
	struct iovec one = {(void *)piece->at, piece->size};
	size_t extent = rewrite_extent(writing->call->conn, &one, 1);

	if (extent && extent < piece->size)
		piece->size = extent;
}

static void next_piece(const struct tls_writing *writing, struct piece *piece)
{
	struct tls_writer *writer = writer_of(writing);

	if (writer->check && !goes_on(writing)) {
		tls_writer_clear(writer);
		give_up(writing);
	}
	writer->check = 0;
	piece->is_chunk = writer->size > 0;
	if (piece->is_chunk) {
		piece->at = chunk_of(writer);
		piece->size = writer->size;
		return;
	}
	piece->at = writing->at ? (const char *)writing->at + writer->out : NULL;
	piece->size = writing->size - writer->out;
	if (!piece->size)
		return;
	/* Only writers change the phase. */
	if (writing->call->conn->out.phase == PHASE_HEAD)
		plan_chunk(writing, piece);
	else
		stop_at_message(writing, piece);
}

/* The library could not take it. */
static void refused(const struct tls_writing *writing, const struct piece *piece, ssize_t result)
{
	struct tls_writer *writer = writer_of(writing);

	if (!writing->kept) {
		writer->check = begun(writer) ? check_of(writing->at, begun(writer)) : 0;
		return;
	}
	if (!writing->kept(result) || piece->is_chunk || !piece->at || !take_buffer(writer))
		return;
	/* The program needs not give these bytes again. */
	writer->size = piece->size < TLS_CHUNK ? (uint32_t)piece->size : TLS_CHUNK;
	writer->before = writer->size;
	writer->ours = 0;
	writer->inserted = 0;
	memcpy(chunk_of(writer), piece->at, writer->size);
}

/* Of `sent` bytes of the chunk, those that are the program's. */
static size_t own_bytes(struct tls_writer *writer, size_t sent)
{
	if (sent <= writer->before)
		return sent;
	if (sent < writer->before + writer->ours) {
		writer->inserted += (uint32_t)(sent - writer->before);
		return writer->before;
	}
	writer->inserted += writer->ours;
	return sent - writer->ours;
}

static void account(const struct tls_writing *writing, const struct iovec *iov, size_t count,
		    size_t size, uint32_t inserted)
{
	struct conn *conn = writing->call->conn;
	struct thread *self = thread_enter();

	if (!self)
		return;
	if (!conn->addressed)
		tls_find_carrier(writing->call);
	if (tls_lock(writing->call)) {
		conn->inserted = inserted;
		if (iov[0].iov_base)
			stream_bytes(self, conn, -1, STREAM_OUT, iov, count, size);
		else
			stream_skip(conn, STREAM_OUT, size);
		tls_unlock(writing->call);
	}
	thread_leave(self);
}

/* The rest of our lines in a head needs a buffer as well, and none may be free then. */
static void return_buffer(const struct tls_writing *writing)
{
	const struct conn *conn = writing->call->conn;
	struct tls_writer *writer = writer_of(writing);

	if (!writer->buffer || conn->inserted || conn->replacing)
		return;
	pool_put(&chunks, writer->buffer);
	writer->buffer = 0;
}

/* The library took `sent` bytes of the piece; returns how many of them are the program's. */
static size_t taken(const struct tls_writing *writing, const struct piece *piece, size_t sent)
{
	struct tls_writer *writer = writer_of(writing);
	struct iovec iov[2] = {{(void *)piece->at, sent}, {NULL, 0}};
	size_t own = sent;

	if (!piece->is_chunk) {
		account(writing, iov, 1, sent, writing->call->conn->inserted);
		return_buffer(writing);
		return sent;
	}
	own = own_bytes(writer, sent);
	if (writing->at && writing->size) {
		iov[0].iov_base = (char *)(uintptr_t)writing->at + writer->out;
		iov[0].iov_len = own;
	} else if (own > writer->before) {
		iov[0].iov_len = writer->before;
		iov[1].iov_base = (char *)(uintptr_t)piece->at + writer->before + writer->ours;
		iov[1].iov_len = own - writer->before;
	}
	account(writing, iov, 2, own, writer->inserted);
	if (!own && !writing->size) {
		/* Asked with nothing, and only ours are out: the program's follow from here. */
		writer->size -= (uint32_t)sent;
		writer->ours -= (uint32_t)sent;
		memmove(chunk_of(writer), chunk_of(writer) + sent, writer->size);
		return 0;
	}
	writer->size = writer->ours = 0;
	return_buffer(writing);
	return own;
}

ssize_t tls_write(struct tls_writing *writing)
{
	struct tls_writer *writer = writer_of(writing);

	for (;;) {
		struct piece piece;
		ssize_t result;
		size_t own;

		next_piece(writing, &piece);
		result = writing->write(writing, piece.at, piece.size);
		if (result <= 0) {
			refused(writing, &piece, result);
			return result;
		}
		own = taken(writing, &piece, (size_t)result);
		writer->out += own;
		if (own && (writer->out >= writing->size || writing->partial)) {
			result = (ssize_t)writer->out;
			writer->out = 0;
			return result;
		}
	}
}
