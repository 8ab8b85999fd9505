/* ring.h - bounded queue between one process's threads and the exporter: the writers' side. */
#ifndef TAGALONG_RING_H
#define TAGALONG_RING_H

#include <stddef.h>
#include <stdint.h>

#include "preload/segment.h"

/*
 * Reserves, fills and commits one span record; never waits, makes no system call. Full, or no slot:
 * counts the drop. Any thread, async-signal-safe.
 */
void ring_push_span(const struct span *span, const uint8_t *fields, size_t fields_size);

#endif
