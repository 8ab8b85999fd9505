/* otlp.c - a batch as OTLP's ExportTraceServiceRequest, and what collectors answer. */
#include "otlp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "exporter/otlp_span.h"
#include "exporter/packed.h"
#include "exporter/proto/status.pb-c.h"
#include "exporter/proto/trace_service.pb-c.h"

#define REQUEST_INIT  OPENTELEMETRY__PROTO__COLLECTOR__TRACE__V1__EXPORT_TRACE_SERVICE_REQUEST__INIT
#define SCOPE_INIT    OPENTELEMETRY__PROTO__COMMON__V1__INSTRUMENTATION_SCOPE__INIT
#define RESOURCE_INIT OPENTELEMETRY__PROTO__RESOURCE__V1__RESOURCE__INIT
#define GROUP_INIT    OPENTELEMETRY__PROTO__TRACE__V1__RESOURCE_SPANS__INIT
#define SCOPED_INIT   OPENTELEMETRY__PROTO__TRACE__V1__SCOPE_SPANS__INIT

/* The generated types carry their whole package's name. */
#define COMMON(name)  Opentelemetry__Proto__Common__V1__##name
#define TRACE(name)   Opentelemetry__Proto__Trace__V1__##name
#define SERVICE(name) Opentelemetry__Proto__Collector__Trace__V1__##name
#define OWNER         Opentelemetry__Proto__Resource__V1__Resource

/* protobuf-c's structs want pointers that may be written through; it only reads what it packs. */
static char *unconst(const char *string)
{
	return (char *)(uintptr_t)string;
}

/* All of one process's spans, with what stands around them. */
struct group {
	TRACE(ResourceSpans) group;
	OWNER resource;
	TRACE(ScopeSpans) scoped;
	COMMON(InstrumentationScope) scope;
	TRACE(ScopeSpans) * scoped_list[1];
	const struct resource *of;
};

static int start_group(struct arena *arena, const struct resource *of, size_t spans,
		       struct group *group)
{
	group->of = of;
	group->group = (TRACE(ResourceSpans))GROUP_INIT;
	group->resource = (OWNER)RESOURCE_INIT;
	group->scoped = (TRACE(ScopeSpans))SCOPED_INIT;
	group->scope = (COMMON(InstrumentationScope))SCOPE_INIT;
	group->scope.name = unconst(TELEMETRY_SCOPE);
	group->scope.version = unconst(TAGALONG_VERSION);
	group->scoped.scope = &group->scope;
	group->scoped.schema_url = unconst(SCHEMA_URL);
	group->scoped.spans = arena_take(arena, spans * sizeof(*group->scoped.spans));
	group->scoped_list[0] = &group->scoped;
	group->group.resource = &group->resource;
	group->group.n_scope_spans = 1;
	group->group.scope_spans = group->scoped_list;
	group->group.schema_url = unconst(SCHEMA_URL);
	group->resource.n_attributes = of->attribute_count;
	group->resource.attributes = packed_attributes(arena, of->attributes, of->attribute_count);
	return group->resource.attributes && group->scoped.spans ? 0 : -ENOMEM;
}

/* Spans of one process stand together for the most part, so the last group is asked first. */
static struct group *group_of(struct group *groups, size_t count, const struct resource *of)
{
	for (size_t i = count; i-- > 0;) {
		if (groups[i].of == of)
			return &groups[i];
	}
	return NULL;
}

static int build(struct arena *arena, const struct batch *batch,
		 SERVICE(ExportTraceServiceRequest) * request)
{
	struct group *groups = arena_take(arena, (batch->mark_count + 1) * sizeof(*groups));
	size_t count = 0;

	request->resource_spans =
		arena_take(arena, (batch->mark_count + 1) * sizeof(TRACE(ResourceSpans) *));
	if (!groups || !request->resource_spans)
		return -ENOMEM;
	for (size_t i = 0; i < batch->count; i++) {
		const struct batch_span *from = &batch->spans[i];
		struct group *group = group_of(groups, count, from->resource);

		if (!group) {
			group = &groups[count];
			if (start_group(arena, from->resource, batch->count, group) != 0)
				return -ENOMEM;
			request->resource_spans[count++] = &group->group;
		}
		if (otlp_span(arena, from, &group->scoped.spans[group->scoped.n_spans]) != 0)
			return -ENOMEM;
		group->scoped.n_spans++;
	}
	request->n_resource_spans = count;
	return 0;
}

struct payload *otlp_encode(struct arena *arena, const struct batch *batch)
{
	SERVICE(ExportTraceServiceRequest) request = REQUEST_INIT;
	struct payload *payload;
	size_t size;

	if (build(arena, batch, &request) != 0)
		return NULL;
	size = protobuf_c_message_get_packed_size(&request.base);
	payload = payload_new(SIGNAL_TRACES, (uint32_t)batch->count, size);
	if (!payload)
		return NULL;
	payload->opened_ns = batch->opened_ns;
	protobuf_c_message_pack(&request.base, payload->bytes);
	return payload;
}

/* What others wrote goes into a log line only without line breaks and the like. */
static void copy_message(const char *from, char *to, size_t room)
{
	snprintf(to, room, "%s", from ? from : "");
	for (; *to; to++) {
		if ((unsigned char)*to < 0x20 || *to == 0x7f)
			*to = '?';
	}
}

int otlp_answer_parse(const uint8_t *bytes, size_t size, struct otlp_answer *answer)
{
	SERVICE(ExportTraceServiceResponse) *response =
		opentelemetry__proto__collector__trace__v1__export_trace_service_response__unpack(
			NULL, size, bytes);

	if (!response)
		return -EINVAL;
	answer->rejected = 0;
	answer->message[0] = '\0';
	if (response->partial_success) {
		answer->rejected = response->partial_success->rejected_spans;
		copy_message(response->partial_success->error_message, answer->message,
			     sizeof(answer->message));
	}
	protobuf_c_message_free_unpacked(&response->base, NULL);
	return 0;
}

void otlp_status_text(const uint8_t *bytes, size_t size, char *text, size_t room)
{
	Google__Rpc__Status *status = google__rpc__status__unpack(NULL, size, bytes);

	text[0] = '\0';
	if (!status)
		return;
	copy_message(status->message, text, room);
	google__rpc__status__free_unpacked(status, NULL);
}
