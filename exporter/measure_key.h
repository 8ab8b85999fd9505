/* measure_key.h - the attributes of a span that its metrics have, and the series known for them. */
#ifndef TAGALONG_MEASURE_KEY_H
#define TAGALONG_MEASURE_KEY_H

#include "exporter/batch.h"
#include "exporter/metrics.h"

/* Metrics of one family have the same attributes. */
enum measure_family {
	MEASURE_HTTP_SERVER,
	MEASURE_HTTP_CLIENT,
	MEASURE_DB,
	MEASURE_FAILURE,
	MEASURE_ACTIVE,
	MEASURE_REPEATS,
	MEASURE_FAMILIES,
};

#define MEASURE_SERIES  3 /* metrics of a family */
#define MEASURE_PICKS   20
#define MEASURE_KEY_MAX 1024

/* The picked attributes in the order of their keys, without those that are absent. */
struct measure_pick {
	struct attribute at[MEASURE_PICKS];
	size_t count;
};

void measure_pick(const struct batch_span *span, enum measure_family family,
		  struct measure_pick *pick);

/* Series by their family, resource and attributes, in a table of bounded size. */
struct measure_cache;

struct measure_cache *measure_cache_new(void);        /* NULL: no memory */
void measure_cache_free(struct measure_cache *cache); /* accepts NULL */

/* Forgets all. */
void measure_cache_clear(struct measure_cache *cache);

/*
 * The MEASURE_SERIES series for these, NULLs if they are new: then the caller looks them up and
 * stores them there. Valid until the next call. NULL: can't be kept.
 */
struct series **measure_cache_find(struct measure_cache *cache, enum measure_family family,
				   const struct resource *stream, const struct measure_pick *pick);

#endif
