/* otlp.h - a batch as OTLP's ExportTraceServiceRequest, and what collectors answer. */
#ifndef TAGALONG_OTLP_H
#define TAGALONG_OTLP_H

/* opentelemetry-proto 1.11, in protobuf. */

#include <stddef.h>
#include <stdint.h>

#include "exporter/arena.h"
#include "exporter/batch.h"
#include "exporter/payload.h"

/*
 * Encodes all spans, grouped by process; empty for an empty batch. `arena` is for work. Two
 * requests one after the other are one request. NULL: no memory.
 */
struct payload *otlp_encode(struct arena *arena, const struct batch *batch);

/* What a 2xx answer says. */
struct otlp_answer {
	int64_t rejected;
	char message[256]; /* "" if none; control characters replaced */
};

/* Parses ExportTraceServiceResponse. 0, or -EINVAL: not one. */
int otlp_answer_parse(const uint8_t *bytes, size_t size, struct otlp_answer *answer);

/* The text of a google.rpc.Status, "" if there is none. */
void otlp_status_text(const uint8_t *bytes, size_t size, char *text, size_t room);

#endif
