/* tail_pool.h - bytes of many traces in small blocks of one mapping, with a ceiling. */
#ifndef TAGALONG_TAIL_POOL_H
#define TAGALONG_TAIL_POOL_H

/*
 * A stream is written at its end and read from its beginning, over as many blocks as it takes.
 * Blocks given back are used again first, so the memory in use is that of the busiest moment.
 * One thread.
 */

#include <stddef.h>
#include <stdint.h>

#define TAIL_BLOCK_BYTES 512u

struct tail_pool {
	struct tail_block *blocks; /* index 0 is never used */
	uint32_t count, free_count;
	uint32_t touched; /* blocks up to here were used already */
	uint32_t free;    /* first of those given back, 0: none */
};

struct tail_stream {
	uint32_t first, last; /* blocks, 0: none */
	uint32_t used;        /* bytes of the last one */
};

struct tail_reader {
	const struct tail_pool *pool;
	uint32_t block;
	uint32_t at; /* within it */
};

/* 0, or -ENOMEM. */
int tail_pool_init(struct tail_pool *pool, size_t bytes);
void tail_pool_fini(struct tail_pool *pool);

/* Appends all of the bytes or nothing: 0, or -ENOSPC. */
int tail_stream_write(struct tail_pool *pool, struct tail_stream *stream, const void *at,
		      size_t size);

/* Gives the blocks back; the stream is empty then. */
void tail_stream_clear(struct tail_pool *pool, struct tail_stream *stream);

struct tail_reader tail_stream_read(const struct tail_pool *pool, const struct tail_stream *stream);

/* Copies what was written; no more of it than there is. `to` may be NULL: skipped. */
void tail_read(struct tail_reader *reader, void *to, size_t size);

#endif
