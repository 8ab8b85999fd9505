/* wire_talk.h - conversations in a protocol, and whether a parser tells them right. */
#ifndef TAGALONG_WIRE_TALK_H
#define TAGALONG_WIRE_TALK_H

#include "tests/unit/wire_log.h"

#define WIRE_STEPS 10

/* Who speaks, and what. */
#define WIRE_C(literal)                                                                            \
	{                                                                                          \
		WIRE_REQUEST, (literal), sizeof(literal) - 1                                       \
	}
#define WIRE_S(literal)                                                                            \
	{                                                                                          \
		WIRE_REPLY, (literal), sizeof(literal) - 1                                         \
	}

struct wire_step {
	enum wire_way way;
	const char *at;
	size_t size;
};

/* What is said, in order, up to a step without text; and what is to be told of it, as a log. */
struct wire_talk {
	const char *told;
	struct wire_step steps[WIRE_STEPS];
};

/* One step from memory of its own, so that a sanitizer sees each byte read too many. */
enum wire_result wire_talk_step(const struct wire_parser *parser, void *wire,
				const struct wire_step *step, struct wire_log *log);

/*
 * Fails the test unless what is told is right, and the same for the steps whole, cut at each byte,
 * and byte by byte. `before` (may be NULL) is said before, whole, and what it tells is not
 * compared.
 */
void wire_talk_check(const struct wire_parser *parser, const struct wire_talk *before,
		     const struct wire_talk *talk);

struct wire_looks {
	struct wire_step first;
	int expected;
};

/* Fails the test unless the first bytes are recognised so, and no part of them is otherwise. */
void wire_looks_check(const struct wire_parser *parser, const struct wire_looks *looks);

#endif
