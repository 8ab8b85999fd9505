/* text.h - bytes of text that belong to somebody else, and making them valid UTF-8. */
#ifndef TAGALONG_TEXT_H
#define TAGALONG_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct arena;

struct text {
	const char *at; /* NULL: absent */
	uint32_t size;
};

/* A literal as an initializer: its size is known when it is compiled. */
#define TEXT_OF(literal)                                                                           \
	{                                                                                          \
		literal, sizeof(literal) - 1                                                       \
	}

/* 1 if the bytes are UTF-8 (RFC 3629) without NUL. */
int text_valid(const char *at, size_t size);

/* 64 bits that depend on all bytes: the same for the same text, and all of them usable. */
uint64_t text_hash(struct text text);

/*
 * Copies, each byte that is not part of valid UTF-8 (and each NUL) replaced by U+FFFD.
 * NUL-terminated, in the arena; NULL: no memory.
 */
const char *text_repair(struct arena *arena, const char *at, size_t size, size_t *out_size);

/* Bytes of the first `characters` characters of valid UTF-8. */
size_t text_cut(const char *at, size_t size, uint32_t characters);

#endif
