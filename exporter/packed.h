/* packed.h - attributes as OTLP's KeyValue, and spans with theirs, packed in little time. */
#ifndef TAGALONG_PACKED_H
#define TAGALONG_PACKED_H

#include <protobuf-c/protobuf-c.h>

#include "exporter/arena.h"
#include "exporter/attribute.h"

/*
 * Packs a message into the arena. 0, or -ENOMEM.
 */
int packed_message(struct arena *arena, const ProtobufCMessage *message, ProtobufCBinaryData *to);

/*
 * Packs an attribute as a KeyValue. 0, or -ENOMEM.
 */
int packed_attribute(struct arena *arena, const struct attribute *from, ProtobufCBinaryData *to);

/*
 * Packs a Span: `rest`, which is one without attributes, and these. An attribute's value stands at
 * its end, and what stands before it depends only on the key, the type and the size of the value.
 * These heads are remembered in a table of fixed size, for keys that are literals of this program.
 * One thread. 0, or -ENOMEM.
 */
int packed_span(struct arena *arena, const ProtobufCMessage *rest, const struct attribute *from,
		size_t count, ProtobufCBinaryData *to);

#endif
