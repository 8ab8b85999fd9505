/* rewrite.h - the bytes that we add to outgoing heads, and their short-write accounts. */
#ifndef TAGALONG_REWRITE_H
#define TAGALONG_REWRITE_H

/*
 * A head that a call is about to send may get header lines inserted before its empty line, and 16
 * digits of its traceparent replaced by as many. The added bytes go out in the same system call, as
 * further iovecs. The program is told of its own bytes only: what the kernel took of ours beyond
 * them is remembered on the connection and the rest goes first in the next call.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "preload/conn.h"
#include "preload/http1.h"
#include "preload/thread.h"

/* Vectors that a rewrite adds at most: two cuts, and two texts of ours. */
#define REWRITE_VECTORS 4

#define REWRITE_NOWHERE UINT32_MAX

struct rewrite {
	struct http1_head head; /* valid if `parsed` */
	uint8_t parsed;         /* the call's bytes begin with exactly this head */
	uint8_t edits;          /* the call has to be rewritten */
	uint32_t start;         /* bytes of the head that earlier calls sent */
	uint32_t insert_at;     /* offset in the head, or REWRITE_NOWHERE */
	uint32_t replace_at;
	uint32_t insert_size;
	uint32_t inserted; /* bytes of the insertion that earlier calls sent */
	size_t extent; /* of the call's bytes, those up to the end of this message; SIZE_MAX: all */
	const char *insert;
	char replacement[16];
};

/*
 * Looks at what a call is about to send, with the connection locked. Afterwards plan->edits says
 * whether to rewrite the call.
 */
void rewrite_plan(struct thread *self, struct conn *conn, int fd, const struct iovec *iov,
		  size_t count, struct rewrite *plan);

/*
 * Of a call that goes on with a body, the bytes up to the end of that message, if others follow;
 * else SIZE_MAX. Only by the thread that sends.
 */
size_t rewrite_extent(const struct conn *conn, const struct iovec *iov, size_t count);

/* Builds the rewritten vector; its length. `out` has room for count + REWRITE_VECTORS. */
size_t rewrite_build(const struct rewrite *plan, const struct iovec *iov, size_t count,
		     struct iovec *out);

/*
 * Of `sent` bytes of a rewritten call, those that are the program's. *inserted becomes how much of
 * the insertion is out.
 */
size_t rewrite_account(const struct rewrite *plan, size_t sent, uint32_t *inserted);

#endif
