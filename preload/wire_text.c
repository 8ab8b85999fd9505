/* wire_text.c - the text of a command as it is told: words kept, values as '?', bounded. */
#include "preload/wire_text.h"

#include <endian.h>
#include <string.h>

void wire_text_begin(struct wire_text *text)
{
	text->size = text->total = text->word_size = 0;
	text->full = 0;
}

void wire_text_tell(struct wire_text *text, const struct wire_calls *calls, void *to)
{
	if (text->size)
		calls->text(to, text->at, text->size, 0);
	text->size = 0;
}

/* Room for `size` bytes, few enough for the buffer; 0: the text has ended. */
static int room_for(struct wire_text *text, size_t size, const struct wire_calls *calls, void *to)
{
	if (text->full)
		return 0;
	if (text->size + size + 3 > sizeof(text->at))
		wire_text_tell(text, calls, to);
	if (text->total + size <= WIRE_TEXT_MAX)
		return 1;
	memcpy(text->at + text->size, "...", 3);
	text->size += 3;
	text->full = 1;
	return 0;
}

static void append(struct wire_text *text, const char *at, size_t size,
		   const struct wire_calls *calls, void *to)
{
	if (!room_for(text, size, calls, to))
		return;
	memcpy(text->at + text->size, at, size);
	text->size = (uint16_t)(text->size + size);
	text->total = (uint16_t)(text->total + size);
}

void wire_text_word(struct wire_text *text, const struct wire_calls *calls, void *to)
{
	text->word_size = 0;
	if (!text->total || !room_for(text, 1, calls, to))
		return;
	text->at[text->size++] = ' ';
	text->total++;
}

/* Eight bytes at once: whether one of them is a space, a control character or DEL. */
static int has_unfit(uint64_t word)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
	uint64_t deletes = word ^ (0x7f * ones);

	return (((word - 0x21 * ones) & ~word) | ((deletes - ones) & ~deletes)) & tops ? 1 : 0;
}

static void clean(char *at, size_t size)
{
	uint64_t word;
	size_t i = 0;

	for (; size - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, at + i, sizeof(word));
		if (has_unfit(word))
			break;
	}
	if (i && size - i < sizeof(word)) {
		memcpy(&word, at + size - sizeof(word), sizeof(word));
		if (!has_unfit(word))
			return;
	}
	for (; i < size; i++)
		if ((unsigned char)at[i] <= ' ' || at[i] == 0x7f)
			at[i] = '_';
}

/* At most a word, and so less than the buffer holds. Byte by byte only where the text ends. */
static void append_clean(struct wire_text *text, const char *at, size_t size,
			 const struct wire_calls *calls, void *to)
{
	size_t left = WIRE_TEXT_MAX - text->total;

	if (size > left && !text->full) {
		append_clean(text, at, left, calls, to);
		room_for(text, size, calls, to);
		return;
	}
	append(text, at, size, calls, to);
	if (!text->full)
		clean(text->at + text->size - size, size);
}

void wire_text_put(struct wire_text *text, const char *at, size_t size,
		   const struct wire_calls *calls, void *to)
{
	size_t left = WIRE_TEXT_WORD_MAX - text->word_size;

	/* The common case: a short word, and room for it. */
	if (!text->word_size && !text->full && size <= WIRE_TEXT_WORD_MAX &&
	    text->size + size + 3 <= sizeof(text->at) && text->total + size <= WIRE_TEXT_MAX) {
		memcpy(text->at + text->size, at, size);
		clean(text->at + text->size, size);
		text->size = (uint16_t)(text->size + size);
		text->total = (uint16_t)(text->total + size);
		text->word_size = (uint16_t)size;
		return;
	}
	if (text->full || text->word_size > WIRE_TEXT_WORD_MAX || !size)
		return;
	append_clean(text, at, size < left ? size : left, calls, to);
	if (size > left)
		append(text, "...", 3, calls, to);
	text->word_size = (uint16_t)(size > left ? WIRE_TEXT_WORD_MAX + 1 : text->word_size + size);
}

void wire_text_word_end(struct wire_text *text, const struct wire_calls *calls, void *to)
{
	if (!text->word_size)
		append(text, "\"\"", 2, calls, to);
}

void wire_text_value(struct wire_text *text, const struct wire_calls *calls, void *to)
{
	append(text, text->total ? " ?" : "?", text->total ? 2 : 1, calls, to);
}

/* ---- tables of names ------------------------------------------------------------------------ */

/* Two words that are ordered as their sixteen bytes are. */
struct row_name {
	uint64_t high, low;
};

static uint64_t big_endian(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return be64toh(word);
}

/* Small letters to capitals, eight bytes at once; bytes over 127 stay. */
static uint64_t capitals(uint64_t word)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
	uint64_t ascii = word & ~tops;
	uint64_t from_a = ascii + (0x80 - 'a') * ones;
	uint64_t beyond_z = ascii + (0x80 - 'z' - 1) * ones;

	return word - (((from_a & ~beyond_z & ~word & tops) >> 7) * 0x20);
}

int wire_row(const void *rows, size_t count, size_t row_size, const char *name, size_t size,
	     int fold)
{
	char padded[WIRE_ROW_NAME] = {0};
	size_t low = 0;

	memcpy(padded, name, size < sizeof(padded) ? size : sizeof(padded));
	struct row_name sought = {big_endian(padded), big_endian(padded + 8)};
	if (fold)
		sought = (struct row_name){capitals(sought.high), capitals(sought.low)};
	while (low < count) {
		size_t middle = low + (count - low) / 2;
		const char *at = (const char *)rows + middle * row_size;
		struct row_name row = {big_endian(at), big_endian(at + 8)};
		if (row.high == sought.high && row.low == sought.low)
			return (int)middle;
		if (row.high < sought.high || (row.high == sought.high && row.low < sought.low))
			low = middle + 1;
		else
			count = middle;
	}
	return -1;
}
