/* gather.c - heads that come in pieces: buffers for them. */
#include "preload/gather.h"

#include <errno.h>
#include <string.h>

#include "preload/attach.h"
#include "preload/pool.h"

#define SMALL_BYTES   4096
#define SMALL_BUFFERS 2048
#define LARGE_BYTES   (HTTP1_HEAD_MAX + SMALL_BYTES)
#define LARGE_BUFFERS 64

static struct pool small;
static struct pool large;

int gathers_init(void)
{
	if (pool_init(&small, SMALL_BYTES, SMALL_BUFFERS) ||
	    pool_init(&large, LARGE_BYTES, LARGE_BUFFERS))
		return -ENOMEM;
	return 0;
}

char *stream_gathered(const struct stream *stream)
{
	if (!stream->buffer)
		return NULL;
	return pool_at(stream->large ? &large : &small, stream->buffer);
}

void stream_clear(struct stream *stream)
{
	if (stream->buffer)
		pool_put(stream->large ? &large : &small, stream->buffer);
	stream->buffer = 0;
	stream->large = 0;
	stream->gathered = 0;
	stream->scanned = 0;
}

/* Moves what was gathered into a large buffer. */
static int enlarge(struct stream *stream)
{
	uint32_t buffer = pool_get(&large);

	if (!buffer) {
		attach_count(DROP_BUFFERS);
		return -1;
	}
	if (stream->buffer) {
		memcpy(pool_at(&large, buffer), pool_at(&small, stream->buffer), stream->gathered);
		pool_put(&small, stream->buffer);
	}
	stream->buffer = buffer;
	stream->large = 1;
	return 0;
}

int stream_gather(struct stream *stream, const char *at, size_t size)
{
	size_t needed = stream->gathered + size;

	if (needed > LARGE_BYTES) {
		attach_count(DROP_HEAD_TOO_LARGE);
		return -1;
	}
	if (!stream->buffer && needed <= SMALL_BYTES) {
		stream->buffer = pool_get(&small);
		if (!stream->buffer) {
			attach_count(DROP_BUFFERS);
			return -1;
		}
	}
	if (needed > SMALL_BYTES && !stream->large && enlarge(stream))
		return -1;
	memcpy(stream_gathered(stream) + stream->gathered, at, size);
	stream->gathered = (uint32_t)needed;
	return 0;
}
