/* sql_context.c - the trace context as a comment at the end of a statement, as sqlcommenter does.
 */
#include "preload/sql_context.h"

#include <string.h>

#include "preload/pool.h"
#include "preload/tracecontext.h"

#define BUFFERS 64

static struct pool pool;

int sql_contexts_init(void)
{
	return pool_init(&pool, SQL_CONTEXT_ROOM, BUFFERS);
}

uint32_t sql_context_get(void)
{
	return pool_get(&pool);
}

char *sql_context_at(uint32_t buffer)
{
	return pool_at(&pool, buffer);
}

void sql_context_put(uint32_t buffer)
{
	pool_put(&pool, buffer);
}

static int is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static int is_copy(const char *at)
{
	static const char word[] = "copy";

	for (size_t i = 0; i < 4; i++)
		if ((at[i] | 32) != word[i])
			return 0;
	return is_space(at[4]) || at[4] == '(' || at[4] == '"';
}

/*
 * Where the comment goes, 0: nowhere. Quotes are not looked at: what looks like a comment or a
 * second statement inside of one costs the comment, no more.
 */
static size_t place_for(const char *sql)
{
	const char *end = sql + strlen(sql);
	const char *begin = sql;

	while (is_space(*begin))
		begin++;
	while (end > begin && (is_space(end[-1]) || end[-1] == ';'))
		end--;
	if (begin == end || is_copy(begin) || memchr(begin, ';', (size_t)(end - begin)))
		return 0;
	for (const char *at = begin; at + 1 < end; at++)
		if ((at[0] == '-' && at[1] == '-') || (at[0] == '/' && at[1] == '*'))
			return 0;
	return (size_t)(end - sql);
}

static int is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.' || c == '~';
}

/* URL-encoded; there is room for three bytes of each. */
static char *encode(char *to, const char *at, size_t size)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < size; i++) {
		uint8_t byte = (uint8_t)at[i];

		if (is_plain(at[i])) {
			*to++ = at[i];
			continue;
		}
		*to++ = '%';
		*to++ = digits[byte >> 4];
		*to++ = digits[byte & 15];
	}
	return to;
}

static char *append(char *to, const char *text)
{
	size_t size = strlen(text);

	memcpy(to, text, size);
	return to + size;
}

size_t sql_context(const char *sql, const char *parent, const char *state, size_t state_size,
		   char *to, size_t room)
{
	size_t size = strlen(sql);
	size_t place;
	char *end;

	if (size + TRACEPARENT_SIZE + 3 * state_size + 64 > room || !(place = place_for(sql)))
		return 0;
	memcpy(to, sql, place);
	end = append(to + place, " /*traceparent='");
	end = encode(end, parent, TRACEPARENT_SIZE);
	if (state_size) {
		end = append(end, "',tracestate='");
		end = encode(end, state, state_size);
	}
	end = append(end, "'*/");
	end = append(end, sql + place);
	*end = 0;
	return (size_t)(end - to);
}
