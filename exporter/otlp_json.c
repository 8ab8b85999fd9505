/* otlp_json.c - OTLP's protobuf as OTLP's JSON. */
#include "otlp_json.h"

#include <endian.h>
#include <errno.h>
#include <math.h>
#include <protobuf-c/protobuf-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/proto/metrics_service.pb-c.h"
#include "exporter/proto/trace_service.pb-c.h"
#include "exporter/text.h"

#define DEPTH_MAX 64

/* The generated descriptors carry their whole package's name. */
#define SPAN      (&opentelemetry__proto__trace__v1__span__descriptor)
#define EVENT     (&opentelemetry__proto__trace__v1__event__descriptor)
#define KEY_VALUE (&opentelemetry__proto__common__v1__key_value__descriptor)
#define TRACES                                                                                     \
	(&opentelemetry__proto__collector__trace__v1__export_trace_service_request__descriptor)

#define METRICS                                                                                    \
	(&opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__descriptor)

/*
 * What the .proto files declare as bytes to be packed in less time, and what it is in truth, by the
 * field's name. All else that is declared as bytes is base64.
 */
static const struct truth {
	const char *field;
	const ProtobufCMessageDescriptor *message;
	enum { AS_MESSAGE, AS_TEXT, AS_HEX } as;
} truths[] = {
	{"spans", SPAN, AS_MESSAGE},
	{"events", EVENT, AS_MESSAGE},
	{"attributes", KEY_VALUE, AS_MESSAGE},
	{"filtered_attributes", KEY_VALUE, AS_MESSAGE},
	{"key", NULL, AS_TEXT},
	{"string_value", NULL, AS_TEXT},
	{"trace_id", NULL, AS_HEX},
	{"span_id", NULL, AS_HEX},
	{"parent_span_id", NULL, AS_HEX},
};

/* One field as it stands on the wire. */
struct wire {
	uint32_t number;
	uint8_t type;
	uint64_t value;       /* of numbers */
	const uint8_t *bytes; /* of what has a length */
	size_t size;
};

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static int put_message(struct json *json, const ProtobufCMessageDescriptor *descriptor,
		       const uint8_t *bytes, size_t size, unsigned depth);

/* ---- the wire ------------------------------------------------------------------------------- */

/* Returns what stands behind it, or NULL: not whole. */
static const uint8_t *read_varint(const uint8_t *at, const uint8_t *end, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; at < end && shift < 64; shift += 7) {
		*value |= (uint64_t)(*at & 0x7f) << shift;
		if (!(*at++ & 0x80))
			return at;
	}
	return NULL;
}

static const uint8_t *read_fixed(const uint8_t *at, const uint8_t *end, size_t size,
				 uint64_t *value)
{
	uint64_t number = 0;

	if ((size_t)(end - at) < size)
		return NULL;
	memcpy(&number, at, size);
	*value = le64toh(number);
	return at + size;
}

static const uint8_t *read_number(const uint8_t *at, const uint8_t *end, uint8_t type,
				  uint64_t *value)
{
	switch (type) {
	case WIRE_VARINT:
		return read_varint(at, end, value);
	case WIRE_64:
		return read_fixed(at, end, 8, value);
	case WIRE_32:
		return read_fixed(at, end, 4, value);
	default:
		return NULL;
	}
}

static const uint8_t *read_field(const uint8_t *at, const uint8_t *end, struct wire *wire)
{
	uint64_t tag, length;

	at = read_varint(at, end, &tag);
	if (!at || tag >> 3 == 0 || tag >> 3 > UINT32_MAX >> 3)
		return NULL;
	*wire = (struct wire){.number = (uint32_t)(tag >> 3), .type = tag & 7};
	if (wire->type != WIRE_BYTES)
		return read_number(at, end, wire->type, &wire->value);
	at = read_varint(at, end, &length);
	if (!at || length > (size_t)(end - at))
		return NULL;
	wire->bytes = at;
	wire->size = (size_t)length;
	return at + length;
}

/* ---- values --------------------------------------------------------------------------------- */

static void put_name(struct json *json, const char *name)
{
	char camel[64];
	size_t size = 0;

	for (const char *at = name; *at && size < sizeof(camel); at++) {
		char letter = *at;

		if (letter == '_' && at[1]) {
			letter = *++at;
			if (letter >= 'a' && letter <= 'z')
				letter = (char)(letter - 'a' + 'A');
		}
		camel[size++] = letter;
	}
	json_put_text(json, camel, size);
	json_put(json, ":", 1);
}

static void put_string(struct json *json, const uint8_t *bytes, size_t size)
{
	const char *at = (const char *)bytes;
	struct arena arena = {0};

	if (!text_valid(at, size)) {
		at = text_repair(&arena, at, size, &size);
		if (!at)
			json->failed = 1;
	}
	if (at)
		json_put_text(json, at, size);
	arena_free(&arena);
}

static void put_hex(struct json *json, const uint8_t *bytes, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	json_put(json, "\"", 1);
	for (size_t i = 0; i < size; i++) {
		char pair[2] = {digits[bytes[i] >> 4], digits[bytes[i] & 15]};

		json_put(json, pair, 2);
	}
	json_put(json, "\"", 1);
}

static void put_base64(struct json *json, const uint8_t *bytes, size_t size)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";

	json_put(json, "\"", 1);
	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		uint32_t bits = (uint32_t)bytes[i] << 16;
		char four[4];

		bits |= left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
		bits |= left > 2 ? bytes[i + 2] : 0;
		for (unsigned k = 0; k < 4; k++)
			four[k] = k <= left ? digits[bits >> (18 - 6 * k) & 63] : '=';
		json_put(json, four, 4);
	}
	json_put(json, "\"", 1);
}

/* As text: many readers have no integers beyond 2^53. */
static void put_signed(struct json *json, int64_t value)
{
	json_put(json, "\"", 1);
	json_put_number(json, value);
	json_put(json, "\"", 1);
}

static void put_unsigned(struct json *json, uint64_t value)
{
	char text[24];
	int size = snprintf(text, sizeof(text), "\"%llu\"", (unsigned long long)value);

	json_put(json, text, (size_t)size);
}

/* JSON has no word for what is no number; protobuf's mapping has texts. */
static void put_double(struct json *json, double value)
{
	char text[40];
	int size;

	if (isnan(value))
		size = snprintf(text, sizeof(text), "\"NaN\"");
	else if (isinf(value))
		size = snprintf(text, sizeof(text), "\"%sInfinity\"", value < 0 ? "-" : "");
	else
		size = snprintf(text, sizeof(text), "%.17g", value);
	json_put(json, text, (size_t)size);
}

static int64_t unzigzag(uint64_t value)
{
	return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static double as_double(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

static double as_float(uint64_t bits)
{
	uint32_t half = (uint32_t)bits;
	float value;

	memcpy(&value, &half, sizeof(value));
	return value;
}

static void put_scalar(struct json *json, ProtobufCType type, uint64_t value)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		put_signed(json, (int64_t)value);
		break;
	case PROTOBUF_C_TYPE_SINT64:
		put_signed(json, unzigzag(value));
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		put_unsigned(json, value);
		break;
	case PROTOBUF_C_TYPE_SINT32:
		json_put_number(json, (int32_t)unzigzag(value));
		break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		json_put_number(json, (uint32_t)value);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		json_put(json, value ? "true" : "false", value ? 4 : 5);
		break;
	case PROTOBUF_C_TYPE_DOUBLE:
		put_double(json, as_double(value));
		break;
	case PROTOBUF_C_TYPE_FLOAT:
		put_double(json, as_float(value));
		break;
	default: /* int32, sfixed32, enums */
		json_put_number(json, (int32_t)value);
	}
}

static uint8_t wire_type_of(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return WIRE_64;
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
		return WIRE_32;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_MESSAGE:
		return WIRE_BYTES;
	default:
		return WIRE_VARINT;
	}
}

/* ---- fields --------------------------------------------------------------------------------- */

static const struct truth *truth_of(const ProtobufCFieldDescriptor *field)
{
	for (size_t i = 0; i < sizeof(truths) / sizeof(truths[0]); i++)
		if (strcmp(truths[i].field, field->name) == 0)
			return &truths[i];
	return NULL;
}

static int put_bytes(struct json *json, const ProtobufCFieldDescriptor *field,
		     const struct wire *wire, unsigned depth)
{
	const struct truth *truth = truth_of(field);

	if (!truth)
		put_base64(json, wire->bytes, wire->size);
	else if (truth->as == AS_HEX)
		put_hex(json, wire->bytes, wire->size);
	else if (truth->as == AS_TEXT)
		put_string(json, wire->bytes, wire->size);
	else
		return put_message(json, truth->message, wire->bytes, wire->size, depth + 1);
	return 0;
}

/* Numbers of a repeated field stand in one piece, as a rule. */
static int put_packed(struct json *json, const ProtobufCFieldDescriptor *field,
		      const struct wire *wire)
{
	const uint8_t *at = wire->bytes, *end = wire->bytes + wire->size;
	uint8_t type = wire_type_of(field->type);
	uint64_t value;

	while (at < end) {
		if (at != wire->bytes)
			json_put(json, ",", 1);
		at = read_number(at, end, type, &value);
		if (!at)
			return -EINVAL;
		put_scalar(json, field->type, value);
	}
	return 0;
}

static int put_value(struct json *json, const ProtobufCFieldDescriptor *field,
		     const struct wire *wire, unsigned depth)
{
	uint8_t type = wire_type_of(field->type);

	if (wire->type == WIRE_BYTES && type != WIRE_BYTES &&
	    field->label == PROTOBUF_C_LABEL_REPEATED)
		return put_packed(json, field, wire);
	if (wire->type != type)
		return -EINVAL;
	if (field->type == PROTOBUF_C_TYPE_MESSAGE)
		return put_message(json, field->descriptor, wire->bytes, wire->size, depth + 1);
	if (field->type == PROTOBUF_C_TYPE_BYTES)
		return put_bytes(json, field, wire, depth);
	if (field->type == PROTOBUF_C_TYPE_STRING)
		put_string(json, wire->bytes, wire->size);
	else
		put_scalar(json, field->type, wire->value);
	return 0;
}

/* All that one repeated field has, from its first occurrence on. */
static int put_list(struct json *json, const ProtobufCFieldDescriptor *field, const uint8_t *at,
		    const uint8_t *end, unsigned depth)
{
	struct wire wire;
	int result = 0, count = 0;

	json_put(json, "[", 1);
	while (at < end && result == 0) {
		at = read_field(at, end, &wire);
		if (!at)
			return -EINVAL;
		if (wire.number != field->id)
			continue;
		/* A packed list of nothing has no place between commas. */
		if (wire.type == WIRE_BYTES && !wire.size &&
		    wire_type_of(field->type) != WIRE_BYTES)
			continue;
		if (count++)
			json_put(json, ",", 1);
		result = put_value(json, field, &wire, depth);
	}
	json_put(json, "]", 1);
	return result;
}

/* 1 the first time that a field is met in a message, as far as numbers are low enough to note. */
static int is_first(uint32_t number, uint64_t *seen)
{
	uint64_t bit = 1ull << (number & 63);

	if (*seen & bit)
		return 0;
	*seen |= bit;
	return 1;
}

static int put_message(struct json *json, const ProtobufCMessageDescriptor *descriptor,
		       const uint8_t *bytes, size_t size, unsigned depth)
{
	const uint8_t *at = bytes, *end = bytes + size;
	uint64_t seen = 0;
	struct wire wire;
	int result = 0, count = 0;

	if (depth > DEPTH_MAX)
		return -EINVAL;
	json_put(json, "{", 1);
	while (at < end && result == 0) {
		const ProtobufCFieldDescriptor *field;
		const uint8_t *here = at;

		at = read_field(at, end, &wire);
		if (!at)
			return -EINVAL;
		field = protobuf_c_message_descriptor_get_field(descriptor, wire.number);
		/* OTLP's fields have numbers below 64, and ours stand once, but for lists. */
		if (!field || !is_first(wire.number, &seen))
			continue;
		if (count++)
			json_put(json, ",", 1);
		put_name(json, field->name);
		result = field->label == PROTOBUF_C_LABEL_REPEATED
				 ? put_list(json, field, here, end, depth)
				 : put_value(json, field, &wire, depth);
	}
	json_put(json, "}", 1);
	return result;
}

static const ProtobufCMessageDescriptor *descriptor_of(enum signal signal)
{
	if (signal == SIGNAL_TRACES)
		return TRACES;
	return signal == SIGNAL_METRICS ? METRICS : NULL;
}

int otlp_json(struct json *json, enum signal signal, const uint8_t *bytes, size_t size)
{
	const ProtobufCMessageDescriptor *descriptor = descriptor_of(signal);
	int result;

	if (!descriptor)
		return -EINVAL;
	result = put_message(json, descriptor, bytes, size, 0);
	if (result == 0 && json->failed)
		return -ENOMEM;
	return result;
}
