/* resp.c - Redis's protocol: recognised, and its two directions told apart. */
#include "preload/resp.h"

#include <string.h>

#include "preload/resp_parts.h"

static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int resp_number_feed(struct resp_number *number, const char **at, const char *end)
{
	const char *i = *at;

	for (; i < end && !number->ending; i++) {
		if (is_digit(*i)) {
			if (++number->digits > 18)
				return -1;
			number->value = number->value * 10 + (uint64_t)(*i - '0');
		} else if (*i == '-' && !number->digits && !number->negative) {
			number->negative = 1;
		} else if (*i == '\r' && number->digits) {
			number->ending = 1;
		} else {
			return -1;
		}
	}
	*at = i;
	if (i == end)
		return -2;
	if (*i != '\n')
		return -1;
	*at = i + 1;
	return 1;
}

/* The number at `at` with its line end: its size, -2 it goes on, -1 it is none. */
static long number_line(const char *at, size_t size, struct resp_number *number)
{
	const char *i = at;

	memset(number, 0, sizeof(*number));
	int result = resp_number_feed(number, &i, at + size);
	return result == 1 ? i - at : result;
}

/* `*3\r\n$3\r\nS`: a count, a size and a letter. */
static int looks_like_array(const char *at, size_t size)
{
	struct resp_number number;
	long count = number_line(at + 1, size - 1, &number);

	if (count < 0)
		return count == -2 && number.digits < 8 ? -2 : 0;
	if (number.negative || !number.value || number.value > 1 << 20)
		return 0;
	at += count + 1;
	size -= (size_t)count + 1;
	if (size && *at != '$')
		return 0;
	long length = size ? number_line(at + 1, size - 1, &number) : -2;
	if (length < 0)
		return length == -2 ? -2 : 0;
	if (number.negative || !number.value || number.value > 64)
		return 0;
	if (size == (size_t)length + 1)
		return -2;
	char letter = (char)(at[length + 1] | 0x20);
	return letter >= 'a' && letter <= 'z';
}

/* Whether `at` begins with `text`: 1 yes, 0 no, -2 as far as it goes. */
static int begins_with(const char *at, size_t size, const char *text, size_t text_size)
{
	if (memcmp(at, text, size < text_size ? size : text_size) != 0)
		return 0;
	return size < text_size ? -2 : 1;
}

/*
 * Most commands are words of other protocols too, and every client library sends arrays: of lines
 * only those that clients of Redis begin with, and nobody else.
 */
static int looks_like_inline(const char *at, size_t size)
{
	int ping = begins_with(at, size, "PING\r\n", 6);
	int hello = begins_with(at, size, "HELLO ", 6);

	return ping ? ping : hello;
}

static int looks_like_reply(const char *at, size_t size)
{
	struct resp_number number;
	long line;

	switch (*at) {
	case '+':
		line = begins_with(at, size, "+OK\r\n", 5);
		return line ? (int)line : begins_with(at, size, "+PONG\r\n", 7);
	case '-':
		line = begins_with(at, size, "-ERR ", 5);
		return line ? (int)line : begins_with(at, size, "-NOAUTH ", 8);
	case ':':
	case '$':
	case '*':
	case '%':
	case '~':
	case '>':
		line = number_line(at + 1, size - 1, &number);
		return line > 0 ? 1 : line == -2 ? -2 : 0;
	case '_':
		return begins_with(at, size, "_\r\n", 3);
	default:
		return 0;
	}
}

int resp_looks_like(enum wire_way way, const char *at, size_t size)
{
	if (!size)
		return -2;
	if (way == WIRE_REPLY)
		return looks_like_reply(at, size);
	return *at == '*' ? looks_like_array(at, size) : looks_like_inline(at, size);
}

enum wire_result resp_feed(struct resp *wire, enum wire_way way, const char *at, size_t size,
			   const struct wire_calls *calls, void *to)
{
	return way == WIRE_REQUEST ? resp_feed_request(wire, at, size, calls, to)
				   : resp_feed_reply(wire, at, size, calls, to);
}
