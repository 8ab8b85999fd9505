/* otlp_span.h - one span of a batch as OTLP's Span, packed. */
#ifndef TAGALONG_OTLP_SPAN_H
#define TAGALONG_OTLP_SPAN_H

#include <protobuf-c/protobuf-c.h>

#include "exporter/arena.h"
#include "exporter/batch.h"

/*
 * Packs a span into the arena. What all spans have, their ids and times above all, is of a fixed
 * size: protobuf-c packs it once, and of each span the values are put in their places. One thread.
 * 0, or -ENOMEM.
 */
int otlp_span(struct arena *arena, const struct batch_span *from, ProtobufCBinaryData *to);

#endif
