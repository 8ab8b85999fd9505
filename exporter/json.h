/* json.h - JSON text under construction, and attributes as an object. */
#ifndef TAGALONG_JSON_H
#define TAGALONG_JSON_H

/* RFC 8259; independent of the locale. */

#include <stddef.h>
#include <stdint.h>

#include "exporter/attribute.h"

struct batch_event;

/*
 * A buffer that grows; its owner frees `at`. After a failure to allocate, `failed` stays set and
 * the text is not to be used.
 */
struct json {
	char *at;
	size_t size, room;
	int failed;
};

/* Adds to the text: as it is, quoted and escaped (valid UTF-8), and in decimals. */
void json_put(struct json *json, const char *at, size_t size);
void json_put_text(struct json *json, const char *at, size_t size);
void json_put_number(struct json *json, int64_t number);

/* Empties the buffer and writes one object, NUL-terminated. */
void json_attributes(struct json *json, const struct attribute *at, size_t count);

/*
 * Empties the buffer and writes events as an array of objects with time_unix_ns, name and
 * attributes, NUL-terminated.
 */
void json_events(struct json *json, const struct batch_event *at, size_t count);

#endif
