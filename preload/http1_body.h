/* http1_body.h - HTTP/1.0 and 1.1 messages: where bodies end (RFC 9112 sections 6 to 8). */
#ifndef TAGALONG_HTTP1_BODY_H
#define TAGALONG_HTTP1_BODY_H

/* Pure, as http1.h: no allocation, no globals. Any thread, re-entrant, async-signal-safe. */

#include <stddef.h>
#include <stdint.h>

struct http1_head;

enum http1_body_mode {
	HTTP1_BODY_NONE, /* complete at once */
	HTTP1_BODY_LENGTH,
	HTTP1_BODY_CHUNKED,
	HTTP1_BODY_CLOSE, /* until end of file */
	/* No longer HTTP: after CONNECT's 2xx or 101, or unknowable. Done only by end of file. */
	HTTP1_BODY_OPAQUE,
};

struct http1_body {
	uint8_t mode;  /* enum http1_body_mode */
	uint8_t state; /* of the chunked parser */
	uint8_t done;
	uint8_t reserved[5];
	uint64_t left;  /* of the length or of the chunk */
	uint64_t bytes; /* body bytes seen so far, without framing */
};

/* The body that follows a request head. After CONNECT and Upgrade the response decides. */
void http1_body_of_request(struct http1_body *body, const struct http1_head *head);

/*
 * The body that follows a response head to a request with that method (HEAD, CONNECT, ...).
 * 1xx other than 101 have no body and are not the final response; the caller looks at head->status.
 */
void http1_body_of_response(struct http1_body *body, const struct http1_head *head,
			    const char *method, size_t method_size);

/*
 * Feeds bytes. Returns how many belong to this message (all, or fewer when it ends inside; then
 * body->done), or -1: chunk framing that is not valid, now and ever after. Chunk extensions and
 * trailers are skipped.
 */
long http1_body_feed(struct http1_body *body, const char *at, size_t size);

/*
 * Accounts for bytes that were not seen (sendfile, splice, MSG_TRUNC). As http1_body_feed, but -1
 * when they cross framing, which can't be known without the bytes.
 */
int64_t http1_body_skip(struct http1_body *body, uint64_t size);

/* End of file: 0 if the message is complete by it (body->done is set), -1 if it was cut. */
int http1_body_eof(struct http1_body *body);

#endif
