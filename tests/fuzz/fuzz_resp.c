/* fuzz_resp.c - any bytes as Redis's protocol: pieces equal the whole, values are never told. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/resp.h"
#include "tests/fuzz/target.h"
#include "tests/fuzz/transcript.h"

static enum wire_result feed(void *wire, enum wire_way way, const char *at, size_t size,
			     const struct wire_calls *calls, void *to)
{
	return resp_feed(wire, way, at, size, calls, to);
}

static void run(struct transcript *transcript, const uint8_t *data, size_t size, size_t step)
{
	struct resp wire;

	memset(transcript, 0, sizeof(*transcript));
	memset(&wire, 0, sizeof(wire));
	transcript_run(transcript, feed, &wire, data, size, step);
}

/* Commands that are told as the same are counted as they would be else. */
static void try_folded(const uint8_t *data, size_t size, size_t step)
{
	struct transcript plain, folded;
	struct resp wire;

	run(&plain, data, size, size);
	memset(&folded, 0, sizeof(folded));
	memset(&wire, 0, sizeof(wire));
	folded.fold = 1;
	transcript_run(&folded, feed, &wire, data, size, step);
	CHECK(folded.asked == plain.asked && folded.waiting == plain.waiting);
	CHECK(folded.result == plain.result);
	free(plain.at);
	free(folded.at);
}

/* Whatever the value is: told is the same as for another one. */
static void try_value(const uint8_t *data, size_t size, size_t step)
{
	static const char other[] = "*4\r\n$4\r\nHSET\r\n$1\r\nk\r\n$1\r\nf\r\n$1\r\nx\r\n";
	struct transcript one, two;
	struct resp wire;
	char head[64];
	int head_size = snprintf(head, sizeof(head),
				 "*4\r\n$4\r\nHSET\r\n$1\r\nk\r\n$1\r\nf\r\n$%zu\r\n", size);

	memset(&one, 0, sizeof(one));
	memset(&wire, 0, sizeof(wire));
	resp_feed(&wire, WIRE_REQUEST, head, (size_t)head_size, &transcript_calls, &one);
	for (size_t at = 0; at < size; at += step)
		resp_feed(&wire, WIRE_REQUEST, (const char *)data + at,
			  size - at < step ? size - at : step, &transcript_calls, &one);
	one.result = resp_feed(&wire, WIRE_REQUEST, "\r\n", 2, &transcript_calls, &one);
	run(&two, (const uint8_t *)other, sizeof(other) - 1, sizeof(other));
	CHECK(one.result == WIRE_OK && transcript_same(&one, &two));
}

/* The first byte says how large the pieces are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct transcript whole, pieces, bytes;

	if (size < 2)
		return 0;
	size_t step = 1u + *data++;
	size--;
	for (int way = WIRE_REQUEST; way <= WIRE_REPLY; way++) {
		int looks = resp_looks_like(way, (const char *)data, size);
		for (size_t cut = 0; cut < size && cut < 64; cut++) {
			int early = resp_looks_like(way, (const char *)data, cut);
			CHECK(early == -2 || early == looks);
		}
	}
	run(&whole, data, size, size);
	run(&pieces, data, size, step);
	CHECK(transcript_same(&whole, &pieces));
	run(&whole, data, size, size);
	run(&bytes, data, size, 1);
	CHECK(transcript_same(&whole, &bytes));
	try_folded(data, size, size);
	try_folded(data, size, step);
	try_value(data, size, step);
	return 0;
}
