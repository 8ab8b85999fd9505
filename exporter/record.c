/* record.c - one record of the segment, copied out of it and checked. */
#include "record.h"

#include <errno.h>
#include <string.h>

#define FIELD_HEAD_BYTES 4

static int all_zero(const uint8_t *at, size_t size)
{
	uint8_t any = 0;

	for (size_t i = 0; i < size; i++)
		any |= at[i];
	return any == 0;
}

static int span_valid(const struct span *span)
{
	return span->kind >= SPAN_INTERNAL && span->kind <= SPAN_CLIENT &&
	       span->protocol >= SPAN_HTTP && span->protocol <= SPAN_MEMCACHED &&
	       span->start_ns != 0 && !all_zero(span->trace_id, sizeof(span->trace_id)) &&
	       !all_zero(span->span_id, sizeof(span->span_id));
}

/* Makes the text at `*text`, which has a byte of room behind it, a valid string. */
static int settle_text(struct arena *arena, struct text *text)
{
	size_t size;

	if (text_valid(text->at, text->size)) {
		((char *)text->at)[text->size] = '\0';
		return 0;
	}
	text->at = text_repair(arena, text->at, text->size, &size);
	if (!text->at)
		return -ENOMEM;
	text->size = (uint32_t)size;
	return 0;
}

static int add_header(struct arena *arena, struct record *record, struct text both, int of_response)
{
	const char *nul = memchr(both.at, '\0', both.size);
	struct record_header *header;

	if (!nul || nul == both.at)
		return -EINVAL;
	if (record->header_count >= RECORD_HEADERS_MAX) {
		record->span.flags |= SPAN_TEXT_CUT;
		return 0;
	}
	if (!record->headers) {
		record->headers = arena_take(arena, RECORD_HEADERS_MAX * sizeof(*header));
		if (!record->headers)
			return -ENOMEM;
	}
	header = &record->headers[record->header_count];
	header->of_response = of_response;
	header->name = (struct text){both.at, (uint32_t)(nul - both.at)};
	header->value = (struct text){nul + 1, both.size - header->name.size - 1};
	if (settle_text(arena, &header->name) != 0 || settle_text(arena, &header->value) != 0)
		return -ENOMEM;
	record->header_count++;
	return 0;
}

static int add_field(struct arena *arena, struct record *record, unsigned id, struct text text)
{
	if (id == FIELD_REQUEST_HEADER || id == FIELD_RESPONSE_HEADER)
		return add_header(arena, record, text, id == FIELD_RESPONSE_HEADER);
	/* A later shim of the same version may know more fields; they are skipped. */
	if (id == 0 || id >= RECORD_FIELDS)
		return 0;
	if (record->field[id].at)
		return -EINVAL;
	record->field[id] = text;
	return settle_text(arena, &record->field[id]);
}

/*
 * The NUL that ends a text overwrites the id of the next field, which is why that is read before;
 * the copy has one byte more for the last one.
 */
static int parse_fields(struct arena *arena, char *at, size_t size, struct record *record)
{
	size_t done = 0;
	uint8_t id = size ? (uint8_t)at[0] : 0;

	while (done < size) {
		uint16_t length;
		struct text text;
		uint8_t next = 0;
		int result;

		if (size - done < FIELD_HEAD_BYTES)
			return -EINVAL;
		memcpy(&length, at + done + 2, sizeof(length));
		done += FIELD_HEAD_BYTES;
		if (length > size - done)
			return -EINVAL;
		text = (struct text){at + done, length};
		done += length;
		if (done < size)
			next = (uint8_t)at[done];
		result = add_field(arena, record, id, text);
		if (result != 0)
			return result;
		id = next;
	}
	return 0;
}

int record_parse(struct arena *arena, const void *bytes, size_t size, uint64_t now_ns,
		 struct record *record)
{
	struct arena_mark mark = arena_mark(arena);
	struct span *span = &record->span;
	char *copy;
	int result;

	if (size < sizeof(*span))
		return -EINVAL;
	/* One copy, checked afterwards: the writer could change its own bytes under our eyes. */
	memcpy(span, bytes, sizeof(*span));
	if (!span_valid(span) || span->fields_size > size - sizeof(*span))
		return -EINVAL;
	if (span->end_ns == 0)
		span->end_ns = now_ns;
	if (span->end_ns < span->start_ns)
		span->end_ns = span->start_ns;
	/* 292 years; and what reads durations later takes them for signed. */
	if (span->end_ns - span->start_ns > INT64_MAX)
		return -EINVAL;
	memset(record->field, 0, sizeof(record->field));
	memset(&record->call, 0, sizeof(record->call));
	record->route = NULL;
	record->headers = NULL;
	record->header_count = 0;
	copy = arena_bytes(arena, (size_t)span->fields_size + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, (const char *)bytes + sizeof(*span), span->fields_size);
	result = parse_fields(arena, copy, span->fields_size, record);
	if (result != 0)
		arena_rewind(arena, mark);
	return result;
}

int record_stack(const void *bytes, size_t size, struct stack_record *stack)
{
	struct stack_record copy;

	if (size < sizeof(copy))
		return -EINVAL;
	memcpy(&copy, bytes, sizeof(copy));
	if (copy.size > STACK_BYTES || copy.size > size - sizeof(copy) || copy.size % 8 != 0 ||
	    copy.base % 8 != 0 || copy.base != copy.registers[1] ||
	    copy.base > UINT64_MAX - STACK_BYTES || all_zero(copy.span_id, sizeof(copy.span_id)))
		return -EINVAL;
	*stack = copy;
	return 0;
}
