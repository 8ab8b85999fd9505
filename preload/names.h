/* names.h - the names that the program resolved lately, by address. */
#ifndef TAGALONG_NAMES_H
#define TAGALONG_NAMES_H

#include <stddef.h>

#include "preload/segment.h"

/* Remembers that `name` resolved to `address` (the port is ignored). Any thread; may forget older
 * ones. */
void names_add(const struct span_address *address, const char *name);

/* Copies the last name of the address; its size without a NUL, 0: unknown. Any thread. */
size_t names_find(const struct span_address *address, char *out, size_t room);

#endif
