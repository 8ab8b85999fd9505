/* tail_test.c - tail sampling by the test's clock: spans that come, and what is kept of them. */
#include "tests/unit/tail_test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/tail_pack.h"

#define START (1000000 * MS)
#define KEPT  20000u
#define REFS  1000000u

struct kept kept[KEPT];
unsigned kept_count, batch_count;
int room;
static struct resource resource;
struct drops drops;
struct tail *tail;
static struct config *config;
uint64_t now;

static struct batch *take(void *context)
{
	(void)context;
	return batch_new(IN_ONE);
}

static void note(const struct batch_span *span)
{
	const struct attribute *policy =
		attribute_find(span->attributes, span->attribute_count, "tagalong.sampling.policy");
	struct kept *to = &kept[kept_count++];

	assert_true(kept_count < KEPT);
	assert_ptr_equal(span->resource, &resource);
	memset(to, 0, sizeof(*to));
	memcpy(to->trace_id, span->trace_id, 16);
	memcpy(to->span_id, span->span_id, 8);
	snprintf(to->name, sizeof(to->name), "%s", span->name);
	snprintf(to->policy, sizeof(to->policy), "%s", policy ? policy->text.at : "");
	snprintf(to->state, sizeof(to->state), "%s", span->trace_state ? span->trace_state : "");
	to->attributes = span->attribute_count;
}

static void emit(void *context, struct batch *batch)
{
	(void)context;
	batch_count++;
	for (size_t i = 0; i < batch->count; i++)
		note(&batch->spans[i]);
	batch_free(batch);
}

static int has_room(void *context)
{
	(void)context;
	return room;
}

int tail_set_up(void **state)
{
	const struct tail_outlet outlet = {take, emit, has_room, NULL};

	(void)state;
	memset(&resource, 0, sizeof(resource));
	memset(&drops, 0, sizeof(drops));
	resource.references = REFS;
	resource.service = "shop";
	kept_count = batch_count = 0;
	room = 1;
	now = START;
	tail = tail_new(&outlet, &drops);
	return tail ? 0 : -1;
}

int tail_tear_down(void **state)
{
	(void)state;
	tail_close(tail);
	config_free(config);
	config = NULL;
	return resource.references == REFS ? 0 : -1;
}

void configure(const char *text)
{
	config_free(config);
	config = config_parse("f", text, strlen(text));
	assert_non_null(config);
	tail_configure(tail, config_get(config_root(config), "tail_sampling"));
	assert_int_equal(config_finish(config), 0);
}

static void number_id(uint8_t *id, size_t size, unsigned number)
{
	memset(id, 0, size);
	for (size_t i = size; i-- > 0 && number; number >>= 8)
		id[i] = (uint8_t)number;
}

/* Texts are in the batch's arena as well as literals. */
void come(const struct made *made)
{
	struct batch *batch = batch_new(1);
	struct batch_span *span = &batch->spans[0];
	struct attribute attributes[3] = {
		{.key = "http.request.method", .type = ATTRIBUTE_TEXT, .text = TEXT_OF("GET")},
		{.key = "http.response.status_code", .type = ATTRIBUTE_NUMBER, .number = 200},
		{.key = "enduser.id", .type = ATTRIBUTE_TEXT},
	};
	char text[32];

	assert_non_null(batch);
	memset(span, 0, sizeof(*span));
	number_id(span->trace_id, 16, made->trace);
	/* The first eight bytes are of the number as well. */
	number_id(span->trace_id, 8, made->trace);
	number_id(span->span_id, 8, made->trace << 8 | made->span);
	if (made->parent)
		number_id(span->parent_id, 8, made->trace << 8 | made->parent);
	span->flags = made->is_remote ? TAIL_FLAG_REMOTE : 0;
	span->status = made->is_error ? STATUS_ERROR : STATUS_UNSET;
	span->end_unix_ns = made->duration_ms * MS;
	span->name = made->name ? made->name : "GET";
	span->trace_state = made->state;
	snprintf(text, sizeof(text), "user-%u", made->trace);
	attributes[2].text.at = arena_text(&batch->arena, text, strlen(text));
	attributes[2].text.size = (uint32_t)strlen(text);
	span->attributes = attributes;
	span->attribute_count = 3;
	span->resource = &resource;
	batch->count = 1;
	tail_take(tail, batch, now);
	batch_free(batch);
}

void come_root(unsigned trace)
{
	come(&(struct made){.trace = trace, .span = 1, .name = "GET /"});
}

void pass(uint64_t ms)
{
	now += ms * MS;
	tail_pass(tail, now, 0, 0);
}

unsigned kept_of(unsigned trace)
{
	uint8_t id[8];
	unsigned count = 0;

	number_id(id, 8, trace);
	for (unsigned i = 0; i < kept_count; i++)
		count += memcmp(kept[i].trace_id, id, 8) == 0;
	return count;
}
