/* fd.h - what each descriptor of the process is: a connection that we track, or nothing of ours. */
#ifndef TAGALONG_FD_H
#define TAGALONG_FD_H

/*
 * A table in chunks of 1024, up to any RLIMIT_NOFILE; the first chunk is static. A word an entry,
 * changed atomically. A descriptor is classified on first use; what is found to be no stream socket
 * stays so when it is closed and reopened, so that a file is never inspected twice: whatever makes
 * a socket out of a number (socket, accept, connect, dup, a passed descriptor) resets the entry.
 */

#include <stdatomic.h>
#include <stdint.h>

#include "preload/thread.h"

#define FD_CHUNK      1024u
#define FD_CHUNKS     1024u /* 1,048,576 descriptors, the kernel's default for fs.nr_open */
#define FD_INDEX_BITS 4

enum fd_kind {
	FD_UNKNOWN = 0,
	FD_OTHER, /* a file, a datagram socket, a stream that speaks no protocol of ours */
	FD_WAKE,  /* eventfd, timerfd, pipe: reading one begins another turn of a loop */
	FD_LISTENER,
	FD_STREAM, /* a stream socket: a listener, or a connection that has no struct conn yet */
	FD_CONNECTION, /* the index of the connection is in the upper bits */
};

struct conn;

extern _Atomic(_Atomic uint32_t *) fd_chunks[FD_CHUNKS] __attribute__((visibility("hidden")));

static inline uint32_t fd_entry(int fd)
{
	uint32_t n = (uint32_t)fd;
	_Atomic uint32_t *chunk;

	if (n >= FD_CHUNK * FD_CHUNKS)
		return FD_OTHER;
	chunk = atomic_load_explicit(&fd_chunks[n / FD_CHUNK], memory_order_acquire);
	return chunk ? atomic_load_explicit(&chunk[n % FD_CHUNK], memory_order_acquire)
		     : (uint32_t)FD_UNKNOWN;
}

/* The fast path of every hook on a descriptor. */
static inline int fd_ignored(int fd)
{
	return atomic_load_explicit(&process_mode, memory_order_relaxed) != MODE_ON ||
	       fd_entry(fd) == FD_OTHER;
}

/* Its kind; an unknown one is classified with up to four system calls, a stream socket with one. */
enum fd_kind fd_classify(int fd);

/*
 * The connection behind a descriptor, or NULL. One that is a stream socket without a connection
 * gets one. Not locked; see conn_lock.
 */
struct conn *fd_connection(int fd);

/*
 * As above, locked; NULL also if the lock can't be had or another thread has closed the descriptor
 * meanwhile: then the memory may be another connection's.
 */
struct conn *fd_lock(int fd);

/* The connection that is already known, or NULL: no system call. */
struct conn *fd_known_connection(int fd);

/* The descriptor is something else from now on: its connection loses a reference. */
void fd_reset(int fd, enum fd_kind kind);

/* `fd` was accepted from `listener`: a fresh connection if that is a stream socket. */
void fd_accepted(int listener, int fd);

/* Both descriptors share one connection from now on. */
void fd_share(int from, int to);

/* As fd_reset to FD_UNKNOWN for a range, both ends included. */
void fd_reset_range(uint32_t first, uint32_t last);

/* What is behind it speaks nothing that we understand. */
void fd_ignore(int fd, const struct conn *conn);

void fd_init(void);

#endif
