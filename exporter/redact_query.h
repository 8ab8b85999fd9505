/* redact_query.h - names of query keys and of headers that say what their values are. */
#ifndef TAGALONG_REDACT_QUERY_H
#define TAGALONG_REDACT_QUERY_H

#include "exporter/arena.h"
#include "exporter/text.h"

/*
 * Masks the values of keys such as "password", unless they are masked already; the text becomes a
 * copy then. Returns how many values of such keys are masked now.
 */
unsigned redact_query(struct arena *arena, struct text *query);

/* Whether a header's value is a secret by its name, "authorization", in any case. */
int redact_query_is_header(struct text name);

#endif
