/* list.h - names with commas between them, as settings have them. */
#ifndef TAGALONG_LIST_H
#define TAGALONG_LIST_H

#include <stddef.h>

/* Next item of a list without the space around it; NULL at the end. Goes on behind it. */
const char *list_next(const char **list, size_t *size);

#endif
