/* tail_pack.c - a span in as few bytes as it takes, and back. */
#include "exporter/tail_pack.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How a text is kept. */
enum text_form { TEXT_ABSENT, TEXT_ADDRESS, TEXT_BYTES };

#define TYPE_SHIFT 4 /* of an attribute's type, over the forms of its key and its text */
#define KEY_SHIFT  2

/* What is the same size in every span. */
struct fixed {
	uint64_t start_unix_ns;
	uint64_t duration_ns;
	uint16_t attribute_count;
	uint16_t attributes_dropped;
	uint16_t event_count;
	uint16_t http_status;
	uint8_t kind, status;
};

/* Grows and is kept for the next span. */
static struct {
	uint8_t *at;
	size_t size, room;
	int failed;
} out;

struct input {
	struct arena *arena;
	const uint8_t *at;
	int failed;
};

/* ---- writing ------------------------------------------------------------------------------ */

static void put(const void *at, size_t size)
{
	if (out.size + size > out.room) {
		size_t room = out.size + size + 4096;
		uint8_t *more = realloc(out.at, room);

		if (!more) {
			out.failed = 1;
			return;
		}
		out.at = more;
		out.room = room;
	}
	memcpy(out.at + out.size, at, size);
	out.size += size;
}

static void put_byte(unsigned value)
{
	uint8_t byte = (uint8_t)value;

	put(&byte, 1);
}

static void put_number(uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		put_byte((unsigned)(value & 0x7f) | 0x80);
	put_byte((unsigned)value);
}

static enum text_form form_of(const char *at)
{
	if (!at)
		return TEXT_ABSENT;
	return attribute_key_is_literal(at) ? TEXT_ADDRESS : TEXT_BYTES;
}

static void put_text(enum text_form form, const char *at, size_t size)
{
	if (form == TEXT_ADDRESS)
		put(&at, sizeof(at));
	if (form == TEXT_ABSENT)
		return;
	put_number(size);
	if (form == TEXT_BYTES)
		put(at, size);
}

static void put_string(const char *at)
{
	enum text_form form = form_of(at);

	put_byte(form);
	put_text(form, at, at ? strlen(at) : 0);
}

/* Small numbers of either sign in few bytes. */
static uint64_t fold(int64_t number)
{
	return (uint64_t)number << 1 ^ (number < 0 ? UINT64_MAX : 0);
}

static int64_t unfold(uint64_t number)
{
	return (int64_t)(number >> 1 ^ -(number & 1));
}

static void put_attribute(const struct attribute *from)
{
	enum text_form key = form_of(from->key);
	int is_text = attribute_is_text(from->type);
	enum text_form text = is_text ? form_of(from->text.at) : TEXT_ABSENT;

	put_byte((unsigned)from->type << TYPE_SHIFT | (unsigned)key << KEY_SHIFT | text);
	put_text(key, from->key, strlen(from->key));
	if (is_text)
		put_text(text, from->text.at, from->text.size);
	else
		put_number(fold(from->number));
}

static void put_event(const struct batch_event *from)
{
	put(&from->time_unix_ns, sizeof(from->time_unix_ns));
	put_string(from->name);
	put_number(from->attribute_count);
	for (uint16_t i = 0; i < from->attribute_count; i++)
		put_attribute(&from->attributes[i]);
}

const uint8_t *tail_pack(const struct batch_span *span, size_t *size)
{
	struct tail_head head = {.resource = span->resource, .flags = span->flags};
	struct fixed fixed = {0};

	fixed.start_unix_ns = span->start_unix_ns;
	fixed.duration_ns = span->end_unix_ns - span->start_unix_ns;
	fixed.attribute_count = span->attribute_count;
	fixed.attributes_dropped = span->attributes_dropped;
	fixed.event_count = span->event_count;
	fixed.http_status = span->http_status;
	fixed.kind = span->kind;
	fixed.status = span->status;
	memcpy(head.span_id, span->span_id, sizeof(head.span_id));
	memcpy(head.parent_id, span->parent_id, sizeof(head.parent_id));
	out.size = 0;
	out.failed = 0;
	put(&head, sizeof(head));
	put(&fixed, sizeof(fixed));
	put_string(span->name);
	put_string(span->status_message);
	put_string(span->error_type);
	put_string(span->request_id);
	put_string(span->target);
	put_string(span->trace_state);
	for (uint16_t i = 0; i < span->attribute_count; i++)
		put_attribute(&span->attributes[i]);
	for (uint16_t i = 0; i < span->event_count; i++)
		put_event(&span->events[i]);
	if (out.failed)
		return NULL;
	head.size = (uint32_t)(out.size - sizeof(head));
	memcpy(out.at, &head, sizeof(head));
	*size = out.size;
	return out.at;
}

/* ---- reading ------------------------------------------------------------------------------ */

static void get(struct input *in, void *to, size_t size)
{
	memcpy(to, in->at, size);
	in->at += size;
}

static uint64_t get_number(struct input *in)
{
	uint64_t value = 0;
	unsigned shift = 0;

	for (; *in->at & 0x80; shift += 7)
		value |= (uint64_t)(*in->at++ & 0x7f) << shift;
	return value | (uint64_t)*in->at++ << shift;
}

static struct text get_text(struct input *in, enum text_form form)
{
	struct text text = {NULL, 0};

	if (form == TEXT_ABSENT)
		return text;
	if (form == TEXT_ADDRESS)
		get(in, &text.at, sizeof(text.at));
	text.size = (uint32_t)get_number(in);
	if (form == TEXT_ADDRESS)
		return text;
	text.at = arena_text(in->arena, (const char *)in->at, text.size);
	in->at += text.size;
	if (!text.at) {
		in->failed = 1;
		text = (struct text){"", 0};
	}
	return text;
}

static const char *get_string(struct input *in)
{
	return get_text(in, *in->at++).at;
}

static const struct attribute *get_attributes(struct input *in, size_t count)
{
	struct attribute *list = arena_take(in->arena, (count + 1) * sizeof(*list));

	if (!list) {
		in->failed = 1;
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		unsigned forms = *in->at++;
		struct attribute *to = &list[i];

		memset(to, 0, sizeof(*to));
		to->type = (uint8_t)(forms >> TYPE_SHIFT);
		to->key = get_text(in, forms >> KEY_SHIFT & 3).at;
		if (attribute_is_text(to->type))
			to->text = get_text(in, forms & 3);
		else
			to->number = unfold(get_number(in));
	}
	return list;
}

static const struct batch_event *get_events(struct input *in, size_t count)
{
	struct batch_event *list;

	if (!count)
		return NULL;
	list = arena_take(in->arena, count * sizeof(*list));
	in->failed |= !list;
	for (size_t i = 0; i < count && !in->failed; i++) {
		memset(&list[i], 0, sizeof(list[i]));
		get(in, &list[i].time_unix_ns, sizeof(list[i].time_unix_ns));
		list[i].name = get_string(in);
		list[i].attribute_count = (uint16_t)get_number(in);
		list[i].attributes = get_attributes(in, list[i].attribute_count);
	}
	return list;
}

int tail_unpack(struct arena *arena, const struct tail_head *head, const uint8_t *bytes,
		struct batch_span *span)
{
	struct input in = {arena, bytes, 0};
	struct fixed fixed;

	memset(span, 0, sizeof(*span));
	get(&in, &fixed, sizeof(fixed));
	memcpy(span->span_id, head->span_id, sizeof(span->span_id));
	memcpy(span->parent_id, head->parent_id, sizeof(span->parent_id));
	span->resource = head->resource;
	span->flags = head->flags;
	span->start_unix_ns = fixed.start_unix_ns;
	span->end_unix_ns = fixed.start_unix_ns + fixed.duration_ns;
	span->attribute_count = fixed.attribute_count;
	span->attributes_dropped = fixed.attributes_dropped;
	span->event_count = fixed.event_count;
	span->http_status = fixed.http_status;
	span->kind = fixed.kind;
	span->status = fixed.status;
	span->name = get_string(&in);
	span->status_message = get_string(&in);
	span->error_type = get_string(&in);
	span->request_id = get_string(&in);
	span->target = get_string(&in);
	span->trace_state = get_string(&in);
	span->attributes = get_attributes(&in, fixed.attribute_count);
	if (!in.failed)
		span->events = get_events(&in, fixed.event_count);
	assert(in.failed || (size_t)(in.at - bytes) == head->size);
	return in.failed ? -ENOMEM : 0;
}
