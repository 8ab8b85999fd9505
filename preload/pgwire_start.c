/* pgwire_start.c - how a PostgreSQL connection begins: detection, encryption, user and database. */
#include <string.h>

#include "preload/pgwire_parts.h"

#define CANCEL   80877102u
#define SSL      80877103u
#define GSSENC   80877104u
#define VERSION3 3u /* the upper half of the code; the lower is 0 or 2 */

#define START_MAX  10000u /* the server's own limit */
#define CANCEL_MIN 16u
#define CANCEL_MAX (12u + 256u) /* since 3.2 the key has up to 256 bytes */

uint32_t pgwire_number(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Whether a packet of that length can have that code. */
static int is_start(uint32_t length, uint32_t code)
{
	switch (code) {
	case SSL:
	case GSSENC:
		return length == 8;
	case CANCEL:
		return length >= CANCEL_MIN && length <= CANCEL_MAX;
	case VERSION3 << 16:
	case VERSION3 << 16 | 2:
		return length > 8 && length <= START_MAX;
	default:
		return 0;
	}
}

/* The length is below 65536, and the code is one of ours, as far as they came. */
static int may_be_start(const char *at, size_t size)
{
	static const char codes[][4] = {{4, '\xd2', 0x16, 0x2e},
					{4, '\xd2', 0x16, 0x2f},
					{4, '\xd2', 0x16, 0x30},
					{0, VERSION3, 0, 0},
					{0, VERSION3, 0, 2}};

	if ((size > 0 && at[0]) || (size > 1 && at[1]))
		return 0;
	if (size <= 4)
		return 1;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (memcmp(at + 4, codes[i], size - 4) == 0)
			return 1;
	return 0;
}

int pgwire_looks_like(enum wire_way way, const char *at, size_t size)
{
	const uint8_t *bytes = (const uint8_t *)at;

	if (way == WIRE_REPLY)
		return 0;
	if (size < 8)
		return may_be_start(at, size) ? -2 : 0;
	uint32_t length = pgwire_number(bytes), code = pgwire_number(bytes + 4);
	if (!is_start(length, code))
		return 0;
	if (code >> 16 != VERSION3)
		return 1;
	/* Kafka's Metadata requests begin likewise, but for the name of a parameter. */
	if (size == 8)
		return -2;
	return (at[8] >= 'a' && at[8] <= 'z') || at[8] == '_';
}

enum wire_result pgwire_start_open(struct pgwire *wire)
{
	uint32_t length = pgwire_number(wire->request.header);

	if (!is_start(length, pgwire_number(wire->request.header + 4)))
		return WIRE_BAD;
	wire->request.left = length - 8;
	return WIRE_OK;
}

static int key_is(const struct pgwire_start *start, const char *name)
{
	size_t size = strlen(name);

	return start->key_size == size && memcmp(start->key, name, size) == 0;
}

static void add(char *to, uint8_t *size, size_t room, char byte)
{
	if (*size < room)
		to[(*size)++] = byte;
}

static void add_value(struct pgwire_start *start, char byte)
{
	if (key_is(start, "user"))
		add(start->user, &start->user_size, sizeof(start->user), byte);
	else if (key_is(start, "database"))
		add(start->database, &start->database_size, sizeof(start->database), byte);
	else if (key_is(start, "replication"))
		add(start->replication, &start->replication_size, sizeof(start->replication), byte);
}

enum { KEY, VALUE, REST };

void pgwire_start_body(struct pgwire *wire, const char *at, size_t size)
{
	struct pgwire_start *start = &wire->start;

	if (pgwire_number(wire->request.header + 4) == CANCEL)
		return;
	for (size_t i = 0; i < size && wire->request.part != REST; i++) {
		if (wire->request.part == VALUE && at[i]) {
			add_value(start, at[i]);
		} else if (wire->request.part == VALUE) {
			wire->request.part = KEY;
			start->key_size = 0;
		} else if (at[i]) {
			add(start->key, &start->key_size, sizeof(start->key), at[i]);
		} else {
			wire->request.part = start->key_size ? VALUE : REST;
		}
	}
}

/* It is a boolean, or "database": false, no, off and 0 ask for an ordinary session. */
static int is_replication(const struct pgwire_start *start)
{
	const char *value = start->replication;

	if (!start->replication_size || (value[0] && strchr("fFnN0", value[0])))
		return 0;
	return start->replication_size < 2 || (value[0] | 0x20) != 'o' || (value[1] | 0x20) != 'f';
}

static enum wire_result session(struct pgwire *wire, const struct pgwire_ear *ear)
{
	const struct pgwire_start *start = &wire->start;
	int named = start->database_size != 0;

	if (wire->request.part != REST)
		return WIRE_BAD;
	if (is_replication(start))
		return WIRE_STOP;
	ear->calls->session(ear->to, named ? start->database : start->user,
			    named ? start->database_size : start->user_size, start->user,
			    start->user_size);
	memset(&wire->portals, 0, sizeof(wire->portals));
	wire->started = 1;
	return WIRE_OK;
}

enum wire_result pgwire_start_close(struct pgwire *wire, const struct pgwire_ear *ear)
{
	struct wire_request request = {.kind = WIRE_CANCEL};

	switch (pgwire_number(wire->request.header + 4)) {
	case SSL:
		wire->asked = 'S';
		return WIRE_OK;
	case GSSENC:
		wire->asked = 'G';
		return WIRE_OK;
	case CANCEL:
		ear->calls->begin(ear->to);
		ear->calls->request(ear->to, &request);
		return WIRE_OK;
	default:
		return session(wire, ear);
	}
}

int pgwire_answer(struct pgwire *wire, char byte, enum wire_result *result)
{
	/* A server that knows nothing of it answers with an error message. */
	int is_message = byte == 'E';

	if (byte == 'S' && wire->asked == 'S')
		*result = WIRE_TLS;
	else if (byte == 'G' && wire->asked == 'G')
		*result = WIRE_STOP;
	else if (byte == 'N' || is_message)
		*result = WIRE_OK;
	else
		*result = WIRE_BAD;
	wire->asked = 0;
	return !is_message;
}
