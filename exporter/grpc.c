/* grpc.c - what gRPC adds to HTTP/2: frames of messages, status codes, when to come back. */
#include "grpc.h"

#include <errno.h>
#include <string.h>

#include "exporter/proto/status.pb-c.h"

#define DETAILS_MAX 8192u
#define DELAY_MAX_S 86400

void grpc_frame(uint8_t to[GRPC_FRAME_BYTES], int compressed, uint32_t size)
{
	to[0] = compressed ? 1 : 0;
	to[1] = (uint8_t)(size >> 24);
	to[2] = (uint8_t)(size >> 16);
	to[3] = (uint8_t)(size >> 8);
	to[4] = (uint8_t)size;
}

int grpc_message(const uint8_t *body, size_t size, const uint8_t **message, size_t *message_size)
{
	size_t length;

	if (size < GRPC_FRAME_BYTES || body[0] != 0)
		return -EINVAL;
	length = (size_t)body[1] << 24 | (size_t)body[2] << 16 | (size_t)body[3] << 8 | body[4];
	if (length > size - GRPC_FRAME_BYTES)
		return -EINVAL;
	*message = body + GRPC_FRAME_BYTES;
	*message_size = length;
	return 0;
}

int grpc_code_of_http(long status)
{
	switch (status) {
	case 400:
		return GRPC_INTERNAL;
	case 401:
		return GRPC_UNAUTHENTICATED;
	case 403:
		return GRPC_PERMISSION_DENIED;
	case 404:
		return GRPC_UNIMPLEMENTED;
	case 429:
	case 502:
	case 503:
	case 504:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_UNKNOWN;
	}
}

int grpc_is_retryable(int code, int has_retry_info)
{
	switch (code) {
	case GRPC_CANCELLED:
	case GRPC_DEADLINE_EXCEEDED:
	case GRPC_ABORTED:
	case GRPC_OUT_OF_RANGE:
	case GRPC_UNAVAILABLE:
	case GRPC_DATA_LOSS:
		return 1;
	case GRPC_RESOURCE_EXHAUSTED:
		return has_retry_info;
	default:
		return 0;
	}
}

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

void grpc_unescape(char *text)
{
	char *to = text;

	for (const char *at = text; *at; at++) {
		int high = *at == '%' ? hex_digit(at[1]) : -1;
		int low = high >= 0 ? hex_digit(at[2]) : -1;

		/* What is no escape stays as it is; a zero would end the text. */
		if (low < 0 || (high == 0 && low == 0)) {
			*to++ = *at;
			continue;
		}
		*to++ = (char)(high << 4 | low);
		at += 2;
	}
	*to = '\0';
}

static int sextet(char from)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";
	const char *at = from ? strchr(digits, from) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Padding is optional. Returns bytes, or -1: not base64, or too much of it. */
static int decode(const char *from, size_t size, uint8_t *to, size_t room)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t count = 0;

	while (size && from[size - 1] == '=')
		size--;
	for (size_t i = 0; i < size; i++) {
		int value = sextet(from[i]);

		if (value < 0 || count == room)
			return -1;
		bits = bits << 6 | (uint32_t)value;
		have += 6;
		if (have >= 8) {
			have -= 8;
			to[count++] = (uint8_t)(bits >> have);
		}
	}
	return (int)count;
}

static int64_t delay_of(const Google__Rpc__Detail *detail)
{
	Google__Rpc__RetryInfo *info;
	int64_t delay_ms = -1;

	if (strcmp(detail->type_url, "type.googleapis.com/google.rpc.RetryInfo") != 0)
		return -1;
	info = google__rpc__retry_info__unpack(NULL, detail->value.len, detail->value.data);
	if (!info)
		return -1;
	if (!info->retry_delay || info->retry_delay->seconds < 0 || info->retry_delay->nanos < 0)
		delay_ms = 0;
	else if (info->retry_delay->seconds > DELAY_MAX_S)
		delay_ms = DELAY_MAX_S * 1000ll;
	else
		delay_ms = info->retry_delay->seconds * 1000 + info->retry_delay->nanos / 1000000;
	google__rpc__retry_info__free_unpacked(info, NULL);
	return delay_ms;
}

int64_t grpc_retry_delay_ms(const char *base64, size_t size)
{
	uint8_t bytes[DETAILS_MAX];
	int count = decode(base64, size, bytes, sizeof(bytes));
	Google__Rpc__Status *status;
	int64_t delay_ms = -1;

	if (count < 0)
		return -1;
	status = google__rpc__status__unpack(NULL, (size_t)count, bytes);
	if (!status)
		return -1;
	for (size_t i = 0; i < status->n_details && delay_ms < 0; i++)
		delay_ms = delay_of(status->details[i]);
	google__rpc__status__free_unpacked(status, NULL);
	return delay_ms;
}
