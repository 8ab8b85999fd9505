/* memcached.c - memcached's text protocol: recognised, its lines cut into words. */
#include "preload/memcached.h"

#include <string.h>

#include "preload/memcached_parts.h"

#define KEY_MAX  250
#define NAME_MAX 16 /* longer than any command that a connection begins with */

enum state { BETWEEN, WITHIN };

static int is_blank(char c)
{
	return c == ' ' || c == '\r';
}

/* How many bytes at `at` belong to one word. */
static size_t word_run(const char *at, const char *end)
{
	const char *i = at;

	while (i < end && *i != ' ' && *i != '\r' && *i != '\n')
		i++;
	return (size_t)(i - at);
}

static void keep(struct memcached_line *line, const char *at, size_t size)
{
	size_t room = sizeof(line->word) - line->size;

	size = size < room ? size : room;
	memcpy(line->word + line->size, at, size);
	line->size = (uint8_t)(line->size + size);
}

enum memcached_event memcached_line_next(struct memcached_line *line, const char **at,
					 const char *end, const char **piece)
{
	while (line->state == BETWEEN && *at < end && is_blank(**at))
		(*at)++;
	if (*at == end)
		return MEMCACHED_MORE;
	size_t run = word_run(*at, end);
	if (run) {
		if (line->state == BETWEEN) {
			line->size = 0;
			line->token++;
		}
		line->state = WITHIN;
		keep(line, *at, run);
		*piece = *at;
		*at += run;
		return MEMCACHED_PIECE;
	}
	if (line->state == WITHIN) {
		line->state = BETWEEN;
		return MEMCACHED_WORD;
	}
	(*at)++;
	line->token = 0;
	return MEMCACHED_END;
}

int64_t memcached_number(const char *at, size_t size)
{
	int64_t number = 0;
	size_t i = size && *at == '-' ? 1 : 0;

	if (i == size || size > 20)
		return -1;
	for (; i < size; i++) {
		if (at[i] < '0' || at[i] > '9')
			return -1;
		if (number < INT64_MAX / 100)
			number = number * 10 + (at[i] - '0');
	}
	return number;
}

int memcached_data(uint64_t *left, const char **at, const char *end)
{
	size_t size = (size_t)(end - *at);

	if (*left > 2 && size > *left - 2)
		size = (size_t)*left - 2;
	if (*left > 2) {
		*left -= size;
		*at += size;
	}
	for (; *left <= 2 && *left && *at < end; (*left)--, (*at)++)
		if (**at != (*left == 2 ? '\r' : '\n'))
			return -1;
	return 0;
}

static int is_key(const char *at, size_t size)
{
	if (size > KEY_MAX)
		return 0;
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)at[i] <= ' ' || at[i] == 0x7f)
			return 0;
	return size > 0;
}

/* The words that the command must have: 1 they are there, 0 they are not, -2 too few bytes. */
static int has_words(const struct memcached_command *command, const char *at, const char *end)
{
	for (const char *letter = command->words; *letter; letter++) {
		while (at < end && *at == ' ')
			at++;
		size_t size = word_run(at, end);
		if (at + size == end)
			return size <= KEY_MAX ? -2 : 0;
		if (*letter == 'k' ? !is_key(at, size) : memcached_number(at, size) < 0)
			return 0;
		at += size;
	}
	if (command->words[0])
		return 1;
	return at == end ? -2 : *at == '\r' || *at == '\n';
}

static int looks_like_request(const char *at, size_t size)
{
	size_t name = 0;

	while (name < size && ((at[name] >= 'a' && at[name] <= 'z') || at[name] == '_'))
		name++;
	if (!name || name > NAME_MAX)
		return 0;
	if (name == size)
		return -2;
	if (!is_blank(at[name]) && at[name] != '\n')
		return 0;
	int row = memcached_command_find(at, name);
	return row < 0 ? 0 : has_words(memcached_command_at(row), at + name, at + size);
}

int memcached_looks_like(enum wire_way way, const char *at, size_t size)
{
	if (!size)
		return -2;
	return way == WIRE_REQUEST ? looks_like_request(at, size)
				   : memcached_answer_looks_like(at, size);
}

enum wire_result memcached_feed(struct memcached *wire, enum wire_way way, const char *at,
				size_t size, const struct wire_calls *calls, void *to)
{
	return way == WIRE_REQUEST ? memcached_feed_request(wire, at, size, calls, to)
				   : memcached_feed_reply(wire, at, size, calls, to);
}
