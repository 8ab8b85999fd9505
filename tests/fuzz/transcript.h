/* transcript.h - what a parser of a database's protocol told, to be compared. */
#ifndef TAGALONG_TRANSCRIPT_H
#define TAGALONG_TRANSCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include "preload/wire.h"

struct transcript {
	char *at; /* malloc'ed */
	size_t size, room;
	char text[2048]; /* of the request that is being told; only whole ones are compared */
	size_t text_size;
	size_t waiting; /* requests that have an answer to come */
	size_t asked;   /* requests */
	int fold;       /* those like the last one are only counted, if the parser offers it */
	enum wire_result result;
};

/*
 * `to` of these is a struct transcript. They check what wire.h promises of each call: sizes within
 * their arrays, no reply without a request, and that no text is raw.
 */
extern const struct wire_calls transcript_calls;

typedef enum wire_result (*transcript_feed)(void *wire, enum wire_way way, const char *at,
					    size_t size, const struct wire_calls *calls, void *to);

/*
 * Feeds a conversation to `wire`: the bytes between 0xff are sent and received by turns, the first
 * ones sent. Each is fed in pieces of `step` bytes, up to a result that is not WIRE_OK. The caller
 * has zeroed both, but for transcript->fold.
 */
void transcript_run(struct transcript *transcript, transcript_feed feed, void *wire,
		    const uint8_t *data, size_t size, size_t step);

/* Whether both tell the same; frees them. */
int transcript_same(struct transcript *one, struct transcript *other);

#endif
