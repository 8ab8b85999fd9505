/* wire_target.c - a conversation fed whole and in pieces, and what is told compared. */
#include "tests/fuzz/wire_target.h"

#include <string.h>

#include "tests/unit/wire_log.h"

/* What was told, and whether in an order that makes sense. */
struct told {
	struct wire_log log;
	unsigned flushed, answered; /* units */
	unsigned asked, replied;    /* requests and whole replies */
	int over;                   /* the parser has given up, or is done */
};

static void begin(void *to)
{
	wire_log_calls.begin(&((struct told *)to)->log);
}

static void text(void *to, const char *at, size_t size, int raw)
{
	CHECK(size);
	wire_log_calls.text(&((struct told *)to)->log, at, size, raw);
}

static void request(void *to, const struct wire_request *request)
{
	struct told *told = to;

	CHECK(request->name_size <= sizeof(request->name));
	CHECK(request->operation_size <= sizeof(request->operation));
	CHECK(request->kind <= WIRE_CANCEL && request->replies <= 1);
	told->asked += request->replies;
	wire_log_calls.request(&told->log, request);
}

static void flush(void *to)
{
	struct told *told = to;

	told->flushed++;
	wire_log_calls.flush(&told->log);
}

static void reply(void *to, const struct wire_reply *reply)
{
	struct told *told = to;

	CHECK(reply->code_size <= sizeof(reply->code));
	CHECK(reply->name_size <= sizeof(reply->name));
	told->replied += !reply->partial;
	CHECK(told->replied <= told->asked);
	wire_log_calls.reply(&told->log, reply);
}

static void flushed(void *to)
{
	struct told *told = to;

	told->answered++;
	CHECK(told->answered <= told->flushed);
	wire_log_calls.flushed(&told->log);
}

static void session(void *to, const char *database, size_t database_size, const char *user,
		    size_t user_size)
{
	wire_log_calls.session(&((struct told *)to)->log, database, database_size, user, user_size);
}

static void mariadb(void *to)
{
	wire_log_calls.mariadb(&((struct told *)to)->log);
}

static const struct wire_calls calls = {
	.begin = begin,
	.text = text,
	.request = request,
	.flush = flush,
	.reply = reply,
	.flushed = flushed,
	.session = session,
	.mariadb = mariadb,
};

enum how { WHOLE, HALVES, BYTES };

/* One piece of the conversation, from a copy of its own, so that every byte too many is seen. */
static enum wire_result feed(const struct wire_parser *parser, void *wire, enum wire_way way,
			     const uint8_t *at, size_t size, struct told *told)
{
	char *copy = malloc(size ? size : 1);

	memcpy(copy, at, size);
	enum wire_result result = parser->feed(wire, way, copy, size, &calls, told);
	free(copy);
	return result;
}

static enum wire_result feed_piece(const struct wire_parser *parser, void *wire, enum wire_way way,
				   const uint8_t *at, size_t size, struct told *told, enum how how)
{
	enum wire_result result = WIRE_OK;
	size_t step = how == WHOLE ? size : how == HALVES ? size / 2 + 1 : 1;

	for (size_t i = 0; i < size && result == WIRE_OK; i += step)
		result = feed(parser, wire, way, at + i, size - i < step ? size - i : step, told);
	return result;
}

static struct told *converse(const struct wire_parser *parser, void *wire, const uint8_t *data,
			     size_t size, enum how how)
{
	struct told *told = calloc(1, sizeof(*told));
	enum wire_result result = WIRE_OK;

	while (size && result == WIRE_OK) {
		enum wire_way way = *data & 1 ? WIRE_REPLY : WIRE_REQUEST;
		size_t piece = *data >> 1;
		data++;
		size--;
		if (piece > size)
			piece = size;
		result = feed_piece(parser, wire, way, data, piece, told, how);
		/* Both sides start anew, encrypted. */
		if (result == WIRE_TLS)
			result = WIRE_OK;
		data += piece;
		size -= piece;
	}
	told->over = result != WIRE_OK;
	wire_log_result(&told->log, result);
	return told;
}

static void check_detection(const struct wire_parser *parser, const uint8_t *data, size_t size)
{
	enum wire_way way = size && *data & 1 ? WIRE_REPLY : WIRE_REQUEST;
	const char *at = (const char *)data + 1;
	int whole = size ? parser->looks_like(way, at, size - 1) : 0;

	for (size_t i = 0; i + 1 < size && i < 128; i++) {
		int part = parser->looks_like(way, at, i);
		CHECK(part == -2 || part == whole);
	}
}

void wire_target_run(const struct wire_parser *parser, const uint8_t *data, size_t size,
		     const char *secret)
{
	void *whole = calloc(1, parser->size), *pieces = calloc(1, parser->size);
	struct told *told = converse(parser, whole, data, size, WHOLE);

	CHECK(!secret || !strstr(told->log.at, secret));
	for (enum how how = HALVES; how <= BYTES; how++) {
		memset(pieces, 0, parser->size);
		struct told *again = converse(parser, pieces, data, size, how);
		CHECK(strcmp(told->log.at, again->log.at) == 0);
		CHECK(told->over || memcmp(whole, pieces, parser->size) == 0);
		free(again);
	}
	check_detection(parser, data, size);
	free(told);
	free(whole);
	free(pieces);
}
