/* fastcgi.h - FastCGI 1.0: requests as heads, and where both directions' records end. */
#ifndef TAGALONG_FASTCGI_H
#define TAGALONG_FASTCGI_H

/*
 * Pure: no allocation, no globals, knows nothing of sockets. Any thread, re-entrant,
 * async-signal-safe. Facts: the FastCGI Specification 1.0 and, for names of parameters, RFC 3875
 * (CGI). One request at a time: multiplexed ones, and the management of a server, are given up.
 *
 * What a request has before its body (BEGIN_REQUEST, and PARAMS up to the empty record) is parsed
 * into the same struct as a head of HTTP/1. All else comes in records that are only counted, but
 * for the answer's status.
 */

#include <stddef.h>
#include <stdint.h>

#include "preload/http1.h"

/* The record that begins a request. */
#define FASTCGI_BEGIN_BYTES 16

enum fastcgi_event {
	FASTCGI_MORE, /* all bytes were taken */
	FASTCGI_HEAD, /* reply: the head of the answer is whole, `status` is valid */
	FASTCGI_END,  /* the last byte of the request, or of the reply */
	FASTCGI_BAD,  /* not FastCGI, or out of step: give up */
};

/* One direction's records; zeroed but for `id` before each message. */
struct fastcgi_records {
	uint16_t id; /* of the request that they belong to */
	uint8_t header[8];
	uint8_t have; /* bytes of the header */
	uint8_t padding;
	uint8_t head_done; /* reply */
	uint8_t column;    /* in a line of its head, up to a ceiling */
	uint8_t names;     /* which names the line may still be */
	uint8_t digits;    /* of the status */
	uint8_t located;   /* a Location line, but no Status yet */
	uint8_t failed;    /* the end said that the request was not served */
	uint16_t status;
	uint32_t left;  /* bytes of the record's content */
	uint64_t bytes; /* body bytes so far: of STDIN, or of STDOUT beyond its head */
};

/* Whether a connection's first bytes begin a request: 1 yes, 0 no, -2 too few to tell. */
int fastcgi_looks_like(const char *at, size_t size);

/*
 * Parses the beginning of a request, up to and with the empty PARAMS record. As http1_head_parse:
 * its size, -2: not complete, -1: not understood. In *head are method, target, version, the fields
 * and what `capture` (may be NULL) asks for, all out of parameters that lie whole in one record;
 * insert_at is where another PARAMS record may go, and head->fastcgi is the request's id.
 * REQUEST_SCHEME and REMOTE_ADDR stand in for X-Forwarded-Proto and X-Forwarded-For.
 */
long fastcgi_head_parse(const char *at, size_t size, const struct http1_capture *capture,
			struct http1_head *head);

/*
 * Takes bytes behind such a head (STDIN, DATA), or of an answer to it (STDOUT, STDERR,
 * END_REQUEST). Returns how many were taken; fewer than all only with an event. The bytes may be
 * NULL if they were not seen (sendfile): then they must lie within one record.
 */
size_t fastcgi_request_feed(struct fastcgi_records *records, const char *at, size_t size,
			    enum fastcgi_event *event);
size_t fastcgi_reply_feed(struct fastcgi_records *records, const char *at, size_t size,
			  enum fastcgi_event *event);

/*
 * Turns lines "Name: value\r\n" into a PARAMS record that says the same, in the same buffer of
 * `room` bytes. Its size, or 0: there is not enough room.
 */
size_t fastcgi_params_of_lines(char *text, size_t size, size_t room, uint16_t id);

#endif
