/* mysql.h - the protocol of MySQL and MariaDB: both directions of a connection. */
#ifndef TAGALONG_MYSQL_H
#define TAGALONG_MYSQL_H

/*
 * By wire.h. Every request but those without an answer is answered by one whole wire_calls.reply;
 * each result before the last one of several comes with `partial`.
 *
 *   QUERY          EXECUTE, text             INIT_DB        NAMESPACE, text
 *   STMT_PREPARE   PREPARE, text, name       STMT_EXECUTE   EXECUTE_NAME, name
 *   STMT_CLOSE     CLOSE_NAME, name          STMT_FETCH     EXECUTE_NAME, name, operation FETCH
 *   BULK_EXECUTE   EXECUTE_NAME, name        CHANGE_USER, RESET_CONNECTION
 *                                                           SESSION, then CLOSE_NAME of all
 *   QUIT, STMT_SEND_LONG_DATA: not told      what else there is: SESSION
 *
 * A statement's name is its number's four bytes, as they are sent. MariaDB's clients may execute
 * what they prepared last as number FFFFFFFF, before it has one: this is the name in the request to
 * prepare, the reply tells the other one. The log-in, and CHANGE_USER, is told by
 * wire_calls.session when it was sent. Nothing of parameters, query attributes and LOCAL INFILE is
 * looked at. Any thread, re-entrant, async-signal-safe. Facts: MySQL's "Client/Server Protocol" and
 * MariaDB's.
 */

#include <stddef.h>
#include <stdint.h>

#include "preload/wire.h"

#define MYSQL_HEAD_MAX       32
#define MYSQL_PENDING_MAX    256 /* requests without an answer; more: WIRE_STOP */
#define MYSQL_WORD_MAX       64  /* of a user or a database */
#define MYSQL_ATTRIBUTES_MAX 32  /* of a query; with more its text is not told */

/* The payload that is being fed, of one direction: of one packet, or several if they are full. */
struct mysql_lane {
	uint32_t left;    /* bytes of the packet to come */
	uint32_t size;    /* of the payload so far; stops counting at 2 GiB */
	uint8_t have;     /* bytes of the packet's header that came */
	uint8_t opened;   /* the header is complete */
	uint8_t full;     /* the payload goes on in another packet */
	uint8_t sequence; /* of the request's packet */
	uint8_t head_size;
	uint8_t header[4];
	uint8_t head[MYSQL_HEAD_MAX]; /* the first bytes */
};

/* A number of one to nine bytes, as they come. */
struct mysql_number {
	uint64_t value;
	uint8_t shift;
	uint8_t left; /* 0: not begun */
};

struct mysql_login {
	uint8_t user_size, database_size;
	char user[MYSQL_WORD_MAX], database[MYSQL_WORD_MAX];
};

struct mysql_attributes {
	uint8_t count, index;
	uint8_t nulls[MYSQL_ATTRIBUTES_MAX / 8];
	uint8_t types[MYSQL_ATTRIBUTES_MAX];
};

struct mysql {
	struct mysql_lane request, reply;
	uint32_t server_flags, flags; /* capabilities: the server's, and those that both have */
	uint32_t server_extended, extended; /* MariaDB's own */
	uint8_t phase;
	uint8_t sequence;        /* of the next packet of the log-in or the answer */
	uint8_t is_mariadb;      /* the server's version says so */
	uint8_t prefix, matched; /* bytes of the version that fit what says so */
	uint8_t talking; /* the client's packets belong to the answer: a log-in, LOCAL INFILE */
	/* The request: in which part of it we are, and what is left of that. */
	uint8_t part;
	struct mysql_number number;
	uint64_t skip;
	union {
		struct mysql_login login;
		struct mysql_attributes attributes;
	};
	/* The answer to the oldest request. */
	uint8_t answering; /* its first packet has come */
	uint8_t stage;
	uint64_t definitions; /* packets to skip */
	uint64_t rows;
	/* What the requests expect: the kind of answer, and the number of their last packet. */
	uint16_t pending_count;
	uint8_t pending_first;
	uint8_t pending[MYSQL_PENDING_MAX];
};

/* Requests are never recognised: the server speaks first. */
int mysql_looks_like(enum wire_way way, const char *at, size_t size);

/* WIRE_STOP: replication, compression, protocols before 4.1. */
enum wire_result mysql_feed(struct mysql *wire, enum wire_way way, const char *at, size_t size,
			    const struct wire_calls *calls, void *to);

#endif
