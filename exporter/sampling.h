/* sampling.h - thresholds of consistent probability sampling, and the tracestate that carries them.
 */
#ifndef TAGALONG_SAMPLING_H
#define TAGALONG_SAMPLING_H

/*
 * OpenTelemetry's "tracestate: probability sampling": a trace is kept if R >= T, both of 56 bits;
 * R is the last seven bytes of its ID, unless its tracestate brings one (ot=rv:), and the share
 * that is kept is (2^56 - T) / 2^56. Pure.
 */

#include <stdint.h>

#include "exporter/arena.h"

#define SAMPLING_ALWAYS 0ull
#define SAMPLING_NEVER  (1ull << 56)

/* Values of OTEL_TRACES_SAMPLER: three, and the same three by the parent; NULL at the end. */
extern const char *const sampling_names[];

/* The threshold of a share from 0 to 1, in as many digits as th: is to have. */
uint64_t sampling_threshold(double ratio);

/* R of a trace; `state` is its tracestate, or NULL. */
uint64_t sampling_randomness(const uint8_t trace_id[16], const char *state);

/* th: of a tracestate; SAMPLING_NEVER: it has none. */
uint64_t sampling_threshold_of(const char *state);

/*
 * The tracestate with th: of this threshold, in the arena, all else of it kept; `state` may be
 * NULL. NULL: no memory, or no room.
 */
const char *sampling_set_threshold(struct arena *arena, const char *state, uint64_t threshold);

#endif
