/* resp.h - Redis's protocol, RESP2 and RESP3, with inline commands. */
#ifndef TAGALONG_RESP_H
#define TAGALONG_RESP_H

/*
 * By the contract of wire.h. Pure, any thread on its own struct, async-signal-safe, no allocation.
 *
 * A request's operation is the command as sent, that of a container command with its second word
 * ("CONFIG GET"). Its text is what redis-cli would take, keys and field names kept, bounded and
 * cleaned (wire_text.h), each other argument a '?': "HSET user:7 name ? mail ?". Of commands that
 * are not known, and of those that carry secrets, no argument is kept. SELECT is a WIRE_NAMESPACE
 * with the number as its text, RESET one with "0". AUTH, HELLO, QUIT, CLIENT SETNAME and CLIENT
 * SETINFO are WIRE_SESSION and have no text.
 *
 * A subscription is answered by the confirmation of its first channel; further ones, messages and
 * push frames answer nothing. CLIENT REPLY OFF and SKIP are obeyed. The error inside an EXEC's
 * array is not the EXEC's. MONITOR, SYNC, PSYNC and REPLCONF end in WIRE_STOP.
 *
 * An inline command must be one that is known: else it is WIRE_BAD, so that a connection that was
 * taken for Redis's shows nothing. Documentation: redis.io/docs/reference/protocol-spec.
 */

#include <stddef.h>
#include <stdint.h>

#include "preload/wire.h"
#include "preload/wire_text.h"

#define RESP_DEPTH      16 /* of replies within replies; deeper ones are WIRE_BAD */
#define RESP_HEAD_MAX   40 /* of a command that may be told as the same as the one before */
#define RESP_EXCEPTIONS 8  /* runs of subscriptions that wait for their answers */

/* A decimal number with its line end, as far as it was fed. */
struct resp_number {
	uint64_t value;
	uint8_t digits;
	uint8_t negative;
	uint8_t ending; /* its carriage return was there */
};

/* So many requests in a row whose answers are none like others. */
struct resp_exception {
	uint32_t first; /* counted as resp.asked, modulo 2^32 */
	uint32_t count;
	uint16_t channels; /* that each named; 0: all */
	uint8_t special;   /* enum resp_special */
};

/* Fields are resp*.c's business. */
struct resp {
	uint64_t asked;    /* requests that are answered */
	uint64_t answered; /* of them so far */

	/* The request that is being fed. */
	struct resp_number number;
	uint64_t bulk_left;
	uint32_t arguments; /* of an array of arguments; 0: an inline command, not known */
	uint32_t argument;  /* the one that is being fed */
	uint32_t keys_left; /* that a number of keys announced */
	int16_t row;        /* of the table of commands; -1: not known */
	uint8_t state;
	uint8_t role; /* of the argument, enum argument_role */
	uint8_t step; /* in the row's arguments */
	uint8_t word_size;
	uint8_t operation_size;
	uint8_t name_size; /* of the operation's first word */
	uint8_t silence;   /* enum silence: CLIENT REPLY */
	uint8_t repeats;   /* one that begins with `head` is told by wire_calls.same */
	uint8_t head_size;
	char head[RESP_HEAD_MAX]; /* of the last request: up to the end of its name */
	char word[32];            /* the beginning of an argument that decides something */
	char operation[32];
	struct wire_text text;

	/* The reply that is being fed. */
	struct resp_number reply_number;
	uint64_t reply_left; /* bytes of a bulk */
	uint32_t left[RESP_DEPTH];
	uint32_t attributes; /* bit set: what is open at that depth is an attribute */
	uint32_t elements;   /* of the reply */
	uint32_t extra;      /* confirmations to come that answer nothing */
	uint32_t subscribed[3];
	uint8_t reply_state;
	uint8_t depth;
	uint8_t type;     /* of what is being fed */
	uint8_t top_type; /* of the reply */
	uint8_t first_size;
	uint8_t code_size;
	uint8_t code_done;
	uint8_t exceptions;
	uint8_t pushes; /* what is out of band comes in frames of its own: RESP3 */
	uint32_t third; /* number that is the reply's third element */
	char first[16]; /* the beginning of the reply's first element */
	char code[32];
	struct resp_exception exception[RESP_EXCEPTIONS];
};

int resp_looks_like(enum wire_way way, const char *at, size_t size);
enum wire_result resp_feed(struct resp *wire, enum wire_way way, const char *at, size_t size,
			   const struct wire_calls *calls, void *to);

#endif
