/* http1_body.c - bodies of HTTP/1.x messages: where they end, by count, by chunk or by close. */
#include "preload/http1_body.h"

#include <string.h>

#include "preload/http1.h"

/* States of the chunked parser. Line ends may be bare line feeds, as in heads. */
enum chunk_state {
	CHUNK_SIZE_FIRST, /* a digit must come */
	CHUNK_SIZE,
	CHUNK_SIZE_SPACE, /* padding after the size, which some servers send */
	CHUNK_EXTENSION,
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER_FIRST, /* at the start of a line after the last chunk */
	CHUNK_TRAILER,
	CHUNK_TRAILER_LF,
	CHUNK_BROKEN,
};

static void body_init(struct http1_body *body, enum http1_body_mode mode, uint64_t left)
{
	memset(body, 0, sizeof(*body));
	body->mode = (uint8_t)mode;
	body->left = left;
	body->done = mode == HTTP1_BODY_NONE || (mode == HTTP1_BODY_LENGTH && left == 0);
}

/* By the head's framing alone; `otherwise` is for a head that says nothing. */
static void body_by_framing(struct http1_body *body, const struct http1_head *head,
			    enum http1_body_mode otherwise)
{
	if (head->bad_framing)
		body_init(body, HTTP1_BODY_OPAQUE, 0);
	else if (head->chunked)
		body_init(body, HTTP1_BODY_CHUNKED, 0);
	else if (head->has_length)
		body_init(body, HTTP1_BODY_LENGTH, head->length);
	else
		body_init(body, otherwise, 0);
}

void http1_body_of_request(struct http1_body *body, const struct http1_head *head)
{
	body_by_framing(body, head, HTTP1_BODY_NONE);
}

void http1_body_of_response(struct http1_body *body, const struct http1_head *head,
			    const char *method, size_t method_size)
{
	int is_head = method_size == 4 && memcmp(method, "HEAD", 4) == 0;
	int is_connect = method_size == 7 && memcmp(method, "CONNECT", 7) == 0;

	if (head->status == 101 || (is_connect && head->status / 100 == 2))
		body_init(body, HTTP1_BODY_OPAQUE, 0);
	else if (is_head || head->status < 200 || head->status == 204 || head->status == 304)
		body_init(body, HTTP1_BODY_NONE, 0);
	else
		body_by_framing(body, head, HTTP1_BODY_CLOSE);
}

/* ---- chunks --------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum chunk_state after_size_line(const struct http1_body *body)
{
	return body->left ? CHUNK_DATA : CHUNK_TRAILER_FIRST;
}

static enum chunk_state size_step(struct http1_body *body, char c)
{
	int digit = hex_digit(c);

	if (digit >= 0 && body->state != CHUNK_SIZE_SPACE) {
		if (body->left > INT64_MAX >> 4)
			return CHUNK_BROKEN;
		body->left = body->left << 4 | (uint64_t)digit;
		return CHUNK_SIZE;
	}
	if (body->state == CHUNK_SIZE_FIRST)
		return CHUNK_BROKEN;
	switch (c) {
	case ' ':
	case '\t':
		return CHUNK_SIZE_SPACE;
	case ';':
		return CHUNK_EXTENSION;
	case '\r':
		return CHUNK_SIZE_LF;
	case '\n':
		return after_size_line(body);
	default:
		return CHUNK_BROKEN;
	}
}

/* Takes one byte that is neither data nor skipped text. */
static enum chunk_state framing_step(struct http1_body *body, char c)
{
	switch (body->state) {
	case CHUNK_SIZE_FIRST:
	case CHUNK_SIZE:
	case CHUNK_SIZE_SPACE:
		return size_step(body, c);
	case CHUNK_SIZE_LF:
		return c == '\n' ? after_size_line(body) : CHUNK_BROKEN;
	case CHUNK_DATA_CR:
		if (c == '\r')
			return CHUNK_DATA_LF;
		return c == '\n' ? CHUNK_SIZE_FIRST : CHUNK_BROKEN;
	case CHUNK_DATA_LF:
		return c == '\n' ? CHUNK_SIZE_FIRST : CHUNK_BROKEN;
	case CHUNK_TRAILER_FIRST:
		body->done = c == '\n';
		return c == '\r' ? CHUNK_TRAILER_LF : CHUNK_TRAILER;
	case CHUNK_TRAILER_LF:
		body->done = c == '\n';
		return body->done ? CHUNK_TRAILER_LF : CHUNK_BROKEN;
	default:
		return CHUNK_BROKEN;
	}
}

/* Skips up to and with a line feed; returns the bytes taken. */
static size_t skip_line(struct http1_body *body, const char *at, size_t size)
{
	const char *newline = memchr(at, '\n', size);

	if (!newline)
		return size;
	body->state = body->state == CHUNK_EXTENSION ? after_size_line(body) : CHUNK_TRAILER_FIRST;
	return (size_t)(newline - at) + 1;
}

static size_t take_counted(struct http1_body *body, uint64_t size)
{
	uint64_t taken = size < body->left ? size : body->left;

	body->left -= taken;
	body->bytes += taken;
	return taken;
}

static long feed_chunked(struct http1_body *body, const char *at, size_t size)
{
	size_t i = 0;

	while (i < size && !body->done) {
		switch (body->state) {
		case CHUNK_DATA:
			i += take_counted(body, size - i);
			if (body->left == 0)
				body->state = CHUNK_DATA_CR;
			break;
		case CHUNK_EXTENSION:
		case CHUNK_TRAILER:
			i += skip_line(body, at + i, size - i);
			break;
		default:
			body->state = (uint8_t)framing_step(body, at[i++]);
			if (body->state == CHUNK_BROKEN)
				return -1;
		}
	}
	return (long)i;
}

/* ---- any body ------------------------------------------------------------------------------- */

long http1_body_feed(struct http1_body *body, const char *at, size_t size)
{
	if (body->mode == HTTP1_BODY_CHUNKED)
		return feed_chunked(body, at, size);
	return (long)http1_body_skip(body, size);
}

static int64_t skip_chunked(struct http1_body *body, uint64_t size)
{
	if (size == 0 || body->done)
		return 0;
	if (body->state != CHUNK_DATA || size > body->left) {
		body->state = CHUNK_BROKEN;
		return -1;
	}
	take_counted(body, size);
	if (body->left == 0)
		body->state = CHUNK_DATA_CR;
	return (int64_t)size;
}

int64_t http1_body_skip(struct http1_body *body, uint64_t size)
{
	if (size > INT64_MAX)
		return -1;
	switch (body->mode) {
	case HTTP1_BODY_LENGTH:
		size = take_counted(body, size);
		body->done = body->left == 0;
		return (int64_t)size;
	case HTTP1_BODY_CHUNKED:
		return skip_chunked(body, size);
	case HTTP1_BODY_CLOSE:
	case HTTP1_BODY_OPAQUE:
		if (body->done)
			return 0;
		body->bytes += size;
		return (int64_t)size;
	default:
		return 0;
	}
}

int http1_body_eof(struct http1_body *body)
{
	if (body->mode == HTTP1_BODY_CLOSE || body->mode == HTTP1_BODY_OPAQUE)
		body->done = 1;
	return body->done ? 0 : -1;
}
