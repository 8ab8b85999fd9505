/* sql_mask.h - SQL without its literals, as the statement comes by. */
#ifndef TAGALONG_SQL_MASK_H
#define TAGALONG_SQL_MASK_H

/*
 * Fed in pieces, cut anywhere: the result is the same. Every literal becomes '?': numbers with
 * their sign, strings of every quoting and dialect, dollar quotes, hexadecimal and bit strings;
 * strings that follow each other are one. true, false and null stay. Comments are taken out, the
 * newline that ends one stays; what MySQL's executable comments hold stays as well. A list of
 * nothing but values in parentheses after IN becomes (?), and of several such rows after VALUES
 * only the first stays; values are literals, placeholders, null, true, false and default, also with
 * a cast. Identifiers, quoted or not, and placeholders ($1, ?, :name, %s, @x) stay; a number is a
 * literal even after ':' or '@'. In doubt whether a quote opens a literal or an identifier, it is a
 * literal, unless the dialect says so. Not known here, as the server alone knows them:
 * standard_conforming_strings = off, NO_BACKSLASH_ESCAPES, and character sets in which a backslash
 * can be the second byte of a character.
 * Conventions: OpenTelemetry's for db.query.text. Lexical rules: PostgreSQL's scan.l, MySQL's
 * manual, "Language Structure".
 */

#include <stddef.h>
#include <stdint.h>

enum sql_dialect {
	SQL_POSTGRESQL, /* "x" is an identifier, E'' has escapes, '' has none */
	SQL_MYSQL, /* `x` is an identifier, "x" and 'x' are literals with escapes, # comments */
};

/* Plain data without pointers but the output's. Below `dialect` it is sql_mask.c's business. */
struct sql_mask {
	char *to;
	uint32_t room;
	uint32_t size; /* after sql_mask_end: bytes of the masked text */
	uint8_t cut;   /* there was no room for all of it */
	uint8_t dialect;

	uint8_t state;     /* what the next byte continues */
	uint8_t after;     /* what the last byte belonged to */
	uint8_t quote;     /* of the string or identifier that is open */
	uint8_t escapes;   /* a backslash escapes in the string that is open or has just ended */
	uint8_t near;      /* what came since the last string: see string_begin */
	uint8_t held;      /* a sign that is not written yet */
	uint8_t decimal;   /* the number may have an exponent */
	uint8_t tagged;    /* the word may be the tag of a dollar quote */
	uint8_t marked;    /* the word follows a mark: a placeholder or a cast; or a dot */
	uint8_t in_hint;   /* within one of MySQL's executable comments */
	uint8_t fold;      /* where in a list that may be folded; see sql_fold.c */
	uint8_t fold_pure; /* nothing but values so far in this list or row */
	uint8_t fold_some; /* a value, or a row of values, was there before */
	uint32_t fold_depth;
	uint32_t fold_from;  /* size before the list */
	uint32_t fold_keep;  /* size up to the first value, or the last row that stays */
	uint32_t boundary;   /* size after the last whole token that has room */
	uint32_t token_at;   /* size before the token */
	uint32_t string_end; /* size after the last string */
	uint32_t depth;      /* of nested comments */
	uint32_t word_size;  /* of the word so far */
	uint64_t word;       /* its first 8 bytes in lower case, the last one lowest */
	uint64_t tag;        /* hash of the tag that ends the dollar quote */
	uint64_t tag_now;    /* of the tag that is being read */
};

/* `to` has room for `room` bytes and is not terminated. */
void sql_mask_begin(struct sql_mask *mask, enum sql_dialect dialect, char *to, size_t room);
void sql_mask_feed(struct sql_mask *mask, const char *at, size_t size);

/* Settles what was open at the end; the size of the masked text. A literal that never ended is '?'.
 * A cut text ends at a token's boundary. */
size_t sql_mask_end(struct sql_mask *mask);

#endif
