/* otlp_span.c - one span of a batch as OTLP's Span, packed. */
#include "otlp_span.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "exporter/packed.h"
#include "exporter/proto/trace.pb-c.h"

#define SPAN_INIT   OPENTELEMETRY__PROTO__TRACE__V1__SPAN__INIT
#define EVENT_INIT  OPENTELEMETRY__PROTO__TRACE__V1__EVENT__INIT
#define STATUS_INIT OPENTELEMETRY__PROTO__TRACE__V1__STATUS__INIT
#define SPAN_NAME   5u /* field of Span */
#define FRAME_BYTES 96u

/* The generated types carry their whole package's name. */
#define TRACE(name) Opentelemetry__Proto__Trace__V1__##name

/* protobuf-c's structs want pointers that may be written through; it only reads what it packs. */
static char *unconst(const char *string)
{
	return (char *)(uintptr_t)string;
}

/* ---- what all spans have -------------------------------------------------------------------- */

/* Packed values of fixed size, and where each of them stands. */
struct frame {
	uint8_t bytes[FRAME_BYTES];
	size_t size; /* 0: not made yet */
	size_t trace_id, span_id, parent_id, kind, start, end, flags;
};

static struct frame root_frame, child_frame;

/* A value stands at the end of its field: where it begins if this field was packed last. */
static size_t place(const TRACE(Span) * so_far, size_t value_size)
{
	return protobuf_c_message_get_packed_size(&so_far->base) - value_size;
}

/* Sets the fields in the order of their numbers, in which protobuf-c packs them. */
static void make_frame(struct frame *frame, int has_parent)
{
	static uint8_t id[16];
	TRACE(Span) span = SPAN_INIT;

	span.trace_id = (ProtobufCBinaryData){16, id};
	frame->trace_id = place(&span, 16);
	span.span_id = (ProtobufCBinaryData){8, id};
	frame->span_id = place(&span, 8);
	if (has_parent) {
		span.parent_span_id = (ProtobufCBinaryData){8, id};
		frame->parent_id = place(&span, 8);
	}
	span.kind = OPENTELEMETRY__PROTO__TRACE__V1__SPAN__SPAN_KIND__SPAN_KIND_CLIENT;
	frame->kind = place(&span, 1);
	span.start_time_unix_nano = 1;
	frame->start = place(&span, 8);
	span.end_time_unix_nano = 1;
	frame->end = place(&span, 8);
	span.flags = 1;
	frame->flags = place(&span, 4);
	frame->size = protobuf_c_message_get_packed_size(&span.base);
	assert(frame->size <= FRAME_BYTES);
	protobuf_c_message_pack(&span.base, frame->bytes);
}

static const struct frame *frame_for(int has_parent)
{
	struct frame *frame = has_parent ? &child_frame : &root_frame;

	if (!frame->size)
		make_frame(frame, has_parent);
	return frame;
}

static int has_parent(const struct batch_span *span)
{
	static const uint8_t none[8];

	return memcmp(span->parent_id, none, sizeof(none)) != 0;
}

/* fixed64 and fixed32 are little-endian. A whole frame is copied: there is room for it. */
static uint8_t *write_frame(uint8_t *to, const struct batch_span *from)
{
	int child = has_parent(from);
	const struct frame *frame = frame_for(child);
	uint64_t start = htole64(from->start_unix_ns), end = htole64(from->end_unix_ns);
	uint32_t flags = htole32(from->flags);

	memcpy(to, frame->bytes, FRAME_BYTES);
	memcpy(to + frame->trace_id, from->trace_id, sizeof(from->trace_id));
	memcpy(to + frame->span_id, from->span_id, sizeof(from->span_id));
	if (child)
		memcpy(to + frame->parent_id, from->parent_id, sizeof(from->parent_id));
	to[frame->kind] = from->kind;
	memcpy(to + frame->start, &start, sizeof(start));
	memcpy(to + frame->end, &end, sizeof(end));
	memcpy(to + frame->flags, &flags, sizeof(flags));
	return to + frame->size;
}

/* ---- what few spans have -------------------------------------------------------------------- */

static int pack_event(struct arena *arena, const struct batch_event *from, ProtobufCBinaryData *to)
{
	TRACE(Event) event = EVENT_INIT;

	event.time_unix_nano = from->time_unix_ns;
	event.name = unconst(from->name);
	event.n_attributes = from->attribute_count;
	event.attributes = packed_attributes(arena, from->attributes, from->attribute_count);
	return event.attributes ? packed_message(arena, &event.base, to) : -ENOMEM;
}

static int pack_events(struct arena *arena, const struct batch_span *from, TRACE(Span) * span)
{
	if (!from->event_count)
		return 0;
	span->events = arena_take(arena, from->event_count * sizeof(*span->events));
	if (!span->events)
		return -ENOMEM;
	for (; span->n_events < from->event_count; span->n_events++)
		if (pack_event(arena, &from->events[span->n_events],
			       &span->events[span->n_events]) != 0)
			return -ENOMEM;
	return 0;
}

static int has_more(const struct batch_span *from)
{
	return from->trace_state || from->attributes_dropped || from->event_count ||
	       from->status != STATUS_UNSET;
}

static int pack_more(struct arena *arena, const struct batch_span *from, ProtobufCBinaryData *to)
{
	TRACE(Span) span = SPAN_INIT;
	TRACE(Status) status = STATUS_INIT;

	if (from->trace_state)
		span.trace_state = unconst(from->trace_state);
	span.dropped_attributes_count = from->attributes_dropped;
	if (pack_events(arena, from, &span) != 0)
		return -ENOMEM;
	if (from->status != STATUS_UNSET) {
		status.code = from->status;
		if (from->status_message)
			status.message = unconst(from->status_message);
		span.status = &status;
	}
	return packed_message(arena, &span.base, to);
}

/* Messages written one after the other are one message. */
int otlp_span(struct arena *arena, const struct batch_span *from, ProtobufCBinaryData *to)
{
	ProtobufCBinaryData more = {0, NULL};
	size_t name_size = strlen(from->name), room;
	uint8_t *at;

	assert(from->kind > 0 && from->kind < 0x80);
	if (has_more(from) && pack_more(arena, from, &more) != 0)
		return -ENOMEM;
	room = FRAME_BYTES + PACKED_TEXT_FRAME + name_size + more.len;
	room += packed_attributes_room(from->attributes, from->attribute_count);
	at = arena_take(arena, room);
	if (!at)
		return -ENOMEM;
	to->data = at;
	at = write_frame(at, from);
	at = packed_write_text(at, SPAN_NAME, from->name, name_size);
	at = packed_write_attributes(at, from->attributes, from->attribute_count);
	if (more.len)
		at = mempcpy(at, more.data, more.len);
	to->len = (size_t)(at - to->data);
	arena_cut(arena, (char *)at);
	return 0;
}
