/* resp_parts.h - what the files of the Redis parser have of one another. */
#ifndef TAGALONG_RESP_PARTS_H
#define TAGALONG_RESP_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "preload/resp.h"

enum resp_special {
	RESP_PLAIN,
	RESP_CONTAINER,  /* the second word belongs to the operation */
	RESP_LAST_VALUE, /* of the keys, the last one is none */
	RESP_STREAMS,    /* the first half of what follows STREAMS are keys */
	RESP_SESSION,
	RESP_SELECT,
	RESP_RESET,
	RESP_REPLY,     /* CLIENT REPLY */
	RESP_STOP,      /* ends requests and replies on this connection */
	RESP_SUBSCRIBE, /* the order is that of resp.subscribed, twice */
	RESP_PSUBSCRIBE,
	RESP_SSUBSCRIBE,
	RESP_UNSUBSCRIBE,
	RESP_PUNSUBSCRIBE,
	RESP_SUNSUBSCRIBE,
};

struct resp_command {
	char name[WIRE_ROW_NAME]; /* in capitals; of a container's with its second word */
	/*
	 * One letter an argument after the name: k is kept, v a value, n says how many keys follow,
	 * s a word of a list with STREAMS. From '*' on the letters come again; else all further
	 * arguments are values.
	 */
	char arguments[5];
	uint8_t special; /* enum resp_special */
};

/* The row of that name, whatever its case, for resp_command_at; -1: not known. */
int resp_command_find(const char *name, size_t size);
const struct resp_command *resp_command_at(int row);

/*
 * Takes a number up to and with its line end, `*at` moves behind what was taken. 1 it is complete,
 * -2 it goes on, -1 it is none. The caller zeroes it before each use.
 */
int resp_number_feed(struct resp_number *number, const char **at, const char *end);

/*
 * The same in one look, if all is there, in up to seven digits. Returns the number, `*at` moves
 * behind it; or -1: it is left to resp_number_feed.
 */
static inline int32_t resp_number_here(const char **at, const char *end)
{
	const char *i = *at;
	int32_t number = 0;

	if (end - i < 9)
		end = i + (end - i > 2 ? end - i - 2 : 0);
	else
		end = i + 7;
	for (; i < end && *i >= '0' && *i <= '9'; i++)
		number = number * 10 + (*i - '0');
	if (i == *at || i[0] != '\r' || i[1] != '\n')
		return -1;
	*at = i + 2;
	return number;
}

/* A whole bulk string from its '$' on: its size, or -1: not all there, or not that simple. */
static inline int32_t resp_bulk_here(const char **at, const char *end, const char **data)
{
	const char *i = *at + 1;

	if (i >= end || **at != '$')
		return -1;
	int32_t size = resp_number_here(&i, end);
	if (size < 0 || end - i < size + 2 || i[size] != '\r' || i[size + 1] != '\n')
		return -1;
	*data = i;
	*at = i + size + 2;
	return size;
}

/* Keeps the head of a request that begins at `at`, if it is all there. */
void resp_repeat_note(struct resp *wire, const char *at, const char *end);

/*
 * Takes requests that begin as the last one, while they are all there and wire_calls.same takes
 * them; returns where that ends. Only while wire->repeats is set.
 */
const char *resp_repeat_take(struct resp *wire, const char *at, const char *end,
			     const struct wire_calls *calls, void *to);

/* An argument: its beginning, its bytes in pieces, its end. WIRE_BAD: an unknown inline command. */
void resp_argument_begin(struct resp *wire, const struct wire_calls *calls, void *to);
void resp_argument_put(struct resp *wire, const char *at, size_t size,
		       const struct wire_calls *calls, void *to);
enum wire_result resp_argument_end(struct resp *wire, const struct wire_calls *calls, void *to);

/* enum resp_special of the request whose name was fed. */
uint8_t resp_special_of(const struct resp *wire);

/* Whether the last argument that decides something was this, whatever its case. */
int resp_word_is(const struct resp *wire, const char *capitals, size_t size);
/* Adds a word to the request's text. */
void resp_tell_word(struct resp *wire, const char *at, size_t size, const struct wire_calls *calls,
		    void *to);

/* The two directions of resp_feed. */
enum wire_result resp_feed_request(struct resp *wire, const char *at, size_t size,
				   const struct wire_calls *calls, void *to);
enum wire_result resp_feed_reply(struct resp *wire, const char *at, size_t size,
				 const struct wire_calls *calls, void *to);

/* A request with an answer was told; -1: there is no room to remember how. */
int resp_expect(struct resp *wire, uint8_t special, uint32_t channels);

#endif
