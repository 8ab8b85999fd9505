/* fuzz_stream.c - any bytes in both directions of a connection: invariants, pieces equal the whole.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "preload/database.h"
#include "preload/stream.h"
#include "tests/fuzz/target.h"
#include "tests/unit/shim_test.h"

#define SPANS_MAX 512

static struct slot *slot;

/* What of a conversation's spans must not depend on how it was cut. */
struct outcome {
	uint32_t count;
	uint32_t role;
	uint32_t database; /* its spans tell what was sent in one call */
	uint64_t connections, gave_up;
	struct span spans[SPANS_MAX];
};

static void check_connection(struct conn *conn)
{
	uint32_t last = 0;
	uint32_t count = 0;

	CHECK(conn->role <= ROLE_OPAQUE);
	CHECK(conn->in.gathered <= HTTP1_HEAD_MAX + 1 && conn->out.gathered <= HTTP1_HEAD_MAX + 1);
	CHECK(!conn->in.gathered || conn->in.buffer);
	CHECK(conn->role != ROLE_OPAQUE || !conn->first);
	CHECK(conn->role != ROLE_UNKNOWN || !conn->first);
	for (uint32_t at = conn->first; at; at = exchange_at(at)->next) {
		const struct exchange *exchange = exchange_at(at);

		CHECK(exchange->kind == (conn->role == ROLE_SERVER ? SPAN_SERVER : SPAN_CLIENT));
		CHECK(exchange_of(exchange_reference(exchange)) == exchange);
		CHECK(exchange->fields_size <= SPAN_FIELDS_MAX);
		CHECK(++count <= 8192);
		last = at;
	}
	CHECK(conn->last == last);
}

static void check_fields(const struct told *told)
{
	size_t at = 0;

	CHECK(told->span.fields_size <= SPAN_FIELDS_MAX);
	while (at < told->span.fields_size) {
		uint16_t n;

		CHECK(at + 4 <= told->span.fields_size);
		memcpy(&n, told->fields + at + 2, sizeof(n));
		at += 4u + n;
	}
	CHECK(at == told->span.fields_size);
	CHECK(told->span.start_ns && told->span.start_ns <= told->span.end_ns);
}

static void note(struct outcome *outcome)
{
	struct told told;

	while (shim_next(slot, &told)) {
		struct span *span = &outcome->spans[outcome->count % SPANS_MAX];

		check_fields(&told);
		memset(span, 0, sizeof(*span));
		span->kind = told.span.kind;
		span->status_code = told.span.status_code;
		span->failure = told.span.failure;
		span->version = told.span.version;
		span->flags = told.span.flags;
		span->request_body_bytes = told.span.request_body_bytes;
		span->response_body_bytes = told.span.response_body_bytes;
		outcome->count++;
	}
}

static void feed(struct conn *conn, enum stream_way way, const uint8_t *at, size_t size)
{
	/* In its exact size, so that the sanitizer sees any step beyond. */
	void *copy = malloc(size);
	struct iovec one = {copy, size};

	memcpy(copy, at, size);
	if (way == STREAM_OUT && conn->database && conn->role == ROLE_CLIENT)
		database_requests(&thread_self, conn, -1, &one, 1);
	if (conn->role != ROLE_OPAQUE)
		stream_bytes(&thread_self, conn, -1, way, &one, 1, size);
	free(copy);
	check_connection(conn);
}

/*
 * Each record of the input: a byte that says what happens and how many bytes follow, and those.
 * `piece` bytes go into a call; 0: all of them.
 */
static void talk(const uint8_t *at, size_t size, size_t piece, struct outcome *outcome)
{
	uint64_t connections = slot->counters.connections;
	uint64_t gave_up = slot->counters.dropped[DROP_GAVE_UP];
	struct conn *conn = conn_new();

	memset(outcome, 0, sizeof(*outcome));
	while (size) {
		uint8_t what = *at++;
		enum stream_way way = what & 1 ? STREAM_IN : STREAM_OUT;
		size_t n = (size_t)(what >> 2) * 8 + 1;

		n = n < --size ? n : size;
		if (what & 2 && what >= 0xf8) {
			conn_eof(conn, way == STREAM_IN ? &conn->in : &conn->out);
			n = 0;
		} else if (what & 2 && what >= 0xf0) {
			stream_skip(conn, way, n);
			n = 0;
		}
		for (size_t done = 0; done < n;) {
			size_t step = piece && piece < n - done ? piece : n - done;

			feed(conn, way, at + done, step);
			outcome->database |= conn->database != 0;
			done += step;
		}
		check_connection(conn);
		at += n;
		size -= n;
	}
	outcome->role = conn->role;
	conn_put(conn);
	note(outcome);
	outcome->connections = slot->counters.connections - connections;
	outcome->gave_up = slot->counters.dropped[DROP_GAVE_UP] - gave_up;
	CHECK(outcome->connections <= 1 && outcome->gave_up <= 1);
	for (size_t i = 0; i < INFLIGHT_COUNT; i++)
		CHECK(!slot->inflight[i].live);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct outcome whole, pieces;

	if (!slot)
		slot = shim_attach(__builtin_frame_address(0));
	talk(data, size, 0, &whole);
	for (size_t piece = 1; piece < 8; piece += 3) {
		talk(data, size, piece, &pieces);
		/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): zeroed, padding too */
		CHECK(whole.database || pieces.database ||
		      memcmp(&whole, &pieces, sizeof(whole)) == 0);
	}
	return 0;
}
