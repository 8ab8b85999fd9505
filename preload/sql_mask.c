/* sql_mask.c - SQL without its literals: a state machine that takes a byte at a time. */
#include "preload/sql_mask.h"

#include <string.h>

#include "preload/sql_token.h"

/* What follows digits directly is taken for a part of the number, whatever it is. */
static int number_next(struct sql_mask *mask, unsigned char c)
{
	if ((c == 'e' || c == 'E') && mask->decimal) {
		mask->state = SQL_EXPONENT;
		return 1;
	}
	if (sql_token_is(c, SQL_LETTER | SQL_DIGIT) || c == '.') {
		if (sql_token_is(c, SQL_LETTER) && c != '_')
			mask->decimal = 0;
		return 1;
	}
	mask->state = SQL_NORMAL;
	return 0;
}

/* 1E'..' was a number and a string with escapes to PostgreSQL before 15. */
static int exponent_next(struct sql_mask *mask, unsigned char c)
{
	mask->state = SQL_NUMBER;
	if (c == '+' || c == '-') {
		mask->state = SQL_EXPONENT_SIGN;
		mask->held = c;
		return 1;
	}
	if (c == '\'') {
		sql_token_string(mask, c, 1);
		return 1;
	}
	mask->decimal = sql_token_is(c, SQL_DIGIT) != 0;
	return 0;
}

static int exponent_sign_next(struct sql_mask *mask, unsigned char c)
{
	mask->state = sql_token_is(c, SQL_DIGIT) ? SQL_NUMBER : SQL_SIGN;
	return 0;
}

static int sign_next(struct sql_mask *mask, unsigned char c)
{
	if (c == '.') {
		mask->state = SQL_SIGN_POINT;
		return 1;
	}
	if (c == '-' && mask->held == '-') {
		mask->state = mask->dialect == SQL_MYSQL ? SQL_DASHES : SQL_LINE_COMMENT;
		return 1;
	}
	if (sql_token_is(c, SQL_DIGIT))
		sql_token_number(mask);
	else
		sql_token_operator(mask, mask->held);
	return 0;
}

static int point_next(struct sql_mask *mask, unsigned char c)
{
	if (sql_token_is(c, SQL_DIGIT)) {
		sql_token_number(mask);
		return 0;
	}
	if (mask->state == SQL_SIGN_POINT)
		sql_token_operator(mask, mask->held);
	sql_token_operator(mask, '.');
	return 0;
}

static void string_end(struct sql_mask *mask)
{
	mask->state = SQL_NORMAL;
	mask->near = SQL_NEAR_DIRECTLY;
	mask->string_end = mask->size;
	mask->after = SQL_AFTER_OTHER;
}

static int string_next(struct sql_mask *mask, unsigned char c)
{
	if (c == mask->quote)
		string_end(mask);
	else if (c == '\\' && mask->escapes)
		mask->state = SQL_STRING_ESCAPE;
	return 1;
}

static int string_escape_next(struct sql_mask *mask, unsigned char c)
{
	(void)c;
	mask->state = SQL_STRING;
	return 1;
}

/* A doubled quote ends one identifier and begins another: what is written is the same. */
static int identifier_next(struct sql_mask *mask, unsigned char c)
{
	sql_fold_put(mask, c);
	if (c == mask->quote) {
		mask->state = SQL_NORMAL;
		mask->after = SQL_AFTER_WORD;
	}
	return 1;
}

static void hold(struct sql_mask *mask, enum sql_state state, unsigned char c)
{
	mask->state = state;
	mask->held = c;
}

/* One that has no room: sql_plain_run takes the others. */
static void space(struct sql_mask *mask, unsigned char c)
{
	if (mask->size <= mask->room)
		mask->boundary = mask->size;
	mask->near = (uint8_t)sql_near_behind(mask->near, c);
	mask->after = SQL_AFTER_OTHER;
	sql_fold_put(mask, c);
}

static void symbol(struct sql_mask *mask, unsigned char c)
{
	int mysql = mask->dialect == SQL_MYSQL;

	if ((c == '\'' || (c == '"' && mysql)))
		sql_token_string(mask, c, 0);
	else if (c == (mysql ? '`' : '"'))
		sql_token_identifier(mask, c);
	else if (c == '+' || c == '-')
		hold(mask, SQL_SIGN, c);
	else if (c == '.' && mask->after != SQL_AFTER_WORD)
		hold(mask, SQL_POINT, c);
	else if (c == '/')
		hold(mask, SQL_SLASH, c);
	else if (c == '*' && mask->in_hint)
		hold(mask, SQL_STAR, c);
	else if (c == '$')
		hold(mask, SQL_DOLLAR, c);
	else if (c == '#' && mysql)
		mask->state = SQL_LINE_COMMENT;
	else
		sql_token_operator(mask, c);
}

static int normal_next(struct sql_mask *mask, unsigned char c)
{
	if (sql_token_is(c, SQL_SPACE)) {
		space(mask, c);
	} else if (sql_token_is(c, SQL_LETTER) || (c == '$' && mask->dialect == SQL_MYSQL)) {
		sql_word_begin(mask);
		return 0;
	} else if (sql_token_is(c, SQL_DIGIT)) {
		sql_token_number(mask);
		return 0;
	} else if (c == '(' || c == ')' || c == ',') {
		sql_token_begin(mask);
		sql_fold_punctuation(mask, (char)c);
		mask->after = SQL_AFTER_OTHER;
	} else {
		symbol(mask, c);
	}
	return 1;
}

/* Each takes a byte and tells whether it was taken, or is the next state's. */
static int (*const next[SQL_STATES])(struct sql_mask *, unsigned char) = {
	[SQL_NORMAL] = normal_next,
	[SQL_WORD] = sql_word_next,
	[SQL_UNICODE] = sql_unicode_next,
	[SQL_NUMBER] = number_next,
	[SQL_EXPONENT] = exponent_next,
	[SQL_EXPONENT_SIGN] = exponent_sign_next,
	[SQL_SIGN] = sign_next,
	[SQL_SIGN_POINT] = point_next,
	[SQL_POINT] = point_next,
	[SQL_STRING] = string_next,
	[SQL_STRING_ESCAPE] = string_escape_next,
	[SQL_IDENTIFIER] = identifier_next,
	[SQL_DOLLAR] = sql_dollar_next,
	[SQL_PARAMETER] = sql_parameter_next,
	[SQL_DOLLAR_BODY] = sql_dollar_body_next,
	[SQL_DOLLAR_TAG] = sql_dollar_tag_next,
	[SQL_SLASH] = sql_slash_next,
	[SQL_STAR] = sql_star_next,
	[SQL_DASHES] = sql_dashes_next,
	[SQL_LINE_COMMENT] = sql_line_comment_next,
	[SQL_COMMENT_BEGIN] = sql_comment_begin_next,
	[SQL_COMMENT_MARIADB] = sql_comment_begin_next,
	[SQL_COMMENT] = sql_comment_next,
	[SQL_COMMENT_STAR] = sql_comment_star_next,
	[SQL_COMMENT_SLASH] = sql_comment_slash_next,
	[SQL_HINT_VERSION] = sql_hint_version_next,
};

void sql_mask_begin(struct sql_mask *mask, enum sql_dialect dialect, char *to, size_t room)
{
	memset(mask, 0, sizeof(*mask));
	mask->to = to;
	mask->room = room < UINT32_MAX ? (uint32_t)room : UINT32_MAX - 1;
	mask->dialect = (uint8_t)dialect;
}

/* What words, numbers, strings and identifiers are made of, taken at once. */
static size_t run(struct sql_mask *mask, const char *at, size_t size)
{
	size_t taken = 0;

	switch (mask->state) {
	case SQL_NORMAL:
		return sql_plain_run(mask, at, size);
	case SQL_WORD:
		return sql_word_run(mask, at, size);
	case SQL_NUMBER:
		while (taken < size && sql_token_is((unsigned char)at[taken], SQL_DIGIT))
			taken++;
		return taken;
	case SQL_STRING:
		while (taken < size && (unsigned char)at[taken] != mask->quote && at[taken] != '\\')
			taken++;
		return taken;
	case SQL_IDENTIFIER:
		while (taken < size && (unsigned char)at[taken] != mask->quote)
			taken++;
		sql_fold_write(mask, at, taken);
		return taken;
	default:
		return 0;
	}
}

void sql_mask_feed(struct sql_mask *mask, const char *at, size_t size)
{
	const char *end = at + size;

	while (at < end && !mask->cut) {
		at += run(mask, at, (size_t)(end - at));
		if (at < end)
			at += next[mask->state](mask, (unsigned char)*at);
	}
}

/* What was held back, as nothing came that would have made more of it. */
static void flush(struct sql_mask *mask)
{
	switch (mask->state) {
	case SQL_UNICODE:
		sql_token_operator(mask, '&');
		break;
	case SQL_SIGN_POINT:
		sql_token_operator(mask, mask->held);
		sql_token_operator(mask, '.');
		break;
	case SQL_EXPONENT_SIGN:
	case SQL_SIGN:
	case SQL_POINT:
	case SQL_SLASH:
	case SQL_STAR:
	case SQL_DOLLAR:
		sql_token_operator(mask, mask->held);
		break;
	case SQL_IDENTIFIER:
		sql_fold_back(mask, mask->token_at);
		sql_token_literal(mask, SQL_NORMAL);
		break;
	default:
		break;
	}
}

size_t sql_mask_end(struct sql_mask *mask)
{
	if (!mask->cut)
		flush(mask);
	mask->state = SQL_NORMAL;
	mask->cut |= mask->size > mask->room;
	if (mask->cut)
		mask->size = mask->boundary;
	return mask->size;
}
