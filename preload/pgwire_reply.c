/* pgwire_reply.c - what a PostgreSQL server answers: rows, tags, errors, the end of a unit. */
#include <string.h>

#include "preload/pgwire_parts.h"

/* Parts of an ErrorResponse: a byte that says what the string after it is. */
enum { FIELD, SKIPPED, CODE, ENDED };

static void error_body(struct pgwire *wire, const char *at, size_t size)
{
	for (size_t i = 0; i < size && wire->reply.part != ENDED; i++) {
		if (wire->reply.part == FIELD && at[i])
			wire->reply.part = at[i] == 'C' ? CODE : SKIPPED;
		else if (!at[i])
			wire->reply.part = wire->reply.part == FIELD ? ENDED : FIELD;
		else if (wire->reply.part == CODE && wire->code_size < sizeof(wire->code))
			wire->code[wire->code_size++] = at[i];
	}
}

/* Where in a word of a tag we are: only words of digits are numbers. */
enum { WORD, BETWEEN, DIGITS };

/* "INSERT 0 5", "SELECT 5", "CREATE TABLE": the last word, if it is a number. */
static void tag_body(struct pgwire *wire, const char *at, size_t size)
{
	for (size_t i = 0; i < size && !wire->reply.part; i++) {
		if (!at[i]) {
			wire->reply.part = 1;
		} else if (at[i] == ' ') {
			wire->digits = BETWEEN;
			wire->number = 0;
		} else if (wire->digits != WORD && at[i] >= '0' && at[i] <= '9') {
			wire->digits = DIGITS;
			wire->number = wire->number * 10 + (uint64_t)(at[i] - '0');
		} else {
			wire->digits = WORD;
		}
	}
}

void pgwire_reply_body(struct pgwire *wire, const char *at, size_t size)
{
	if (wire->reply.type == 'E')
		error_body(wire, at, size);
	else if (wire->reply.type == 'C')
		tag_body(wire, at, size);
}

static void tell(struct pgwire *wire, const struct pgwire_ear *ear)
{
	struct wire_reply reply = {.partial = 1, .rows = wire->rows, .has_rows = wire->rows != 0};

	if (wire->reply.type == 'E') {
		reply.failed = 1;
		reply.code_size = wire->code_size;
		memcpy(reply.code, wire->code, wire->code_size);
	} else if (wire->reply.type == 'C' && wire->digits == DIGITS) {
		reply.has_rows = 1;
		reply.rows = wire->number;
	} else if (wire->reply.type == 's') {
		reply.has_rows = 1;
	}
	ear->calls->reply(ear->to, &reply);
}

static void forget(struct pgwire *wire)
{
	wire->rows = 0;
	wire->number = 0;
	wire->digits = WORD;
	wire->code_size = 0;
	memset(wire->code, 0, sizeof(wire->code));
}

static enum wire_result answered(struct pgwire *wire, const struct pgwire_ear *ear)
{
	int is_error = wire->reply.type == 'E';
	int is_asked = wire->units || wire->open;

	/* An error that nothing asked for: the log-in, or the server that ends the session. */
	if (!is_asked && !is_error)
		return WIRE_BAD;
	if (is_asked && wire->ready && !wire->failed)
		tell(wire, ear);
	forget(wire);
	/* All data were taken, even if they were sent before the server said that it takes them. */
	wire->copying = 0;
	if (is_error)
		wire->failed = is_asked && wire->ready;
	return WIRE_OK;
}

static enum wire_result unit_answered(struct pgwire *wire, const struct pgwire_ear *ear)
{
	wire->failed = 0;
	wire->copying = 0;
	wire->copied = 0;
	forget(wire);
	if (!wire->ready) {
		wire->ready = 1;
		return WIRE_OK;
	}
	if (!wire->units)
		return WIRE_BAD;
	wire->units--;
	ear->calls->flushed(ear->to);
	return WIRE_OK;
}

/* The server asks for copy data. Some clients do not wait for that, but send all at once. */
static void copy_begin(struct pgwire *wire)
{
	if (wire->copied) {
		wire->copied = 0;
		return;
	}
	wire->copying = 1;
	wire->resync = wire->units && wire->ended_by == 'S';
}

enum wire_result pgwire_reply_close(struct pgwire *wire, const struct pgwire_ear *ear)
{
	switch (wire->reply.type) {
	case 'D':
		wire->rows++;
		return WIRE_OK;
	case 'C':
	case 'I':
	case 's':
	case 'V':
	case 'E':
		return answered(wire, ear);
	case 'Z':
		return unit_answered(wire, ear);
	case 'G':
		copy_begin(wire);
		return WIRE_OK;
	case 'W':
		return WIRE_STOP;
	default:
		return WIRE_OK;
	}
}
