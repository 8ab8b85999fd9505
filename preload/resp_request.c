/* resp_request.c - what a client sends to Redis: arrays of bulk strings, and inline commands. */
#include <string.h>

#include "preload/resp_parts.h"

#define ARGUMENTS_MAX (1u << 20) /* Redis's own limit */
#define BULK_MAX      (1ull << 32)

enum state {
	START,
	COUNT,
	BULK_TYPE,
	BULK_SIZE,
	BULK,
	BULK_CR,
	BULK_LF,
	INLINE_SPACE,
	INLINE_WORD,
	INLINE_DOUBLE, /* within double quotes */
	INLINE_DOUBLE_ESCAPE,
	INLINE_SINGLE,
	INLINE_SINGLE_ESCAPE,
};

enum silence { SPEAKING, SILENT, SKIP_NEXT };

/* ---- whole requests ------------------------------------------------------------------------- */

static void begin_request(struct resp *wire, uint32_t arguments, const struct wire_calls *calls,
			  void *to)
{
	wire->arguments = arguments;
	wire->argument = 0;
	wire_text_begin(&wire->text);
	calls->begin(to);
}

/* Of CLIENT REPLY, as Redis does it: only ON is answered, or what it does not understand. */
static int reply_is_answered(struct resp *wire)
{
	if (wire->argument == 3 && resp_word_is(wire, "OFF", 3)) {
		wire->silence = SILENT;
		return 0;
	}
	if (wire->argument == 3 && resp_word_is(wire, "SKIP", 4)) {
		if (wire->silence != SILENT)
			wire->silence = SKIP_NEXT;
		return 0;
	}
	if (wire->argument == 3 && resp_word_is(wire, "ON", 2))
		wire->silence = SPEAKING;
	return wire->silence != SILENT;
}

static int is_answered(struct resp *wire, uint8_t special)
{
	if (special == RESP_REPLY)
		return reply_is_answered(wire);
	int answered = wire->silence == SPEAKING;
	if (wire->silence == SKIP_NEXT)
		wire->silence = SPEAKING;
	return answered;
}

static uint8_t kind_of(uint8_t special)
{
	switch (special) {
	case RESP_SESSION:
		return WIRE_SESSION;
	case RESP_SELECT:
	case RESP_RESET:
		return WIRE_NAMESPACE;
	default:
		return WIRE_EXECUTE;
	}
}

static enum wire_result end_request(struct resp *wire, const struct wire_calls *calls, void *to)
{
	uint8_t special = resp_special_of(wire);
	struct wire_request request; /* not zeroed: it is large, and what has no size is not read */

	if (special == RESP_STOP)
		return WIRE_STOP;
	if (special == RESP_CONTAINER && wire->argument == 1)
		resp_tell_word(wire, wire->operation, wire->operation_size, calls, to);
	if (special == RESP_RESET)
		resp_tell_word(wire, "0", 1, calls, to);
	request.replies = (uint8_t)is_answered(wire, special);
	if (request.replies && resp_expect(wire, special, wire->argument - 1))
		return WIRE_STOP;
	request.kind = kind_of(special);
	request.name_size = 0;
	request.operation_size = wire->operation_size;
	memcpy(request.operation, wire->operation, sizeof(request.operation));
	wire_text_tell(&wire->text, calls, to);
	wire->state = START;
	wire->repeats = special == RESP_PLAIN && wire->silence == SPEAKING && wire->head_size &&
			calls->same;
	calls->request(to, &request);
	return WIRE_OK;
}

/* ---- arrays --------------------------------------------------------------------------------- */

/* Where a number begins: at its first digit. */
static void expect_number(struct resp *wire, enum state state)
{
	memset(&wire->number, 0, sizeof(wire->number));
	wire->state = (uint8_t)state;
}

static enum wire_result take_count(struct resp *wire, const char **at, const char *end,
				   const struct wire_calls *calls, void *to)
{
	const char *i = *at;
	int first = !wire->number.digits && !wire->number.negative;
	int32_t here = first ? resp_number_here(&i, end) : -1;

	if (here > 0 && here <= (int32_t)ARGUMENTS_MAX) {
		*at = i;
		begin_request(wire, (uint32_t)here, calls, to);
		wire->state = BULK_TYPE;
		return WIRE_OK;
	}
	int result = resp_number_feed(&wire->number, at, end);

	if (result != 1)
		return result == -2 ? WIRE_OK : WIRE_BAD;
	wire->state = START; /* an empty array is no request */
	if (wire->number.negative || !wire->number.value)
		return WIRE_OK;
	if (wire->number.value > ARGUMENTS_MAX)
		return WIRE_BAD;
	begin_request(wire, (uint32_t)wire->number.value, calls, to);
	wire->state = BULK_TYPE;
	return WIRE_OK;
}

static enum wire_result take_size(struct resp *wire, const char **at, const char *end,
				  const struct wire_calls *calls, void *to)
{
	int result = resp_number_feed(&wire->number, at, end);

	if (result != 1)
		return result == -2 ? WIRE_OK : WIRE_BAD;
	if (wire->number.negative || wire->number.value > BULK_MAX)
		return WIRE_BAD;
	wire->bulk_left = wire->number.value;
	resp_argument_begin(wire, calls, to);
	wire->state = wire->bulk_left ? BULK : BULK_CR;
	return WIRE_OK;
}

static void take_bulk(struct resp *wire, const char **at, const char *end,
		      const struct wire_calls *calls, void *to)
{
	size_t size = (size_t)(end - *at);

	if (size > wire->bulk_left)
		size = (size_t)wire->bulk_left;
	resp_argument_put(wire, *at, size, calls, to);
	wire->bulk_left -= size;
	*at += size;
	if (!wire->bulk_left)
		wire->state = BULK_CR;
}

static enum wire_result end_bulk(struct resp *wire, const struct wire_calls *calls, void *to)
{
	enum wire_result result = resp_argument_end(wire, calls, to);

	if (result != WIRE_OK)
		return result;
	if (wire->argument == wire->arguments)
		return end_request(wire, calls, to);
	wire->state = BULK_TYPE;
	return WIRE_OK;
}

/* The common case, arguments that are there in full, without a turn a byte. */
static enum wire_result take_whole_bulks(struct resp *wire, const char **at, const char *end,
					 const struct wire_calls *calls, void *to)
{
	enum wire_result result = WIRE_OK;
	const char *data;
	int32_t size;

	while (result == WIRE_OK && wire->state == BULK_TYPE &&
	       (size = resp_bulk_here(at, end, &data)) >= 0) {
		resp_argument_begin(wire, calls, to);
		resp_argument_put(wire, data, (size_t)size, calls, to);
		result = end_bulk(wire, calls, to);
	}
	return result;
}

/* ---- inline commands ------------------------------------------------------------------------ */

static int is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static enum wire_result end_inline_word(struct resp *wire, char c, const struct wire_calls *calls,
					void *to)
{
	enum wire_result result = resp_argument_end(wire, calls, to);

	wire->state = INLINE_SPACE;
	return result != WIRE_OK || c != '\n' ? result : end_request(wire, calls, to);
}

/* A byte outside of quotes. */
static enum wire_result take_plain(struct resp *wire, char c, const struct wire_calls *calls,
				   void *to)
{
	int space = is_space(c);

	if (space && wire->state == INLINE_WORD)
		return end_inline_word(wire, c, calls, to);
	if (space)
		return c == '\n' ? end_request(wire, calls, to) : WIRE_OK;
	if (wire->state == INLINE_SPACE)
		resp_argument_begin(wire, calls, to);
	if (c == '"' || c == '\'')
		wire->state = c == '"' ? INLINE_DOUBLE : INLINE_SINGLE;
	else
		wire->state = INLINE_WORD;
	if (wire->state == INLINE_WORD)
		resp_argument_put(wire, &c, 1, calls, to);
	return WIRE_OK;
}

static enum wire_result take_quoted(struct resp *wire, char c, const struct wire_calls *calls,
				    void *to)
{
	int is_double = wire->state == INLINE_DOUBLE || wire->state == INLINE_DOUBLE_ESCAPE;
	int escaped = wire->state == INLINE_DOUBLE_ESCAPE || wire->state == INLINE_SINGLE_ESCAPE;

	if (c == '\n') /* Redis closes the connection as well */
		return WIRE_BAD;
	if (!escaped && c == (is_double ? '"' : '\'')) {
		wire->state = INLINE_WORD;
		return WIRE_OK;
	}
	if (!escaped && c == '\\') {
		wire->state = is_double ? INLINE_DOUBLE_ESCAPE : INLINE_SINGLE_ESCAPE;
		return WIRE_OK;
	}
	wire->state = is_double ? INLINE_DOUBLE : INLINE_SINGLE;
	resp_argument_put(wire, &c, 1, calls, to);
	return WIRE_OK;
}

/* The first byte of a request. */
static enum wire_result take_first(struct resp *wire, char c, const struct wire_calls *calls,
				   void *to)
{
	if (is_space(c)) /* an empty line is no request */
		return WIRE_OK;
	if (c == '*') {
		expect_number(wire, COUNT);
		return WIRE_OK;
	}
	begin_request(wire, 0, calls, to);
	wire->state = INLINE_SPACE;
	return take_plain(wire, c, calls, to);
}

/* ---- either --------------------------------------------------------------------------------- */

static enum wire_result take_byte(struct resp *wire, char c, const struct wire_calls *calls,
				  void *to)
{
	switch (wire->state) {
	case START:
		return take_first(wire, c, calls, to);
	case BULK_TYPE:
		expect_number(wire, BULK_SIZE);
		return c == '$' ? WIRE_OK : WIRE_BAD;
	case BULK_CR:
		wire->state = BULK_LF;
		return c == '\r' ? WIRE_OK : WIRE_BAD;
	case BULK_LF:
		return c == '\n' ? end_bulk(wire, calls, to) : WIRE_BAD;
	case INLINE_SPACE:
	case INLINE_WORD:
		return take_plain(wire, c, calls, to);
	default:
		return take_quoted(wire, c, calls, to);
	}
}

enum wire_result resp_feed_request(struct resp *wire, const char *at, size_t size,
				   const struct wire_calls *calls, void *to)
{
	const char *end = at + size;
	enum wire_result result = WIRE_OK;

	while (at < end && result == WIRE_OK) {
		if (wire->state == START && *at == '*') {
			if (wire->repeats)
				at = resp_repeat_take(wire, at, end, calls, to);
			if (at == end)
				break;
			resp_repeat_note(wire, at, end);
		}
		switch (wire->state) {
		case COUNT:
			result = take_count(wire, &at, end, calls, to);
			break;
		case BULK_SIZE:
			result = take_size(wire, &at, end, calls, to);
			break;
		case BULK:
			take_bulk(wire, &at, end, calls, to);
			break;
		default:
			result = take_byte(wire, *at++, calls, to);
		}
		if (wire->state == BULK_TYPE && result == WIRE_OK)
			result = take_whole_bulks(wire, &at, end, calls, to);
	}
	return result;
}
