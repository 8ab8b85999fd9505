/* json.c - JSON text under construction, and attributes as an object. */
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

void json_put(struct json *json, const char *at, size_t size)
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

void json_put_text(struct json *json, const char *at, size_t size)
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

void json_put_number(struct json *json, int64_t number)
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
	json_put(json, digits + at, sizeof(digits) - at);
}

static void put_attribute(struct json *json, const struct attribute *attribute)
{
	json_put_text(json, attribute->key, strlen(attribute->key));
	json_put(json, ":", 1);
	switch ((enum attribute_type)attribute->type) {
	case ATTRIBUTE_TEXT:
		json_put_text(json, attribute->text.at, attribute->text.size);
		break;
	case ATTRIBUTE_TEXTS:
		json_put(json, "[", 1);
		json_put_text(json, attribute->text.at, attribute->text.size);
		json_put(json, "]", 1);
		break;
	case ATTRIBUTE_NUMBER:
		json_put_number(json, attribute->number);
		break;
	case ATTRIBUTE_BOOLEAN:
		json_put(json, attribute->number ? "true" : "false", attribute->number ? 4 : 5);
		break;
	}
}

static void put_attributes(struct json *json, const struct attribute *at, size_t count)
{
	json_put(json, "{", 1);
	for (size_t i = 0; i < count; i++) {
		if (i)
			json_put(json, ",", 1);
		put_attribute(json, &at[i]);
	}
	json_put(json, "}", 1);
}

/* The NUL does not count. */
static void terminate(struct json *json)
{
	json_put(json, "", 1);
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
	json_put(json, string, strlen(string));
}

void json_events(struct json *json, const struct batch_event *at, size_t count)
{
	json->size = 0;
	json_put(json, "[", 1);
	for (size_t i = 0; i < count; i++) {
		put_string(json, i ? ",{\"time_unix_ns\":" : "{\"time_unix_ns\":");
		json_put_number(json, (int64_t)at[i].time_unix_ns);
		put_string(json, ",\"name\":");
		json_put_text(json, at[i].name, strlen(at[i].name));
		put_string(json, ",\"attributes\":");
		put_attributes(json, at[i].attributes, at[i].attribute_count);
		json_put(json, "}", 1);
	}
	json_put(json, "]", 1);
	terminate(json);
}
