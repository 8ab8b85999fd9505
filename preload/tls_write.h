/* tls_write.h - writes of clear text, with our header lines in them. */
#ifndef TAGALONG_TLS_WRITE_H
#define TAGALONG_TLS_WRITE_H

/*
 * A TLS library takes one buffer a call, and the same one again when it could not finish. So a head
 * that gets lines of ours is put together in a chunk, with as much of what follows as one record
 * holds; the rest goes out from the program's own buffer, in further calls. The program is told of
 * its own bytes only, and never of more than it could have been told without us.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tls_call;

/* Bytes of a chunk: what one record holds. */
#define TLS_CHUNK 16384u

/* What a session remembers between two calls of its writer. */
struct tls_writer {
	uint32_t buffer;   /* of the pool, 0: none */
	uint32_t size;     /* of the chunk in it, which the library has not taken yet; 0: none */
	uint32_t before;   /* the program's bytes before ours */
	uint32_t ours;     /* ours; the rest are the program's */
	uint32_t inserted; /* bytes of the insertion that are out once it is taken */
	size_t out;        /* bytes of the program's buffer that are out, and it was not told of */
	uint64_t check;    /* of those, and the chunk's, as the program gave them */
};

/* One call of the program. */
struct tls_writing {
	const struct tls_call *call;
	const void *at;
	size_t size;
	uint8_t partial; /* the program takes less than it asked for as a success */
	uint8_t plain;   /* nothing is to be added */
	/* The library's function: bytes taken, or 0 or less as it returns them. */
	ssize_t (*write)(const struct tls_writing *writing, const void *at, size_t size);
	const void *real; /* theirs */
	/*
	 * NULL, or of a library that keeps what it could not send, and is asked again with
	 * anything: 1 if what it returned says so.
	 */
	int (*kept)(ssize_t result);
};

/* Reserves the pool; 0 or -errno. */
int tls_writers_init(void);

/*
 * Writes and accounts. What the program is to be told: its own bytes, or what the library returned
 * last. Without the guard of re-entry.
 */
ssize_t tls_write(struct tls_writing *writing);

/* Forgets what is unfinished. */
void tls_writer_clear(struct tls_writer *writer);

#endif
