/* routes_span.c - the route of a record, before it becomes a span. */
#include "routes_span.h"

#include <stdio.h>
#include <string.h>

/* Servers are told from each other by their names as clients have them. */
static struct text host_of(const struct record *record)
{
	struct text host = record->field[FIELD_HOST];

	return host.size ? host : record->field[FIELD_PEER_NAME];
}

void routes_span(struct routes *routes, struct arena *arena, const struct resource *resource,
		 int of_clients, struct record *record, struct route_match *match)
{
	const struct span *span = &record->span;
	unsigned status = span->flags & SPAN_RESPONSE_SEEN ? span->status_code : 0;
	struct text service = {resource->service, (uint32_t)strlen(resource->service)};
	char client[256];
	int size;

	record->route = NULL;
	if (!routes || span->protocol != SPAN_HTTP || !record->field[FIELD_PATH].size)
		return;
	if (span->kind == SPAN_CLIENT) {
		struct text host = host_of(record);

		if (!of_clients)
			return;
		size = snprintf(client, sizeof(client), "%.*s > %.*s", (int)service.size,
				service.at, (int)host.size, host.size ? host.at : "");
		service.at = client;
		service.size = (uint32_t)size < sizeof(client) ? (uint32_t)size
							       : (uint32_t)sizeof(client) - 1;
	}
	routes_find(routes, arena, service, record->field[FIELD_PATH], status, match);
	if (match->route.at)
		record->route = match;
}
