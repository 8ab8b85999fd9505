/* resp_reply.c - what Redis answers: replies delimited, paired with requests, errors named. */
#include <string.h>

#include "preload/resp_parts.h"

#define ELEMENTS_MAX (1u << 30)
#define BULK_MAX     (1ull << 33)

enum state { TYPE, NUMBER, LINE, BULK, BULK_CR, BULK_LF };

/* The words that begin what subscriptions bring, in the order of enum resp_special. */
static const struct {
	char word[14];
	uint8_t size;
} confirmations[] = {
	{"subscribe", 9},    {"psubscribe", 10},   {"ssubscribe", 10},
	{"unsubscribe", 11}, {"punsubscribe", 12}, {"sunsubscribe", 12},
};

static int first_is(const struct resp *wire, const char *word, size_t size)
{
	return wire->first_size == size && memcmp(wire->first, word, size) == 0;
}

/* RESP_SUBSCRIBE and on, or RESP_PLAIN. */
static uint8_t confirmation_of(const struct resp *wire)
{
	if (wire->elements != 3)
		return RESP_PLAIN;
	for (size_t i = 0; i < sizeof(confirmations) / sizeof(confirmations[0]); i++)
		if (first_is(wire, confirmations[i].word, confirmations[i].size))
			return (uint8_t)(RESP_SUBSCRIBE + i);
	return RESP_PLAIN;
}

static int is_message(const struct resp *wire)
{
	return (wire->elements == 3 && first_is(wire, "message", 7)) ||
	       (wire->elements == 4 && first_is(wire, "pmessage", 8)) ||
	       (wire->elements == 3 && first_is(wire, "smessage", 8));
}

static int is_subscribed(const struct resp *wire)
{
	return wire->subscribed[0] || wire->subscribed[1] || wire->subscribed[2];
}

/* ---- exceptions ----------------------------------------------------------------------------- */

int resp_expect(struct resp *wire, uint8_t special, uint32_t channels)
{
	uint32_t position = (uint32_t)wire->asked++;

	if (special != RESP_RESET && special < RESP_SUBSCRIBE)
		return 0;
	uint16_t named = (uint16_t)channels;
	struct resp_exception *last = wire->exception + wire->exceptions - 1;
	if (wire->exceptions && last->special == special && last->channels == named &&
	    last->first + last->count == position) {
		last->count++;
		return 0;
	}
	if (wire->exceptions == RESP_EXCEPTIONS || channels > UINT16_MAX)
		return -1;
	wire->exception[wire->exceptions++] = (struct resp_exception){position, 1, named, special};
	return 0;
}

/* The oldest request that is not answered, if it is an exception; else NULL. */
static const struct resp_exception *awaited(const struct resp *wire)
{
	const struct resp_exception *first = wire->exception;

	return wire->exceptions && first->first == (uint32_t)wire->answered ? first : NULL;
}

static void forget_awaited(struct resp *wire)
{
	wire->exception[0].first++;
	if (--wire->exception[0].count)
		return;
	wire->exceptions--;
	memmove(wire->exception, wire->exception + 1,
		wire->exceptions * sizeof(wire->exception[0]));
}

/* ---- whole replies -------------------------------------------------------------------------- */

static enum wire_result answer(struct resp *wire, const struct wire_calls *calls, void *to)
{
	static const struct wire_reply fine;
	int failed = wire->top_type == '-' || wire->top_type == '!';
	const struct resp_exception *exception = awaited(wire);

	if (wire->answered == wire->asked)
		return WIRE_BAD;
	if (exception) {
		if (exception->special == RESP_RESET && !failed) {
			memset(wire->subscribed, 0, sizeof(wire->subscribed));
			wire->pushes = 0;
		}
		forget_awaited(wire);
	}
	wire->answered++;
	if (failed) {
		struct wire_reply reply = {.failed = 1, .code_size = wire->code_size};
		memcpy(reply.code, wire->code, wire->code_size);
		calls->reply(to, &reply);
	} else {
		calls->reply(to, &fine);
	}
	return WIRE_OK;
}

/*
 * Counts as Redis does: channels and patterns are told in one sum. Returns how many there were of
 * the kind.
 */
static uint32_t count_subscriptions(struct resp *wire, unsigned kind)
{
	uint32_t before = wire->subscribed[kind];
	uint32_t others = kind < 2 ? wire->subscribed[1 - kind] : 0;

	wire->subscribed[kind] = wire->third > others ? wire->third - others : 0;
	return before;
}

/* The confirmation of a channel: it answers the request only if it is the first. */
static enum wire_result confirm(struct resp *wire, uint8_t special, const struct wire_calls *calls,
				void *to)
{
	const struct resp_exception *exception = awaited(wire);
	uint32_t before = count_subscriptions(wire, (special - RESP_SUBSCRIBE) % 3u);

	if (wire->extra) {
		wire->extra--;
		return WIRE_OK;
	}
	if (!exception || exception->special != special)
		return WIRE_OK;
	uint32_t channels = exception->channels ? exception->channels : before;
	wire->extra = channels ? channels - 1 : 0;
	return answer(wire, calls, to);
}

static enum wire_result end_reply(struct resp *wire, const struct wire_calls *calls, void *to)
{
	int push = wire->top_type == '>';

	wire->pushes |= (uint8_t)push;
	if (!push && (wire->top_type != '*' || wire->pushes))
		return answer(wire, calls, to);
	if (push || is_subscribed(wire) || wire->extra || awaited(wire)) {
		uint8_t special = confirmation_of(wire);
		if (special != RESP_PLAIN)
			return confirm(wire, special, calls, to);
	}
	if (push || (is_subscribed(wire) && is_message(wire)))
		return WIRE_OK;
	return answer(wire, calls, to);
}

/* ---- elements ------------------------------------------------------------------------------- */

/* One that holds no others was complete, or an empty one that could. */
static enum wire_result end_element(struct resp *wire, const struct wire_calls *calls, void *to)
{
	wire->reply_state = TYPE;
	while (wire->depth) {
		unsigned level = wire->depth - 1u;
		if (--wire->left[level])
			return WIRE_OK;
		wire->depth--;
		/* What an attribute belongs to comes next, in its place. */
		if (wire->attributes & 1u << level) {
			wire->attributes &= ~(1u << level);
			return WIRE_OK;
		}
	}
	return end_reply(wire, calls, to);
}

static enum wire_result begin_elements(struct resp *wire, const struct wire_calls *calls, void *to)
{
	const struct resp_number *number = &wire->reply_number;
	uint32_t count = number->negative ? 0 : (uint32_t)number->value;
	int attribute = wire->type == '|';

	if (!number->negative && number->value > ELEMENTS_MAX)
		return WIRE_BAD;
	if (wire->type == '%' || attribute)
		count *= 2;
	if (!wire->depth && !attribute)
		wire->elements = count;
	wire->reply_state = TYPE;
	if (!count)
		return attribute ? WIRE_OK : end_element(wire, calls, to);
	if (wire->depth == RESP_DEPTH)
		return WIRE_BAD;
	if (attribute)
		wire->attributes |= 1u << wire->depth;
	wire->left[wire->depth++] = count;
	return WIRE_OK;
}

/* Which element of the reply itself is being fed; -1: none, or deeper. */
static long element_of_reply(const struct resp *wire)
{
	return wire->depth == 1 && !(wire->attributes & 1u) ? (long)(wire->elements - wire->left[0])
							    : -1;
}

static enum wire_result end_number(struct resp *wire, const struct wire_calls *calls, void *to)
{
	const struct resp_number *number = &wire->reply_number;

	switch (wire->type) {
	case ':':
		if (element_of_reply(wire) == 2)
			wire->third = number->negative ? 0 : (uint32_t)number->value;
		return end_element(wire, calls, to);
	case '$':
	case '=':
	case '!':
		if (number->negative)
			return end_element(wire, calls, to);
		wire->reply_left = number->value;
		wire->reply_state = wire->reply_left ? BULK : BULK_CR;
		return number->value > BULK_MAX ? WIRE_BAD : WIRE_OK;
	default:
		return begin_elements(wire, calls, to);
	}
}

/* ---- bytes ---------------------------------------------------------------------------------- */

/* Of an error that is the reply itself, its first word. */
static void gather_code(struct resp *wire, const char *at, size_t size)
{
	for (size_t i = 0; i < size && !wire->code_done; i++) {
		if (at[i] <= ' ' || at[i] == 0x7f || wire->code_size == sizeof(wire->code))
			wire->code_done = 1;
		else
			wire->code[wire->code_size++] = at[i];
	}
}

static void gather_first(struct resp *wire, const char *at, size_t size)
{
	size_t room = sizeof(wire->first) - wire->first_size;

	size = size < room ? size : room;
	memcpy(wire->first + wire->first_size, at, size);
	wire->first_size = (uint8_t)(wire->first_size + size);
}

/* Whichever of both is wanted of the bytes. */
static void gather(struct resp *wire, const char *at, size_t size)
{
	if (!wire->depth && (wire->type == '-' || wire->type == '!'))
		gather_code(wire, at, size);
	else if (wire->type == '$' && element_of_reply(wire) == 0)
		gather_first(wire, at, size);
}

static enum wire_result take_line(struct resp *wire, const char **at, const char *end,
				  const struct wire_calls *calls, void *to)
{
	const char *newline = memchr(*at, '\n', (size_t)(end - *at));
	const char *stop = newline ? newline : end;

	gather(wire, *at, (size_t)(stop - *at));
	*at = newline ? newline + 1 : end;
	return newline ? end_element(wire, calls, to) : WIRE_OK;
}

static void take_bulk(struct resp *wire, const char **at, const char *end)
{
	size_t size = (size_t)(end - *at);

	if (size > wire->reply_left)
		size = (size_t)wire->reply_left;
	gather(wire, *at, size);
	wire->reply_left -= size;
	*at += size;
	if (!wire->reply_left)
		wire->reply_state = BULK_CR;
}

static enum wire_result begin_element(struct resp *wire, char type)
{
	if (!wire->depth) {
		wire->top_type = (uint8_t)type;
		wire->first_size = wire->code_size = wire->code_done = 0;
		wire->third = 0;
	}
	wire->type = (uint8_t)type;
	switch (type) {
	case '+':
	case '-':
	case ',':
	case '(':
	case '#':
	case '_':
		wire->reply_state = LINE;
		return WIRE_OK;
	case '>':
		if (wire->depth)
			return WIRE_BAD;
		break;
	case ':':
	case '$':
	case '=':
	case '!':
	case '*':
	case '%':
	case '~':
	case '|':
		break;
	default:
		return WIRE_BAD;
	}
	memset(&wire->reply_number, 0, sizeof(wire->reply_number));
	wire->reply_state = NUMBER;
	return WIRE_OK;
}

/*
 * The common case within a list, strings that are there in full, without a turn a byte. Neither the
 * list's first element nor its last.
 */
static void skip_whole_bulks(struct resp *wire, const char **at, const char *end)
{
	uint32_t *left = &wire->left[wire->depth - 1];
	const char *data;

	if (element_of_reply(wire) == 0)
		return;
	while (*left > 1 && *at < end && resp_bulk_here(at, end, &data) >= 0)
		--*left;
}

/* Likewise a status, a number or a string that is the reply itself. */
static enum wire_result take_whole(struct resp *wire, const char **at, const char *end,
				   const struct wire_calls *calls, void *to)
{
	const char *data = *at + 1;
	char type = **at;

	if (type == ':') {
		data += data < end && *data == '-';
		if (resp_number_here(&data, end) < 0)
			return begin_element(wire, *(*at)++);
		*at = data;
	} else if (type == '+') {
		data = memchr(data, '\n', (size_t)(end - data));
		if (!data)
			return begin_element(wire, *(*at)++);
		*at = data + 1;
	} else if (resp_bulk_here(at, end, &data) < 0) {
		return begin_element(wire, *(*at)++);
	}
	wire->top_type = (uint8_t)type;
	return answer(wire, calls, to);
}

static enum wire_result take_line_end(struct resp *wire, char c, const struct wire_calls *calls,
				      void *to)
{
	if (wire->reply_state == BULK_LF)
		return c == '\n' ? end_element(wire, calls, to) : WIRE_BAD;
	wire->reply_state = BULK_LF;
	return c == '\r' ? WIRE_OK : WIRE_BAD;
}

static enum wire_result take_number(struct resp *wire, const char **at, const char *end,
				    const struct wire_calls *calls, void *to)
{
	int result = resp_number_feed(&wire->reply_number, at, end);

	if (result == 1)
		return end_number(wire, calls, to);
	return result == -2 ? WIRE_OK : WIRE_BAD;
}

enum wire_result resp_feed_reply(struct resp *wire, const char *at, size_t size,
				 const struct wire_calls *calls, void *to)
{
	const char *end = at + size;
	enum wire_result result = WIRE_OK;

	while (at < end && result == WIRE_OK) {
		switch (wire->reply_state) {
		case TYPE:
			if (wire->depth)
				skip_whole_bulks(wire, &at, end);
			if (at == end)
				break;
			if (wire->depth)
				result = begin_element(wire, *at++);
			else
				result = take_whole(wire, &at, end, calls, to);
			break;
		case NUMBER:
			result = take_number(wire, &at, end, calls, to);
			break;
		case LINE:
			result = take_line(wire, &at, end, calls, to);
			break;
		case BULK:
			take_bulk(wire, &at, end);
			break;
		default:
			result = take_line_end(wire, *at++, calls, to);
		}
	}
	return result;
}
