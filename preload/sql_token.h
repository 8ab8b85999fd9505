/* sql_token.h - the states of sql_mask.c's machine and the tokens that it writes. */
#ifndef TAGALONG_SQL_TOKEN_H
#define TAGALONG_SQL_TOKEN_H

#include "preload/sql_fold.h"
#include "preload/sql_mask.h"

enum sql_state {
	SQL_NORMAL,
	SQL_WORD,
	SQL_UNICODE, /* U&, PostgreSQL's prefix of a string or an identifier */
	SQL_NUMBER,
	SQL_EXPONENT,      /* the e of a number */
	SQL_EXPONENT_SIGN, /* its sign, held */
	SQL_SIGN,          /* held */
	SQL_SIGN_POINT,    /* a sign and a point, both held */
	SQL_POINT,         /* held */
	SQL_STRING,
	SQL_STRING_ESCAPE, /* after a backslash */
	SQL_IDENTIFIER,    /* quoted */
	SQL_DOLLAR,        /* held */
	SQL_PARAMETER,     /* $1 */
	SQL_DOLLAR_BODY,
	SQL_DOLLAR_TAG, /* within the body: what may be the end */
	SQL_SLASH,      /* held */
	SQL_STAR,       /* held, within an executable comment */
	SQL_DASHES,     /* MySQL: two, one of them held, which may begin a comment */
	SQL_LINE_COMMENT,
	SQL_COMMENT_BEGIN,   /* MySQL: its first byte tells whether it is executable */
	SQL_COMMENT_MARIADB, /* the M of an executable comment of MariaDB's own */
	SQL_COMMENT,
	SQL_COMMENT_STAR,
	SQL_COMMENT_SLASH,
	SQL_HINT_VERSION, /* the digits after the mark of an executable comment */
	SQL_STATES,
};

/* mask->after: what the byte before was the end of. */
enum sql_after { SQL_AFTER_OTHER, SQL_AFTER_WORD, SQL_AFTER_MARK, SQL_AFTER_DOT };

/* mask->near: what came since the last string ended. */
enum sql_near { SQL_NEAR_NO_STRING, SQL_NEAR_DIRECTLY, SQL_NEAR_SPACE, SQL_NEAR_NEWLINE };

enum sql_class {
	SQL_LETTER = 1,
	SQL_DIGIT = 2,
	SQL_SPACE = 4,
	SQL_JOIN = 8,   /* behind a word it may be a part of the same token */
	SQL_PLAIN = 16, /* a token of its own outside of lists that may be folded */
	SQL_LISTS = 32, /* the words that begin such a list begin so */
};

extern const uint8_t sql_class_of[256];

/* Whether a byte is of a class, or of one of several. */
static inline int sql_token_is(unsigned char c, int class)
{
	return sql_class_of[c] & class;
}

/* A token begins: the place to cut the text at, if it outgrows its room. */
static inline void sql_token_begin(struct sql_mask *mask)
{
	if (mask->size <= mask->room)
		mask->boundary = mask->size;
	else if (!sql_fold_may_shrink(mask))
		mask->cut = 1;
	mask->token_at = mask->size;
	mask->near = SQL_NEAR_NO_STRING;
}

/* A '?', and what the next byte continues. */
void sql_token_literal(struct sql_mask *mask, enum sql_state state);
void sql_token_number(struct sql_mask *mask);
void sql_token_string(struct sql_mask *mask, unsigned char quote, int escapes);

/* These are written as they are: one byte, and the opening quote of an identifier. */
void sql_token_operator(struct sql_mask *mask, unsigned char c);
void sql_token_identifier(struct sql_mask *mask, unsigned char quote);

/* mask->near behind a byte of space. */
static inline enum sql_near sql_near_behind(enum sql_near near, unsigned char c)
{
	if (near == SQL_NEAR_NO_STRING || near == SQL_NEAR_NEWLINE)
		return near;
	return c == '\n' || c == '\r' ? SQL_NEAR_NEWLINE : SQL_NEAR_SPACE;
}

/*
 * sql_word.c: between tokens, the common ones that stay as they are: words, space, symbols; as far
 * as they are whole and have room. How many bytes were taken.
 */
size_t sql_plain_run(struct sql_mask *mask, const char *from, size_t size);

/* sql_word.c: a word begins, and what it is made of: how many bytes of `at` were taken. */
void sql_word_begin(struct sql_mask *mask);
size_t sql_word_run(struct sql_mask *mask, const char *at, size_t size);

/* sql_word.c, sql_comment.c: each takes a byte and tells whether it was taken, or is the next
 * state's. */
int sql_word_next(struct sql_mask *mask, unsigned char c);
int sql_unicode_next(struct sql_mask *mask, unsigned char c);
int sql_dollar_next(struct sql_mask *mask, unsigned char c);
int sql_dollar_body_next(struct sql_mask *mask, unsigned char c);
int sql_dollar_tag_next(struct sql_mask *mask, unsigned char c);
int sql_parameter_next(struct sql_mask *mask, unsigned char c);
int sql_slash_next(struct sql_mask *mask, unsigned char c);
int sql_star_next(struct sql_mask *mask, unsigned char c);
int sql_dashes_next(struct sql_mask *mask, unsigned char c);
int sql_line_comment_next(struct sql_mask *mask, unsigned char c);
int sql_comment_begin_next(struct sql_mask *mask, unsigned char c);
int sql_hint_version_next(struct sql_mask *mask, unsigned char c);
int sql_comment_next(struct sql_mask *mask, unsigned char c);
int sql_comment_star_next(struct sql_mask *mask, unsigned char c);
int sql_comment_slash_next(struct sql_mask *mask, unsigned char c);

#endif
