/* grpc.h - what gRPC adds to HTTP/2: frames of messages, status codes, when to come back. */
#ifndef TAGALONG_GRPC_H
#define TAGALONG_GRPC_H

/* gRPC over HTTP2, and OTLP's specification 1.11 for what may be sent again. */

#include <stddef.h>
#include <stdint.h>

#define GRPC_FRAME_BYTES 5u

enum grpc_code {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_ABORTED = 10,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_DATA_LOSS = 15,
	GRPC_UNAUTHENTICATED = 16,
};

/* Writes the frame that stands before a message of `size` bytes. */
void grpc_frame(uint8_t to[GRPC_FRAME_BYTES], int compressed, uint32_t size);

/* The first message of an answer. 0, or -EINVAL: there is none that is whole and not compressed. */
int grpc_message(const uint8_t *body, size_t size, const uint8_t **message, size_t *message_size);

/* The code that an HTTP status stands for where no grpc-status came. */
int grpc_code_of_http(long status);

/* 1 if the same may be sent again. `has_retry_info`: the answer says when. */
int grpc_is_retryable(int code, int has_retry_info);

/* Percent-decodes grpc-message in place. */
void grpc_unescape(char *text);

/* The RetryInfo of grpc-status-details-bin, in ms; -1: none. */
int64_t grpc_retry_delay_ms(const char *base64, size_t size);

#endif
