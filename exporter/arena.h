/* arena.h - memory of one batch: taken piece by piece, given back at once. */
#ifndef TAGALONG_ARENA_H
#define TAGALONG_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks; /* newest first */
	char *at, *end;
	size_t used_bytes; /* handed out so far */
};

/* A place to return to: what was taken after it is forgotten. Only within the newest block, so a
 * rewind across a block merely wastes the rest. */
struct arena_mark {
	struct arena_block *block;
	char *at;
	size_t used_bytes;
};

void arena_init(struct arena *arena);
/* An arena of zeros is fine, too. */
void arena_free(struct arena *arena);

/* Forgets everything, but keeps the newest block, mostly the largest one, for the next use. */
void arena_reset(struct arena *arena);

/* Aligned to 16, not zeroed. NULL: no memory. */
void *arena_take(struct arena *arena, size_t size);

/* Without alignment, for text. */
char *arena_bytes(struct arena *arena, size_t size);

/* A NUL-terminated copy. NULL: no memory. */
char *arena_text(struct arena *arena, const char *at, size_t size);

/* Gives back what lies behind `end` of the piece that was taken last. */
void arena_cut(struct arena *arena, char *end);

struct arena_mark arena_mark(const struct arena *arena);
void arena_rewind(struct arena *arena, struct arena_mark mark);

#endif
