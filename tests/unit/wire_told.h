/* wire_told.h - writes down what a parser of a database's protocol tells. */
#ifndef TAGALONG_WIRE_TOLD_H
#define TAGALONG_WIRE_TOLD_H

/*
 * As one line: "{GET k}GET:E1 =ok " is a request with its text between the braces, its operation,
 * its kind (E execute, S session, N namespace) and whether a reply is to come; then a reply: "=ok",
 * "=3" for so many rows, "=!ERR" for a failure.
 */

#include <stddef.h>

#include "preload/wire.h"

struct wire_told {
	char line[8192];
	size_t size;
};

/* `to` of these is a struct wire_told. What has no room fails the test. */
extern const struct wire_calls wire_told_calls;

/* Bytes of one direction, string literals by these macros. */
struct wire_step {
	enum wire_way way;
	const char *at;
	size_t size;
};

#define WIRE_ASKED(literal)                                                                        \
	{                                                                                          \
		WIRE_REQUEST, literal, sizeof(literal) - 1                                         \
	}
#define WIRE_TOLD(literal)                                                                         \
	{                                                                                          \
		WIRE_REPLY, literal, sizeof(literal) - 1                                           \
	}

/* Feeds bytes to a parser that begins with every step 0. */
typedef enum wire_result (*wire_feed)(int first, enum wire_way way, const char *at, size_t size,
				      void *to);

/*
 * Feeds the steps up to the first empty one, whole, cut in two at every byte and byte by byte: each
 * time `expected` is told, and the last result is `result`.
 */
void wire_told_whole_and_cut(wire_feed feed, const struct wire_step *steps, const char *expected,
			     enum wire_result result);

#endif
