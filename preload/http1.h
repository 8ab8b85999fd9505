/* http1.h - HTTP/1.0 and 1.1 messages: heads (RFC 9110, RFC 9112). */
#ifndef TAGALONG_HTTP1_H
#define TAGALONG_HTTP1_H

/*
 * Pure: no allocation, no globals, no locale, knows nothing of sockets. Any thread, re-entrant,
 * async-signal-safe. Results point into the caller's buffer and live as long as it does.
 */

#include <stddef.h>
#include <stdint.h>

/* The other half of a message. */
#include "preload/http1_body.h"

#define HTTP1_HEAD_MAX     65536u /* longer heads are given up */
#define HTTP1_CAPTURED_MAX 8

struct http1_text {
	const char *at; /* NULL: absent */
	uint32_t size;
};

enum http1_kind { HTTP1_REQUEST, HTTP1_RESPONSE };

/* Header fields that the shim asks for. Names are matched without case. */
enum http1_field {
	HTTP1_HOST,
	HTTP1_USER_AGENT,
	HTTP1_TRACEPARENT,
	HTTP1_TRACESTATE,
	HTTP1_REQUEST_ID, /* x-request-id */
	HTTP1_FORWARDED,
	HTTP1_FORWARDED_FOR, /* x-forwarded-for */
	HTTP1_FORWARDED_PROTO,
	HTTP1_FORWARDED_HOST,
	HTTP1_B3,
	HTTP1_B3_TRACE_ID,
	HTTP1_B3_SPAN_ID,
	HTTP1_B3_SAMPLED,
	HTTP1_B3_FLAGS,
	HTTP1_FIELDS,
};

struct http1_head {
	enum http1_kind kind;
	uint16_t fastcgi;    /* not HTTP, but the beginning of a FastCGI request with this id */
	const char *at;      /* its first byte */
	uint32_t size;       /* bytes of the head, the empty line included */
	uint32_t insert_at;  /* offset of the empty line: new header lines go here */
	uint8_t version;     /* 10 or 11 */
	uint8_t bare_lf;     /* the empty line is "\n" without "\r" */
	uint8_t chunked;     /* the last transfer coding is chunked */
	uint8_t has_length;  /* Content-Length present and sane */
	uint8_t bad_framing; /* lengths that contradict each other: body unknowable */
	uint8_t upgrade;     /* Connection: upgrade and an Upgrade field */
	uint8_t keep_alive;  /* by version and Connection */
	uint8_t expect_continue;
	uint16_t status;                       /* responses */
	uint64_t length;                       /* Content-Length */
	struct http1_text method;              /* requests */
	struct http1_text target;              /* requests, as sent */
	struct http1_text field[HTTP1_FIELDS]; /* first occurrence, without surrounding space */
	uint16_t repeats[HTTP1_FIELDS];        /* how often each occurred */
	uint16_t captured_count;               /* of the next two */
	struct http1_text captured_name[HTTP1_CAPTURED_MAX]; /* as sent */
	struct http1_text captured[HTTP1_CAPTURED_MAX];
};

/* Names (lower case) of further header fields to capture; borrowed for the call. */
struct http1_capture {
	const struct http1_text *names;
	size_t count;
};

/*
 * Whether `size` bytes, from the first byte of a message, can be the beginning of one of that kind:
 * 1 yes, 0 no, -2 too few to tell. Strict on the start line, so that other protocols answer 0:
 * a request is a token of capitals, space, target, space, HTTP/1.0 or HTTP/1.1; a response
 * HTTP/1.x.
 */
int http1_looks_like(enum http1_kind kind, const char *at, size_t size);

/*
 * Finds the end of a head in `at`. `scanned` (in and out, 0 at the start of a head) is how far
 * earlier calls on the same, since grown, bytes have looked. Returns the size of the head
 * with its empty line, or -2: not complete. Accepts CRLF and bare LF. One pass, memchr speed.
 */
long http1_head_end(const char *at, size_t size, size_t *scanned);

/*
 * Parses a whole head. Returns head->size (> 0), -2 if the head is not complete, -1 if it is not
 * HTTP/1.x or longer than HTTP1_HEAD_MAX; then *head is undefined. Malformed header lines (no
 * colon, space before it), obsolete line folding, NUL and lone CR give -1. `capture` may be NULL.
 * A request with both chunked and Content-Length, or with a last coding other than chunked, has
 * bad_framing; in a response chunked wins, and another coding means: until the connection closes.
 */
long http1_head_parse(const char *at, size_t size, enum http1_kind kind,
		      const struct http1_capture *capture, struct http1_head *head);

#endif
