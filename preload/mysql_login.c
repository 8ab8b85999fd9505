/* mysql_login.c - how a MySQL connection begins: the server's greeting, the client's log-in. */
#include <string.h>

#include "preload/mysql_parts.h"

#define LOGIN_FIXED 32u /* flags, packet size, character set, zeros; the user's name follows */

uint32_t mysql_u16(const uint8_t *at)
{
	return at[0] | (uint32_t)at[1] << 8;
}

uint32_t mysql_u32(const uint8_t *at)
{
	return mysql_u16(at) | mysql_u16(at + 2) << 16;
}

int mysql_number_feed(struct mysql_number *number, uint8_t byte)
{
	if (!number->left) {
		number->shift = 0;
		number->value = byte < 0xfb ? byte : 0;
		number->left = byte == 0xfc ? 2 : byte == 0xfd ? 3 : byte == 0xfe ? 8 : 0;
		return !number->left;
	}
	number->value |= (uint64_t)byte << number->shift;
	number->shift += 8;
	return !--number->left;
}

/* "5.5.5-" is what MariaDB pretends to be for replicas of old. */
static void version_feed(struct mysql *wire, char byte, uint32_t offset)
{
	static const char prefix[] = "5.5.5-", name[] = "MariaDB";

	if (wire->prefix == offset && wire->prefix < sizeof(prefix) - 1)
		wire->prefix += byte == prefix[wire->prefix];
	/* No letter of the name is its first again. */
	if (wire->matched < sizeof(name) - 1) {
		if (byte == name[wire->matched])
			wire->matched++;
		else
			wire->matched = byte == name[0];
	}
	if (wire->prefix == sizeof(prefix) - 1 || wire->matched == sizeof(name) - 1)
		wire->is_mariadb = 1;
}

enum { KIND, VERSION, FACTS };

void mysql_greeting_body(struct mysql *wire, const char *at, size_t size)
{
	struct mysql_lane *lane = &wire->reply;

	for (size_t i = 0; i < size; i++) {
		if (wire->part == KIND) {
			wire->part = VERSION;
			wire->stage = (uint8_t)at[i];
		} else if (wire->part == VERSION && at[i]) {
			version_feed(wire, at[i], lane->size + (uint32_t)i - 1);
		} else if (wire->part == VERSION) {
			wire->part = FACTS;
		} else if (lane->head_size < sizeof(lane->head)) {
			lane->head[lane->head_size++] = (uint8_t)at[i];
		}
	}
}

/* Behind the version: thread, scramble, flags, character set, status, flags, zeros, flags. */
enum wire_result mysql_greeting_close(struct mysql *wire, const struct mysql_ear *ear)
{
	const struct mysql_lane *lane = &wire->reply;
	uint8_t kind = wire->stage;

	wire->stage = 0;
	wire->part = 0;
	if (kind == MYSQL_ERR) {
		wire->phase = MYSQL_LOGIN;
		return WIRE_OK;
	}
	if (kind != 0x0a || lane->head_size < 15)
		return WIRE_BAD;
	wire->server_flags = mysql_u16(lane->head + 13);
	if (lane->head_size >= 20)
		wire->server_flags |= mysql_u16(lane->head + 18) << 16;
	if (lane->head_size >= 31 && !(wire->server_flags & MYSQL_NOT_MARIADB))
		wire->server_extended = mysql_u32(lane->head + 27);
	wire->phase = MYSQL_LOGIN;
	if (wire->is_mariadb)
		ear->calls->mariadb(ear->to);
	return WIRE_OK;
}

static void add(char *to, uint8_t *size, char byte)
{
	if (*size < MYSQL_WORD_MAX)
		to[(*size)++] = byte;
}

/* One byte of how the secret's size is told; older clients end it with a zero. */
static void secret_size_feed(struct mysql *wire, uint8_t byte)
{
	int is_login = wire->phase == MYSQL_LOGIN;

	if (is_login && (wire->flags & MYSQL_AUTH_LENENC)) {
		if (!mysql_number_feed(&wire->number, byte))
			return;
		wire->skip = wire->number.value;
	} else if (wire->flags & MYSQL_SECURE_CONNECTION) {
		wire->skip = byte;
	} else {
		if (!byte)
			wire->part = MYSQL_DATABASE;
		return;
	}
	wire->part = wire->skip ? MYSQL_SECRET : MYSQL_DATABASE;
}

void mysql_names_feed(struct mysql *wire, const char *at, size_t size)
{
	struct mysql_login *login = &wire->login;
	int has_database = wire->phase != MYSQL_LOGIN || (wire->flags & MYSQL_CONNECT_WITH_DB);

	for (size_t i = 0; i < size; i++) {
		switch (wire->part) {
		case MYSQL_USER:
			if (at[i])
				add(login->user, &login->user_size, at[i]);
			else
				wire->part = MYSQL_SECRET_SIZE;
			break;
		case MYSQL_SECRET_SIZE:
			secret_size_feed(wire, (uint8_t)at[i]);
			break;
		case MYSQL_SECRET:
			if (!--wire->skip)
				wire->part = MYSQL_DATABASE;
			break;
		case MYSQL_DATABASE:
			if (at[i] && has_database)
				add(login->database, &login->database_size, at[i]);
			else
				wire->part = MYSQL_REST;
			break;
		default:
			return;
		}
	}
}

void mysql_names_tell(const struct mysql *wire, const struct mysql_ear *ear)
{
	const struct mysql_login *login = &wire->login;

	ear->calls->session(ear->to, login->database, login->database_size, login->user,
			    login->user_size);
}

/* The flags are known before the user's name comes. */
static void take_flags(struct mysql *wire)
{
	const uint8_t *head = wire->request.head;
	uint32_t flags = mysql_u32(head);

	wire->flags = flags & wire->server_flags;
	/* What the server did not offer, a client may still send. */
	wire->flags |= flags & (MYSQL_PROTOCOL_41 | MYSQL_AUTH_LENENC | MYSQL_SECURE_CONNECTION |
				MYSQL_CONNECT_WITH_DB);
	if (!(flags & MYSQL_NOT_MARIADB))
		wire->extended = mysql_u32(head + 28) & wire->server_extended;
}

void mysql_login_body(struct mysql *wire, const char *at, size_t size)
{
	size_t fixed = 0;

	if (wire->request.size < LOGIN_FIXED) {
		fixed = LOGIN_FIXED - wire->request.size;
		if (size < fixed)
			return;
		take_flags(wire);
	}
	mysql_names_feed(wire, at + fixed, size - fixed);
}

enum wire_result mysql_login_close(struct mysql *wire, const struct mysql_ear *ear)
{
	const struct mysql_lane *lane = &wire->request;

	/* Before 4.1 the flags had two bytes. */
	if (lane->head_size < 2)
		return WIRE_BAD;
	if (!(mysql_u16(lane->head) & MYSQL_PROTOCOL_41))
		return WIRE_STOP;
	if (lane->size < LOGIN_FIXED)
		return WIRE_BAD;
	if (lane->size == LOGIN_FIXED)
		return wire->flags & MYSQL_SSL ? WIRE_TLS : WIRE_BAD;
	if (wire->part == MYSQL_USER)
		return WIRE_BAD;
	mysql_names_tell(wire, ear);
	wire->phase = MYSQL_AUTH;
	return WIRE_OK;
}
