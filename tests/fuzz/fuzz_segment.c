/* fuzz_segment.c - any bytes as a process's slot: the exporter reads on, in bounds, and ends. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/address.h"
#include "exporter/enrich.h"
#include "exporter/json.h"
#include "exporter/record.h"
#include "exporter/ring.h"
#include "tests/fuzz/target.h"

/* The first bytes of an input say where in the ring the rest lies and what the positions are. */
struct plan {
	uint64_t head, tail;
	uint32_t at;
	uint8_t commit; /* write good commit words, so that the fuzzer needn't find them */
	uint8_t gone;
	uint8_t inflight;
	uint8_t identity;
};

static struct slot *slot;
static struct settings settings;
static char method_get[] = "GET", method_post[] = "POST";

static void check_text(const char *text)
{
	CHECK(!text || text_valid(text, strlen(text)));
}

static void check_span(const struct batch_span *span)
{
	struct json json = {0};

	CHECK(span->name && *span->name);
	CHECK(span->end_unix_ns - span->start_unix_ns <= INT64_MAX);
	CHECK((span->status == STATUS_ERROR) == (span->error_type != NULL));
	CHECK(span->kind >= SPAN_INTERNAL && span->kind <= SPAN_CLIENT);
	CHECK((span->flags & ~0x3ffu) == 0);
	check_text(span->name);
	check_text(span->target);
	check_text(span->trace_state);
	check_text(span->request_id);
	for (size_t i = 0; i < span->attribute_count; i++) {
		const struct attribute *attribute = &span->attributes[i];

		check_text(attribute->key);
		if (attribute->type != ATTRIBUTE_NUMBER) {
			check_text(attribute->text.at);
			CHECK(strlen(attribute->text.at) == attribute->text.size);
		}
	}
	json_attributes(&json, span->attributes, span->attribute_count);
	CHECK(!json.failed && json.at[json.size] == '\0' && text_valid(json.at, json.size));
	free(json.at);
}

static void try_record(struct batch *batch, const void *bytes, size_t size)
{
	/* In its exact size on the heap, so that reading beyond it is seen. */
	void *copy = malloc(size ? size : 1);
	struct batch_span span;
	struct record record;

	memcpy(copy, bytes, size);
	if (record_parse(&batch->arena, copy, size, 1, &record) == 0) {
		CHECK(record.span.end_ns >= record.span.start_ns);
		CHECK(enrich_span(batch, &settings, &record, NULL, 0, &span) == 0);
		check_span(&span);
	}
	free(copy);
}

/* What is believed of a stack lies within its record, of which nothing is left. */
static void try_stack(struct ring_reader *reader, const uint8_t *payload, size_t size)
{
	struct stack_record stack;

	CHECK(size <= RING_STACK_MAX + RING_ALIGN);
	if (record_stack(payload, size, &stack) == 0) {
		CHECK(sizeof(stack) + stack.size <= size);
		CHECK(stack.base + stack.size >= stack.base);
	}
	ring_wipe(reader, payload, size);
	for (size_t i = 0; i < size; i++)
		CHECK(payload[i] == 0);
}

static void try_ring(struct batch *batch, int gone)
{
	struct ring_reader reader;
	enum ring_result found;
	const void *payload;
	size_t size;
	unsigned count = 0;

	ring_reader_init(&reader, &slot->ring);
	while ((found = ring_next(&reader, gone, 1, &payload, &size)) != RING_EMPTY) {
		const uint8_t *at = payload;

		CHECK(at >= slot->ring.data && at + size <= slot->ring.data + RING_BYTES);
		CHECK(reader.cursor % RING_ALIGN == 0);
		/* Each takes a step of its own, so that a lap is the end. */
		CHECK(++count <= RING_BYTES / RING_ALIGN);
		if (found == RING_STACK)
			try_stack(&reader, payload, size);
		else if (count < 64)
			try_record(batch, payload, size);
		ring_release(&reader, reader.cursor);
	}
	CHECK(!gone || ring_pending(&reader) == 0);
	ring_release_excess(&reader);
}

static void try_identity(void)
{
	struct resource *resource;
	struct slot_identity identity;

	memcpy(&identity, &slot->identity, sizeof(identity));
	/* Only this process's own files in /proc are to be looked at. */
	identity.pid = 0;
	resource = resource_new(&identity);
	CHECK(resource && text_valid(resource->json, strlen(resource->json)));
	check_text(resource->service);
	resource_put(resource);
}

static void fill(const struct plan *plan, const uint8_t *data, size_t size)
{
	uint64_t tail = plan->tail & ~(uint64_t)(RING_ALIGN - 1);
	uint32_t offset = (uint32_t)(tail % RING_BYTES);

	memset(slot, 0, sizeof(*slot));
	slot->ring.head = plan->head;
	slot->ring.tail = plan->tail;
	if (size > RING_BYTES - offset)
		size = RING_BYTES - offset;
	memcpy(slot->ring.data + offset, data, size);
	for (uint64_t done = 0; plan->commit && done + 16 <= size; done += RING_ALIGN) {
		uint64_t commit = tail + done + 1;

		if (done == 0 || slot->ring.data[offset + done] == 'C')
			memcpy(slot->ring.data + offset + done, &commit, sizeof(commit));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct batch *batch;
	struct plan plan;

	if (size < sizeof(plan))
		return 0;
	if (!slot)
		slot = aligned_alloc(4096, sizeof(*slot));
	settings.methods[0] = method_get;
	settings.methods[1] = method_post;
	settings.method_count = 2;
	settings.attribute_count_limit = 40;
	settings.attribute_length_limit = 100;
	memcpy(&plan, data, sizeof(plan));
	data += sizeof(plan);
	size -= sizeof(plan);
	if (plan.commit)
		plan.head = (plan.tail & ~(uint64_t)(RING_ALIGN - 1)) +
			    ((size + RING_ALIGN - 1) & ~(uint64_t)(RING_ALIGN - 1));
	fill(&plan, data, size);
	batch = batch_new(1);
	CHECK(batch);
	try_ring(batch, plan.gone & 1);
	if (plan.inflight & 1)
		try_record(batch, data, size);
	if (plan.identity & 1) {
		memcpy(&slot->identity, data,
		       size < sizeof(slot->identity) ? size : sizeof(slot->identity));
		try_identity();
	}
	batch_free(batch);
	return 0;
}
