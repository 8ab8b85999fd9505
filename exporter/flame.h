/* flame.h - folded stacks as a flame graph: one SVG file that needs nothing else. */
#ifndef TAGALONG_FLAME_H
#define TAGALONG_FLAME_H

#include <stdio.h>

#include "exporter/profile_stacks.h"

/* `folds` ascend by line. 0, or -ENOMEM. Errors of writing are the stream's. */
int flame_print(const struct profile_fold *folds, size_t count, const char *title, FILE *to);

#endif
