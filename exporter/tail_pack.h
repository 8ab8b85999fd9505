/* tail_pack.h - a span in as few bytes as it takes, and back. */
#ifndef TAGALONG_TAIL_PACK_H
#define TAGALONG_TAIL_PACK_H

/*
 * What is part of this program (keys, names of methods and schemes) is kept as its address, all
 * other texts as their bytes. The bytes are for this process alone. One thread.
 */

#include <stddef.h>
#include <stdint.h>

#include "exporter/batch.h"

/* What leads each packed span, for those who only look. */
struct tail_head {
	struct resource *resource; /* of the span */
	uint32_t size;             /* of all that follows */
	uint32_t flags;
	uint8_t span_id[8];
	uint8_t parent_id[8];
};

#define TAIL_FLAG_REMOTE 0x200u /* OTLP's: the parent is in another process */

/* Bytes of the head and the span. Valid until the next call. NULL: no memory. */
const uint8_t *tail_pack(const struct batch_span *span, size_t *size);

/*
 * Fills a span but for its trace ID, in the arena of its batch, with room for one more attribute;
 * `head` and `bytes` are what tail_pack wrote. 0, or -ENOMEM.
 */
int tail_unpack(struct arena *arena, const struct tail_head *head, const uint8_t *bytes,
		struct batch_span *span);

#endif
