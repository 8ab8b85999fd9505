/* resp_repeat.c - a command like the one before, of which pipelines are made, in one look. */
#include <string.h>

#include "preload/resp_parts.h"

/* "*3\r\n$3\r\nSET\r\n": count, size of the name, name. -1: not all there, too long, or other. */
static long head_size(const char *at, const char *end)
{
	const char *i = at + 1;
	const char *name;

	if (resp_number_here(&i, end) < 1 || i >= end || resp_bulk_here(&i, end, &name) < 0)
		return -1;
	return i - at <= RESP_HEAD_MAX ? i - at : -1;
}

void resp_repeat_note(struct resp *wire, const char *at, const char *end)
{
	long size = head_size(at, end);

	wire->head_size = 0;
	wire->repeats = 0;
	if (size < 0)
		return;
	memcpy(wire->head, at, (size_t)size);
	wire->head_size = (uint8_t)size;
}

/* The arguments of a command whose head was the same; NULL: not all there, or not that simple. */
static const char *skip_arguments(uint32_t left, const char *at, const char *end)
{
	const char *data;

	for (; left; left--)
		if (at == end || resp_bulk_here(&at, end, &data) < 0)
			return NULL;
	return at;
}

const char *resp_repeat_take(struct resp *wire, const char *at, const char *end,
			     const struct wire_calls *calls, void *to)
{
	while (end - at > wire->head_size && memcmp(at, wire->head, wire->head_size) == 0) {
		const char *behind = skip_arguments(wire->arguments - 1, at + wire->head_size, end);

		if (!behind || !calls->same(to))
			break;
		wire->asked++;
		at = behind;
	}
	return at;
}
