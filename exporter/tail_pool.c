/* tail_pool.c - bytes of many traces in small blocks of one mapping, with a ceiling. */
#include "exporter/tail_pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct tail_block {
	uint32_t next; /* of the stream, or of those given back; 0: none */
	uint8_t bytes[TAIL_BLOCK_BYTES - sizeof(uint32_t)];
};

#define ROOM sizeof(((struct tail_block *)NULL)->bytes)

int tail_pool_init(struct tail_pool *pool, size_t bytes)
{
	memset(pool, 0, sizeof(*pool));
	pool->count = (uint32_t)(bytes / sizeof(struct tail_block));
	if (pool->count < 2)
		return -ENOMEM;
	/* As large as this is, it takes memory as it is touched. */
	pool->blocks = malloc(pool->count * sizeof(struct tail_block));
	if (!pool->blocks)
		return -ENOMEM;
	pool->touched = 1;
	pool->free_count = pool->count - 1;
	return 0;
}

void tail_pool_fini(struct tail_pool *pool)
{
	free(pool->blocks);
	pool->blocks = NULL;
}

static uint32_t take(struct tail_pool *pool)
{
	uint32_t index = pool->free;

	if (index)
		pool->free = pool->blocks[index].next;
	else
		index = pool->touched++;
	pool->free_count--;
	pool->blocks[index].next = 0;
	return index;
}

static void extend(struct tail_pool *pool, struct tail_stream *stream)
{
	uint32_t index = take(pool);

	if (stream->last)
		pool->blocks[stream->last].next = index;
	else
		stream->first = index;
	stream->last = index;
	stream->used = 0;
}

int tail_stream_write(struct tail_pool *pool, struct tail_stream *stream, const void *at,
		      size_t size)
{
	size_t room = stream->last ? ROOM - stream->used : 0;

	if (size > room && (size - room + ROOM - 1) / ROOM > pool->free_count)
		return -ENOSPC;
	while (size) {
		size_t part;

		if (!stream->last || stream->used == ROOM)
			extend(pool, stream);
		part = ROOM - stream->used < size ? ROOM - stream->used : size;
		memcpy(pool->blocks[stream->last].bytes + stream->used, at, part);
		stream->used += (uint32_t)part;
		at = (const uint8_t *)at + part;
		size -= part;
	}
	return 0;
}

void tail_stream_clear(struct tail_pool *pool, struct tail_stream *stream)
{
	for (uint32_t index = stream->first; index;) {
		uint32_t next = pool->blocks[index].next;

		pool->blocks[index].next = pool->free;
		pool->free = index;
		pool->free_count++;
		index = next;
	}
	*stream = (struct tail_stream){0};
}

struct tail_reader tail_stream_read(const struct tail_pool *pool, const struct tail_stream *stream)
{
	return (struct tail_reader){pool, stream->first, 0};
}

void tail_read(struct tail_reader *reader, void *to, size_t size)
{
	while (size) {
		size_t part = ROOM - reader->at;

		if (part == 0) {
			reader->block = reader->pool->blocks[reader->block].next;
			reader->at = 0;
			continue;
		}
		assert(reader->block);
		part = part < size ? part : size;
		if (to)
			to = mempcpy(to, reader->pool->blocks[reader->block].bytes + reader->at,
				     part);
		reader->at += (uint32_t)part;
		size -= part;
	}
}
