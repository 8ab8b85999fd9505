/* wire_target.h - what the fuzz targets of databases' protocols have in common. */
#ifndef TAGALONG_WIRE_TARGET_H
#define TAGALONG_WIRE_TARGET_H

#include "tests/fuzz/target.h"
#include "tests/unit/wire_log.h"

/*
 * The input is a conversation: pieces of a byte that says whose it is (the lowest bit) and how many
 * bytes follow (the others: up to 127), before these. Feeds it in these pieces, in halves of them
 * and byte by byte: what is told must be the same, and in an order that wire.h allows. `secret` is
 * a word that must not be told, in any text or name; NULL: none.
 */
void wire_target_run(const struct wire_parser *parser, const uint8_t *data, size_t size,
		     const char *secret);

#endif
