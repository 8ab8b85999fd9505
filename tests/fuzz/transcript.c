/* transcript.c - what a parser of a database's protocol told, to be compared. */
#include "tests/fuzz/transcript.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/target.h"

static void put(struct transcript *transcript, const void *at, size_t size)
{
	if (transcript->size + size > transcript->room) {
		transcript->room = 2 * (transcript->size + size);
		transcript->at = realloc(transcript->at, transcript->room);
	}
	memcpy(transcript->at + transcript->size, at, size);
	transcript->size += size;
}

static void told_begin(void *to)
{
	struct transcript *transcript = to;

	transcript->text_size = 0;
	put(to, "{", 1);
}

static void told_text(void *to, const char *at, size_t size, int raw)
{
	struct transcript *transcript = to;

	CHECK(!raw && size && transcript->text_size + size <= sizeof(transcript->text));
	for (size_t i = 0; i < size; i++)
		CHECK((unsigned char)at[i] >= ' ' && at[i] != 0x7f);
	memcpy(transcript->text + transcript->text_size, at, size);
	transcript->text_size += size;
}

static void told_request(void *to, const struct wire_request *request)
{
	struct transcript *transcript = to;

	CHECK(request->operation_size && request->operation_size <= sizeof(request->operation));
	CHECK(request->replies <= 1 && request->name_size == 0);
	transcript->waiting += request->replies;
	transcript->asked++;
	put(to, transcript->text, transcript->text_size);
	put(to, "}", 1);
	put(to, request->operation, request->operation_size);
	put(to, &request->kind, sizeof(request->kind));
	put(to, &request->replies, sizeof(request->replies));
}

static int told_same(void *to)
{
	struct transcript *transcript = to;

	CHECK(transcript->asked);
	transcript->asked += (size_t)transcript->fold;
	transcript->waiting += (size_t)transcript->fold;
	return transcript->fold;
}

static void told_reply(void *to, const struct wire_reply *reply)
{
	struct transcript *transcript = to;

	CHECK(reply->code_size <= sizeof(reply->code) && reply->name_size == 0);
	CHECK(reply->failed || reply->code_size == 0);
	CHECK(transcript->waiting);
	transcript->waiting--;
	put(to, "=", 1);
	put(to, &reply->failed, sizeof(reply->failed));
	put(to, reply->code, reply->code_size);
	put(to, &reply->has_rows, sizeof(reply->has_rows));
	put(to, &reply->rows, sizeof(reply->rows));
}

const struct wire_calls transcript_calls = {
	.begin = told_begin,
	.text = told_text,
	.request = told_request,
	.same = told_same,
	.reply = told_reply,
};

void transcript_run(struct transcript *transcript, transcript_feed feed, void *wire,
		    const uint8_t *data, size_t size, size_t step)
{
	enum wire_way way = WIRE_REQUEST;
	const uint8_t *end = data + size;

	while (data < end && transcript->result == WIRE_OK) {
		const uint8_t *turn = memchr(data, 0xff, (size_t)(end - data));
		size_t left = (size_t)((turn ? turn : end) - data);
		for (; left && transcript->result == WIRE_OK; left -= size, data += size) {
			size = left < step ? left : step;
			/* A copy of its own, so that a byte beyond is noticed. */
			char *piece = malloc(size);
			memcpy(piece, data, size);
			transcript->result =
				feed(wire, way, piece, size, &transcript_calls, transcript);
			free(piece);
		}
		data++;
		way = way == WIRE_REQUEST ? WIRE_REPLY : WIRE_REQUEST;
	}
}

int transcript_same(struct transcript *one, struct transcript *other)
{
	int same = one->size == other->size && one->result == other->result &&
		   (one->size == 0 || memcmp(one->at, other->at, one->size) == 0);

	free(one->at);
	free(other->at);
	return same;
}
