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

/* All of them, one by one, in the arena. NULL: no memory. */
ProtobufCBinaryData *packed_attributes(struct arena *arena, const struct attribute *from,
				       size_t count);

/* Bytes that a field of text, or of bytes, has besides the text itself, at most. */
#define PACKED_TEXT_FRAME 15u

/* Writes a whole field. Returns its end. */
uint8_t *packed_write_text(uint8_t *to, unsigned field, const char *at, size_t size);

/*
 * Writes attributes as a Span has them, into room for packed_attributes_room() bytes. Returns their
 * end. An attribute's value stands at its end, and what stands before it depends only on the key,
 * the type and the size of the value. These heads are remembered in a table of fixed size, for keys
 * that are literals of this program. One thread.
 */
uint8_t *packed_write_attributes(uint8_t *to, const struct attribute *from, size_t count);
size_t packed_attributes_room(const struct attribute *from, size_t count);

#endif
