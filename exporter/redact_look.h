/* redact_look.h - whether a text may hold a secret at all: the quick look at every text. */
#ifndef TAGALONG_REDACT_LOOK_H
#define TAGALONG_REDACT_LOOK_H

#include "exporter/text.h"

/* 0 if there is certainly none of those that the built-in rules know. `mark` is a byte that some
 * text is suspected for: ';' in paths, else '@'. */
int redact_look(struct text text, char mark);

#endif
