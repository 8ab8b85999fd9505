/* gather.h - one direction of a connection, and the head that comes in it in pieces. */
#ifndef TAGALONG_GATHER_H
#define TAGALONG_GATHER_H

/* Buffers are from pools with ceilings. All under the lock of the connection. */

#include <stddef.h>
#include <stdint.h>

#include "preload/http1.h"

enum stream_phase { PHASE_HEAD, PHASE_BODY };

/* One direction: a message's head, gathered if it comes in pieces, and then its body. */
struct stream {
	uint8_t phase; /* enum stream_phase */
	uint8_t eof;
	uint8_t large;     /* `gathered` is from the pool of large buffers */
	uint32_t buffer;   /* of the pool, 0: nothing gathered */
	uint32_t gathered; /* bytes in the buffer */
	size_t scanned;    /* see http1_head_end */
	uint64_t since_ns; /* when the head's first byte was seen */
	struct http1_body body;
};

/* Reserves the pools of buffers; 0 or -errno. */
int gathers_init(void);

/* The gathered bytes; NULL if there are none. */
char *stream_gathered(const struct stream *stream);

/* Appends bytes of a split head; 0, or -1: ceiling or head too large (counted). */
int stream_gather(struct stream *stream, const char *at, size_t size);
void stream_clear(struct stream *stream);

#endif
