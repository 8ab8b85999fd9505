/* sql_word.c - words of SQL: keywords that begin lists, prefixes of strings, dollar quotes. */
#include "preload/sql_token.h"

#include <string.h>

#define IN_WORD (SQL_LETTER | SQL_DIGIT)

#define WORD1(a)                   (uint64_t)(a)
#define WORD2(a, b)                (WORD1(a) << 8 | (b))
#define WORD4(a, b, c, d)          (WORD2(a, b) << 16 | WORD2(c, d))
#define WORD3(a, b, c)             (WORD2(a, b) << 8 | (c))
#define WORD5(a, b, c, d, e)       (WORD4(a, b, c, d) << 8 | (e))
#define WORD6(a, b, c, d, e, f)    (WORD4(a, b, c, d) << 16 | WORD2(e, f))
#define WORD7(a, b, c, d, e, f, g) (WORD4(a, b, c, d) << 24 | WORD3(e, f, g))

/* FNV-1a: of a tag only the hash is kept, for it has no limit. */
static uint64_t hash_byte(uint64_t hash, unsigned char c)
{
	return (hash ^ c) * 0x100000001b3u;
}
#define HASH_BEGIN 0xcbf29ce484222325u

/* A comment that was taken out leaves a space between two words. */
void sql_word_begin(struct sql_mask *mask)
{
	if (mask->after == SQL_AFTER_WORD)
		sql_fold_put(mask, ' ');
	sql_token_begin(mask);
	mask->marked = mask->after;
	mask->tagged = 0;
	mask->word = 0;
	mask->word_size = 0;
	mask->state = SQL_WORD;
}

/* A word of that size, its first eight bytes in lower case, behind a mark or a dot or neither. */
static enum sql_fold_token word_as_token(uint64_t word, size_t size, uint8_t marked)
{
	if (marked == SQL_AFTER_MARK)
		return FOLD_VALUE;
	if (marked == SQL_AFTER_DOT || size > sizeof(word))
		return FOLD_OTHER;
	switch (word) {
	case WORD2('i', 'n'):
		return FOLD_IN;
	case WORD5('v', 'a', 'l', 'u', 'e'):
	case WORD6('v', 'a', 'l', 'u', 'e', 's'):
		return FOLD_VALUES;
	case WORD3('r', 'o', 'w'):
		return FOLD_ROW;
	case WORD4('n', 'u', 'l', 'l'):
	case WORD4('t', 'r', 'u', 'e'):
	case WORD5('f', 'a', 'l', 's', 'e'):
	case WORD7('d', 'e', 'f', 'a', 'u', 'l', 't'):
		return FOLD_VALUE;
	default:
		return FOLD_OTHER;
	}
}

static void word_end(struct sql_mask *mask)
{
	sql_fold_token(mask, word_as_token(mask->word, mask->word_size, mask->marked));
	mask->state = SQL_NORMAL;
	mask->after = SQL_AFTER_WORD;
}

/* E'', B'', X'' and N'': the letter is part of the literal. */
static int is_prefix(const struct sql_mask *mask)
{
	return mask->word_size == 1 &&
	       (mask->word == 'e' || mask->word == 'b' || mask->word == 'x' || mask->word == 'n');
}

static int is_string_quote(const struct sql_mask *mask, unsigned char c)
{
	return c == '\'' || (c == '"' && mask->dialect == SQL_MYSQL);
}

/* The word, or nothing, that came between two dollars is the tag: a literal opens. */
static void dollar_quote_begin(struct sql_mask *mask)
{
	mask->tag = mask->tag_now;
	sql_token_literal(mask, SQL_DOLLAR_BODY);
}

static unsigned char lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c | 0x20) : c;
}

static void add_byte(struct sql_mask *mask, unsigned char c)
{
	mask->word = mask->word << 8 | lower(c);
	mask->word_size += mask->word_size < UINT32_MAX;
	if (mask->tagged)
		mask->tag_now = hash_byte(mask->tag_now, c);
}

/* What sql_plain_run has taken. It is told to the mask at the end, for only the last counts. */
struct plain {
	const char *at;
	const char *end;
	const char *last;  /* where the last token or byte of space begins */
	const char *token; /* where the last token begins, NULL: there was none */
	uint8_t after;
	uint8_t near;
};

static inline void plain_token(struct plain *plain, size_t size, enum sql_after after)
{
	plain->last = plain->token = plain->at;
	plain->at += size;
	plain->after = (uint8_t)after;
	plain->near = SQL_NEAR_NO_STRING;
}

static inline void plain_space(struct plain *plain, unsigned char c)
{
	plain->near = (uint8_t)sql_near_behind(plain->near, c);
	plain->after = SQL_AFTER_OTHER;
	plain->last = plain->at++;
}

/* A list of values is open, or may open behind this word. */
static void tell_word(struct sql_mask *mask, const char *at, size_t size, uint8_t after)
{
	uint64_t word = 0;

	for (size_t i = 0; i < size && i < sizeof(word); i++)
		word = word << 8 | lower((unsigned char)at[i]);
	sql_fold_token(mask, word_as_token(word, size, after));
}

/* 0: it may go on behind the end, or be the beginning of something else. */
static inline int plain_word(struct sql_mask *mask, struct plain *plain, int class)
{
	const char *stop = plain->at + 1;

	while (stop < plain->end && sql_token_is((unsigned char)*stop, IN_WORD))
		stop++;
	if (plain->after == SQL_AFTER_WORD || stop == plain->end ||
	    sql_token_is((unsigned char)*stop, SQL_JOIN))
		return 0;
	if (mask->fold || class & SQL_LISTS)
		tell_word(mask, plain->at, (size_t)(stop - plain->at), plain->after);
	plain_token(plain, (size_t)(stop - plain->at), SQL_AFTER_WORD);
	return 1;
}

/* 0: what it means hangs on more than the byte before it. */
static inline int plain_symbol(const struct sql_mask *mask, struct plain *plain, unsigned char c)
{
	if (mask->fold)
		return 0;
	if (sql_token_is(c, SQL_PLAIN))
		plain_token(plain, 1, SQL_AFTER_OTHER);
	else if (c == '.' && plain->after == SQL_AFTER_WORD)
		plain_token(plain, 1, SQL_AFTER_DOT);
	else
		return 0;
	return 1;
}

size_t sql_plain_run(struct sql_mask *mask, const char *from, size_t size)
{
	size_t room = mask->size < mask->room ? mask->room - mask->size : 0;
	struct plain plain = {
		.at = from,
		.end = from + (size < room ? size : room),
		.after = mask->after,
		.near = mask->near,
	};

	while (plain.at < plain.end) {
		unsigned char c = (unsigned char)*plain.at;
		int class = sql_token_is(c, 0xff);

		if (class & SQL_SPACE)
			plain_space(&plain, c);
		else if (class & SQL_LETTER ? !plain_word(mask, &plain, class)
					    : !plain_symbol(mask, &plain, c))
			break;
	}
	size = (size_t)(plain.at - from);
	if (!size)
		return 0;
	memcpy(mask->to + mask->size, from, size);
	mask->boundary = mask->size + (uint32_t)(plain.last - from);
	if (plain.token)
		mask->token_at = mask->size + (uint32_t)(plain.token - from);
	mask->after = plain.after;
	mask->near = plain.near;
	mask->size += (uint32_t)size;
	return size;
}

size_t sql_word_run(struct sql_mask *mask, const char *at, size_t size)
{
	size_t taken = 0;

	while (taken < size && sql_token_is((unsigned char)at[taken], IN_WORD))
		add_byte(mask, (unsigned char)at[taken++]);
	sql_fold_write(mask, at, taken);
	return taken;
}

int sql_word_next(struct sql_mask *mask, unsigned char c)
{
	if (!sql_token_is(c, IN_WORD | SQL_JOIN)) {
		word_end(mask);
		return 0;
	}
	if (c == '$' && mask->tagged) {
		sql_fold_back(mask, mask->token_at - 1);
		dollar_quote_begin(mask);
		return 1;
	}
	if (sql_token_is(c, IN_WORD) || c == '$') {
		add_byte(mask, c);
		sql_fold_put(mask, c);
		return 1;
	}
	if (is_string_quote(mask, c) && is_prefix(mask)) {
		sql_fold_back(mask, mask->token_at);
		sql_token_string(mask, c, mask->word == 'e');
		return 1;
	}
	if (c == '&' && mask->word == 'u' && mask->word_size == 1 &&
	    mask->dialect == SQL_POSTGRESQL) {
		mask->state = SQL_UNICODE;
		return 1;
	}
	word_end(mask);
	return 0;
}

int sql_unicode_next(struct sql_mask *mask, unsigned char c)
{
	if (c == '\'') {
		sql_fold_back(mask, mask->token_at);
		sql_token_string(mask, c, 0);
		return 1;
	}
	word_end(mask);
	sql_token_operator(mask, '&');
	if (c != '"')
		return 0;
	sql_token_identifier(mask, c);
	return 1;
}

int sql_dollar_next(struct sql_mask *mask, unsigned char c)
{
	mask->tag_now = HASH_BEGIN;
	if (c == '$') {
		dollar_quote_begin(mask);
		return 1;
	}
	if (sql_token_is(c, SQL_DIGIT)) {
		sql_token_begin(mask);
		sql_fold_put(mask, '$');
		sql_fold_token(mask, FOLD_VALUE);
		mask->state = SQL_PARAMETER;
		mask->after = SQL_AFTER_OTHER;
		return 0;
	}
	if (!sql_token_is(c, SQL_LETTER)) {
		sql_token_operator(mask, '$');
		return 0;
	}
	sql_token_begin(mask);
	sql_fold_put(mask, '$');
	mask->after = SQL_AFTER_MARK;
	sql_word_begin(mask);
	mask->tagged = 1;
	return 0;
}

int sql_parameter_next(struct sql_mask *mask, unsigned char c)
{
	if (!sql_token_is(c, SQL_DIGIT)) {
		mask->state = SQL_NORMAL;
		return 0;
	}
	sql_fold_put(mask, c);
	return 1;
}

int sql_dollar_body_next(struct sql_mask *mask, unsigned char c)
{
	if (c == '$') {
		mask->state = SQL_DOLLAR_TAG;
		mask->tag_now = HASH_BEGIN;
	}
	return 1;
}

int sql_dollar_tag_next(struct sql_mask *mask, unsigned char c)
{
	if (c == '$' && mask->tag_now == mask->tag)
		mask->state = SQL_NORMAL;
	else if (c == '$')
		mask->tag_now = HASH_BEGIN;
	else if (sql_token_is(c, SQL_LETTER) ||
		 (sql_token_is(c, SQL_DIGIT) && mask->tag_now != HASH_BEGIN))
		mask->tag_now = hash_byte(mask->tag_now, c);
	else
		mask->state = SQL_DOLLAR_BODY;
	return 1;
}
