/* compress.h - bytes of a request made smaller: gzip (RFC 1952) or zstd (RFC 8878). */
#ifndef TAGALONG_COMPRESS_H
#define TAGALONG_COMPRESS_H

#include <stddef.h>
#include <stdint.h>

#include "exporter/arena.h"
#include "exporter/settings_otlp.h"

/*
 * Compresses into the arena, behind `headroom` free bytes that are not counted in *out_size.
 * Returns where the headroom begins. NULL: no memory. `how` is not OTLP_PLAIN.
 */
uint8_t *compress_bytes(struct arena *arena, enum otlp_compression how, const uint8_t *bytes,
			size_t size, size_t headroom, size_t *out_size);

#endif
