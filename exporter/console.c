/* console.c - spans on stdout, one JSON object a line (OTEL_TRACES_EXPORTER=console). */
#include "console.h"

#include <stdio.h>
#include <stdlib.h>

#include "exporter/json.h"

static void hex(const uint8_t *bytes, size_t size, char *to)
{
	for (size_t i = 0; i < size; i++)
		sprintf(to + 2 * i, "%02x", bytes[i]);
}

void console_write(const struct batch *batch)
{
	struct json json = {0};

	for (size_t i = 0; i < batch->count; i++) {
		const struct batch_span *span = &batch->spans[i];
		char trace_id[33], span_id[17], parent_id[17];

		hex(span->trace_id, 16, trace_id);
		hex(span->span_id, 8, span_id);
		hex(span->parent_id, 8, parent_id);
		json_attributes(&json, span->attributes, span->attribute_count);
		if (json.failed)
			break;
		printf("{\"traceId\":\"%s\",\"spanId\":\"%s\",\"parentSpanId\":\"%s\",\"kind\":%u,"
		       "\"startTimeUnixNano\":\"%llu\",\"endTimeUnixNano\":\"%llu\",\"status\":%u,"
		       "\"resource\":%s,\"attributes\":%s}\n",
		       trace_id, span_id, parent_id, span->kind,
		       (unsigned long long)span->start_unix_ns,
		       (unsigned long long)span->end_unix_ns, span->status, span->resource->json,
		       json.at);
	}
	fflush(stdout);
	free(json.at);
}
