/* routes_shape.h - what one segment of a path looks like: a word, a value, or a value within it. */
#ifndef TAGALONG_ROUTES_SHAPE_H
#define TAGALONG_ROUTES_SHAPE_H

#include "exporter/text.h"

#define ROUTE_SEGMENT_MAX 96 /* longer segments are values */

enum route_shape_kind {
	SHAPE_WORD,    /* could be either: "johnsmith" */
	SHAPE_PLURAL,  /* could be either, and reads like the name of a collection: "gizmos" */
	SHAPE_SUSPECT, /* rather a value: "user12", "my-first-post" */
	SHAPE_STATIC,  /* a name: "settings", "v2", "getUser" */
	SHAPE_KEYWORD, /* a name that stands where a value could stand: "search" */
	SHAPE_VALUE, /* digits, hex, UUID, ULID, e-mail, date, ... between a prefix and a suffix */
};

struct route_shape {
	enum route_shape_kind kind;
	uint16_t prefix, suffix; /* of a value: sizes of what is static: "app." and ".js" */
	uint16_t extension;      /* of the others: bytes from the last dot, if a file's; or 0 */
};

/* Judges a segment alone, not empty and without '/'. One thread. */
struct route_shape route_shape(struct text segment);

/* Whether a number rather is a version: "1.1", and "2" if it stands where names begin. */
int route_shape_is_version(struct text segment, int at_root);

#endif
