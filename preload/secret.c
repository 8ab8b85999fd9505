/* secret.c - what is a secret by its looks: the quick way out, and copying what is left. */
#include "preload/secret.h"

#include <string.h>

#include "preload/mask.h"
#include "preload/secret_block.h"

#define BLOCK  16
#define BEYOND 512

/* Bits whose next `count` - 1 bits are set as well; 16 and 13 are what we look for. */
static inline uint32_t runs_of_16(uint32_t bits)
{
	bits &= bits >> 1;
	bits &= bits >> 2;
	bits &= bits >> 4;
	return bits & bits >> 8;
}

static inline uint32_t runs_of_13(uint32_t bits)
{
	bits &= bits >> 1;
	bits &= bits >> 2;
	bits &= bits >> 4;
	return bits & bits >> 5;
}

/* Both sides of the border between two blocks, and what every run of 13 within one has. */
#define BORDER 0x18000u
#define MIDDLE 0x1ff8u

/*
 * Tokens have sixteen letters and digits in a row, cards thirteen digits and what may stand between
 * them, and before or in every other secret stands a mark. UUIDs have none of them. The rows may
 * begin in the block before.
 */
static inline int is_suspect(struct secret_block before, struct secret_block block)
{
	uint32_t alnum = before.alnum | block.alnum << BLOCK;
	uint32_t numeric = before.numeric | block.numeric << BLOCK;

	if (block.marks || block.alnum == 0xffff || (block.numeric & MIDDLE) == MIDDLE)
		return 1;
	if ((alnum & BORDER) == BORDER && runs_of_16(alnum))
		return 1;
	return (numeric & BORDER) == BORDER && runs_of_13(numeric);
}

static int short_suspected(const char *at, size_t size, char mark)
{
	for (size_t i = 0; i < size; i++)
		if (at[i] == '@' || at[i] == '%' || at[i] == mark)
			return 1;
	return 0;
}

/* Less than a block: some bytes stand twice, which makes rows longer, never shorter. */
static int half_suspected(const char *at, size_t size, char mark)
{
	const struct secret_block none = {0};
	char bytes[BLOCK];

	memcpy(bytes, at, BLOCK / 2);
	memcpy(bytes + BLOCK / 2, at + size - BLOCK / 2, BLOCK / 2);
	return is_suspect(none, secret_first(bytes, mark));
}

int secret_suspected(const char *at, size_t size, enum secret_place place)
{
	char mark = place == SECRET_IN_PATH ? ';' : '@';
	struct secret_block before = {0}, block;
	size_t done = BLOCK, left;

	if (place == SECRET_IN_VALUE)
		return 1;
	if (size < BLOCK / 2)
		return short_suspected(at, size, mark);
	if (size < BLOCK)
		return half_suspected(at, size, mark);
	block = secret_first(at, mark);
	while (!is_suspect(before, block)) {
		if (done == size)
			return 0;
		before = block;
		left = size - done;
		if (left >= BLOCK) {
			block = secret_next(at + done, mark);
			done += BLOCK;
			continue;
		}
		/* The last bytes, behind others that were looked at. */
		block = secret_next(at + size - BLOCK, mark);
		block.alnum >>= BLOCK - left;
		block.numeric >>= BLOCK - left;
		done = size;
	}
	return 1;
}

static size_t put(char *out, size_t room, size_t written, const char *at, size_t size)
{
	if (size > room - written)
		size = room - written;
	memcpy(out + written, at, size);
	return written + size;
}

size_t secret_copy(const char *at, size_t size, enum secret_place place, char *out, size_t room,
		   int *cut, uint8_t counts[REDACTIONS])
{
	size_t written = 0, done = 0, safe = size;
	struct secret found;

	/* What is far beyond the room is not looked at, and what is near that is not copied. */
	if (size > room + BEYOND) {
		size = room + BEYOND;
		safe = room;
		*cut = 1;
	}
	if (secret_suspected(at, size, place)) {
		while (written < room && secret_find(at, size, done, place, &found)) {
			written = put(out, room, written, at + done, found.begin - done);
			written = put(out, room, written, MASK_TEXT, sizeof(MASK_TEXT) - 1);
			done = found.end;
			counts[found.rule] += counts[found.rule] < UINT8_MAX;
		}
	}
	if (done < safe && written < room) {
		size_t rest = safe - done;

		*cut |= rest > room - written;
		written = put(out, room, written, at + done, rest);
	} else if (done < size) {
		*cut = 1;
	}
	return written;
}

/* Whether the word at `word`, up to a space, is this name in any case. */
static int name_is(const char *name, size_t size, const char *word)
{
	for (size_t i = 0; i < size; i++) {
		char c = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 0x20) : name[i];

		if (c == ' ' || c != word[i])
			return 0;
	}
	return word[size] == ' ';
}

int secret_header(const char *name, size_t size)
{
	/* One text and no pointers, which would cost every process a relocated page. */
	static const char names[] =
		"authorization proxy-authorization cookie set-cookie x-api-key api-key apikey "
		"x-auth-token x-access-token x-csrf-token x-xsrf-token x-amz-security-token "
		"x-vault-token x-goog-api-key x-gitlab-token private-token x-session-id "
		"ocp-apim-subscription-key authentication-info x-forwarded-client-cert ";
	const char *at = names;

	while (*at) {
		if (name_is(name, size, at))
			return 1;
		at = strchr(at, ' ') + 1;
	}
	return 0;
}
