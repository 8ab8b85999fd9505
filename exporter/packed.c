/* packed.c - attributes as OTLP's KeyValue, and spans with theirs, packed in little time. */
#include "exporter/packed.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "exporter/proto/common.pb-c.h"

#define OF_TEXT    OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE
#define OF_NUMBER  OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE
#define OF_BOOLEAN OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_BOOL_VALUE
#define OF_ARRAY   OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_ARRAY_VALUE
#define KEY_INIT   OPENTELEMETRY__PROTO__COMMON__V1__KEY_VALUE__INIT
#define ARRAY_INIT OPENTELEMETRY__PROTO__COMMON__V1__ARRAY_VALUE__INIT
#define VALUE_INIT opentelemetry__proto__common__v1__any_value__init

/* The generated types carry their whole package's name. */
#define COMMON(name) Opentelemetry__Proto__Common__V1__##name

#define SPAN_ATTRIBUTES 9u /* field of Span */
#define FIELD_OF_BYTES  2u /* wire type */

#define SETS        128u /* power of two */
#define LITERAL_MAX 48u  /* no key of this program is longer */
#define FRAME_MAX   48u  /* the tags and sizes of an attribute, and a number */
#define HEAD_BYTES  (LITERAL_MAX + FRAME_MAX)

/* Keys that are literals of this program: their addresses tell them apart. */
struct head {
	const char *key;
	size_t value_size;
	uint8_t type;
	uint8_t size;
	uint8_t bytes[HEAD_BYTES];
};

/* The first one was made or moved later. */
struct set {
	struct head heads[2];
};

static struct set sets[SETS];

int packed_message(struct arena *arena, const ProtobufCMessage *message, ProtobufCBinaryData *to)
{
	size_t size = protobuf_c_message_get_packed_size(message);

	to->data = arena_take(arena, size + 1);
	if (!to->data)
		return -ENOMEM;
	to->len = protobuf_c_message_pack(message, to->data);
	return 0;
}

static ProtobufCBinaryData bytes_of(const char *at, size_t size)
{
	return (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)at};
}

/* An attribute as protobuf-c wants it; in place, for its parts point to one another. */
struct pair {
	COMMON(KeyValue) pair;
	COMMON(AnyValue) value, element;
	COMMON(AnyValue) * elements[1];
	COMMON(ArrayValue) array;
};

static void make_pair(const struct attribute *from, struct pair *to)
{
	to->pair = (COMMON(KeyValue))KEY_INIT;
	VALUE_INIT(&to->value);
	to->pair.key = bytes_of(from->key, strlen(from->key));
	to->pair.value = &to->value;
	switch ((enum attribute_type)from->type) {
	case ATTRIBUTE_TEXT:
		to->value.value_case = OF_TEXT;
		to->value.string_value = bytes_of(from->text.at, from->text.size);
		break;
	case ATTRIBUTE_TEXTS:
		VALUE_INIT(&to->element);
		to->element.value_case = OF_TEXT;
		to->element.string_value = bytes_of(from->text.at, from->text.size);
		to->elements[0] = &to->element;
		to->array = (COMMON(ArrayValue))ARRAY_INIT;
		to->array.n_values = 1;
		to->array.values = to->elements;
		to->value.value_case = OF_ARRAY;
		to->value.array_value = &to->array;
		break;
	case ATTRIBUTE_NUMBER:
		to->value.value_case = OF_NUMBER;
		to->value.int_value = from->number;
		break;
	case ATTRIBUTE_BOOLEAN:
		to->value.value_case = OF_BOOLEAN;
		to->value.bool_value = from->number != 0;
		break;
	}
}

int packed_attribute(struct arena *arena, const struct attribute *from, ProtobufCBinaryData *to)
{
	struct pair pair;

	make_pair(from, &pair);
	return packed_message(arena, &pair.pair.base, to);
}

ProtobufCBinaryData *packed_attributes(struct arena *arena, const struct attribute *from,
				       size_t count)
{
	ProtobufCBinaryData *list = arena_take(arena, (count + 1) * sizeof(*list));

	for (size_t i = 0; list && i < count; i++)
		if (packed_attribute(arena, &from[i], &list[i]) != 0)
			return NULL;
	return list;
}

/* ---- attributes of spans -------------------------------------------------------------------- */

static size_t varint_size(uint64_t value)
{
	size_t size = 1;

	for (; value >= 0x80; value >>= 7)
		size++;
	return size;
}

static uint8_t *write_varint(uint8_t *to, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*to++ = (uint8_t)(value | 0x80);
	*to++ = (uint8_t)value;
	return to;
}

/* What an attribute's bytes end in. */
static size_t value_size(const struct attribute *from)
{
	return attribute_is_text(from->type) ? from->text.size
					     : varint_size((uint64_t)from->number);
}

uint8_t *packed_write_text(uint8_t *to, unsigned field, const char *at, size_t size)
{
	to = write_varint(to, field << 3 | FIELD_OF_BYTES);
	to = write_varint(to, size);
	return mempcpy(to, at, size);
}

static uint8_t *write_value(uint8_t *to, const struct attribute *from)
{
	if (attribute_is_text(from->type))
		return mempcpy(to, from->text.at, from->text.size);
	return write_varint(to, (uint64_t)from->number);
}

static uint8_t *write_whole(uint8_t *to, const struct attribute *from)
{
	struct pair pair;

	make_pair(from, &pair);
	to = write_varint(to, SPAN_ATTRIBUTES << 3 | FIELD_OF_BYTES);
	to = write_varint(to, protobuf_c_message_get_packed_size(&pair.pair.base));
	return to + protobuf_c_message_pack(&pair.pair.base, to);
}

static struct set *set_for(const struct attribute *from, size_t size)
{
	uint64_t hash = ((uintptr_t)from->key ^ (uint64_t)size << 40) * 0x9e3779b97f4a7c15u;

	return &sets[(hash >> 40) & (SETS - 1)];
}

static int is_for(const struct head *head, const struct attribute *from, size_t size)
{
	return head->key == from->key && head->value_size == size && head->type == from->type;
}

/* NULL: it is not remembered. */
static const struct head *find(const struct set *set, const struct attribute *from, size_t size)
{
	for (size_t i = 0; i < sizeof(set->heads) / sizeof(set->heads[0]); i++)
		if (is_for(&set->heads[i], from, size))
			return &set->heads[i];
	return NULL;
}

/* In place of the older one of two. */
static void remember(struct set *set, const struct attribute *from, size_t size,
		     const uint8_t *bytes, size_t head_size)
{
	struct head *head = &set->heads[0];

	if (!attribute_key_is_literal(from->key))
		return;
	assert(head_size <= HEAD_BYTES);
	set->heads[1] = *head;
	head->key = from->key;
	head->type = from->type;
	head->value_size = size;
	head->size = (uint8_t)head_size;
	memcpy(head->bytes, bytes, head_size);
}

/* A whole head is copied, whatever its size: there is room for it. */
static uint8_t *write_attribute(uint8_t *to, const struct attribute *from)
{
	size_t size = value_size(from);
	struct set *set = set_for(from, size);
	const struct head *head = find(set, from, size);
	uint8_t *end;

	if (head) {
		memcpy(to, head->bytes, HEAD_BYTES);
		return write_value(to + head->size, from);
	}
	assert(!attribute_key_is_literal(from->key) || strlen(from->key) <= LITERAL_MAX);
	end = write_whole(to, from);
	remember(set, from, size, to, (size_t)(end - to) - size);
	return end;
}

/* Never less than write_attribute needs. */
static size_t room_for(const struct attribute *from)
{
	size_t room = HEAD_BYTES;

	if (attribute_is_text(from->type))
		room += from->text.size;
	if (!attribute_key_is_literal(from->key))
		room += strlen(from->key);
	return room;
}

size_t packed_attributes_room(const struct attribute *from, size_t count)
{
	size_t room = 0;

	for (size_t i = 0; i < count; i++)
		room += room_for(&from[i]);
	return room;
}

uint8_t *packed_write_attributes(uint8_t *to, const struct attribute *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		to = write_attribute(to, &from[i]);
	return to;
}
