/* wire_talk.c - conversations in a protocol, and whether a parser tells them right. */
#include "tests/unit/wire_talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* How a conversation is fed: one step cut at one byte, or all in pieces of one byte. */
struct feeding {
	size_t cut_step, cut;
	int bytewise;
};

enum wire_result wire_talk_step(const struct wire_parser *parser, void *wire,
				const struct wire_step *step, struct wire_log *log)
{
	char *copy = malloc(step->size ? step->size : 1);

	memcpy(copy, step->at, step->size);
	enum wire_result result =
		parser->feed(wire, step->way, copy, step->size, &wire_log_calls, log);
	free(copy);
	return result;
}

static enum wire_result feed_step(const struct wire_parser *parser, void *wire,
				  const struct wire_step *step, size_t piece, struct wire_log *log)
{
	enum wire_result result = WIRE_OK;

	for (size_t i = 0; i < step->size && result == WIRE_OK; i += piece) {
		/* The first piece is as long as the cut says, the second is the rest. */
		struct wire_step part = {step->way, step->at + i, step->size - i};
		if (part.size > piece && (i == 0 || piece == 1))
			part.size = piece;
		result = wire_talk_step(parser, wire, &part, log);
		if (i && piece != 1)
			break;
	}
	return result;
}

static void feed_all(const struct wire_parser *parser, const struct wire_talk *before,
		     const struct wire_talk *talk, struct feeding feeding, struct wire_log *log)
{
	void *wire = calloc(1, parser->size);
	enum wire_result result = WIRE_OK;

	memset(log, 0, sizeof(*log));
	for (size_t i = 0; before && before->steps[i].at; i++)
		assert_int_equal(wire_talk_step(parser, wire, &before->steps[i], log), WIRE_OK);
	memset(log, 0, sizeof(*log));
	for (size_t i = 0; i < WIRE_STEPS && talk->steps[i].at && result == WIRE_OK; i++) {
		const struct wire_step *step = &talk->steps[i];
		size_t piece = feeding.bytewise ? 1 : step->size;
		if (i == feeding.cut_step && feeding.cut)
			piece = feeding.cut;
		result = feed_step(parser, wire, step, piece, log);
	}
	wire_log_result(log, result);
	free(wire);
}

void wire_talk_check(const struct wire_parser *parser, const struct wire_talk *before,
		     const struct wire_talk *talk)
{
	struct wire_log log;

	feed_all(parser, before, talk, (struct feeding){0}, &log);
	assert_string_equal(log.at, talk->told);
	feed_all(parser, before, talk, (struct feeding){.bytewise = 1}, &log);
	assert_string_equal(log.at, talk->told);
	for (size_t s = 0; s < WIRE_STEPS && talk->steps[s].at; s++) {
		for (size_t cut = 1; cut < talk->steps[s].size; cut++) {
			feed_all(parser, before, talk, (struct feeding){s, cut, 0}, &log);
			assert_string_equal(log.at, talk->told);
		}
	}
}

void wire_looks_check(const struct wire_parser *parser, const struct wire_looks *looks)
{
	const struct wire_step *first = &looks->first;

	assert_int_equal(parser->looks_like(first->way, first->at, first->size), looks->expected);
	for (size_t cut = 0; cut < first->size; cut++) {
		int part = parser->looks_like(first->way, first->at, cut);
		assert_true(part == -2 || part == looks->expected);
	}
}
