/* pgwire.h - PostgreSQL's protocol, version 3: both directions of a connection. */
#ifndef TAGALONG_PGWIRE_H
#define TAGALONG_PGWIRE_H

/*
 * By wire.h. The requests up to a Sync, a simple Query or a FunctionCall are a unit:
 * wire_calls.flush is called at its end, wire_calls.flushed when ReadyForQuery answers it, and
 * wire_calls.reply with `partial` for each CommandComplete, EmptyQueryResponse, PortalSuspended,
 * FunctionCallResponse and for the first ErrorResponse of the unit, also when a Flush made them
 * come before the unit's end. Units without a request that is told are flushed as well. The log-in
 * is told by wire_calls.session alone, when the start-up message was sent.
 *
 *   Query         EXECUTE, text           FunctionCall  EXECUTE, operation FUNCTION, no text
 *   Parse         PREPARE, text, name     Execute       EXECUTE_NAME, the name that Bind gave
 *   Close         CLOSE_NAME; not of portals and of the unnamed statement
 *
 * Only EXECUTE and EXECUTE_NAME count as answered; an ErrorResponse may answer any request of the
 * unit. An Execute of a portal that Bind did not open, or too long ago, has PGWIRE_UNKNOWN as its
 * name, which no statement has. Names of more than PGWIRE_NAME_MAX bytes come hashed.
 * Any thread, re-entrant, async-signal-safe. Facts: PostgreSQL's documentation, "Frontend/Backend
 * Protocol".
 */

#include <stddef.h>
#include <stdint.h>

#include "preload/wire.h"

#define PGWIRE_NAME_MAX 32
#define PGWIRE_UNKNOWN  "" /* one byte, a NUL */
#define PGWIRE_PORTALS  4  /* open at once, besides the unnamed one */
#define PGWIRE_WORD_MAX 64 /* of a user or database; the server cuts them to 63 */

struct pgwire_name {
	uint8_t size;
	char at[PGWIRE_NAME_MAX];
};

/* The message that is being fed, of one direction. */
struct pgwire_lane {
	uint32_t left;  /* bytes of its body to come */
	uint8_t have;   /* bytes of its header that came */
	uint8_t opened; /* the header is complete */
	uint8_t type;   /* 0: a start-up packet, or none yet */
	uint8_t part;   /* of the body; what it means depends on the type */
	uint8_t header[8];
};

/* What is needed of the start-up message, until it is complete. */
struct pgwire_start {
	uint8_t key_size, user_size, database_size, replication_size;
	char key[16];
	char user[PGWIRE_WORD_MAX], database[PGWIRE_WORD_MAX];
	char replication[2];
};

struct pgwire_portals {
	uint64_t key[PGWIRE_PORTALS]; /* hash of the portal's name; 0: free */
	struct pgwire_name statement[PGWIRE_PORTALS];
	struct pgwire_name unnamed; /* the statement of the unnamed portal */
	uint8_t next;               /* to be forgotten */
};

struct pgwire {
	struct pgwire_lane request, reply;
	uint32_t units;   /* flushed and not answered */
	uint8_t asked;    /* 'S' TLS, 'G' GSSAPI: asked for, not answered */
	uint8_t started;  /* the start-up message was sent */
	uint8_t ready;    /* the server answered it */
	uint8_t open;     /* something was sent since the last flush */
	uint8_t ended_by; /* the last unit: 'Q', 'F' or 'S' */
	uint8_t copying;  /* the server takes copy data, and no Sync */
	uint8_t copied;   /* the end of the data was sent before the server asked for it */
	uint8_t resync;   /* it took the unit's Sync as copy data: another will come for it */
	uint8_t failed;   /* the oldest unit */
	uint8_t code_size;
	uint8_t digits; /* of a tag: where in a word we are */
	char code[6];
	uint64_t rows, number;
	/* The name that is being fed. */
	uint64_t hash;
	uint32_t length;
	struct pgwire_name name;
	uint64_t portal; /* of a Bind */
	union {
		struct pgwire_start start;
		struct pgwire_portals portals;
	};
};

/* Replies are never recognised: PostgreSQL's server does not speak first. */
int pgwire_looks_like(enum wire_way way, const char *at, size_t size);

/* WIRE_STOP: replication, CopyBoth, GSSAPI encryption. */
enum wire_result pgwire_feed(struct pgwire *wire, enum wire_way way, const char *at, size_t size,
			     const struct wire_calls *calls, void *to);

#endif
