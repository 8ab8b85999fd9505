/* call_site.h - who made the call that a span is about. */
#ifndef TAGALONG_CALL_SITE_H
#define TAGALONG_CALL_SITE_H

#include "exporter/record.h"
#include "exporter/symbol.h"

/*
 * Fills function, file and line of record->call from the return address that the record has, as far
 * as they can be known. `program` is the executable of the process, which stands for an empty
 * FIELD_CALLER. The texts are in the arena. One thread.
 */
void call_site_find(struct arena *arena, const struct symbol_process *process, struct text program,
		    struct record *record);

#endif
