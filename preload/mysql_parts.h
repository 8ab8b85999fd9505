/* mysql_parts.h - what the files of MySQL's parser have from each other. */
#ifndef TAGALONG_MYSQL_PARTS_H
#define TAGALONG_MYSQL_PARTS_H

#include "preload/mysql.h"

/* Capabilities. */
#define MYSQL_NOT_MARIADB       0x1u
#define MYSQL_CONNECT_WITH_DB   0x8u
#define MYSQL_COMPRESS          0x20u
#define MYSQL_PROTOCOL_41       0x200u
#define MYSQL_SSL               0x800u
#define MYSQL_SECURE_CONNECTION 0x8000u
#define MYSQL_AUTH_LENENC       0x200000u
#define MYSQL_DEPRECATE_EOF     0x1000000u
#define MYSQL_OPTIONAL_METADATA 0x2000000u
#define MYSQL_ZSTD              0x4000000u
#define MYSQL_QUERY_ATTRIBUTES  0x8000000u
#define MARIADB_CACHE_METADATA  0x10u /* extended */

#define MYSQL_ERR 0xffu

enum mysql_phase {
	MYSQL_GREETING, /* the server's first packet comes */
	MYSQL_LOGIN,    /* the client's */
	MYSQL_AUTH,     /* either's, until the server is content */
	MYSQL_COMMANDS,
};

/* What a command is answered with. */
enum mysql_answer {
	MYSQL_NONE,
	MYSQL_SIMPLE, /* one packet: OK, EOF, ERR, or a text */
	MYSQL_RESULT, /* OK, or definitions and rows, and that several times */
	MYSQL_PREPARED,
	MYSQL_FIELDS,  /* definitions */
	MYSQL_FETCHED, /* rows */
	MYSQL_TALK,    /* as a log-in */
};

#define MYSQL_PACKETS_UNKNOWN 15 /* packets of a request that are not counted on */

/* Who is told. */
struct mysql_ear {
	const struct wire_calls *calls;
	void *to;
};

/* One more byte of a number: 1 when it is complete. */
int mysql_number_feed(struct mysql_number *number, uint8_t byte);

uint32_t mysql_u16(const uint8_t *at);
uint32_t mysql_u32(const uint8_t *at);

/* The greeting and the log-in: pieces of payloads, then their ends. */
void mysql_greeting_body(struct mysql *wire, const char *at, size_t size);
enum wire_result mysql_greeting_close(struct mysql *wire, const struct mysql_ear *ear);
void mysql_login_body(struct mysql *wire, const char *at, size_t size);
enum wire_result mysql_login_close(struct mysql *wire, const struct mysql_ear *ear);

/* User, database and what is between them, from the first byte of the user on. */
enum { MYSQL_USER, MYSQL_SECRET_SIZE, MYSQL_SECRET, MYSQL_DATABASE, MYSQL_REST };
void mysql_names_feed(struct mysql *wire, const char *at, size_t size);
void mysql_names_tell(const struct mysql *wire, const struct mysql_ear *ear);

/* The attributes before a query: the bytes taken. Over when wire->part is MYSQL_TEXT. */
enum {
	MYSQL_COUNT,
	MYSQL_SETS,
	MYSQL_NULLS,
	MYSQL_BOUND,
	MYSQL_TYPES,
	MYSQL_NAME_SIZE,
	MYSQL_NAME,
	MYSQL_VALUE_SIZE,
	MYSQL_VALUE,
	MYSQL_TEXT,
	MYSQL_NO_TEXT
};
size_t mysql_attributes_feed(struct mysql *wire, const char *at, size_t size);

/* Commands: pieces of payloads, then their ends. */
enum wire_result mysql_command_body(struct mysql *wire, const struct mysql_ear *ear, const char *at,
				    size_t size);
enum wire_result mysql_command_close(struct mysql *wire, const struct mysql_ear *ear);

/* The end of a payload that the server sent, once it takes commands. */
enum wire_result mysql_reply_close(struct mysql *wire, const struct mysql_ear *ear);

#endif
