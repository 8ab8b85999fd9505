/* packed.h - attributes as OTLP's KeyValue, packed once for the values that come again and again.
 */
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
 * Packs an attribute. Short ones are remembered in a table of fixed size: of a service's spans,
 * most attributes are the same in each (method, scheme, status, addresses). The bytes are copied to
 * the arena, for the table may forget them at the next call. One thread. 0, or -ENOMEM.
 */
int packed_attribute(struct arena *arena, const struct attribute *from, ProtobufCBinaryData *to);

#endif
