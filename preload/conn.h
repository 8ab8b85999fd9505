/* conn.h - a tracked connection: role, state of both directions, the requests in flight on it. */
#ifndef TAGALONG_CONN_H
#define TAGALONG_CONN_H

/*
 * Connections live in a pool; descriptors that share one hold a reference each. Every change is
 * made under conn_lock, which is held only around our own code, never across a real call, and is
 * given up after a bounded number of tries: then the connection is no longer understood.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "preload/fastcgi.h"
#include "preload/gather.h"
#include "preload/runtime.h"
#include "preload/segment.h"

struct exchange;

enum conn_role {
	ROLE_UNKNOWN,
	ROLE_SERVER,
	ROLE_CLIENT,
	ROLE_ENCRYPTED, /* TLS goes on here; the clear text has a connection of its own */
	ROLE_OPAQUE,
};

struct conn {
	uint32_t free_link; /* of the pool */
	uint32_t index;
	_Atomic uint32_t generation; /* changes when the last descriptor is gone */
	_Atomic uint32_t references;
	_Atomic uint32_t lock;
	uint8_t role;         /* enum conn_role */
	uint8_t connecting;   /* connect() was called, nothing sent or received yet */
	uint8_t used;         /* a request has been sent or read */
	uint8_t addressed;    /* peer and local are filled in */
	uint8_t fastcgi;      /* not HTTP, see fastcgi_stream.h */
	uint8_t deferred;     /* an event loop was asked to tell when it can be written to */
	uint8_t replacing;    /* bytes that are out already include our span ID, or a part of it */
	uint32_t database;    /* client: of the pool, see database.h; 0: HTTP, if anything */
	uint32_t first, last; /* exchanges in flight, oldest first */
	uint64_t requesting;  /* whose request body is under way; perhaps answered already */
	uint64_t connect_context; /* in which connect() was called */
	uint64_t connect_ns;      /* when */
	uint8_t connect_link;
	uint8_t has_sender;            /* the next is known */
	struct runtime_context sender; /* of a managed thread: what it sends next, see runtime.h */
	struct stream in, out;
	struct fastcgi_records request, reply;
	/* The head that is being sent: bytes of ours that are out already, see rewrite.h. */
	uint64_t sending;  /* client: the exchange made for it, 0: none */
	uint32_t inserted; /* bytes of the insertion that were sent */
	uint32_t tls;      /* the encrypted session that this is the clear text of, 0: none */
	struct span_address peer, local;
	char unix_path[108];
	uint8_t unix_path_size;
};

/* Tells it from the next connection in the same memory. */
static inline uint64_t conn_reference(const struct conn *conn)
{
	return (uint64_t)atomic_load_explicit(&conn->generation, memory_order_relaxed) << 32 |
	       conn->index;
}

/* Reserves the pools of connections and of their buffers; 0 or -errno. */
int conns_init(void);

/* A connection with one reference; NULL: the ceiling is reached (counted). */
struct conn *conn_new(void);
struct conn *conn_at(uint32_t index);
void conn_get(struct conn *conn);

/* Drops a reference; with the last one, what is in flight ends as closed by the program. */
void conn_put(struct conn *conn);

/* 1: locked. 0: contended for too long; the connection has become opaque. */
int conn_lock(struct conn *conn);
void conn_unlock(struct conn *conn);

/*
 * Fills in peer and local address by system calls, once. -1: the descriptor is no socket, for it
 * was closed behind our back and its number is another file's now; 0 otherwise.
 */
int conn_address(struct conn *conn, int fd);

/* The program is done with it: what is in flight ends, what follows is not looked at. */
void conn_finish(struct conn *conn);

/* Nothing of it is understood from now on; what is in flight ends with `failure`. */
void conn_give_up(struct conn *conn, enum span_failure failure);

/* Queue of exchanges in flight. */
void conn_push(struct conn *conn, struct exchange *exchange);
struct exchange *conn_first(struct conn *conn);
void conn_end_first(struct conn *conn, uint64_t end_ns);

/* An end of file, or a shutdown, in one direction: completes a message that lasts until then. */
void conn_eof(struct conn *conn, struct stream *stream);

/* Ends all that is in flight with a failure. */
void conn_fail(struct conn *conn, enum span_failure failure, int error_number);

/* 1 if an errno of a read or write says that the connection is over; not: a full buffer. */
int conn_is_over(int error_number);

/* The failure that an errno of a connect, read or write means. */
enum span_failure conn_failure_of(int error_number);

#endif
