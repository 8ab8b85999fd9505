/* fuzz_memcached.c - any bytes as memcached's protocol: pieces equal the whole, values are never
 * told. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/memcached.h"
#include "tests/fuzz/target.h"
#include "tests/fuzz/transcript.h"

static enum wire_result feed(void *wire, enum wire_way way, const char *at, size_t size,
			     const struct wire_calls *calls, void *to)
{
	return memcached_feed(wire, way, at, size, calls, to);
}

static void run(struct transcript *transcript, const uint8_t *data, size_t size, size_t step)
{
	struct memcached wire;

	memset(transcript, 0, sizeof(*transcript));
	memset(&wire, 0, sizeof(wire));
	transcript_run(transcript, feed, &wire, data, size, step);
}

/* Whatever the value is: told is the same as for another one. */
static void try_value(const uint8_t *data, size_t size, size_t step)
{
	static const char other[] = "set k 0 0 1\r\nx\r\n";
	struct transcript one, two;
	struct memcached wire;
	char head[64];
	int head_size = snprintf(head, sizeof(head), "set k 0 0 %zu\r\n", size);

	memset(&one, 0, sizeof(one));
	memset(&wire, 0, sizeof(wire));
	memcached_feed(&wire, WIRE_REQUEST, head, (size_t)head_size, &transcript_calls, &one);
	for (size_t at = 0; at < size; at += step)
		memcached_feed(&wire, WIRE_REQUEST, (const char *)data + at,
			       size - at < step ? size - at : step, &transcript_calls, &one);
	one.result = memcached_feed(&wire, WIRE_REQUEST, "\r\n", 2, &transcript_calls, &one);
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
		int looks = memcached_looks_like(way, (const char *)data, size);
		for (size_t cut = 0; cut < size && cut < 64; cut++) {
			int early = memcached_looks_like(way, (const char *)data, cut);
			CHECK(early == -2 || early == looks);
		}
	}
	run(&whole, data, size, size);
	run(&pieces, data, size, step);
	CHECK(transcript_same(&whole, &pieces));
	run(&whole, data, size, size);
	run(&bytes, data, size, 1);
	CHECK(transcript_same(&whole, &bytes));
	try_value(data, size, step);
	return 0;
}
