/* tracecontext.h - trace context in text: W3C traceparent and tracestate (levels 1 and 2), B3,
 * request IDs. */
#ifndef TAGALONG_TRACECONTEXT_H
#define TAGALONG_TRACECONTEXT_H

/*
 * Sources: W3C Trace Context level 1 and 2, openzipkin b3-propagation. Pure, any thread,
 * async-signal-safe. Texts are not NUL-terminated, neither in nor out.
 */

#include <stddef.h>
#include <stdint.h>

#define TRACEPARENT_SIZE 55
#define TRACESTATE_MAX   512 /* kept and passed on; longer ones lose whole members */
#define REQUEST_ID_MAX   128
#define REQUEST_ID_SIZE  36 /* of those we make: UUID version 4 */
#define B3_SIZE          68 /* longest single b3 value that we write: {32}-{16}-{1}, plus room */

#define TRACE_FLAG_SAMPLED 0x01
#define TRACE_FLAG_RANDOM  0x02

struct trace_parent {
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint8_t flags; /* only sampled and random survive */
};

/* Parses the value of one traceparent header, surrounding SP/HTAB allowed. 0, or -EINVAL: start a
 * new trace. */
int traceparent_parse(const char *at, size_t size, struct trace_parent *parent);

/* Writes exactly TRACEPARENT_SIZE bytes, version 00. */
void traceparent_format(const struct trace_parent *parent, char out[TRACEPARENT_SIZE]);

/* Writes 2*size lower-case hexadecimal digits. */
void hex_format(const uint8_t *bytes, size_t size, char *out);

/* Reads 2*size lower-case hexadecimal digits. 1, 0 if all are zero, -EINVAL if one is no digit. */
int hex_parse(const char *at, uint8_t *bytes, size_t size);

/*
 * Checks a combined tracestate (several headers joined by ',') and copies it, normalised: empty
 * members and space around members removed, members in order. Over TRACESTATE_MAX whole members go
 * until the rest fits: first those over 128 characters, then any, from the right. Returns bytes
 * written (0: empty), or -EINVAL: discard all.
 */
int tracestate_parse(const char *at, size_t size, char out[TRACESTATE_MAX]);

/*
 * B3. `single` is the value of b3, or NULL; the four others are those of X-B3-*, each may be NULL.
 * `flags` of the parent: sampled for 1 and d; *debug is set for d or X-B3-Flags: 1; *deferred if no
 * decision was sent. 16-digit trace IDs are padded with zeros on the left. 0, or -EINVAL (incl. a
 * value with a decision alone, which names no parent). `single` goes before the others, unless it
 * is malformed or names no parent.
 */
struct b3_headers {
	const char *single, *trace_id, *span_id, *sampled, *flags;
	size_t single_size, trace_id_size, span_id_size, sampled_size, flags_size;
};
int b3_parse(const struct b3_headers *headers, struct trace_parent *parent, int *debug,
	     int *deferred);

/* Writes "{trace}-{span}-{1|0|d}"; returns its size. */
size_t b3_format(const struct trace_parent *parent, int debug, char out[B3_SIZE]);

/* 1 if the value is a request ID to keep: 1..REQUEST_ID_MAX of [A-Za-z0-9._~+/=@:-]. */
int request_id_valid(const char *at, size_t size);

/* Makes a UUID version 4 out of 16 random bytes. */
void request_id_format(const uint8_t random[16], char out[REQUEST_ID_SIZE]);

#endif
