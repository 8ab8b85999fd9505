/* json_read.h - members of a JSON object that somebody else wrote. */
#ifndef TAGALONG_JSON_READ_H
#define TAGALONG_JSON_READ_H

/* RFC 8259, as far as it takes to step over what is not asked for. Nothing is allocated. */

#include "exporter/text.h"

/*
 * The value of a member: an object with its braces, a text with its quotes, anything else as it
 * stands. The first one of that name counts. 0, or -ENOENT: no object, not whole, or no such
 * member.
 */
int json_member(struct text object, const char *name, struct text *value);

/* A text's contents; escapes become '?', but for \" \\ \/. What finds no room is cut. */
void json_copy_text(struct text value, char *to, size_t room);

/* A whole number, as such or as a text; `otherwise` if it is none. */
int64_t json_whole(struct text value, int64_t otherwise);

#endif
