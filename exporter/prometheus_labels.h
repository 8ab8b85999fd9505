/* prometheus_labels.h - a buffer for Prometheus' text, and labels in it. */
#ifndef TAGALONG_PROMETHEUS_LABELS_H
#define TAGALONG_PROMETHEUS_LABELS_H

#include <stddef.h>
#include <string.h>

#include "exporter/metrics_collect.h"

/* Grows; its owner frees `at`. After a failure to allocate, `failed` stays set. */
struct prometheus_buffer {
	char *at;
	size_t size, room;
	int failed;
};

/* Room for `more` bytes behind what is there. NULL: no memory. */
char *prometheus_reserve(struct prometheus_buffer *buffer, size_t more);

static inline void prometheus_put(struct prometheus_buffer *buffer, const char *at, size_t size)
{
	char *to = prometheus_reserve(buffer, size);

	if (!to)
		return;
	memcpy(to, at, size);
	buffer->size += size;
}

/* With backslash and line feed escaped, and quotes if they are to be. */
void prometheus_put_escaped(struct prometheus_buffer *buffer, const char *at, size_t size,
			    int quotes);

/*
 * All of these replace what is in the buffer by `name="value",...`, without braces. Attributes
 * whose keys become one label are joined with ";".
 */

/* job, instance, and otel_scope_*. */
void prometheus_labels_of_resource(struct prometheus_buffer *buffer,
				   const struct resource *resource);
/* job, instance, and all other attributes of a resource. */
void prometheus_labels_of_target(struct prometheus_buffer *buffer, const struct resource *resource);
/* Those of its resource, and its own. */
void prometheus_labels_of_series(struct prometheus_buffer *buffer,
				 const struct prometheus_buffer *common,
				 const struct metric_point *point);

#endif
