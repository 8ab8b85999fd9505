/* mysql_reply.c - what a MySQL server answers: results, rows, errors. */
#include <string.h>

#include "preload/mysql_parts.h"

#define OK     0x00u
#define MORE   0x01u /* of a log-in */
#define INFILE 0xfbu
#define EOF_   0xfeu

#define EOF_MAX  8u /* a longer one is a row */
#define FULL     0xffffffu
#define PROGRESS 0xffffu /* not an error: how far MariaDB got with the statement */

#define MORE_RESULTS 0x08u /* status */
#define CURSOR       0x40u

/* Where in an answer we are. */
enum { FIRST, DEFINITIONS, DEFINITIONS_END, ROWS };

static int is_deprecated(const struct mysql *wire)
{
	return (wire->flags & MYSQL_DEPRECATE_EOF) != 0;
}

static int is_end(const struct mysql *wire)
{
	const struct mysql_lane *lane = &wire->reply;

	return lane->head[0] == EOF_ && lane->size < (is_deprecated(wire) ? FULL : EOF_MAX + 1);
}

/* Reads a number of one to nine bytes; 0 if it is not all there. */
static int number_at(const struct mysql_lane *lane, size_t *at, uint64_t *value)
{
	struct mysql_number number = {0};

	while (*at < lane->head_size) {
		if (mysql_number_feed(&number, lane->head[(*at)++])) {
			*value = number.value;
			return 1;
		}
	}
	return 0;
}

/* The status of an OK or EOF packet, and the rows that it affected. */
static uint32_t status_of(const struct mysql *wire, uint64_t *rows)
{
	const struct mysql_lane *lane = &wire->reply;
	uint64_t inserted;
	size_t at = 1;

	*rows = 0;
	if (lane->head[0] == EOF_ && !is_deprecated(wire))
		return lane->head_size >= 5 ? mysql_u16(lane->head + 3) : 0;
	if (!number_at(lane, &at, rows) || !number_at(lane, &at, &inserted))
		return 0;
	return at + 2 <= lane->head_size ? mysql_u16(lane->head + at) : 0;
}

static enum wire_result answer(struct mysql *wire, const struct mysql_ear *ear,
			       const struct wire_reply *reply)
{
	wire->rows = 0;
	wire->stage = FIRST;
	if (!reply->partial) {
		wire->answering = 0;
		wire->talking = 0;
		wire->pending_first++;
		wire->pending_count--;
	}
	ear->calls->reply(ear->to, reply);
	return WIRE_OK;
}

static enum wire_result fail(struct mysql *wire, const struct mysql_ear *ear)
{
	struct wire_reply reply = {.failed = 1};
	char digits[5];
	size_t size = 0;

	if (wire->reply.head_size < 3)
		return WIRE_BAD;
	uint32_t number = mysql_u16(wire->reply.head + 1);
	if (number == PROGRESS)
		return WIRE_OK;
	do {
		digits[sizeof(digits) - ++size] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	memcpy(reply.code, digits + sizeof(digits) - size, size);
	reply.code_size = (uint8_t)size;
	reply.rows = wire->rows;
	reply.has_rows = wire->rows != 0;
	return answer(wire, ear, &reply);
}

static enum wire_result succeed(struct mysql *wire, const struct mysql_ear *ear)
{
	struct wire_reply reply = {0};

	return answer(wire, ear, &reply);
}

/* An OK packet, or the end of the rows. */
static enum wire_result end_result(struct mysql *wire, const struct mysql_ear *ear, int has_set)
{
	struct wire_reply reply = {.has_rows = 1};
	uint32_t status = status_of(wire, &reply.rows);

	if (has_set)
		reply.rows = wire->rows;
	reply.partial = (status & MORE_RESULTS) != 0;
	return answer(wire, ear, &reply);
}

/* How many columns; newer protocols say whether their definitions follow. */
static enum wire_result begin_set(struct mysql *wire)
{
	const struct mysql_lane *lane = &wire->reply;
	int may_lack = (wire->flags & MYSQL_OPTIONAL_METADATA) ||
		       (wire->extended & MARIADB_CACHE_METADATA);
	size_t at = 0;

	if (!number_at(lane, &at, &wire->definitions) || !wire->definitions)
		return WIRE_BAD;
	if (may_lack && at < lane->head_size && !lane->head[at])
		wire->definitions = 0;
	wire->stage = wire->definitions     ? DEFINITIONS
		      : is_deprecated(wire) ? ROWS
					    : DEFINITIONS_END;
	return WIRE_OK;
}

static enum wire_result result_first(struct mysql *wire, const struct mysql_ear *ear)
{
	switch (wire->reply.head[0]) {
	case OK:
		return end_result(wire, ear, 0);
	case INFILE:
		/* The client's packets are the file, up to an empty one. */
		wire->talking = MYSQL_RESULT;
		return WIRE_OK;
	case EOF_:
		/* DEBUG and the like of old servers; as a number it would be 2^24 columns. */
		return wire->reply.size <= EOF_MAX ? end_result(wire, ear, 0) : WIRE_BAD;
	default:
		return begin_set(wire);
	}
}

static enum wire_result rows_close(struct mysql *wire, const struct mysql_ear *ear)
{
	if (is_end(wire))
		return end_result(wire, ear, 1);
	wire->rows++;
	return WIRE_OK;
}

static enum wire_result result_close(struct mysql *wire, const struct mysql_ear *ear)
{
	uint64_t rows;

	switch (wire->stage) {
	case FIRST:
		return result_first(wire, ear);
	case DEFINITIONS:
		if (!--wire->definitions)
			wire->stage = is_deprecated(wire) ? ROWS : DEFINITIONS_END;
		return WIRE_OK;
	case DEFINITIONS_END:
		if (!is_end(wire))
			return WIRE_BAD;
		/* Rows of a cursor are fetched. */
		if (status_of(wire, &rows) & CURSOR)
			return end_result(wire, ear, 1);
		wire->stage = ROWS;
		return WIRE_OK;
	default:
		return rows_close(wire, ear);
	}
}

static enum wire_result prepared(struct mysql *wire, const struct mysql_ear *ear)
{
	struct wire_reply reply = {.name_size = 4};

	memcpy(reply.name, &wire->rows, 4);
	return answer(wire, ear, &reply);
}

/* The statement's number, then definitions of parameters and columns; the number waits in `rows`.
 */
static enum wire_result prepare_close(struct mysql *wire, const struct mysql_ear *ear)
{
	const struct mysql_lane *lane = &wire->reply;

	if (wire->stage == DEFINITIONS) {
		if (!--wire->definitions)
			return prepared(wire, ear);
		return WIRE_OK;
	}
	if (lane->head[0] != OK || lane->head_size < 12)
		return WIRE_BAD;
	uint32_t columns = mysql_u16(lane->head + 5), parameters = mysql_u16(lane->head + 7);
	uint32_t ends = is_deprecated(wire) ? 0 : (columns != 0) + (parameters != 0);
	int lacks = (wire->flags & MYSQL_OPTIONAL_METADATA) && lane->size > 12 && !lane->head[12];
	memcpy(&wire->rows, lane->head + 1, 4);
	wire->definitions = lacks ? 0 : columns + parameters + ends;
	wire->stage = DEFINITIONS;
	return wire->definitions ? WIRE_OK : prepared(wire, ear);
}

enum wire_result mysql_reply_close(struct mysql *wire, const struct mysql_ear *ear)
{
	const struct mysql_lane *lane = &wire->reply;

	if (!lane->head_size)
		return WIRE_BAD;
	/* What nobody asked for: why the session ends. */
	if (!wire->pending_count)
		return lane->head[0] == MYSQL_ERR ? WIRE_OK : WIRE_BAD;
	if (lane->head[0] == MYSQL_ERR && wire->stage != DEFINITIONS)
		return fail(wire, ear);
	switch (wire->pending[wire->pending_first] & 15) {
	case MYSQL_RESULT:
		return result_close(wire, ear);
	case MYSQL_PREPARED:
		return prepare_close(wire, ear);
	case MYSQL_FIELDS:
		return is_end(wire) ? succeed(wire, ear) : WIRE_OK;
	case MYSQL_FETCHED:
		return rows_close(wire, ear);
	case MYSQL_TALK:
		if (lane->head[0] == OK)
			return succeed(wire, ear);
		wire->talking = MYSQL_TALK;
		return WIRE_OK;
	default:
		return succeed(wire, ear);
	}
}
