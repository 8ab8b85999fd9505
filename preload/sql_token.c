/* sql_token.c - the tokens of masked SQL as they are written: literals, operators, strings. */
#include "preload/sql_token.h"

/* Bytes over 127 are letters of some character, as both servers have it. */
const uint8_t sql_class_of[256] = {
	['a' ... 'h'] = SQL_LETTER,
	['i'] = SQL_LETTER | SQL_LISTS,
	['j' ... 'u'] = SQL_LETTER,
	['v'] = SQL_LETTER | SQL_LISTS,
	['w' ... 'z'] = SQL_LETTER,
	['A' ... 'H'] = SQL_LETTER,
	['I'] = SQL_LETTER | SQL_LISTS,
	['J' ... 'U'] = SQL_LETTER,
	['V'] = SQL_LETTER | SQL_LISTS,
	['W' ... 'Z'] = SQL_LETTER,
	['_'] = SQL_LETTER,
	[128 ... 255] = SQL_LETTER,
	['0' ... '9'] = SQL_DIGIT,
	['\t' ... '\r'] = SQL_SPACE,
	[' '] = SQL_SPACE,
	['$'] = SQL_JOIN,
	['&'] = SQL_JOIN,
	['\''] = SQL_JOIN,
	['"'] = SQL_JOIN,
	['('] = SQL_PLAIN,
	[')'] = SQL_PLAIN,
	[','] = SQL_PLAIN,
	[';'] = SQL_PLAIN,
	['<' ... '>'] = SQL_PLAIN,
};

void sql_token_literal(struct sql_mask *mask, enum sql_state state)
{
	sql_token_begin(mask);
	sql_fold_put(mask, '?');
	sql_fold_token(mask, FOLD_VALUE);
	mask->after = SQL_AFTER_OTHER;
	mask->state = state;
}

void sql_token_operator(struct sql_mask *mask, unsigned char c)
{
	sql_token_begin(mask);
	sql_fold_put(mask, c);
	mask->state = SQL_NORMAL;
	mask->after = c == '.' ? SQL_AFTER_DOT : SQL_AFTER_OTHER;
	if (c == ':' || c == '@' || c == '%')
		mask->after = SQL_AFTER_MARK;
	else
		sql_fold_token(mask, c == '?' ? FOLD_VALUE : FOLD_OTHER);
}

/*
 * Strings that follow each other are one literal. In PostgreSQL those after a newline, and the
 * second half of a string with a doubled quote, have the escapes of the first one.
 */
void sql_token_string(struct sql_mask *mask, unsigned char quote, int escapes)
{
	if (mask->near == SQL_NEAR_NO_STRING) {
		sql_token_literal(mask, SQL_STRING);
	} else {
		if (mask->near != SQL_NEAR_SPACE)
			escapes |= mask->escapes;
		sql_fold_back(mask, mask->string_end);
	}
	mask->state = SQL_STRING;
	mask->quote = quote;
	mask->escapes = escapes || mask->dialect == SQL_MYSQL;
}

void sql_token_identifier(struct sql_mask *mask, unsigned char quote)
{
	sql_token_operator(mask, quote);
	mask->state = SQL_IDENTIFIER;
	mask->quote = quote;
}

void sql_token_number(struct sql_mask *mask)
{
	sql_token_literal(mask, SQL_NUMBER);
	mask->decimal = 1;
}
