/* wire_text.h - the text of a command as it is told: words kept, values as '?', bounded. */
#ifndef TAGALONG_WIRE_TEXT_H
#define TAGALONG_WIRE_TEXT_H

/*
 * For the protocols whose commands are lists of words (Redis, memcached). A text is written word by
 * word and given to wire_calls.text in one piece where it fits, for each call costs. Plain data
 * without pointers; a zeroed struct is an empty text. Any thread, async-signal-safe.
 */

#include <stddef.h>
#include <stdint.h>

#include "preload/wire.h"

#define WIRE_TEXT_ROOM     176u
#define WIRE_TEXT_MAX      1024u /* bytes of a whole text, but for the three dots at its end */
#define WIRE_TEXT_WORD_MAX 128u  /* bytes of a word; "..." follows what was cut */

struct wire_text {
	uint16_t size;      /* bytes that wait in `at` */
	uint16_t total;     /* bytes of the text so far, those told included */
	uint16_t word_size; /* bytes of the word that is being written */
	uint8_t full;
	char at[WIRE_TEXT_ROOM];
};

/* Begins another text; what was not told of the last one is dropped. */
void wire_text_begin(struct wire_text *text);

/* Begins a word: a space, but for the first one. */
void wire_text_word(struct wire_text *text, const struct wire_calls *calls, void *to);

/*
 * A piece of the word. Spaces and control characters become '_', what is beyond WIRE_TEXT_WORD_MAX
 * becomes "...".
 */
void wire_text_put(struct wire_text *text, const char *at, size_t size,
		   const struct wire_calls *calls, void *to);

/* The word was complete; an empty one becomes `""`. */
void wire_text_word_end(struct wire_text *text, const struct wire_calls *calls, void *to);

/* A value: the word "?". */
void wire_text_value(struct wire_text *text, const struct wire_calls *calls, void *to);

/* Tells what waits. */
void wire_text_tell(struct wire_text *text, const struct wire_calls *calls, void *to);

/*
 * A table's row begins with its name, of up to WIRE_ROW_NAME bytes and filled up with NULs; rows
 * are in the order of their names' bytes. The row of `name`, or -1; a longer name is the row's
 * that has its first bytes. `fold`: letters of either case are alike, and the table has capitals.
 */
#define WIRE_ROW_NAME 16
int wire_row(const void *rows, size_t count, size_t row_size, const char *name, size_t size,
	     int fold);

#endif
