/* mysql_attributes.c - skips the attributes that MySQL's clients send before a query's text. */
#include <string.h>

#include "preload/mysql_parts.h"

enum { OF_SIZE, WITH_SIZE, WITH_BYTE };

/* How many bytes a value of that type has, or how that is told. */
static int value_shape(uint8_t type, uint64_t *size)
{
	switch (type) {
	case 0x01: /* TINY */
		*size = 1;
		return OF_SIZE;
	case 0x02: /* SHORT, YEAR */
	case 0x0d:
		*size = 2;
		return OF_SIZE;
	case 0x03: /* LONG, FLOAT, INT24 */
	case 0x04:
	case 0x09:
		*size = 4;
		return OF_SIZE;
	case 0x05: /* DOUBLE, LONGLONG */
	case 0x08:
		*size = 8;
		return OF_SIZE;
	case 0x06: /* NULL */
		*size = 0;
		return OF_SIZE;
	case 0x07: /* TIMESTAMP, DATE, TIME, DATETIME */
	case 0x0a:
	case 0x0b:
	case 0x0c:
		return WITH_BYTE;
	default:
		return WITH_SIZE;
	}
}

/* Goes to the next attribute that has a value, or to the text. */
static void next_value(struct mysql *wire)
{
	struct mysql_attributes *attributes = &wire->attributes;

	for (; attributes->index < attributes->count; attributes->index++) {
		unsigned i = attributes->index;
		if (attributes->nulls[i / 8] >> (i % 8) & 1)
			continue;
		wire->part = MYSQL_VALUE_SIZE;
		if (value_shape(attributes->types[i], &wire->skip) != OF_SIZE)
			return;
		wire->part = MYSQL_VALUE;
		if (wire->skip)
			return;
	}
	wire->part = MYSQL_TEXT;
}

static void begin_types(struct mysql *wire)
{
	wire->attributes.index = 0;
	wire->part = MYSQL_TYPES;
	wire->skip = 2;
}

static void end_name(struct mysql *wire)
{
	if (++wire->attributes.index < wire->attributes.count) {
		wire->part = MYSQL_TYPES;
		wire->skip = 2;
		return;
	}
	wire->attributes.index = 0;
	next_value(wire);
}

static void end_value(struct mysql *wire)
{
	wire->attributes.index++;
	next_value(wire);
}

static void count_feed(struct mysql *wire, uint8_t byte)
{
	if (!mysql_number_feed(&wire->number, byte))
		return;
	if (wire->part == MYSQL_COUNT) {
		wire->part = wire->number.value > MYSQL_ATTRIBUTES_MAX ? MYSQL_NO_TEXT : MYSQL_SETS;
		wire->attributes.count = (uint8_t)wire->number.value;
		return;
	}
	wire->part = wire->attributes.count ? MYSQL_NULLS : MYSQL_TEXT;
	wire->attributes.index = 0;
}

static void nulls_feed(struct mysql *wire, uint8_t byte)
{
	struct mysql_attributes *attributes = &wire->attributes;

	attributes->nulls[attributes->index++] = byte;
	if (attributes->index * 8 >= attributes->count)
		wire->part = MYSQL_BOUND;
}

static void size_feed(struct mysql *wire, uint8_t byte)
{
	int is_name = wire->part == MYSQL_NAME_SIZE;
	uint8_t type = wire->attributes.types[wire->attributes.index];

	if (!is_name && value_shape(type, &wire->skip) == WITH_BYTE)
		wire->skip = byte;
	else if (mysql_number_feed(&wire->number, byte))
		wire->skip = wire->number.value;
	else
		return;
	wire->part++;
	if (wire->skip)
		return;
	if (is_name)
		end_name(wire);
	else
		end_value(wire);
}

/* Bytes of which only the number matters; the bytes taken. */
static size_t skip(struct mysql *wire, size_t size)
{
	size_t taken = size < wire->skip ? size : (size_t)wire->skip;

	wire->skip -= taken;
	if (wire->skip)
		return taken;
	if (wire->part == MYSQL_NAME)
		end_name(wire);
	else
		end_value(wire);
	return taken;
}

static void byte_feed(struct mysql *wire, uint8_t byte)
{
	switch (wire->part) {
	case MYSQL_COUNT:
	case MYSQL_SETS:
		count_feed(wire, byte);
		break;
	case MYSQL_NULLS:
		nulls_feed(wire, byte);
		break;
	case MYSQL_BOUND:
		/* Types that were sent before: no client does this, and none are kept. */
		if (byte)
			begin_types(wire);
		else
			wire->part = MYSQL_NO_TEXT;
		break;
	case MYSQL_TYPES:
		if (wire->skip == 2)
			wire->attributes.types[wire->attributes.index] = byte;
		if (!--wire->skip)
			wire->part = MYSQL_NAME_SIZE;
		break;
	default:
		size_feed(wire, byte);
		break;
	}
}

size_t mysql_attributes_feed(struct mysql *wire, const char *at, size_t size)
{
	size_t taken = 0;

	while (taken < size && wire->part < MYSQL_TEXT) {
		if (wire->part == MYSQL_NAME || wire->part == MYSQL_VALUE) {
			taken += skip(wire, size - taken);
		} else {
			byte_feed(wire, (uint8_t)at[taken]);
			taken++;
		}
	}
	return taken;
}
