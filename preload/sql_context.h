/* sql_context.h - the trace context as a comment at the end of a statement, as sqlcommenter does.
 */
#ifndef TAGALONG_SQL_CONTEXT_H
#define TAGALONG_SQL_CONTEXT_H

/*
 * Sqlcommenter's format: a comment of key='value' pairs with commas between them, values
 * URL-encoded, behind the text and before a semicolon at its end. Left alone are statements with a
 * comment (or what looks like one), COPY, several statements in one text, and what doesn't fit.
 */

#include <stddef.h>
#include <stdint.h>

#define SQL_CONTEXT_ROOM 16384u

/*
 * Writes sql and the comment, NUL-terminated; the size without it, 0: the statement stays as it is.
 * `parent` has the 55 characters of a traceparent. Pure.
 */
size_t sql_context(const char *sql, const char *parent, const char *state, size_t state_size,
		   char *to, size_t room);

/* A pool of buffers of SQL_CONTEXT_ROOM bytes, for the duration of one call. */
int sql_contexts_init(void);
uint32_t sql_context_get(void);
char *sql_context_at(uint32_t buffer);
void sql_context_put(uint32_t buffer);

#endif
