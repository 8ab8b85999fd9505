/* wire.h - what the parsers of databases' protocols tell about the bytes of a connection. */
#ifndef TAGALONG_WIRE_H
#define TAGALONG_WIRE_H

/*
 * One parser a protocol: pgwire, mysql, resp, memcached. Each is a struct of fixed size without
 * pointers, so that it can be copied, and two functions:
 *
 *   int PROTOCOL_looks_like(enum wire_way way, const char *at, size_t size);
 *       The first bytes of a connection: 1 it is, 0 it is not, -2 too few to tell. WIRE_REQUEST is
 *       asked of bytes that the client sends, WIRE_REPLY of bytes that the server sends.
 *   enum wire_result PROTOCOL_feed(struct PROTOCOL *wire, enum wire_way way, const char *at,
 *                                  size_t size, const struct wire_calls *calls, void *to);
 *       All bytes of either direction, in their order, cut anywhere. A zeroed struct is the
 *       beginning of a connection. Nothing is kept of the bytes but what the struct has room for.
 *
 * They know nothing of hooks, sockets and memory. What they tell is the same however the bytes were
 * cut, but for the pieces that texts come in. A request is told when its last byte was fed; a reply
 * likewise. Facts: the protocols' own documentation.
 */

#include <stddef.h>
#include <stdint.h>

enum wire_way { WIRE_REQUEST, WIRE_REPLY };

enum wire_result {
	WIRE_OK = 0,
	WIRE_TLS = 1,  /* both sides agreed on TLS: what follows on this transport is encrypted, and
			  the same struct goes on with the clear text */
	WIRE_STOP = 2, /* nothing more is to be understood, and nothing is wrong: replication,
			  MONITOR, a compressed connection */
	WIRE_BAD = -1, /* not this protocol, or out of step: give up */
};

enum wire_kind {
	WIRE_EXECUTE,      /* runs its text */
	WIRE_PREPARE,      /* gives its text a name */
	WIRE_EXECUTE_NAME, /* runs the text of that name */
	WIRE_CLOSE_NAME, /* forgets the name; an empty one: all of them. No answer is paired with it
			  */
	WIRE_NAMESPACE,  /* changes the database, to its text, once answered without an error */
	WIRE_SESSION,    /* log-in, ping, reset: answered, but no operation that is told */
	WIRE_CANCEL,     /* this connection asks to cancel another's statement; not answered */
};

#define WIRE_NAME_MAX 64 /* longer names are hashed into this size; only equality matters */

struct wire_request {
	uint8_t kind;    /* enum wire_kind */
	uint8_t replies; /* that wire_calls.reply will tell for it, 0 or 1; see wire_calls.flush */
	uint8_t name_size; /* of the prepared statement, may be 0: the unnamed one */
	uint8_t operation_size;
	char name[WIRE_NAME_MAX];
	char operation[32]; /* "GET", "CONFIG GET", "COPY"; empty for SQL that is only executed */
};

struct wire_reply {
	uint8_t failed; /* the command failed; not: a miss, a null, a warning */
	uint8_t code_size;
	uint8_t has_rows;
	uint8_t name_size; /* WIRE_PREPARE was answered with the name to use from now on */
	uint8_t partial; /* more replies follow for the same request: only rows and errors count */
	char code[32];   /* SQLSTATE, error number, first word of the error; also of a warning */
	char name[WIRE_NAME_MAX];
	uint64_t rows; /* returned or affected */
};

/* Called in the order of the bytes; pointers are lent for the call; `to` is the feeder's. */
struct wire_calls {
	/*
	 * The first bytes of a request were fed, as many as tell its kind. WIRE_CLOSE_NAME, which
	 * is not answered, comes without.
	 */
	void (*begin)(void *to);
	/*
	 * A piece of the request's text. `raw`: SQL as the program wrote it, to be masked before it
	 * is kept. Else it holds nothing secret: a command with its values replaced by '?'.
	 */
	void (*text)(void *to, const char *at, size_t size, int raw);
	void (*request)(void *to, const struct wire_request *request);
	/*
	 * Another request like the last one that was told, but for its arguments, was fed: 1 it is
	 * counted, and that was all; 0 it is to be told in full. NULL is as 0. Redis only.
	 */
	int (*same)(void *to);
	/*
	 * PostgreSQL: the requests since the last one are answered together, by one reply each, and
	 * then by wire_calls.flushed. Other protocols don't call it.
	 */
	void (*flush)(void *to);
	/* The oldest request that has an answer to come was answered. */
	void (*reply)(void *to, const struct wire_reply *reply);
	void (*flushed)(void *to);
	/* Facts of the log-in: the database and the user, and whether the server is a MariaDB. */
	void (*session)(void *to, const char *database, size_t database_size, const char *user,
			size_t user_size);
	void (*mariadb)(void *to);
};

#endif
