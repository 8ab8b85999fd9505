/* loop.h - what a front service needs of an event loop, and what the loop tells it. */
#ifndef ACCURACY_LOOP_H
#define ACCURACY_LOOP_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A connection; the library's own part stands around it. */
struct peer {
	void *state; /* the front's */
};

/* Implemented by front_LIBRARY: one thread, no call blocks. */

/* Connects to that port of 127.0.0.1; what is sent before it is connected waits. */
struct peer *loop_dial(unsigned port);
void loop_send(struct peer *peer, const char *at, size_t size);
/* Closes once everything is sent; front_closed is not called for it. */
void loop_close(struct peer *peer);
void loop_after(unsigned ms, void (*then)(void *), void *to);
/* Listens on 127.0.0.1 and never returns. */
void loop_serve(unsigned port);

/* Implemented by loop_front.c. */

void front_opened(struct peer *peer);
void front_read(struct peer *peer, const char *at, size_t size);
/* The other end hung up, or could not be reached; the peer is gone after the call. */
void front_closed(struct peer *peer);

#ifdef __cplusplus
}
#endif

#endif
