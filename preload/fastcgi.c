/* fastcgi.c - FastCGI: the beginning of a request as a head, and lines as parameters. */
#include "preload/fastcgi.h"

#include <string.h>

#define HEADER_BYTES 8

enum record_type { BEGIN_REQUEST = 1, PARAMS = 4 };

static uint32_t word16(const char *at)
{
	return (uint32_t)(uint8_t)at[0] << 8 | (uint8_t)at[1];
}

int fastcgi_looks_like(const char *at, size_t size)
{
	/* Version, type, id, content length, padding, reserved; role, flags, reserved. */
	static const uint8_t least[FASTCGI_BEGIN_BYTES] = {1, BEGIN_REQUEST, 0, 0, 0, 8, 0, 0, 0,
							   1};
	static const uint8_t most[FASTCGI_BEGIN_BYTES] = {
		1, BEGIN_REQUEST, 255, 255, 0, 8, 0, 0, 0, 3, 1};

	for (size_t i = 0; i < FASTCGI_BEGIN_BYTES; i++) {
		if (i == size)
			return -2;
		if ((uint8_t)at[i] < least[i] || (uint8_t)at[i] > most[i])
			return 0;
	}
	return word16(at + 2) != 0;
}

/* ---- parameters ------------------------------------------------------------------------------ */

/* The content of PARAMS records, one after the other; `left` is what the current one has still. */
struct cursor {
	const char *at, *end;
	size_t left;
	size_t padding;
	uint16_t id;
	uint8_t last; /* the empty record was reached */
};

/* Goes to the next byte of content: 1; 0: there is none any more; -2, -1: as the parser says. */
static int next_record(struct cursor *cursor)
{
	while (!cursor->left && !cursor->last) {
		const char *at = cursor->at + cursor->padding;

		if ((size_t)(cursor->end - cursor->at) < cursor->padding + HEADER_BYTES)
			return -2;
		if (at[0] != 1 || at[1] != PARAMS || word16(at + 2) != cursor->id)
			return -1;
		cursor->left = word16(at + 4);
		cursor->padding = (uint8_t)at[6];
		cursor->at = at + HEADER_BYTES;
		cursor->last = !cursor->left;
	}
	return !cursor->last;
}

/* Takes `size` bytes of content. *text is NULL if they don't lie together. As next_record. */
static int take(struct cursor *cursor, size_t size, struct http1_text *text)
{
	*text = (struct http1_text){NULL, (uint32_t)size};
	while (size) {
		size_t n;
		int result = next_record(cursor);

		if (result != 1)
			return result;
		n = cursor->left < size ? cursor->left : size;
		if ((size_t)(cursor->end - cursor->at) < n)
			return -2;
		text->at = n == text->size ? cursor->at : NULL;
		cursor->at += n;
		cursor->left -= n;
		size -= n;
	}
	return 1;
}

/* The length of a name or value: one byte, or four of which the first bit is set. As take. */
static int take_length(struct cursor *cursor, uint32_t *length)
{
	struct http1_text byte;
	int result = take(cursor, 1, &byte);

	if (result != 1)
		return result;
	*length = (uint8_t)byte.at[0];
	if (*length < 128)
		return 1;
	*length &= 127;
	for (int i = 0; i < 3; i++) {
		result = take(cursor, 1, &byte);
		if (result != 1)
			return result;
		*length = *length << 8 | (uint8_t)byte.at[0];
	}
	return *length <= HTTP1_HEAD_MAX ? 1 : -1;
}

static int is(struct http1_text text, const char *name)
{
	size_t size = strlen(name);

	return text.at && text.size == size && memcmp(text.at, name, size) == 0;
}

/* The name of a parameter that holds a header field: "HTTP_X_FOO" for "x-foo". */
static int is_field(struct http1_text param, struct http1_text field)
{
	if (param.size != field.size + 5)
		return 0;
	for (size_t i = 0; i < field.size; i++) {
		char c = field.at[i];

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 32);
		if (c == '-')
			c = '_';
		if (param.at[5 + i] != c)
			return 0;
	}
	return 1;
}

/* In place of pointers, which would cost every process a relocated page. */
static const char field_names[HTTP1_FIELDS][18] = {
	[HTTP1_HOST] = "host",
	[HTTP1_USER_AGENT] = "user-agent",
	[HTTP1_TRACEPARENT] = "traceparent",
	[HTTP1_TRACESTATE] = "tracestate",
	[HTTP1_REQUEST_ID] = "x-request-id",
	[HTTP1_FORWARDED] = "forwarded",
	[HTTP1_FORWARDED_FOR] = "x-forwarded-for",
	[HTTP1_FORWARDED_PROTO] = "x-forwarded-proto",
	[HTTP1_FORWARDED_HOST] = "x-forwarded-host",
	[HTTP1_B3] = "b3",
	[HTTP1_B3_TRACE_ID] = "x-b3-traceid",
	[HTTP1_B3_SPAN_ID] = "x-b3-spanid",
	[HTTP1_B3_SAMPLED] = "x-b3-sampled",
	[HTTP1_B3_FLAGS] = "x-b3-flags",
};

static void set_field(struct http1_head *head, size_t field, struct http1_text value)
{
	if (head->repeats[field])
		return;
	head->field[field] = value;
	head->repeats[field] = 1;
}

static void take_field(struct http1_head *head, const struct http1_capture *capture,
		       struct http1_text name, struct http1_text value)
{
	for (size_t i = 0; i < HTTP1_FIELDS; i++) {
		struct http1_text field = {field_names[i], (uint32_t)strlen(field_names[i])};

		if (is_field(name, field))
			set_field(head, i, value);
	}
	for (size_t i = 0; capture && i < capture->count; i++) {
		if (head->captured_count == HTTP1_CAPTURED_MAX)
			return;
		if (is_field(name, capture->names[i])) {
			head->captured_name[head->captured_count] = capture->names[i];
			head->captured[head->captured_count++] = value;
		}
	}
}

/* What the gateway says itself, while the fields are still to come. */
struct said {
	struct http1_text script, scheme, address;
};

static void take_param(struct http1_head *head, const struct http1_capture *capture,
		       struct said *said, struct http1_text name, struct http1_text value)
{
	if (!name.at || !value.at)
		return;
	if (name.size > 5 && memcmp(name.at, "HTTP_", 5) == 0)
		take_field(head, capture, name, value);
	else if (is(name, "REQUEST_METHOD"))
		head->method = value;
	else if (is(name, "REQUEST_URI"))
		head->target = value;
	else if (is(name, "SCRIPT_NAME"))
		said->script = value;
	else if (is(name, "REQUEST_SCHEME"))
		said->scheme = value;
	else if (is(name, "REMOTE_ADDR"))
		said->address = value;
	else if (is(name, "SERVER_PROTOCOL") && is(value, "HTTP/1.0"))
		head->version = 10;
	else if (is(name, "SERVER_PROTOCOL") && is(value, "HTTP/1.1"))
		head->version = 11;
}

/* All pairs of names and values. 0 at the end of the last record, -2 or -1 before. */
static int take_params(struct cursor *cursor, struct http1_head *head,
		       const struct http1_capture *capture, struct said *said)
{
	for (;;) {
		uint32_t name_size, value_size;
		struct http1_text name, value;
		int result = next_record(cursor);

		if (result != 1)
			return result;
		result = take_length(cursor, &name_size);
		if (result == 1)
			result = take_length(cursor, &value_size);
		if (result == 1)
			result = take(cursor, name_size, &name);
		if (result == 1)
			result = take(cursor, value_size, &value);
		if (result != 1)
			return result ? result : -1; /* the end amid a pair */
		take_param(head, capture, said, name, value);
	}
}

static void fill_in(struct http1_head *head, const struct said *said)
{
	if (!head->target.size)
		head->target = said->script;
	if (said->scheme.size)
		set_field(head, HTTP1_FORWARDED_PROTO, said->scheme);
	if (said->address.size)
		set_field(head, HTTP1_FORWARDED_FOR, said->address);
}

long fastcgi_head_parse(const char *at, size_t size, const struct http1_capture *capture,
			struct http1_head *head)
{
	size_t limit = size < HTTP1_HEAD_MAX ? size : HTTP1_HEAD_MAX;
	int result = fastcgi_looks_like(at, limit);
	struct said said = {0};
	struct cursor cursor;

	if (result != 1)
		return result ? result : -1;
	memset(head, 0, offsetof(struct http1_head, captured_name));
	cursor = (struct cursor){
		.at = at + FASTCGI_BEGIN_BYTES, .end = at + limit, .id = (uint16_t)word16(at + 2)};
	head->kind = HTTP1_REQUEST;
	head->at = at;
	head->fastcgi = cursor.id;
	head->keep_alive = at[10] & 1;
	result = take_params(&cursor, head, capture, &said);
	if (!result && (size_t)(cursor.end - cursor.at) < cursor.padding)
		result = -2;
	if (result)
		return result == -2 && size < HTTP1_HEAD_MAX ? -2 : -1;
	fill_in(head, &said);
	if (!head->method.size || !head->target.size)
		return -1;
	head->insert_at = (uint32_t)(cursor.at - at) - HEADER_BYTES;
	head->size = (uint32_t)(cursor.at - at + (ptrdiff_t)cursor.padding);
	return (long)head->size;
}

/* ---- lines as parameters --------------------------------------------------------------------- */

static size_t put_length(char *to, size_t length)
{
	if (length < 128) {
		to[0] = (char)length;
		return 1;
	}
	to[0] = (char)0x80;
	to[1] = 0;
	to[2] = (char)(length >> 8);
	to[3] = (char)length;
	return 4;
}

static void put_name(char *to, const char *name, size_t size)
{
	memcpy(to, "HTTP_", 5);
	for (size_t i = 0; i < size; i++) {
		char c = name[i];

		if (c >= 'a' && c <= 'z')
			c = (char)(c - 32);
		to[5 + i] = (char)(c == '-' ? '_' : c);
	}
}

size_t fastcgi_params_of_lines(char *text, size_t size, size_t room, uint16_t id)
{
	/* Read at the buffer's end, written at its beginning: they don't meet, or there is no room.
	 */
	const char *line = text + room - size;
	char *to = text + HEADER_BYTES;

	memmove(text + room - size, text, size);
	while (line < text + room) {
		const char *colon = memchr(line, ':', (size_t)(text + room - line));
		const char *end = memchr(line, '\r', (size_t)(text + room - line));
		size_t name, value;

		if (!colon || !end || end < colon + 2)
			return 0;
		name = (size_t)(colon - line);
		value = (size_t)(end - colon) - 2;
		/* The name and its lengths come before the rest of the line is read. */
		if (to + 8 + 5 + name > line)
			return 0;
		to += put_length(to, name + 5);
		to += put_length(to, value);
		put_name(to, line, name);
		to += name + 5;
		memmove(to, colon + 2, value);
		to += value;
		line = end + 2;
	}
	size = (size_t)(to - text) - HEADER_BYTES;
	memcpy(text,
	       (char[HEADER_BYTES]){1, PARAMS, (char)(id >> 8), (char)id, (char)(size >> 8),
				    (char)size, 0, 0},
	       HEADER_BYTES);
	return size + HEADER_BYTES;
}
