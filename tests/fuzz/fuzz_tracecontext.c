/* fuzz_tracecontext.c - any bytes as trace context: what is taken is sane and parses back. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "preload/tracecontext.h"
#include "tests/fuzz/target.h"

static int same(const struct trace_parent *a, const struct trace_parent *b)
{
	return memcmp(a->trace_id, b->trace_id, 16) == 0 &&
	       memcmp(a->span_id, b->span_id, 8) == 0 && a->flags == b->flags;
}

static int all_zero(const uint8_t *bytes, size_t size)
{
	while (size && !bytes[size - 1])
		size--;
	return size == 0;
}

static void try_traceparent(const char *at, size_t size)
{
	struct trace_parent parent, again;
	char out[TRACEPARENT_SIZE];

	if (traceparent_parse(at, size, &parent))
		return;
	CHECK(!all_zero(parent.trace_id, 16) && !all_zero(parent.span_id, 8));
	CHECK(!(parent.flags & ~(TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM)));
	traceparent_format(&parent, out);
	CHECK(traceparent_parse(out, sizeof(out), &again) == 0 && same(&parent, &again));
}

static void try_tracestate(const char *at, size_t size)
{
	char out[TRACESTATE_MAX], again[TRACESTATE_MAX];
	int written = tracestate_parse(at, size, out);

	CHECK(written == -EINVAL || (written >= 0 && written <= TRACESTATE_MAX));
	if (written <= 0)
		return;
	CHECK(out[0] != ',' && out[written - 1] != ',' && memchr(out, '=', (size_t)written));
	CHECK(tracestate_parse(out, (size_t)written, again) == written);
	CHECK(memcmp(out, again, (size_t)written) == 0);
}

static void check_b3(const struct b3_headers *headers)
{
	struct trace_parent parent, again;
	int debug = -1, deferred = -1, debug_again;
	char out[B3_SIZE];

	if (b3_parse(headers, &parent, &debug, &deferred)) {
		CHECK(debug == -1 && deferred == -1);
		return;
	}
	CHECK(!all_zero(parent.trace_id, 16) && !all_zero(parent.span_id, 8));
	CHECK(!debug || (parent.flags & TRACE_FLAG_SAMPLED));
	CHECK(!deferred || !parent.flags);
	struct b3_headers single = {.single = out, .single_size = b3_format(&parent, debug, out)};
	CHECK(single.single_size <= B3_SIZE);
	CHECK(b3_parse(&single, &again, &debug_again, &deferred) == 0);
	CHECK(same(&parent, &again) && debug_again == debug && !deferred);
}

/* As one header, and as several: the lines of the text, in the order of the structure. */
static void try_b3(const char *at, size_t size)
{
	const char *part[4] = {NULL}, *end = at + size;
	size_t part_size[4] = {0};
	struct b3_headers single = {.single = at, .single_size = size};

	check_b3(&single);
	for (int i = 0; i < 4 && at; i++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		part[i] = at;
		part_size[i] = (size_t)((newline ? newline : end) - at);
		at = newline ? newline + 1 : NULL;
	}
	struct b3_headers several = {
		.trace_id = part[0],
		.span_id = part[1],
		.sampled = part[2],
		.flags = part[3],
		.trace_id_size = part_size[0],
		.span_id_size = part_size[1],
		.sampled_size = part_size[2],
		.flags_size = part_size[3],
	};
	check_b3(&several);
}

static void try_request_id(const char *at, size_t size)
{
	char out[REQUEST_ID_SIZE];

	if (request_id_valid(at, size))
		for (size_t i = 0; i < size; i++)
			CHECK(at[i] > ' ' && at[i] <= '~' && at[i] != '"');
	if (size < 16)
		return;
	request_id_format((const uint8_t *)at, out);
	CHECK(request_id_valid(out, sizeof(out)) && out[14] == '4');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data;

	try_traceparent(at, size);
	try_tracestate(at, size);
	try_b3(at, size);
	try_request_id(at, size);
	return 0;
}
