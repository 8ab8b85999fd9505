/* compress.c - bytes of a request made smaller: gzip (RFC 1952) or zstd (RFC 8878). */
#include "compress.h"

#include <zlib.h>
#include <zstd.h>

#define ZSTD_LEVEL 1
#define GZIP_FRAME (15 + 16) /* the largest window, with gzip's head and end */

static uint8_t *gzip(struct arena *arena, const uint8_t *bytes, size_t size, size_t headroom,
		     size_t *out_size)
{
	z_stream stream = {0};
	uint8_t *out;
	size_t room;
	int code;

	if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_FRAME, 8, Z_DEFAULT_STRATEGY) !=
	    Z_OK)
		return NULL;
	room = deflateBound(&stream, size);
	out = arena_take(arena, headroom + room);
	if (!out) {
		deflateEnd(&stream);
		return NULL;
	}
	stream.next_in = (uint8_t *)(uintptr_t)bytes;
	stream.avail_in = (unsigned)size;
	stream.next_out = out + headroom;
	stream.avail_out = (unsigned)room;
	code = deflate(&stream, Z_FINISH);
	*out_size = stream.total_out;
	deflateEnd(&stream);
	return code == Z_STREAM_END ? out : NULL;
}

static uint8_t *zstd(struct arena *arena, const uint8_t *bytes, size_t size, size_t headroom,
		     size_t *out_size)
{
	size_t room = ZSTD_compressBound(size);
	uint8_t *out = arena_take(arena, headroom + room);

	if (!out)
		return NULL;
	*out_size = ZSTD_compress(out + headroom, room, bytes, size, ZSTD_LEVEL);
	return ZSTD_isError(*out_size) ? NULL : out;
}

uint8_t *compress_bytes(struct arena *arena, enum otlp_compression how, const uint8_t *bytes,
			size_t size, size_t headroom, size_t *out_size)
{
	return how == OTLP_ZSTD ? zstd(arena, bytes, size, headroom, out_size)
				: gzip(arena, bytes, size, headroom, out_size);
}
