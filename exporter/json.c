/* json.c - attributes as a JSON object. */
#include "json.h"

#include <stdlib.h>
#include <string.h>

#include "exporter/batch.h"

static char *reserve(struct json *json, size_t more)
{
	size_t room = json->room ? json->room : 1024;
	char *at;

	if (json->failed)
		return NULL;
	while (room - json->size < more)
		room *= 2;
	if (room != json->room) {
		at = realloc(json->at, room);
		if (!at) {
			json->failed = 1;
			return NULL;
		}
		json->at = at;
		json->room = room;
	}
	return json->at + json->size;
}

static void put(struct json *json, const char *at, size_t size)
{
	char *to = reserve(json, size);

	if (!to)
		return;
	memcpy(to, at, size);
	json->size += size;
}

static int needs_escape(unsigned char byte)
{
	return byte < 0x20 || byte == '"' || byte == '\\';
}

static size_t escape(unsigned char byte, char *to)
{
	static const char digits[] = "0123456789abcdef";

	if (byte == '"' || byte == '\\') {
		to[0] = '\\';
		to[1] = (char)byte;
		return 2;
	}
	memcpy(to, "\\u00", 4);
	to[4] = digits[byte >> 4];
	to[5] = digits[byte & 15];
	return 6;
}

static void put_text(struct json *json, const char *at, size_t size)
{
	char *to = reserve(json, size * 6 + 2);
	char *begin = to;

	if (!to)
		return;
	*to++ = '"';
	for (size_t i = 0; i < size; i++) {
		if (needs_escape((unsigned char)at[i]))
			to += escape((unsigned char)at[i], to);
		else
			*to++ = at[i];
	}
	*to++ = '"';
	json->size += (size_t)(to - begin);
}

static void put_number(struct json *json, int64_t number)
{
	uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
	char digits[21];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + left % 10);
		left /= 10;
	} while (left);
	if (number < 0)
		digits[--at] = '-';
	put(json, digits + at, sizeof(digits) - at);
}

static void put_attribute(struct json *json, const struct attribute *attribute)
{
	put_text(json, attribute->key, strlen(attribute->key));
	put(json, ":", 1);
	switch ((enum attribute_type)attribute->type) {
	case ATTRIBUTE_TEXT:
		put_text(json, attribute->text.at, attribute->text.size);
		break;
	case ATTRIBUTE_TEXTS:
		put(json, "[", 1);
		put_text(json, attribute->text.at, attribute->text.size);
		put(json, "]", 1);
		break;
	case ATTRIBUTE_NUMBER:
		put_number(json, attribute->number);
		break;
	case ATTRIBUTE_BOOLEAN:
		put(json, attribute->number ? "true" : "false", attribute->number ? 4 : 5);
		break;
	}
}

static void put_attributes(struct json *json, const struct attribute *at, size_t count)
{
	put(json, "{", 1);
	for (size_t i = 0; i < count; i++) {
		if (i)
			put(json, ",", 1);
		put_attribute(json, &at[i]);
	}
	put(json, "}", 1);
}

/* The NUL does not count. */
static void terminate(struct json *json)
{
	put(json, "", 1);
	if (!json->failed)
		json->size--;
}

void json_attributes(struct json *json, const struct attribute *at, size_t count)
{
	json->size = 0;
	put_attributes(json, at, count);
	terminate(json);
}

static void put_string(struct json *json, const char *string)
{
	put(json, string, strlen(string));
}

void json_events(struct json *json, const struct batch_event *at, size_t count)
{
	json->size = 0;
	put(json, "[", 1);
	for (size_t i = 0; i < count; i++) {
		put_string(json, i ? ",{\"time_unix_ns\":" : "{\"time_unix_ns\":");
		put_number(json, (int64_t)at[i].time_unix_ns);
		put_string(json, ",\"name\":");
		put_text(json, at[i].name, strlen(at[i].name));
		put_string(json, ",\"attributes\":");
		put_attributes(json, at[i].attributes, at[i].attribute_count);
		put(json, "}", 1);
	}
	put(json, "]", 1);
	terminate(json);
}
