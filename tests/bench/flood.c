/* flood.c - a process that finishes so many spans a second, traces of four, into a segment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "tests/unit/segment_writer.h"

#define SPANS   4u /* of a trace */
#define STEP_NS 1000000u

static uint64_t random_state;

/* xorshift64: IDs need to differ, and their last bytes to be evenly spread. */
static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* A request and three calls that it makes, which end first. Returns how many found no room. */
static unsigned write_trace(struct slot *slot)
{
	uint64_t trace[2] = {next_random(), next_random()}, ids[SPANS];
	struct writer_span span;
	unsigned lost = 0;

	for (unsigned i = 0; i < SPANS; i++)
		ids[i] = next_random();
	for (unsigned i = SPANS; i-- > 0;) {
		writer_sample(&span, ids[i]);
		memcpy(span.span.trace_id, trace, sizeof(span.span.trace_id));
		memcpy(span.span.span_id, &ids[i], sizeof(span.span.span_id));
		memset(span.span.parent_id, 0, sizeof(span.span.parent_id));
		if (i)
			memcpy(span.span.parent_id, &ids[0], sizeof(span.span.parent_id));
		span.span.kind = i ? SPAN_CLIENT : SPAN_SERVER;
		span.span.flags &= (uint8_t)~SPAN_PARENT_REMOTE;
		lost += writer_push(slot, &span) != 0;
	}
	return lost;
}

static void wait_until(uint64_t time_ns)
{
	const struct timespec until = {(time_t)(time_ns / 1000000000u),
				       (long)(time_ns % 1000000000u)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

int main(int argc, char **argv)
{
	struct slot *slot = argc == 4 ? writer_attach(argv[1], "/usr/bin/flood") : NULL;
	unsigned long sent = 0, lost = 0, wanted, rate;
	uint64_t start_ns = writer_now_ns();

	if (!slot || getrandom(&random_state, sizeof(random_state), 0) < 0) {
		fputs("usage: flood SEGMENT SPANS-A-SECOND SECONDS\n", stderr);
		return 2;
	}
	rate = strtoul(argv[2], NULL, 10);
	wanted = rate * strtoul(argv[3], NULL, 10);
	for (uint64_t step = 1; sent < wanted; step++) {
		for (; sent < wanted && sent < rate * step / 1000; sent += SPANS)
			lost += write_trace(slot);
		wait_until(start_ns + step * STEP_NS);
	}
	printf("%lu %lu %.3f\n", sent, lost, (double)(writer_now_ns() - start_ns) / 1e9);
	return 0;
}
