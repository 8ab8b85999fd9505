/* routes_word.h - words that paths are made of, by what they say of their neighbours. */
#ifndef TAGALONG_ROUTES_WORD_H
#define TAGALONG_ROUTES_WORD_H

#include "exporter/text.h"

enum route_word {
	ROUTE_WORD_UNKNOWN,
	ROUTE_WORD_STATIC,  /* a name: "checkout", "orders" */
	ROUTE_WORD_PLACE,   /* a name that is no collection, plural or not: "settings" */
	ROUTE_WORD_KEYWORD, /* stands where a value could stand as well: "me", "search", "new" */
	ROUTE_WORD_ENTITY,  /* names one thing, and what follows is which: "user", "u", "tag" */
	ROUTE_WORD_PREFIX,  /* what follows are all the names of an API: "api", "rest" */
};

/* Without ASCII case. One thread. */
enum route_word route_word(struct text text);

/* Whether `text` is what files end with, "html", without ASCII case. */
int route_extension(struct text text);

#endif
