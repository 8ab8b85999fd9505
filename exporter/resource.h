/* resource.h - what a process is: service, process, host, container, as resource attributes. */
#ifndef TAGALONG_RESOURCE_H
#define TAGALONG_RESOURCE_H

/* OpenTelemetry's semantic conventions 1.44.0 decide the names. One thread. */

#include <stddef.h>
#include <stdint.h>

#include "exporter/attribute.h"
#include "preload/segment.h"

#define TELEMETRY_NAME  "tagalong"
#define TELEMETRY_SCOPE "tagalong"
#define SCHEMA_URL      "https://opentelemetry.io/schemas/1.44.0"

struct resource {
	const struct attribute *attributes;
	size_t attribute_count;
	const char *service;   /* as people name it: service.name, or the plain executable's name */
	struct text program;   /* the path of its executable, absent if unknown */
	const char *json;      /* all attributes as one JSON object */
	int64_t store_id;      /* its row in the store, 0: not there yet; the store's to write */
	int instance_is_given; /* service.instance.id is the user's */
	struct resource *stream; /* a reference: the service's, stream.c's to write */
	/* private */
	unsigned references;
	struct arena arena;
};

/*
 * Describes the process of a slot. `identity` is a copy of what stands in the slot: untrusted, not
 * even terminated. One reference belongs to the caller. NULL: no memory.
 */
struct resource *resource_new(const struct slot_identity *identity);

struct resource *resource_get(struct resource *resource);
void resource_put(struct resource *resource); /* accepts NULL */

/*
 * Parses OTEL_RESOURCE_ATTRIBUTES into the list (keys and values percent-decoded, copied to the
 * list's arena), replacing what is there. 0, or -EINVAL: malformed, the list is as before.
 */
int resource_parse_attributes(const char *at, size_t size, struct attribute_list *list);

#endif
