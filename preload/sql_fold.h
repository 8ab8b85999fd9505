/* sql_fold.h - masked SQL as it is written, with lists of values folded; part of sql_mask.c. */
#ifndef TAGALONG_SQL_FOLD_H
#define TAGALONG_SQL_FOLD_H

#include <stddef.h>

#include "preload/sql_mask.h"

/* What a token is to a list of values. */
enum sql_fold_token {
	FOLD_VALUE,  /* a literal, a placeholder, null, ...: part of a value */
	FOLD_IN,     /* the word IN */
	FOLD_VALUES, /* the word VALUES */
	FOLD_ROW,    /* the word ROW */
	FOLD_OTHER,
};

/* Appends; what has no room is counted in `size` all the same, so that it can be taken back. */
void sql_fold_write(struct sql_mask *mask, const char *at, size_t size);

/* The same of one byte. */
static inline void sql_fold_put(struct sql_mask *mask, unsigned char c)
{
	if (mask->size < mask->room)
		mask->to[mask->size] = (char)c;
	mask->size += mask->size < UINT32_MAX;
}

/* Takes back what was written since the output had `size` bytes. */
void sql_fold_back(struct sql_mask *mask, uint32_t size);

/* Told of each token but the next ones, before or after it is written. */
void sql_fold_token(struct sql_mask *mask, enum sql_fold_token token);

/* Writes one of "(),". */
void sql_fold_punctuation(struct sql_mask *mask, char c);

/* Whether an output that has outgrown its room may still be taken back into it. */
int sql_fold_may_shrink(const struct sql_mask *mask);

#endif
