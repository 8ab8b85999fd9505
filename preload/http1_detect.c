/* http1_detect.c - is this HTTP/1.x? Told by the start line, as far as it is there. */
#include "preload/http1.h"

#include <string.h>

#define METHOD_MAX 32 /* the longest registered one has 17 */

/* Counts the leading bytes that are neither space nor control characters, eight at a time. */
static size_t visible_run(const char *at, size_t size)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
	size_t i = 0;

	for (; size - i >= 8; i += 8) {
		uint64_t word;
		memcpy(&word, at + i, 8);
		uint64_t deletes = word ^ (0x7f * ones);
		uint64_t low = (word - 0x21 * ones) & ~word & tops;
		if (low | ((deletes - ones) & ~deletes & tops))
			break;
	}
	while (i < size && (unsigned char)at[i] > ' ' && at[i] != 0x7f)
		i++;
	return i;
}

/* Whether `at` begins with `text`: 1 yes, 0 no, -2 as far as it goes. */
static int begins_with(const char *at, size_t size, const char *text, size_t text_size)
{
	size_t common = size < text_size ? size : text_size;

	if (memcmp(at, text, common) != 0)
		return 0;
	return size < text_size ? -2 : 1;
}

static int looks_like_request(const char *at, size_t size)
{
	size_t i = 0;

	if (size > HTTP1_HEAD_MAX)
		size = HTTP1_HEAD_MAX;
	while (i < size && i < METHOD_MAX &&
	       ((at[i] >= 'A' && at[i] <= 'Z') || (i && at[i] == '-')))
		i++;
	if (i == size)
		return -2;
	if (i == 0 || at[i] != ' ')
		return 0;
	i++;
	size_t target = visible_run(at + i, size - i);
	i += target;
	if (i == size)
		return size < HTTP1_HEAD_MAX ? -2 : 0;
	if (target == 0)
		return 0;
	int version = begins_with(at + i, size - i, " HTTP/1.", 8);
	if (version != 1)
		return version;
	i += 8;
	if (i < size && at[i] != '0' && at[i] != '1')
		return 0;
	if (size - i < 2)
		return -2;
	return at[i + 1] == '\r' || at[i + 1] == '\n';
}

static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int looks_like_response(const char *at, size_t size)
{
	static const char shape[13] = "HTTP/1.d sdde";

	/* The common case at once. */
	if (size >= sizeof(shape) && memcmp(at, "HTTP/1.1 ", 9) == 0 && at[9] >= '1' &&
	    at[9] <= '9' && is_digit(at[10]) && is_digit(at[11]) && at[12] == ' ')
		return 1;
	for (size_t i = 0; i < sizeof(shape); i++) {
		if (i == size)
			return -2;
		int fits;
		switch (shape[i]) {
		case 'd':
			fits = is_digit(at[i]);
			break;
		case 's': /* first digit of the status */
			fits = is_digit(at[i]) && at[i] != '0';
			break;
		case 'e':
			fits = at[i] == ' ' || at[i] == '\r' || at[i] == '\n';
			break;
		default:
			fits = at[i] == shape[i];
		}
		if (!fits)
			return 0;
	}
	return 1;
}

int http1_looks_like(enum http1_kind kind, const char *at, size_t size)
{
	return kind == HTTP1_REQUEST ? looks_like_request(at, size) : looks_like_response(at, size);
}
