/* stream.h - the resource of a service's metrics: what its processes have in common. */
#ifndef TAGALONG_STREAM_H
#define TAGALONG_STREAM_H

/*
 * Workers come and go, the service's counters go on: its metrics are of a resource that has all
 * attributes of the process but process.* and the random service.instance.id. In the latter's place
 * is a UUID that is always the same for the same attributes. One thread.
 */

#include "exporter/resource.h"

struct streams;

struct streams *streams_new(void);          /* NULL: no memory */
void streams_free(struct streams *streams); /* accepts NULL */

/* The service's resource, lent: the process' resource keeps it. NULL: no memory. */
struct resource *stream_of(struct streams *streams, struct resource *process);

/* Forgets those that nobody else has a reference to. */
void streams_sweep(struct streams *streams);

#endif
