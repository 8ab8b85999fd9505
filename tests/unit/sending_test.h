/* sending_test.h - a program that sends through the hooks, and a kernel that takes what the test
 * says.
 */
#ifndef TAGALONG_SENDING_TEST_H
#define TAGALONG_SENDING_TEST_H

/* The real functions are stood in for as well. One thread. */

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "preload/attach.h"
#include "preload/conf.h"
#include "preload/conn.h"
#include "preload/exchange.h"
#include "preload/hook.h"
#include "preload/rewrite.h"
#include "preload/stream.h"

#define MOST 8192

extern struct slot *slot;
extern int fd; /* a stream socket; nothing is really sent on it */

extern struct sending_kernel {
	char out[MOST]; /* what it took */
	size_t size;
	size_t at_most; /* bytes a call */
	size_t room;    /* until the next EAGAIN, which makes room for all the rest */
	unsigned calls;
	int flags; /* of the last sendmsg */
	unsigned refused;
} kernel;

enum way { BY_WRITE, BY_SEND, BY_WRITEV, BY_SENDMSG, WAYS };

/* Attaches and makes the socket; first of all, with main's frame. */
void sending_start(const void *main_frame);

void fresh_kernel(size_t at_most, size_t room);

/* Sends all, as programs do: what was not taken is sent again. Calls end at `stop` first. */
void send_all(enum way way, const char *at, size_t size, size_t stop, size_t vectors);

/* What the peer sends arrives. */
void receive(const char *text);

/* The connection is closed, and its spans are thrown away. */
void hang_up(void);
int tear_down(void **state);

#endif
