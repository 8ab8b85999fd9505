/* sql_fold.c - lists of values in masked SQL: IN becomes (?), rows after VALUES become one. */
#include "preload/sql_fold.h"

#include <string.h>

/* mask->fold: where in a list the text is. */
enum fold {
	FOLD_NONE,
	FOLD_AFTER_IN,
	FOLD_LIST,         /* within IN ( */
	FOLD_AFTER_VALUES, /* VALUES, or the parenthesis of IN ((1, 2), (3, 4)) */
	FOLD_IN_ROW,
	FOLD_AFTER_ROW,
	FOLD_AFTER_COMMA, /* between two rows */
};

void sql_fold_write(struct sql_mask *mask, const char *at, size_t size)
{
	if (mask->size < mask->room) {
		size_t left = mask->room - mask->size;
		memcpy(mask->to + mask->size, at, size < left ? size : left);
	}
	mask->size = size < UINT32_MAX - mask->size ? mask->size + (uint32_t)size : UINT32_MAX;
}

void sql_fold_back(struct sql_mask *mask, uint32_t size)
{
	mask->size = size;
	if (mask->boundary > size)
		mask->boundary = size;
}

int sql_fold_may_shrink(const struct sql_mask *mask)
{
	if (mask->fold == FOLD_LIST)
		return mask->fold_from + 3 <= mask->room;
	if (mask->fold < FOLD_IN_ROW || (mask->fold == FOLD_IN_ROW && !mask->fold_pure))
		return 0;
	return mask->fold_some && mask->fold_keep <= mask->room;
}

void sql_fold_token(struct sql_mask *mask, enum sql_fold_token token)
{
	if (token == FOLD_IN || token == FOLD_VALUES) {
		mask->fold = token == FOLD_IN ? FOLD_AFTER_IN : FOLD_AFTER_VALUES;
		mask->fold_some = 0;
	} else if (mask->fold == FOLD_IN_ROW) {
		mask->fold_pure &= token == FOLD_VALUE;
	} else if (mask->fold == FOLD_LIST && token == FOLD_VALUE) {
		mask->fold_pure = 1;
	} else if (token != FOLD_ROW) {
		mask->fold = FOLD_NONE;
	}
}

static void row_begins(struct sql_mask *mask)
{
	mask->fold = FOLD_IN_ROW;
	mask->fold_pure = 1;
	mask->fold_depth = 1;
}

static void opened(struct sql_mask *mask)
{
	switch (mask->fold) {
	case FOLD_AFTER_IN:
		mask->fold = FOLD_LIST;
		mask->fold_pure = 0;
		mask->fold_from = mask->size;
		break;
	case FOLD_LIST:
		/* Rows, if there was no value yet; else anything. */
		mask->fold = FOLD_NONE;
		if (!mask->fold_some && !mask->fold_pure)
			row_begins(mask);
		break;
	case FOLD_AFTER_VALUES:
	case FOLD_AFTER_COMMA:
		row_begins(mask);
		break;
	case FOLD_IN_ROW:
		mask->fold_pure = 0;
		mask->fold_depth++;
		break;
	default:
		mask->fold = FOLD_NONE;
	}
	sql_fold_put(mask, '(');
}

/* A row that is like an earlier one goes, with the comma before it. */
static void row_ends(struct sql_mask *mask)
{
	if (mask->fold_pure && mask->fold_some)
		sql_fold_back(mask, mask->fold_keep);
	mask->fold_some |= mask->fold_pure;
	mask->fold_keep = mask->size;
	mask->fold = FOLD_AFTER_ROW;
}

static void closed(struct sql_mask *mask)
{
	if (mask->fold == FOLD_LIST && mask->fold_pure) {
		sql_fold_back(mask, mask->fold_from);
		sql_fold_write(mask, "(?", 2);
	}
	sql_fold_put(mask, ')');
	if (mask->fold != FOLD_IN_ROW)
		mask->fold = FOLD_NONE;
	else if (!--mask->fold_depth)
		row_ends(mask);
}

static void separated(struct sql_mask *mask)
{
	if (mask->fold == FOLD_LIST && mask->fold_pure) {
		if (mask->fold_some)
			sql_fold_back(mask, mask->fold_keep);
		mask->fold_some = 1;
		mask->fold_keep = mask->size;
		mask->fold_pure = 0;
	} else if (mask->fold == FOLD_AFTER_ROW) {
		mask->fold = FOLD_AFTER_COMMA;
	} else if (mask->fold != FOLD_IN_ROW) {
		mask->fold = FOLD_NONE;
	}
	sql_fold_put(mask, ',');
}

void sql_fold_punctuation(struct sql_mask *mask, char c)
{
	if (c == '(')
		opened(mask);
	else if (c == ')')
		closed(mask);
	else
		separated(mask);
}
