/* arena.c - memory of one batch: taken piece by piece, given back at once. */
#include "arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES     ((size_t)256 * 1024)
#define BLOCK_MOST_ROOM ((size_t)1024 * 1024) /* each block is twice the one before, up to this */

struct arena_block {
	struct arena_block *next;
	size_t size;
	_Alignas(16) char data[];
};

void arena_init(struct arena *arena)
{
	memset(arena, 0, sizeof(*arena));
}

static void free_blocks(struct arena_block *block)
{
	while (block) {
		struct arena_block *next = block->next;

		free(block);
		block = next;
	}
}

void arena_free(struct arena *arena)
{
	free_blocks(arena->blocks);
	arena_init(arena);
}

void arena_reset(struct arena *arena)
{
	if (!arena->blocks)
		return;
	free_blocks(arena->blocks->next);
	arena->blocks->next = NULL;
	arena->at = arena->blocks->data;
	arena->end = arena->at + arena->blocks->size;
	arena->used_bytes = 0;
}

static int add_block(struct arena *arena, size_t size)
{
	size_t room = arena->blocks ? arena->blocks->size * 2 : BLOCK_BYTES;
	struct arena_block *block;

	if (room > BLOCK_MOST_ROOM)
		room = BLOCK_MOST_ROOM;
	if (room < size)
		room = size;
	if (room > SIZE_MAX - sizeof(*block))
		return -1;
	block = malloc(sizeof(*block) + room);
	if (!block)
		return -1;
	block->next = arena->blocks;
	block->size = room;
	arena->blocks = block;
	arena->at = block->data;
	arena->end = block->data + room;
	return 0;
}

char *arena_bytes(struct arena *arena, size_t size)
{
	char *at;

	if ((size_t)(arena->end - arena->at) < size && add_block(arena, size) != 0)
		return NULL;
	at = arena->at;
	arena->at += size;
	arena->used_bytes += size;
	return at;
}

void *arena_take(struct arena *arena, size_t size)
{
	size_t padding = (size_t)(-(uintptr_t)arena->at & 15);

	if ((size_t)(arena->end - arena->at) < padding) {
		arena->at = arena->end;
		return arena_bytes(arena, size);
	}
	arena->at += padding;
	return arena_bytes(arena, size);
}

char *arena_text(struct arena *arena, const char *at, size_t size)
{
	char *copy = arena_bytes(arena, size + 1);

	if (!copy)
		return NULL;
	memcpy(copy, at, size);
	copy[size] = '\0';
	return copy;
}

void arena_cut(struct arena *arena, char *end)
{
	arena->used_bytes -= (size_t)(arena->at - end);
	arena->at = end;
}

struct arena_mark arena_mark(const struct arena *arena)
{
	return (struct arena_mark){arena->blocks, arena->at, arena->used_bytes};
}

void arena_rewind(struct arena *arena, struct arena_mark mark)
{
	if (arena->blocks != mark.block)
		return;
	arena->at = mark.at;
	arena->used_bytes = mark.used_bytes;
}
