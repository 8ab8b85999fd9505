/* text.c - making bytes of others valid UTF-8. */
#include "text.h"

#include <string.h>

#include "exporter/arena.h"

#define REPLACEMENT "\xef\xbf\xbd"

/* Size of the valid character at `at`, 0 if there is none (RFC 3629, table 3-7 of Unicode). */
static size_t character(const unsigned char *at, size_t size)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t need;

	if (at[0] < 0x80)
		return at[0] != 0;
	if (at[0] < 0xc2 || at[0] > 0xf4)
		return 0;
	need = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
	if (size < need)
		return 0;
	if (at[0] == 0xe0)
		low = 0xa0;
	else if (at[0] == 0xed)
		high = 0x9f;
	else if (at[0] == 0xf0)
		low = 0x90;
	else if (at[0] == 0xf4)
		high = 0x8f;
	if (at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < need; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	}
	return need;
}

/* Whether these eight bytes are ASCII other than NUL. */
static int is_plain(const char *at)
{
	uint64_t word;

	memcpy(&word, at, 8);
	return !((word | (word - 0x0101010101010101ull)) & 0x8080808080808080ull);
}

/* Bytes at the front that are ASCII other than NUL. */
static size_t plain_run(const char *at, size_t size)
{
	size_t done = 0;

	while (size - done >= 8 && is_plain(at + done))
		done += 8;
	/* The last eight bytes at once, some of them for the second time. */
	if (size >= 8 && size - done < 8 && is_plain(at + size - 8))
		return size;
	while (done < size && (signed char)at[done] > 0)
		done++;
	return done;
}

/* Bytes at the front that are valid. */
static size_t valid_run(const char *at, size_t size)
{
	size_t done = plain_run(at, size);

	while (done < size) {
		size_t one = character((const unsigned char *)at + done, size - done);

		if (one == 0)
			break;
		done += one;
	}
	return done;
}

int text_valid(const char *at, size_t size)
{
	return valid_run(at, size) == size;
}

const char *text_repair(struct arena *arena, const char *at, size_t size, size_t *out_size)
{
	char *out = arena_bytes(arena, size * 3 + 1);
	size_t used = 0;

	if (!out)
		return NULL;
	while (size) {
		size_t run = valid_run(at, size);

		memcpy(out + used, at, run);
		used += run;
		at += run;
		size -= run;
		if (size) {
			memcpy(out + used, REPLACEMENT, 3);
			used += 3;
			at++;
			size--;
		}
	}
	out[used] = '\0';
	*out_size = used;
	return out;
}

/* Eight bytes at a time, the last ones twice if need be. */
uint64_t text_hash(struct text text)
{
	uint64_t hash = text.size * 0x9e3779b97f4a7c15u, word = 0;

	for (size_t i = 0; i + 8 <= text.size; i += 8) {
		memcpy(&word, text.at + i, 8);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	if (text.size >= 8)
		memcpy(&word, text.at + text.size - 8, 8);
	else if (text.size)
		memcpy(&word, text.at, text.size);
	hash = (hash ^ word) * 0xff51afd7ed558ccdu;
	hash = (hash ^ hash >> 32) * 0xc4ceb9fe1a85ec53u;
	return hash ^ hash >> 29;
}

size_t text_cut(const char *at, size_t size, uint32_t characters)
{
	size_t done = 0;

	while (done < size) {
		if ((at[done] & 0xc0) != 0x80 && characters-- == 0)
			break;
		done++;
	}
	return done;
}
