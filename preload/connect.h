/* connect.h - connections that the program makes: their context, and the failures that are told as
 * spans. */
#ifndef TAGALONG_CONNECT_H
#define TAGALONG_CONNECT_H

#include <stdint.h>
#include <sys/socket.h>

#include "preload/segment.h"
#include "preload/thread.h"

/* connect() returned, called at since_ns; `error` is 0 or its errno. */
void connect_called(struct thread *self, int fd, const struct sockaddr *to, socklen_t size,
		    uint64_t since_ns, int error);

/*
 * SO_ERROR was asked. On a connection that is still being made that is its completion: its context
 * becomes current, or none. On one in use it means nothing (nginx asks it on kept-alive ones).
 */
void connect_asked(struct thread *self, int fd, int error);

/*
 * Whom the first request on a connection belongs to that `maker` began to make, `made` being how
 * sure that was: a pool's may serve another one first. 0: that says nothing, the thread's own
 * context does. Else `link` is set; it is a guess unless the thread has turned to nobody else.
 */
uint64_t connect_caller(struct thread *self, uint64_t maker, uint8_t made, enum span_link *link);

#endif
