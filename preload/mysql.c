/* mysql.c - packets of MySQL's protocol, their order, and the beginning of a connection. */
#include "preload/mysql.h"

#include <string.h>

#include "preload/mysql_parts.h"

#define PACKET_FULL      0xffffffu
#define SIZE_MAX_COUNTED (1u << 31)

#define OK      0x00u
#define VERSION 0x0au

#define GREETING_MIN 33u /* all but the version */
#define GREETING_MAX 512u
#define ERROR_MAX    600u

/* A greeting: its version, and the zero behind thread and scramble. */
static int looks_like_greeting(const char *version, size_t size)
{
	size_t i = 0;

	while (i < size && (unsigned char)version[i] >= ' ' && (unsigned char)version[i] < 0x7f)
		i++;
	if (size && (version[0] < '0' || version[0] > '9'))
		return 0;
	if (i > 128 || (i < size && (i < 3 || version[i])))
		return 0;
	if (size - i < 14)
		return -2;
	return version[i + 13] == 0;
}

/* Too many connections, a host that is not allowed: a number and a text. */
static int looks_like_error(const uint8_t *at, size_t size)
{
	if (size < 3)
		return -2;
	uint32_t number = mysql_u16(at);
	return number >= 1000 && number < 5000 && at[2] >= ' ' && at[2] < 0x7f;
}

int mysql_looks_like(enum wire_way way, const char *at, size_t size)
{
	const uint8_t *bytes = (const uint8_t *)at;

	if (way == WIRE_REQUEST || (size > 2 && at[2]) || (size > 3 && at[3]))
		return 0;
	if (size < 5)
		return -2;
	uint32_t length = mysql_u16(bytes);
	if (bytes[4] == VERSION && length >= GREETING_MIN && length <= GREETING_MAX)
		return looks_like_greeting(at + 5, size - 5);
	if (bytes[4] == MYSQL_ERR && length > 3 && length <= ERROR_MAX)
		return looks_like_error(bytes + 5, size - 5);
	return 0;
}

/* Packets of the log-in, and of an answer, are counted by both sides together. */
static int request_in_order(struct mysql *wire, uint8_t number)
{
	struct mysql_lane *lane = &wire->request;

	if (wire->phase == MYSQL_GREETING)
		return 0;
	if (wire->phase != MYSQL_COMMANDS || wire->talking)
		return number == wire->sequence++;
	if (lane->full)
		return number == ++lane->sequence;
	lane->sequence = 0;
	return number == 0;
}

static int reply_in_order(struct mysql *wire, uint8_t number)
{
	uint8_t last = wire->pending[wire->pending_first] >> 4;

	if (wire->phase != MYSQL_COMMANDS)
		return number == wire->sequence++;
	/* A session that ends. */
	if (!wire->pending_count)
		return 1;
	if (!wire->answering) {
		wire->answering = 1;
		wire->sequence = number;
		if (last != MYSQL_PACKETS_UNKNOWN && number != last + 1)
			return 0;
	}
	return number == wire->sequence++;
}

/* Takes bytes of a header; the bytes taken. */
static size_t header_feed(struct mysql *wire, enum wire_way way, const char *at, size_t size,
			  enum wire_result *result)
{
	struct mysql_lane *lane = way == WIRE_REQUEST ? &wire->request : &wire->reply;
	size_t need = sizeof(lane->header) - lane->have;
	size_t taken = size < need ? size : need;
	int in_order;

	memcpy(lane->header + lane->have, at, taken);
	lane->have += (uint8_t)taken;
	if (taken < need)
		return taken;
	in_order = way == WIRE_REQUEST ? request_in_order(wire, lane->header[3])
				       : reply_in_order(wire, lane->header[3]);
	*result = in_order ? WIRE_OK : WIRE_BAD;
	lane->opened = 1;
	lane->left = mysql_u32(lane->header) & PACKET_FULL;
	if (!lane->full) {
		lane->size = 0;
		lane->head_size = 0;
	}
	lane->full = lane->left == PACKET_FULL;
	return taken;
}

static void head_feed(struct mysql_lane *lane, const char *at, size_t size)
{
	size_t room = sizeof(lane->head) - lane->head_size;
	size_t taken = size < room ? size : room;

	memcpy(lane->head + lane->head_size, at, taken);
	lane->head_size += (uint8_t)taken;
}

static enum wire_result body_feed(struct mysql *wire, const struct mysql_ear *ear,
				  enum wire_way way, const char *at, size_t size)
{
	struct mysql_lane *lane = way == WIRE_REQUEST ? &wire->request : &wire->reply;
	enum wire_result result = WIRE_OK;

	if (wire->phase == MYSQL_GREETING) {
		mysql_greeting_body(wire, at, size);
	} else {
		head_feed(lane, at, size);
		if (way == WIRE_REQUEST && wire->phase == MYSQL_LOGIN)
			mysql_login_body(wire, at, size);
		else if (way == WIRE_REQUEST && wire->phase == MYSQL_COMMANDS && !wire->talking)
			result = mysql_command_body(wire, ear, at, size);
	}
	if (lane->size < SIZE_MAX_COUNTED)
		lane->size += (uint32_t)size;
	return result;
}

/* What a server says to a log-in: the rest of it is the business of its plugins. */
static enum wire_result auth_close(struct mysql *wire)
{
	const struct mysql_lane *lane = &wire->reply;

	if (!lane->head_size)
		return WIRE_BAD;
	if (lane->head[0] == MYSQL_ERR)
		return WIRE_OK;
	if (wire->phase == MYSQL_LOGIN)
		return WIRE_BAD;
	if (lane->head[0] != OK)
		return WIRE_OK;
	if (wire->flags & (MYSQL_COMPRESS | MYSQL_ZSTD))
		return WIRE_STOP;
	wire->phase = MYSQL_COMMANDS;
	return WIRE_OK;
}

static enum wire_result request_close(struct mysql *wire, const struct mysql_ear *ear)
{
	if (wire->phase == MYSQL_LOGIN)
		return mysql_login_close(wire, ear);
	if (wire->phase == MYSQL_AUTH)
		return WIRE_OK;
	if (!wire->talking)
		return mysql_command_close(wire, ear);
	/* The file ends with an empty packet. */
	if (!wire->request.size && wire->talking == MYSQL_RESULT)
		wire->talking = 0;
	return WIRE_OK;
}

static enum wire_result payload_close(struct mysql *wire, const struct mysql_ear *ear,
				      enum wire_way way)
{
	if (way == WIRE_REQUEST)
		return request_close(wire, ear);
	if (wire->phase == MYSQL_GREETING)
		return mysql_greeting_close(wire, ear);
	return wire->phase == MYSQL_COMMANDS ? mysql_reply_close(wire, ear) : auth_close(wire);
}

enum wire_result mysql_feed(struct mysql *wire, enum wire_way way, const char *at, size_t size,
			    const struct wire_calls *calls, void *to)
{
	struct mysql_lane *lane = way == WIRE_REQUEST ? &wire->request : &wire->reply;
	const struct mysql_ear ear = {calls, to};
	enum wire_result result = WIRE_OK;

	while (size && result == WIRE_OK) {
		if (!lane->opened) {
			size_t taken = header_feed(wire, way, at, size, &result);
			at += taken;
			size -= taken;
			if (!lane->opened || result != WIRE_OK)
				continue;
		}
		size_t piece = size < lane->left ? size : lane->left;
		if (piece)
			result = body_feed(wire, &ear, way, at, piece);
		at += piece;
		size -= piece;
		lane->left -= (uint32_t)piece;
		if (lane->left || result != WIRE_OK)
			continue;
		lane->opened = lane->have = 0;
		if (!lane->full)
			result = payload_close(wire, &ear, way);
	}
	return result;
}
