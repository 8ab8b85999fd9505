/* packed.c - attributes as OTLP's KeyValue, packed once for the values that come again and again.
 */
#include "exporter/packed.h"

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

#define ENTRIES      512u /* power of two */
#define TEXT_BYTES   40u  /* longer values are hardly ever the same */
#define PACKED_BYTES 104u

/* Keys that are literals of this program: their addresses tell them apart. */
struct entry {
	const char *key;
	int64_t number;
	uint32_t text_size;
	uint16_t packed_size;
	uint8_t type;
	char text[TEXT_BYTES];
	uint8_t packed[PACKED_BYTES];
};

static struct entry entries[ENTRIES];

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

static int pack(struct arena *arena, const struct attribute *from, ProtobufCBinaryData *to)
{
	COMMON(KeyValue) pair = KEY_INIT;
	COMMON(AnyValue) value, element;
	COMMON(AnyValue) * elements[] = {&element};
	COMMON(ArrayValue) array = ARRAY_INIT;

	VALUE_INIT(&value);
	VALUE_INIT(&element);
	pair.key = bytes_of(from->key, strlen(from->key));
	pair.value = &value;
	switch ((enum attribute_type)from->type) {
	case ATTRIBUTE_TEXT:
		value.value_case = OF_TEXT;
		value.string_value = bytes_of(from->text.at, from->text.size);
		break;
	case ATTRIBUTE_TEXTS:
		element.value_case = OF_TEXT;
		element.string_value = bytes_of(from->text.at, from->text.size);
		array.n_values = 1;
		array.values = elements;
		value.value_case = OF_ARRAY;
		value.array_value = &array;
		break;
	case ATTRIBUTE_NUMBER:
		value.value_case = OF_NUMBER;
		value.int_value = from->number;
		break;
	case ATTRIBUTE_BOOLEAN:
		value.value_case = OF_BOOLEAN;
		value.bool_value = from->number != 0;
		break;
	}
	return packed_message(arena, &pair.base, to);
}

/* Eight bytes at a time, the last ones twice if need be. */
static uint64_t hash_text(uint64_t hash, const char *at, size_t size)
{
	uint64_t word = size;

	for (size_t i = 0; i + 8 <= size; i += 8) {
		memcpy(&word, at + i, 8);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	if (size >= 8)
		memcpy(&word, at + size - 8, 8);
	else
		memcpy(&word, at, size);
	return (hash ^ word ^ size) * 0xff51afd7ed558ccdu;
}

static struct entry *entry_for(const struct attribute *from)
{
	uint64_t hash = (uintptr_t)from->key * 0x9e3779b97f4a7c15u;

	if (!attribute_is_text(from->type))
		hash ^= (uint64_t)from->number * 0xff51afd7ed558ccdu;
	else
		hash = hash_text(hash, from->text.at, from->text.size);
	return &entries[(hash >> 40 ^ hash >> 17) & (ENTRIES - 1)];
}

static int is_for(const struct entry *entry, const struct attribute *from)
{
	if (entry->key != from->key || entry->type != from->type)
		return 0;
	if (!attribute_is_text(from->type))
		return entry->number == from->number;
	return entry->text_size == from->text.size &&
	       memcmp(entry->text, from->text.at, from->text.size) == 0;
}

static void remember(struct entry *entry, const struct attribute *from,
		     const ProtobufCBinaryData *packed)
{
	if (packed->len > sizeof(entry->packed))
		return;
	entry->key = from->key;
	entry->type = from->type;
	entry->number = from->number;
	entry->text_size = 0;
	if (attribute_is_text(from->type)) {
		entry->text_size = from->text.size;
		memcpy(entry->text, from->text.at, from->text.size);
	}
	entry->packed_size = (uint16_t)packed->len;
	memcpy(entry->packed, packed->data, packed->len);
}

/*
 * The linker's names for the two ends of the program's image. A key that was made, of a captured
 * header, lies outside, and another may lie in its place later.
 */
static int is_literal(const char *key)
{
	extern const char __executable_start[]; /* NOLINT(readability-identifier-naming): ld's */
	extern const char end[];

	return key >= __executable_start && key < end;
}

int packed_attribute(struct arena *arena, const struct attribute *from, ProtobufCBinaryData *to)
{
	struct entry *entry;
	int result;

	if (!is_literal(from->key) ||
	    (attribute_is_text(from->type) && from->text.size > TEXT_BYTES))
		return pack(arena, from, to);
	entry = entry_for(from);
	if (is_for(entry, from)) {
		to->len = entry->packed_size;
		to->data = arena_take(arena, to->len);
		if (!to->data)
			return -ENOMEM;
		memcpy(to->data, entry->packed, to->len);
		return 0;
	}
	result = pack(arena, from, to);
	if (result == 0)
		remember(entry, from, to);
	return result;
}
