/* redact_look.c - whether a text may hold a secret at all. */
#include "redact_look.h"

#include <string.h>

#include "exporter/redact_block.h"

#define BLOCK 16

/* Both sides of the border between two blocks, and what every run of 13 within one has. */
#define BORDER 0x18000u
#define MIDDLE 0x1ff8u

static uint32_t runs_of_8(uint32_t bits)
{
	bits &= bits >> 1;
	bits &= bits >> 2;
	return bits & bits >> 4;
}

/* Tokens are long rows of letters and digits, cards of digits; all else has a mark. */
static int is_suspect(struct redact_block before, struct redact_block block)
{
	uint32_t alnum = before.alnum | block.alnum << BLOCK;
	uint32_t numeric = before.numeric | block.numeric << BLOCK;

	if (block.marks || block.alnum == 0xffff || (block.numeric & MIDDLE) == MIDDLE)
		return 1;
	if ((alnum & BORDER) == BORDER) {
		alnum = runs_of_8(alnum);
		if (alnum & alnum >> 8)
			return 1;
	}
	if ((numeric & BORDER) != BORDER)
		return 0;
	numeric = runs_of_8(numeric);
	return (numeric & numeric >> 5) != 0;
}

/* The last bytes of a text, fewer than a block. */
static struct redact_block look_last(struct text text, uint32_t done, char mark)
{
	uint32_t left = text.size - done;
	char last[BLOCK] = {0};
	struct redact_block block;

	if (done == 0) {
		memcpy(last, text.at, left);
		return redact_block_first(last, mark);
	}
	block = redact_block_next(text.at + text.size - BLOCK, mark);
	block.alnum >>= BLOCK - left;
	block.numeric >>= BLOCK - left;
	return block;
}

int redact_look(struct text text, char mark)
{
	struct redact_block before = {0}, block;
	uint32_t done = 0;

	for (; text.size - done >= BLOCK; done += BLOCK) {
		block = done ? redact_block_next(text.at + done, mark)
			     : redact_block_first(text.at, mark);
		if (is_suspect(before, block))
			return 1;
		before = block;
	}
	return done < text.size && is_suspect(before, look_last(text, done, mark));
}
