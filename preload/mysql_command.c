/* mysql_command.c - what a client asks a MySQL server for. */
#include <string.h>

#include "preload/mysql_parts.h"

enum {
	QUIT = 0x01,
	INIT_DB = 0x02,
	QUERY = 0x03,
	CHANGE_USER = 0x11,
	STMT_PREPARE = 0x16,
	STMT_EXECUTE = 0x17,
	STMT_SEND_LONG_DATA = 0x18,
	STMT_CLOSE = 0x19,
	STMT_FETCH = 0x1c,
	RESET_CONNECTION = 0x1f,
	BULK_EXECUTE = 0xfa,
};

#define STREAM  0x40 /* replication and the like: nothing of it is understood */
#define UNKNOWN 0x41 /* not sent by clients */

/* The answers, by command. */
static const uint8_t answers[] = {
	[0x00] = UNKNOWN,
	[QUIT] = MYSQL_NONE,
	[INIT_DB] = MYSQL_SIMPLE,
	[QUERY] = MYSQL_RESULT,
	[0x04] = MYSQL_FIELDS, /* FIELD_LIST */
	[0x05] = MYSQL_SIMPLE, /* CREATE_DB */
	[0x06] = MYSQL_SIMPLE, /* DROP_DB */
	[0x07] = MYSQL_SIMPLE, /* REFRESH */
	[0x08] = MYSQL_SIMPLE, /* SHUTDOWN */
	[0x09] = MYSQL_SIMPLE, /* STATISTICS */
	[0x0a] = MYSQL_RESULT, /* PROCESS_INFO */
	[0x0b] = UNKNOWN,
	[0x0c] = MYSQL_SIMPLE, /* PROCESS_KILL */
	[0x0d] = MYSQL_SIMPLE, /* DEBUG */
	[0x0e] = MYSQL_SIMPLE, /* PING */
	[0x0f] = UNKNOWN,
	[0x10] = UNKNOWN,
	[CHANGE_USER] = MYSQL_TALK,
	[0x12] = STREAM, /* BINLOG_DUMP */
	[0x13] = STREAM, /* TABLE_DUMP */
	[0x14] = STREAM, /* CONNECT_OUT */
	[0x15] = STREAM, /* REGISTER_SLAVE */
	[STMT_PREPARE] = MYSQL_PREPARED,
	[STMT_EXECUTE] = MYSQL_RESULT,
	[STMT_SEND_LONG_DATA] = MYSQL_NONE,
	[STMT_CLOSE] = MYSQL_NONE,
	[0x1a] = MYSQL_SIMPLE, /* STMT_RESET */
	[0x1b] = MYSQL_SIMPLE, /* SET_OPTION */
	[STMT_FETCH] = MYSQL_FETCHED,
	[0x1d] = UNKNOWN,
	[0x1e] = STREAM, /* BINLOG_DUMP_GTID */
	[RESET_CONNECTION] = MYSQL_SIMPLE,
	[0x20] = STREAM, /* CLONE */
	[0x21] = STREAM, /* SUBSCRIBE_GROUP_REPLICATION_STREAM */
};

static const char last_prepared[] = {'\xff', '\xff', '\xff', '\xff'};

static uint8_t answer_of(uint8_t command)
{
	if (command == BULK_EXECUTE)
		return MYSQL_RESULT;
	return command < sizeof(answers) ? answers[command] : UNKNOWN;
}

static enum wire_kind kind_of(uint8_t command)
{
	switch (command) {
	case INIT_DB:
		return WIRE_NAMESPACE;
	case QUERY:
		return WIRE_EXECUTE;
	case STMT_PREPARE:
		return WIRE_PREPARE;
	case STMT_CLOSE:
		return WIRE_CLOSE_NAME;
	case STMT_EXECUTE:
	case STMT_FETCH:
	case BULK_EXECUTE:
		return WIRE_EXECUTE_NAME;
	default:
		return WIRE_SESSION;
	}
}

/* The command's first byte. */
static enum wire_result command_open(struct mysql *wire, const struct mysql_ear *ear,
				     uint8_t command)
{
	uint8_t answer = answer_of(command);

	wire->part = 0;
	memset(&wire->number, 0, sizeof(wire->number));
	memset(&wire->login, 0, sizeof(wire->login));
	wire->skip = 0;
	if (command == QUERY && !(wire->flags & MYSQL_QUERY_ATTRIBUTES))
		wire->part = MYSQL_TEXT;
	if (answer == UNKNOWN)
		return WIRE_BAD;
	if (answer == STREAM || (answer && wire->pending_count == MYSQL_PENDING_MAX))
		return WIRE_STOP;
	if (answer)
		ear->calls->begin(ear->to);
	return WIRE_OK;
}

static void query_feed(struct mysql *wire, const struct mysql_ear *ear, const char *at, size_t size)
{
	if (wire->part < MYSQL_TEXT) {
		size_t taken = mysql_attributes_feed(wire, at, size);
		at += taken;
		size -= taken;
	}
	if (size && wire->part == MYSQL_TEXT)
		ear->calls->text(ear->to, at, size, 1);
}

enum wire_result mysql_command_body(struct mysql *wire, const struct mysql_ear *ear, const char *at,
				    size_t size)
{
	if (!wire->request.size) {
		enum wire_result result = command_open(wire, ear, (uint8_t)*at);

		if (result != WIRE_OK)
			return result;
		at++;
		size--;
	}
	switch (wire->request.head[0]) {
	case QUERY:
		query_feed(wire, ear, at, size);
		break;
	case STMT_PREPARE:
	case INIT_DB:
		if (size)
			ear->calls->text(ear->to, at, size, wire->request.head[0] == STMT_PREPARE);
		break;
	case CHANGE_USER:
		mysql_names_feed(wire, at, size);
		break;
	default:
		break;
	}
	return WIRE_OK;
}

/* The numbers of statements lose their meaning. */
static void forget_statements(const struct mysql_ear *ear)
{
	struct wire_request request = {.kind = WIRE_CLOSE_NAME};

	ear->calls->request(ear->to, &request);
}

static void expect(struct mysql *wire, uint8_t answer)
{
	uint8_t last = wire->request.sequence;
	unsigned at = (wire->pending_first + wire->pending_count++) % MYSQL_PENDING_MAX;

	if (last > MYSQL_PACKETS_UNKNOWN)
		last = MYSQL_PACKETS_UNKNOWN;
	wire->pending[at] = (uint8_t)(last << 4 | answer);
}

enum wire_result mysql_command_close(struct mysql *wire, const struct mysql_ear *ear)
{
	const struct mysql_lane *lane = &wire->request;
	uint8_t command = lane->head[0], answer = answer_of(command);
	struct wire_request request = {.kind = (uint8_t)kind_of(command), .replies = answer != 0};
	int by_number = request.kind == WIRE_EXECUTE_NAME || request.kind == WIRE_CLOSE_NAME;

	if (!lane->size || (by_number && lane->size < 5))
		return WIRE_BAD;
	if (by_number || command == STMT_PREPARE) {
		request.name_size = 4;
		memcpy(request.name, by_number ? (const char *)lane->head + 1 : last_prepared, 4);
	}
	if (command == STMT_FETCH) {
		request.operation_size = 5;
		memcpy(request.operation, "FETCH", 5);
	}
	if (command == CHANGE_USER)
		mysql_names_tell(wire, ear);
	if (answer)
		expect(wire, answer);
	if (answer || command == STMT_CLOSE)
		ear->calls->request(ear->to, &request);
	if (command == CHANGE_USER || command == RESET_CONNECTION)
		forget_statements(ear);
	return WIRE_OK;
}
