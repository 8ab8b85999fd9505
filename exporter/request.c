/* request.c - the body of one export: payloads joined, as JSON if asked for, compressed, framed. */
#include "request.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/compress.h"
#include "exporter/grpc.h"
#include "exporter/otlp_json.h"

void request_init(struct request *request)
{
	memset(request, 0, sizeof(*request));
	arena_init(&request->arena);
}

void request_fini(struct request *request)
{
	arena_free(&request->arena);
}

void request_reset(struct request *request)
{
	arena_reset(&request->arena);
	request->body = NULL;
	request->size = request->plain_size = 0;
}

/* Requests written one after the other are one request. */
static int join(struct request *request, struct payload *const *payloads, size_t count)
{
	uint8_t *all;

	assert(count > 0);
	request->size = 0;
	for (size_t i = 0; i < count; i++)
		request->size += payloads[i]->size;
	if (request->size > REQUEST_MOST)
		return -E2BIG;
	request->body = payloads[0]->bytes;
	if (count == 1)
		return 0;
	all = arena_take(&request->arena, request->size);
	if (!all)
		return -ENOMEM;
	request->body = all;
	for (size_t i = 0; i < count; i++)
		all = mempcpy(all, payloads[i]->bytes, payloads[i]->size);
	return 0;
}

static int to_json(struct request *request, enum signal signal)
{
	struct json json = {0};
	int result = otlp_json(&json, signal, request->body, request->size);
	char *copy = NULL;

	if (result == 0)
		copy = arena_bytes(&request->arena, json.size + 1);
	if (copy) {
		memcpy(copy, json.at, json.size);
		request->body = (const uint8_t *)copy;
		request->size = json.size;
	}
	free(json.at);
	if (result == 0 && !copy)
		return -ENOMEM;
	return request->size > REQUEST_MOST ? -E2BIG : result;
}

/* gRPC's frame stands before the message, compressed or not. */
static int wrap(struct request *request, const struct otlp_settings *otlp)
{
	size_t headroom = otlp->protocol == OTLP_GRPC ? GRPC_FRAME_BYTES : 0;
	int compressed = otlp->compression != OTLP_PLAIN;
	size_t size = request->size;
	uint8_t *out;

	if (!headroom && !compressed)
		return 0;
	if (compressed) {
		out = compress_bytes(&request->arena, otlp->compression, request->body,
				     request->size, headroom, &size);
	} else {
		out = arena_take(&request->arena, headroom + size);
		if (out)
			memcpy(out + headroom, request->body, size);
	}
	if (!out)
		return -ENOMEM;
	if (headroom)
		grpc_frame(out, compressed, (uint32_t)size);
	request->body = out;
	request->size = headroom + size;
	return 0;
}

int request_build(struct request *request, const struct otlp_settings *otlp,
		  struct payload *const *payloads, size_t count)
{
	int result;

	request_reset(request);
	result = join(request, payloads, count);
	if (result == 0 && otlp->protocol == OTLP_HTTP_JSON)
		result = to_json(request, otlp->signal);
	request->plain_size = request->size;
	return result == 0 ? wrap(request, otlp) : result;
}
