/* uuid.c - UUIDs (RFC 9562) in text; version 5 needs SHA-1 (RFC 3174). */
#include "uuid.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define BLOCK 64

struct sha1 {
	uint32_t state[5];
	uint8_t block[BLOCK];
	uint64_t size; /* bytes so far */
};

static uint32_t rotate(uint32_t word, int by)
{
	return word << by | word >> (32 - by);
}

static uint32_t mix(int round, const uint32_t state[5])
{
	static const uint32_t constants[] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
	uint32_t b = state[1], c = state[2], d = state[3], f;

	if (round < 20)
		f = (b & c) | (~b & d);
	else if (round < 40 || round >= 60)
		f = b ^ c ^ d;
	else
		f = (b & c) | (b & d) | (c & d);
	return rotate(state[0], 5) + f + state[4] + constants[round / 20];
}

static void take_block(struct sha1 *sha1)
{
	uint32_t words[80], state[5];

	for (int i = 0; i < 16; i++) {
		const uint8_t *at = sha1->block + 4 * (size_t)i;

		words[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
			   at[3];
	}
	for (int i = 16; i < 80; i++)
		words[i] = rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
	memcpy(state, sha1->state, sizeof(state));
	for (int i = 0; i < 80; i++) {
		uint32_t first = mix(i, state) + words[i];

		state[4] = state[3];
		state[3] = state[2];
		state[2] = rotate(state[1], 30);
		state[1] = state[0];
		state[0] = first;
	}
	for (int i = 0; i < 5; i++)
		sha1->state[i] += state[i];
}

static void add(struct sha1 *sha1, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < size; i++) {
		sha1->block[sha1->size++ % BLOCK] = at[i];
		if (sha1->size % BLOCK == 0)
			take_block(sha1);
	}
}

/* The first 16 of the 20 bytes. */
static void finish(struct sha1 *sha1, uint8_t digest[16])
{
	uint64_t bits = sha1->size * 8;
	uint8_t length[8];

	for (int i = 0; i < 8; i++)
		length[i] = (uint8_t)(bits >> (56 - 8 * i));
	add(sha1, "\x80", 1);
	while (sha1->size % BLOCK != BLOCK - 8)
		add(sha1, "", 1);
	add(sha1, length, sizeof(length));
	for (int i = 0; i < 16; i++)
		digest[i] = (uint8_t)(sha1->state[i / 4] >> (24 - 8 * (i % 4)));
}

static void format(uint8_t bytes[16], unsigned version, char *text)
{
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | version << 4);
	bytes[8] = (bytes[8] & 0x3f) | 0x80;
	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*text++ = '-';
		text += sprintf(text, "%02x", bytes[i]);
	}
}

int uuid_random(char text[UUID_TEXT])
{
	uint8_t bytes[16];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -EIO;
	format(bytes, 4, text);
	return 0;
}

void uuid_of_name(const char *name, size_t size, char text[UUID_TEXT])
{
	static const uint8_t space[16] = {0x4d, 0x63, 0x00, 0x9a, 0x8d, 0x0f, 0x11, 0xee,
					  0xaa, 0xd7, 0x4c, 0x79, 0x6e, 0xd8, 0xe3, 0x20};
	struct sha1 sha1 = {
		.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0},
	};
	uint8_t digest[16];

	add(&sha1, space, sizeof(space));
	add(&sha1, name, size);
	finish(&sha1, digest);
	format(digest, 5, text);
}
