/* sql_mask.h - SQL without its literals, as the statement comes by. */
#ifndef TAGALONG_SQL_MASK_H
#define TAGALONG_SQL_MASK_H

/*
 * Fed in pieces, cut anywhere: the result is the same. Every literal becomes '?': numbers with
 * their sign, strings of every quoting and dialect, dollar quotes, hexadecimal and bit strings,
 * true, false and null stay as they are. Comments are taken out. A list of nothing but literals and
 * placeholders in parentheses after IN becomes (?), and of several such rows after VALUES only the
 * first stays. Identifiers, quoted or not, and placeholders ($1, ?, :name, %s, @x) stay. In doubt
 * whether a quote opens a literal or an identifier, it is a literal, unless the dialect says so.
 * Conventions: OpenTelemetry's for db.query.text.
 */

#include <stddef.h>
#include <stdint.h>

enum sql_dialect {
	SQL_POSTGRESQL, /* "x" is an identifier, E'' has escapes, '' has none */
	SQL_MYSQL, /* `x` is an identifier, "x" and 'x' are literals with escapes, # comments */
};

/* Plain data without pointers but the output's; how the state is kept is sql_mask.c's business. */
struct sql_mask {
	char *to;
	uint32_t room;
	uint32_t size; /* bytes of the masked text so far */
	uint8_t cut;   /* there was no room for all of it */
	uint8_t dialect;
	/* PRIVATE FIELDS GO HERE */
};

/* `to` has room for `room` bytes and is not terminated. */
void sql_mask_begin(struct sql_mask *mask, enum sql_dialect dialect, char *to, size_t room);
void sql_mask_feed(struct sql_mask *mask, const char *at, size_t size);

/* Settles what was open at the end; the size of the masked text. A literal that never ended is '?'.
 * A cut text ends at a token's boundary. */
size_t sql_mask_end(struct sql_mask *mask);

#endif
