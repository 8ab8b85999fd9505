/* call_site.c - who made the call that a span is about. */
#include "call_site.h"

#include <string.h>

static struct text copy(struct arena *arena, const char *text)
{
	size_t size = strlen(text);
	char *at = size ? arena_text(arena, text, size) : NULL;

	return at ? (struct text){at, (uint32_t)size} : (struct text){NULL, 0};
}

void call_site_find(struct arena *arena, const struct symbol_process *process, struct text program,
		    struct record *record)
{
	struct text object = record->field[FIELD_CALLER];
	const struct object_place *place;

	if (record->span.call_offset == 0)
		return;
	if (object.size == 0)
		object = program;
	/* The call ends where it returns to, and may be the last of its line or function. */
	if (!object.at)
		return;
	place = symbol_place(process, object.at, record->span.call_offset - 1);
	if (!place)
		return;
	record->call.function = copy(arena, place->function);
	record->call.file = copy(arena, place->file);
	record->call.line = place->line;
}
