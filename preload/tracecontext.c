/* tracecontext.c - W3C traceparent and tracestate, hexadecimal, request IDs. */
#include "preload/tracecontext.h"

#include <errno.h>
#include <string.h>

#define MEMBERS_MAX     32
#define MEMBER_LARGE    128 /* the first to go when there are too many bytes */
#define KEY_MAX         256
#define VALUE_MAX       256
#define FLAGS_AT        53
#define FLAGS_SUPPORTED (TRACE_FLAG_SAMPLED | TRACE_FLAG_RANDOM)

/* ---- hexadecimal ---------------------------------------------------------------------------- */

/* The two digits of every byte. */
#define PAIRS(h)                                                                                   \
	h "0" h "1" h "2" h "3" h "4" h "5" h "6" h "7" h "8" h "9" h "a" h "b" h "c" h "d" h      \
	  "e" h "f"
static const char pairs[] = PAIRS("0") PAIRS("1") PAIRS("2") PAIRS("3") PAIRS("4") PAIRS("5")
	PAIRS("6") PAIRS("7") PAIRS("8") PAIRS("9") PAIRS("a") PAIRS("b") PAIRS("c") PAIRS("d")
		PAIRS("e") PAIRS("f");

void hex_format(const uint8_t *bytes, size_t size, char *out)
{
	for (size_t i = 0; i < size; i++)
		memcpy(out + 2 * i, pairs + (size_t)2 * bytes[i], 2);
}

/* -1: not a lower-case digit. */
static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_parse(const char *at, uint8_t *bytes, size_t size)
{
	int nonzero = 0;

	for (size_t i = 0; i < size; i++) {
		int high = hex_value(at[2 * i]), low = hex_value(at[2 * i + 1]);
		if (high < 0 || low < 0)
			return -EINVAL;
		bytes[i] = (uint8_t)(high << 4 | low);
		nonzero |= bytes[i];
	}
	return nonzero != 0;
}

/* ---- traceparent ---------------------------------------------------------------------------- */

static int is_space(char c)
{
	return c == ' ' || c == '\t';
}

int traceparent_parse(const char *at, size_t size, struct trace_parent *parent)
{
	struct trace_parent found;
	uint8_t version;

	for (; size && is_space(*at); size--)
		at++;
	while (size && is_space(at[size - 1]))
		size--;
	if (size < TRACEPARENT_SIZE || at[2] != '-' || at[35] != '-' || at[52] != '-')
		return -EINVAL;
	if (hex_parse(at, &version, 1) < 0 || version == 0xff)
		return -EINVAL;
	/* Later versions may append fields, which we leave alone. */
	if (size > TRACEPARENT_SIZE && (version == 0 || at[TRACEPARENT_SIZE] != '-'))
		return -EINVAL;
	if (hex_parse(at + 3, found.trace_id, sizeof(found.trace_id)) != 1 ||
	    hex_parse(at + 36, found.span_id, sizeof(found.span_id)) != 1 ||
	    hex_parse(at + FLAGS_AT, &found.flags, 1) < 0)
		return -EINVAL;
	found.flags &= FLAGS_SUPPORTED;
	*parent = found;
	return 0;
}

void traceparent_format(const struct trace_parent *parent, char out[TRACEPARENT_SIZE])
{
	uint8_t flags = parent->flags & FLAGS_SUPPORTED;

	memcpy(out, "00-", 3);
	hex_format(parent->trace_id, sizeof(parent->trace_id), out + 3);
	out[35] = '-';
	hex_format(parent->span_id, sizeof(parent->span_id), out + 36);
	out[52] = '-';
	hex_format(&flags, 1, out + FLAGS_AT);
}

/* ---- tracestate ----------------------------------------------------------------------------- */

struct members {
	uint32_t count;
	size_t bytes; /* of all, with the commas between them */
	struct {
		const char *at;
		uint32_t size;
	} member[MEMBERS_MAX];
};

static int is_lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static int is_key_char(char c)
{
	return is_lower_or_digit(c) || c == '_' || c == '*' || c == '/' || c == '@' || c == '-';
}

static int key_valid(const char *at, size_t size)
{
	if (size == 0 || size > KEY_MAX || !is_lower_or_digit(*at))
		return 0;
	for (size_t i = 1; i < size; i++)
		if (!is_key_char(at[i]))
			return 0;
	return 1;
}

/* A member without surrounding space. Level 2's grammar: Level 1's tenant limits are gone. */
static int member_valid(const char *at, size_t size)
{
	const char *equals = memchr(at, '=', size);

	if (!equals || !key_valid(at, (size_t)(equals - at)))
		return 0;
	const char *value = equals + 1;
	size_t value_size = size - (size_t)(value - at);
	if (value_size == 0 || value_size > VALUE_MAX)
		return 0;
	for (size_t i = 0; i < value_size; i++)
		if (value[i] < ' ' || value[i] > '~' || value[i] == '=')
			return 0;
	return 1;
}

static int members_add(struct members *members, const char *at, const char *end)
{
	while (at < end && is_space(*at))
		at++;
	while (end > at && is_space(end[-1]))
		end--;
	if (at == end)
		return 0;
	if (members->count == MEMBERS_MAX || !member_valid(at, (size_t)(end - at)))
		return -EINVAL;
	members->member[members->count].at = at;
	members->member[members->count++].size = (uint32_t)(end - at);
	members->bytes += (size_t)(end - at) + 1;
	return 0;
}

/* Removes members over `larger_than`, from the right, until the rest fits. */
static void members_shrink(struct members *members, uint32_t larger_than)
{
	for (uint32_t i = members->count; i-- > 0;) {
		if (members->bytes <= TRACESTATE_MAX + 1)
			return;
		if (members->member[i].size <= larger_than)
			continue;
		members->bytes -= members->member[i].size + 1;
		members->count--;
		memmove(&members->member[i], &members->member[i + 1],
			(members->count - i) * sizeof(members->member[0]));
	}
}

int tracestate_parse(const char *at, size_t size, char out[TRACESTATE_MAX])
{
	struct members members = {.count = 0};
	const char *end = at + size, *comma;
	int written = 0;

	for (; (comma = memchr(at, ',', (size_t)(end - at))); at = comma + 1)
		if (members_add(&members, at, comma))
			return -EINVAL;
	if (members_add(&members, at, end))
		return -EINVAL;
	members_shrink(&members, MEMBER_LARGE);
	members_shrink(&members, 0);
	for (uint32_t i = 0; i < members.count; i++) {
		if (i)
			out[written++] = ',';
		memcpy(out + written, members.member[i].at, members.member[i].size);
		written += (int)members.member[i].size;
	}
	return written;
}

/* ---- request IDs ---------------------------------------------------------------------------- */

static int request_id_char(char c)
{
	switch (c) {
	case '.':
	case '_':
	case '~':
	case '+':
	case '/':
	case '=':
	case '@':
	case ':':
	case '-':
		return 1;
	default:
		return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
	}
}

int request_id_valid(const char *at, size_t size)
{
	if (size == 0 || size > REQUEST_ID_MAX)
		return 0;
	for (size_t i = 0; i < size; i++)
		if (!request_id_char(at[i]))
			return 0;
	return 1;
}

void request_id_format(const uint8_t random[16], char out[REQUEST_ID_SIZE])
{
	uint8_t bytes[16];
	char digits[32];

	memcpy(bytes, random, sizeof(bytes));
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40); /* version 4 */
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80); /* variant of RFC 9562 */
	hex_format(bytes, sizeof(bytes), digits);
	memcpy(out, digits, 8);
	memcpy(out + 9, digits + 8, 4);
	memcpy(out + 14, digits + 12, 4);
	memcpy(out + 19, digits + 16, 4);
	memcpy(out + 24, digits + 20, 12);
	out[8] = out[13] = out[18] = out[23] = '-';
}
