/* memcached.h - memcached's text and meta protocol. */
#ifndef TAGALONG_MEMCACHED_H
#define TAGALONG_MEMCACHED_H

/*
 * By the contract of wire.h. Pure, any thread on its own struct, async-signal-safe, no allocation.
 *
 * A request's operation is the command as sent, its text the command with its keys and a '?' for
 * each other argument that stands before a key or for the data: "set user:7 ?", "gat ? a b",
 * "mg user:7". A get of several keys is one request with one reply. Replies to reading commands
 * tell the number of values as rows. A miss, NOT_STORED and EXISTS are no failures.
 *
 * Quiet meta commands answer only if there is something to say, so theirs are told late: when the
 * reply to a later request shows that there was none. Which of several quiet ones an answer belongs
 * to is not known, and the oldest gets it. They have to be followed by mn or a command of the text
 * protocol; what can't be told apart ends in WIRE_STOP, as does `watch`.
 *
 * The binary protocol is not understood: it doesn't look like this. Documentation: memcached's
 * doc/protocol.txt.
 */

#include <stddef.h>
#include <stdint.h>

#include "preload/wire.h"
#include "preload/wire_text.h"

#define MEMCACHED_RUNS 16 /* changes between quiet requests and others that wait for answers */

/* A line's word, as far as it was fed. */
struct memcached_line {
	uint32_t token; /* the word's place in its line */
	uint8_t state;
	uint8_t size;
	char word[32]; /* the beginning of it */
};

/* So many requests in a row. */
struct memcached_run {
	uint32_t count;
	uint8_t quiet;
};

/* Fields are memcached*.c's business. */
struct memcached {
	/* The request that is being fed. */
	struct memcached_line line;
	uint64_t data_left; /* bytes of the data, with their line end */
	int8_t command;     /* row of the table of commands */
	uint8_t silence;    /* enum silence, by what was read of the line */
	uint8_t in_key;
	uint8_t in_data;
	uint8_t operation_size; /* 0: no command was read yet */
	char operation[32];
	struct wire_text text;

	/* The reply that is being fed. */
	struct memcached_line reply_line;
	uint64_t value_left;
	uint32_t rows;
	int8_t answer; /* row of the table of answers, or less than 0 */
	uint8_t in_value;
	uint8_t listed; /* lines came that are no values */

	/* Requests that wait, the oldest first. */
	uint8_t runs;
	struct memcached_run run[MEMCACHED_RUNS];
};

int memcached_looks_like(enum wire_way way, const char *at, size_t size);
enum wire_result memcached_feed(struct memcached *wire, enum wire_way way, const char *at,
				size_t size, const struct wire_calls *calls, void *to);

#endif
