/* fuzz_mysql.c - any bytes as MySQL's protocol: pieces equal the whole, nothing leaks. */
#include <string.h>

#include "preload/mysql.h"
#include "tests/fuzz/wire_target.h"
#include "tests/unit/mysql_packets.h"

#define SECRET "SECRET"

static enum wire_result feed(void *wire, enum wire_way way, const char *at, size_t size,
			     const struct wire_calls *calls, void *to)
{
	return mysql_feed(wire, way, at, size, calls, to);
}

static const struct wire_parser parser = {sizeof(struct mysql), mysql_looks_like, feed};

/* A conversation under construction, as wire_target_run takes it. */
struct session {
	size_t size;
	uint8_t at[2048];
};

static void add(struct session *session, enum wire_way way, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	while (size) {
		size_t piece = size < 127 ? size : 127;
		session->at[session->size++] = (uint8_t)(piece << 1 | way);
		memcpy(session->at + session->size, at, piece);
		session->size += piece;
		at += piece;
		size -= piece;
	}
}

#define ADD(session, way, literal) add(session, way, literal, sizeof(literal) - 1)

/* A command, by its first bytes, whose parameters are any bytes and the secret. */
static void add_command(struct session *session, const char *command, size_t command_size,
			const uint8_t *data, size_t size)
{
	uint8_t packet[128] = {0};
	size_t body = size < 60 ? size : 60;

	packet[0] = (uint8_t)(command_size + body + sizeof(SECRET) - 1);
	memcpy(packet + 4, command, command_size);
	memcpy(packet + 4 + command_size, data, body);
	memcpy(packet + 4 + command_size + body, SECRET, sizeof(SECRET) - 1);
	add(session, WIRE_REQUEST, packet, 4u + packet[0]);
}

/* Parameters, a piece of one, a bulk of them, and a file; the answers are as they should be. */
static void no_secret_is_told(const uint8_t *data, size_t size)
{
	struct session session = {0};
	size_t at;

	ADD(&session, WIRE_REPLY, GREETING);
	ADD(&session, WIRE_REQUEST, LOGIN);
	ADD(&session, WIRE_REPLY, LOGGED_IN);
	add_command(&session, "\x17\1\0\0\0", 5, data, size);
	ADD(&session, WIRE_REPLY, DONE);
	add_command(&session, "\x18\1\0\0\0", 5, data, size);
	add_command(&session, "\xfa\1\0\0\0", 5, data, size);
	ADD(&session, WIRE_REPLY, DONE);
	ADD(&session, WIRE_REQUEST, QUERY);
	ADD(&session, WIRE_REPLY,
	    "\5\0\0\1\xfb"
	    "file");
	at = session.size + 4;
	add_command(&session, "1,", 2, data, size);
	session.at[at] = 2; /* the packet's number */
	wire_target_run(&parser, session.at, session.size, SECRET);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	wire_target_run(&parser, data, size, NULL);
	no_secret_is_told(data, size);
	return 0;
}
