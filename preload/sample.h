/* sample.h - which traces are sampled, consistently along a trace, and the tracestate that says so.
 */
#ifndef TAGALONG_SAMPLE_H
#define TAGALONG_SAMPLE_H

/*
 * OpenTelemetry's consistent probability sampling: a trace is kept if R >= T, both of 56 bits. R is
 * the last seven bytes of its ID, unless its tracestate brings one (ot=rv:). What a ratio kept says
 * ot=th: of its T; a th: that does not fit the decision goes. Pure, any thread, async-signal-safe.
 */

#include <stdint.h>

#include "preload/live.h"
#include "preload/tracecontext.h"

#define SAMPLE_NEVER (1ull << 56)

/* The tracestate that a span passes on, in place. */
struct sample_state {
	char *at;       /* room for TRACESTATE_MAX */
	uint16_t *size; /* 0: none */
};

/* The threshold of a ratio from 0 to 1, in the few digits that th: is to have. */
uint64_t sample_threshold(double ratio);

/* The sampled flag, or 0, of a trace that begins here, by these settings. */
uint8_t sample_begin(const struct live *live, const uint8_t trace_id[16],
		     struct sample_state state);

/* The flags of a span under a remote parent, whose tracestate is `state`. */
uint8_t sample_under(const struct live *live, const struct trace_parent *parent,
		     struct sample_state state);

#endif
