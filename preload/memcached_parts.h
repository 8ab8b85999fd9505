/* memcached_parts.h - what the files of the memcached parser have of one another. */
#ifndef TAGALONG_MEMCACHED_PARTS_H
#define TAGALONG_MEMCACHED_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "preload/memcached.h"

enum memcached_special {
	MEMCACHED_TEXT,
	MEMCACHED_META, /* has flags, and can be quiet */
	MEMCACHED_QUIT, /* closes the connection, answers nothing */
	MEMCACHED_STOP, /* ends requests and replies on this connection */
};

struct memcached_command {
	char name[WIRE_ROW_NAME];
	/* One letter a word that has to follow: k is a key, n a number, d the size of the data. */
	char words[6];
	uint8_t more_keys; /* all further words are keys */
	uint8_t noreply;   /* can be told not to be answered, as its last word */
	uint8_t special;   /* enum memcached_special */
};

/* The row of that name; -1: not known. */
int memcached_command_find(const char *name, size_t size);
const struct memcached_command *memcached_command_at(int row); /* static */

/* What memcached_line_next found. */
enum memcached_event {
	MEMCACHED_MORE,  /* all bytes were taken, and nothing is complete */
	MEMCACHED_PIECE, /* bytes of a word, at least one */
	MEMCACHED_WORD,  /* the word line->word is complete, and line->token its place */
	MEMCACHED_END,   /* the line is; its end was taken */
};

/*
 * Goes on in a line: takes bytes, `*at` moves behind them. Of a piece, `*piece` is set to where it
 * begins, it ends at `*at`, and line->word has it as well as far as there is room. The line's first
 * word has the place 1. A zeroed line is at its beginning; after its end it is so again.
 */
enum memcached_event memcached_line_next(struct memcached_line *line, const char **at,
					 const char *end, const char **piece);

/*
 * Takes data that are followed by a line end, as far as they are there; `*left` counts both. 0, or
 * -1: there is no line end.
 */
int memcached_data(uint64_t *left, const char **at, const char *end);

/* The word as a number without its sign; -1: it is none. */
int64_t memcached_number(const char *at, size_t size);

/* Whether `at` begins with an answer that no other protocol has: 1, 0, or -2 too few bytes. */
int memcached_answer_looks_like(const char *at, size_t size);

/* The two directions of memcached_feed. */
enum wire_result memcached_feed_request(struct memcached *wire, const char *at, size_t size,
					const struct wire_calls *calls, void *to);
enum wire_result memcached_feed_reply(struct memcached *wire, const char *at, size_t size,
				      const struct wire_calls *calls, void *to);

#endif
