/* b3.c - B3 trace context, in one header or in several (openzipkin b3-propagation). */
#include "preload/tracecontext.h"

#include <errno.h>
#include <string.h>

#define SPAN_DIGITS 16

struct decision {
	int sampled;
	int debug;
	int deferred;
};

/* 16 or 32 digits; the shorter ones fill the right half. */
static int parse_trace_id(const char *at, size_t size, uint8_t trace_id[16])
{
	if (size == 32)
		return hex_parse(at, trace_id, 16) == 1 ? 0 : -EINVAL;
	if (size != 16)
		return -EINVAL;
	memset(trace_id, 0, 8);
	return hex_parse(at, trace_id + 8, 8) == 1 ? 0 : -EINVAL;
}

static int parse_span_id(const char *at, size_t size, uint8_t span_id[8])
{
	return size == SPAN_DIGITS && hex_parse(at, span_id, 8) == 1 ? 0 : -EINVAL;
}

/* What follows "{trace}-{span}": nothing, "-{state}" or "-{state}-{parent}". */
static int parse_single_rest(const char *at, size_t size, struct decision *decision)
{
	uint8_t ignored[8];

	decision->deferred = size == 0;
	if (size == 0)
		return 0;
	if (size < 2 || at[0] != '-' || (at[1] != '0' && at[1] != '1' && at[1] != 'd'))
		return -EINVAL;
	decision->debug = at[1] == 'd';
	decision->sampled = at[1] != '0';
	if (size == 2)
		return 0;
	return at[2] == '-' ? parse_span_id(at + 3, size - 3, ignored) : -EINVAL;
}

static int parse_single(const char *at, size_t size, struct trace_parent *parent,
			struct decision *decision)
{
	const char *dash = memchr(at, '-', size);
	size_t used = dash ? (size_t)(dash - at) + 1 + SPAN_DIGITS : 0;

	if (!dash || size < used)
		return -EINVAL;
	if (parse_trace_id(at, (size_t)(dash - at), parent->trace_id) ||
	    parse_span_id(dash + 1, SPAN_DIGITS, parent->span_id))
		return -EINVAL;
	return parse_single_rest(at + used, size - used, decision);
}

static int text_is(const char *at, size_t size, const char *text, size_t text_size)
{
	return size == text_size && memcmp(at, text, size) == 0;
}

/* true and false are what older libraries sent. */
static int parse_sampled(const char *at, size_t size, struct decision *decision)
{
	decision->sampled = text_is(at, size, "1", 1) || text_is(at, size, "true", 4);
	if (decision->sampled || text_is(at, size, "0", 1) || text_is(at, size, "false", 5))
		return 0;
	return -EINVAL;
}

static int parse_several(const struct b3_headers *headers, struct trace_parent *parent,
			 struct decision *decision)
{
	if (!headers->trace_id || !headers->span_id ||
	    parse_trace_id(headers->trace_id, headers->trace_id_size, parent->trace_id) ||
	    parse_span_id(headers->span_id, headers->span_id_size, parent->span_id))
		return -EINVAL;
	if (headers->sampled && parse_sampled(headers->sampled, headers->sampled_size, decision))
		return -EINVAL;
	if (headers->flags) {
		if (headers->flags_size == 0)
			return -EINVAL;
		decision->debug = text_is(headers->flags, headers->flags_size, "1", 1);
		decision->sampled |= decision->debug;
	}
	decision->deferred = !headers->sampled && !decision->debug;
	return 0;
}

int b3_parse(const struct b3_headers *headers, struct trace_parent *parent, int *debug,
	     int *deferred)
{
	struct trace_parent found = {.flags = 0};
	struct decision decision = {0};
	int error = -EINVAL;

	if (headers->single)
		error = parse_single(headers->single, headers->single_size, &found, &decision);
	if (error) {
		decision = (struct decision){0};
		error = parse_several(headers, &found, &decision);
	}
	if (error)
		return error;
	found.flags = decision.sampled ? TRACE_FLAG_SAMPLED : 0;
	*parent = found;
	*debug = decision.debug;
	*deferred = decision.deferred;
	return 0;
}

size_t b3_format(const struct trace_parent *parent, int debug, char out[B3_SIZE])
{
	hex_format(parent->trace_id, sizeof(parent->trace_id), out);
	out[32] = '-';
	hex_format(parent->span_id, sizeof(parent->span_id), out + 33);
	out[49] = '-';
	out[50] = debug ? 'd' : parent->flags & TRACE_FLAG_SAMPLED ? '1' : '0';
	return 51;
}
