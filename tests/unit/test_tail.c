/* test_tail.c - tail sampling: which traces are kept, when, whole, and within their memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/sampling.h"
#include "exporter/tail.h"
#include "exporter/tail_pack.h"

#define MS     1000000ull
#define START  (1000000 * MS)
#define KEPT   20000u
#define IN_ONE 64u
#define REFS   1000000u

/* What came out, in its order. */
struct kept {
	uint8_t trace_id[16], span_id[8];
	char name[32], policy[24], state[64];
	uint16_t attributes;
};

static struct kept kept[KEPT];
static unsigned kept_count, batch_count;
static int room;
static struct resource resource;
static struct drops drops;
static struct tail *tail;
static struct config *config;
static uint64_t now;

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

static int set_up(void **state)
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

/* Every reference to the resource must have been given back. */
static int tear_down(void **state)
{
	(void)state;
	tail_close(tail);
	config_free(config);
	config = NULL;
	return resource.references == REFS ? 0 : -1;
}

static void configure(const char *text)
{
	config_free(config);
	config = config_parse("f", text, strlen(text));
	assert_non_null(config);
	tail_configure(tail, config_get(config_root(config), "tail_sampling"));
	assert_int_equal(config_finish(config), 0);
}

struct made {
	unsigned trace;
	uint8_t span, parent; /* 0: none */
	int is_remote;        /* the parent */
	int is_error;
	uint64_t duration_ms;
	const char *name, *state;
};

static void number_id(uint8_t *id, size_t size, unsigned number)
{
	memset(id, 0, size);
	for (size_t i = size; i-- > 0 && number; number >>= 8)
		id[i] = (uint8_t)number;
}

/* One span as the pipeline has it, texts in the batch's arena as well as literals. */
static void come(const struct made *made)
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

static void come_root(unsigned trace)
{
	come(&(struct made){.trace = trace, .span = 1, .name = "GET /"});
}

static void pass(uint64_t ms)
{
	now += ms * MS;
	tail_pass(tail, now, 0, 0);
}

static unsigned kept_of(unsigned trace)
{
	uint8_t id[8];
	unsigned count = 0;

	number_id(id, 8, trace);
	for (unsigned i = 0; i < kept_count; i++)
		count += memcmp(kept[i].trace_id + 8, id, 0) == 0 &&
			 memcmp(kept[i].trace_id, id, 8) == 0;
	return count;
}

static void a_trace_is_kept_whole_by_one_span_of_it(void **state)
{
	(void)state;
	configure("tail_sampling: {grace: 100ms, policies: [errors]}\n");
	for (unsigned trace = 1; trace <= 2; trace++) {
		come(&(struct made){
			.trace = trace, .span = 3, .parent = 2, .is_error = trace == 2});
		come(&(struct made){.trace = trace, .span = 2, .parent = 1});
		come(&(struct made){.trace = trace, .span = 1, .name = "GET /"});
	}
	pass(50);
	assert_int_equal(kept_count, 0);
	pass(100);
	assert_int_equal(kept_count, 3);
	assert_int_equal(kept_of(2), 3);
	assert_string_equal(kept[0].policy, "errors");
	assert_string_equal(kept[2].name, "GET /");
	assert_int_equal(kept[0].attributes, 4);
	assert_true(tail_is_empty(tail));
	assert_int_equal(tail_counts(tail)->kept[TAIL_ERRORS], 1);
	assert_int_equal(tail_counts(tail)->dropped, 1);
	assert_int_equal(tail_counts(tail)->dropped_spans, 3);
	assert_int_equal(tail_counts(tail)->kept_spans, 3);
}

static void a_trace_waits_for_its_local_parent(void **state)
{
	(void)state;
	configure("tail_sampling: {grace: 100ms, decision_wait: 2s, policies: [ratio: 1]}\n");
	/* A callee's part ends first; then its caller's call, whose own request is still open. */
	come(&(struct made){.trace = 1, .span = 9, .parent = 8, .is_remote = 1});
	come(&(struct made){.trace = 1, .span = 8, .parent = 1});
	/* Here no more is to be expected: the parent is another exporter's. */
	come(&(struct made){.trace = 2, .span = 9, .parent = 8, .is_remote = 1});
	for (int i = 0; i < 5; i++)
		pass(110);
	assert_int_equal(kept_of(1), 0);
	assert_int_equal(kept_of(2), 1);
	come(&(struct made){.trace = 1, .span = 1});
	pass(101);
	pass(101);
	assert_int_equal(kept_of(1), 3);
	/* What never completes is decided when the wait is over. */
	come(&(struct made){.trace = 3, .span = 9, .parent = 8});
	for (int i = 0; i < 18; i++)
		pass(110);
	assert_int_equal(kept_of(3), 0);
	pass(200);
	assert_int_equal(kept_of(3), 1);
}

static void late_spans_follow_the_decision(void **state)
{
	(void)state;
	configure("tail_sampling: {grace: 100ms, policies: [errors]}\n");
	come(&(struct made){.trace = 1, .span = 1, .is_error = 1});
	come_root(2);
	pass(101);
	assert_int_equal(kept_count, 1);
	come(&(struct made){.trace = 1, .span = 2, .parent = 1});
	come(&(struct made){.trace = 2, .span = 2, .parent = 1, .is_error = 1});
	pass(1);
	assert_int_equal(kept_of(1), 2);
	assert_string_equal(kept[1].policy, "errors");
	assert_int_equal(kept_of(2), 0);
	assert_int_equal(tail_counts(tail)->dropped_spans, 2);
	/* After a minute nobody remembers. */
	pass(61000);
	come(&(struct made){.trace = 2, .span = 3, .parent = 1, .is_error = 1});
	pass(6000);
	assert_int_equal(kept_of(2), 1);
}

static void policies_are_tried_in_their_order(void **state)
{
	static const struct {
		struct made made;
		const char *policy;
	} cases[] = {
		{{.span = 1, .is_error = 1, .duration_ms = 900}, "errors"},
		{{.span = 1, .duration_ms = 501}, "slower_than"},
		/* The first of them made the route known. */
		{{.span = 1, .duration_ms = 500}, ""},
		{{.span = 1, .name = "GET /other"}, "rare_route"},
	};

	(void)state;
	configure("tail_sampling:\n"
		  "  grace: 1ms\n"
		  "  policies:\n"
		  "    - errors\n"
		  "    - slower_than: 500ms\n"
		  "    - attribute: {key: http.request.method, values: [POST, PUT]}\n"
		  "    - attribute: {key: enduser.id, values: [user-7]}\n"
		  "    - rare_route: 1h\n");
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct made made = cases[i].made;

		made.trace = 100 + i;
		come(&made);
		kept_count = 0;
		pass(2);
		assert_int_equal(kept_count, cases[i].policy[0] != 0);
		if (kept_count)
			assert_string_equal(kept[0].policy, cases[i].policy);
	}
	come(&(struct made){.trace = 7, .span = 1});
	kept_count = 0;
	pass(2);
	assert_string_equal(kept[0].policy, "attribute");
}

static void a_route_that_was_not_kept_for_long_is_rare(void **state)
{
	(void)state;
	configure("tail_sampling: {grace: 1ms, policies: [rare_route: 10s]}\n");
	come_root(1);
	pass(2);
	come_root(2);
	pass(9000);
	assert_int_equal(kept_count, 1);
	come_root(3);
	pass(1500);
	come_root(4);
	pass(2);
	assert_int_equal(kept_count, 2);
	assert_int_equal(kept_of(4), 1);
}

static void what_is_slower_than_a_routes_p99_is_kept(void **state)
{
	(void)state;
	configure("tail_sampling: {grace: 1ms, policies: [slower_than_p99]}\n");
	/* Durations of 10 to 19 ms of one route; another is slow all the time. */
	for (unsigned i = 1; i <= 400; i++) {
		come(&(struct made){.trace = i, .span = 1, .duration_ms = 10 + i % 10});
		come(&(struct made){
			.trace = 1000 + i, .span = 1, .duration_ms = 500, .name = "GET /slow"});
	}
	pass(2);
	assert_int_equal(kept_count, 0);
	come(&(struct made){.trace = 5000, .span = 1, .duration_ms = 50});
	come(&(struct made){.trace = 5001, .span = 1, .duration_ms = 15});
	come(&(struct made){.trace = 5002, .span = 1, .duration_ms = 510, .name = "GET /slow"});
	come(&(struct made){.trace = 5003, .span = 1, .duration_ms = 900, .name = "GET /slow"});
	pass(2);
	assert_int_equal(kept_count, 2);
	assert_int_equal(kept_of(5000), 1);
	assert_int_equal(kept_of(5003), 1);
}

static void a_rate_keeps_so_many_traces_a_second(void **state)
{
	(void)state;
	configure("tail_sampling: {grace: 1ms, policies: [rate: 10]}\n");
	for (unsigned i = 1; i <= 100; i++)
		come_root(i);
	pass(2);
	assert_int_equal(kept_count, 10);
	pass(500);
	for (unsigned i = 101; i <= 200; i++)
		come_root(i);
	pass(2);
	assert_true(kept_count == 15 || kept_count == 16);
}

static void a_ratio_is_the_same_choice_everywhere(void **state)
{
	uint64_t threshold = sampling_threshold(0.25);
	unsigned expected = 0;

	(void)state;
	configure("tail_sampling: {grace: 1ms, policies: [ratio: 0.25]}\n");
	for (unsigned i = 1; i <= 2000; i++) {
		/* Randomness of each trace's own, as rv: says. */
		uint64_t r = (i * 0x9e3779b97f4a7c15ull) >> 8;
		char given[40];

		snprintf(given, sizeof(given), "ot=rv:%014llx", (unsigned long long)r);
		come(&(struct made){.trace = i, .span = 1, .state = given});
		expected += r >= threshold;
	}
	pass(2);
	assert_int_equal(kept_count, expected);
	assert_true(expected > 400 && expected < 600);
	for (unsigned i = 0; i < kept_count; i++) {
		assert_int_equal(strncmp(kept[i].state, "ot=th:c;rv:", 11), 0);
		assert_string_equal(kept[i].policy, "ratio");
		assert_true(sampling_randomness(kept[i].trace_id, kept[i].state) >= threshold);
	}
}

static void a_threshold_is_only_ever_raised(void **state)
{
	static const struct {
		const char *before, *after;
	} cases[] = {
		{"ot=th:8;rv:ffffffffffffff", "ot=th:c;rv:ffffffffffffff"},
		{"ot=th:e;rv:ffffffffffffff", "ot=th:e;rv:ffffffffffffff"},
		{"a=b,ot=rv:ffffffffffffff", "ot=th:c;rv:ffffffffffffff,a=b"},
	};

	(void)state;
	configure("tail_sampling: {grace: 1ms, policies: [errors, ratio: 0.25]}\n");
	for (unsigned i = 0; i < 3; i++)
		come(&(struct made){.trace = i + 1, .span = 1, .state = cases[i].before});
	come(&(struct made){.trace = 9, .span = 1, .state = cases[0].before, .is_error = 1});
	pass(2);
	assert_int_equal(kept_count, 4);
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(kept[i].state, cases[i].after);
	/* A trace that was kept for another reason stands for as many as before. */
	assert_string_equal(kept[3].state, cases[0].before);
}

static void with_little_memory_the_oldest_are_decided_early(void **state)
{
	(void)state;
	configure("tail_sampling: {grace: 10s, decision_wait: 10s, memory: 1MiB, "
		  "policies: [errors]}\n");
	for (unsigned i = 1; i <= 10000; i++)
		come(&(struct made){.trace = i, .span = 1, .is_error = i % 100 == 1});
	assert_true(tail_counts(tail)->early > 8000);
	assert_true(tail_has_room(tail));
	pass(0);
	assert_int_equal(kept_count, tail_counts(tail)->kept_spans);
	assert_int_equal(kept_of(1), 1);
	tail_pass(tail, now, 0, 1);
	assert_int_equal(kept_count, 100);
	assert_int_equal(tail_counts(tail)->dropped, 9900);
	assert_int_equal(drops.count[DROPS_MEMORY], 0);
}

static void while_nothing_is_taken_only_errors_are_kept_and_then_none_come(void **state)
{
	unsigned sent = 0, errors = 0;

	(void)state;
	configure("tail_sampling: {grace: 1ms, memory: 1MiB, policies: [errors, ratio: 1]}\n");
	room = 0;
	while (tail_has_room(tail) && sent < 100000) {
		sent++;
		come(&(struct made){.trace = sent, .span = 1, .is_error = sent % 10 == 0});
		pass(1);
	}
	/* Errors alone fill what is left, at a tenth of the pace. */
	assert_int_equal(tail_has_room(tail), 0);
	assert_true(tail_counts(tail)->dropped > 0);
	assert_int_equal(kept_count, 0);
	room = 1;
	tail_pass(tail, now, 0, 1);
	assert_true(tail_is_empty(tail));
	assert_true(tail_has_room(tail));
	for (unsigned i = 0; i < kept_count; i++)
		errors += strcmp(kept[i].policy, "errors") == 0;
	assert_int_equal(errors, sent / 10);
	assert_int_equal(kept_count + tail_counts(tail)->dropped, sent);
	assert_int_equal(drops.count[DROPS_MEMORY], 0);
}

static void switched_off_it_lets_go_of_all(void **state)
{
	(void)state;
	configure("tail_sampling: {policies: [errors]}\n");
	come_root(1);
	assert_true(tail_is_on(tail));
	configure("# off\n");
	assert_false(tail_is_on(tail));
	assert_false(tail_is_empty(tail));
	pass(0);
	assert_int_equal(kept_count, 1);
	assert_string_equal(kept[0].policy, "");
	assert_true(tail_is_empty(tail));
}

static void what_waits_at_the_end_is_counted(void **state)
{
	(void)state;
	configure("tail_sampling: {policies: [ratio: 1]}\n");
	come_root(1);
	come_root(2);
	tail_close(tail);
	tail = NULL;
	assert_int_equal(drops.count[DROPS_SHUTDOWN], 2);
}

static void batches_are_filled_or_wait_for_their_delay(void **state)
{
	(void)state;
	configure("tail_sampling: {grace: 1ms, policies: [ratio: 1]}\n");
	for (unsigned i = 1; i <= IN_ONE + 1; i++)
		come_root(i);
	now += 2 * MS;
	tail_pass(tail, now, 100 * MS, 0);
	assert_int_equal(batch_count, 1);
	assert_int_equal(kept_count, IN_ONE);
	now += 100 * MS;
	tail_pass(tail, now, 100 * MS, 0);
	assert_int_equal(batch_count, 2);
	assert_int_equal(kept_count, IN_ONE + 1);
}

static void assert_complained_of(const char *section)
{
	struct config *file = config_parse("f", section, strlen(section));
	struct tail_policies policies;

	assert_non_null(file);
	tail_policies_read(config_root(file), &policies);
	if (config_finish(file) == 0)
		fail_msg("%s", section);
	config_free(file);
}

static void a_section_that_makes_no_sense_is_complained_of(void **state)
{
	static const char *const sections[] = {
		"{}",
		"{policies: []}",
		"{policies: errors}",
		"{policies: [mistakes]}",
		"{policies: [slower_than]}",
		"{policies: [errors: 5]}",
		"{policies: [ratio: 2]}",
		"{policies: [rate: 0]}",
		"{policies: [attribute: {values: [a]}]}",
		"{policies: [attribute: {key: a, values: []}]}",
		"{policies: [{errors: , ratio: 1}]}",
		"{policies: [errors], memory: 1k}",
		"{policies: [errors], decision_wait: 2h}",
		"{policies: [errors], wait: 2s}",
	};
	char too_many[256];
	int size = snprintf(too_many, sizeof(too_many), "{policies: [");
	FILE *before = stderr;

	(void)state;
	for (int i = 0; i <= TAIL_POLICIES_MAX; i++)
		size += snprintf(too_many + size, sizeof(too_many) - (size_t)size, "errors%s",
				 i < TAIL_POLICIES_MAX ? ", " : "]}");
	stderr = fopen("/dev/null", "we");
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		assert_complained_of(sections[i]);
	assert_complained_of(too_many);
	fclose(stderr);
	stderr = before;
}

static void assert_same_attributes(const struct batch_span *to, const struct batch_span *from)
{
	assert_int_equal(to->attribute_count, from->attribute_count);
	for (int i = 0; i < from->attribute_count; i++) {
		const struct attribute *one = &to->attributes[i], *other = &from->attributes[i];

		assert_string_equal(one->key, other->key);
		assert_int_equal(one->type, other->type);
		assert_int_equal(one->number, other->number);
		assert_int_equal(one->text.size, other->text.size);
	}
}

static void a_packed_span_is_the_same_again(void **state)
{
	static const struct attribute of_event = {
		.key = "count", .type = ATTRIBUTE_NUMBER, .number = -5};
	static const struct batch_event event = {7, "repeated", &of_event, 1};
	char key[] = "http.request.header.x", value[] = "\xc3\xa9t\xc3\xa9";
	const struct attribute attributes[] = {
		{.key = key, .type = ATTRIBUTE_TEXTS, .text = {value, 5}},
		{.key = "big", .type = ATTRIBUTE_NUMBER, .number = INT64_MIN},
		{.key = "true", .type = ATTRIBUTE_BOOLEAN, .number = 1},
		{.key = "empty", .type = ATTRIBUTE_TEXT, .text = TEXT_OF("")},
	};
	const struct batch_span from = {.resource = &resource,
					.start_unix_ns = 1ull << 60,
					.end_unix_ns = (1ull << 60) + 5,
					.name = value,
					.error_type = "500",
					.request_id = key,
					.attributes = attributes,
					.events = &event,
					.flags = 0x303,
					.attribute_count = 4,
					.attributes_dropped = 9,
					.event_count = 1,
					.http_status = 503,
					.kind = 2,
					.status = STATUS_ERROR,
					.span_id = {1, 2, 3},
					.parent_id = {4}};
	struct tail_head head;
	struct batch_span to;
	struct arena arena;
	size_t size;
	const uint8_t *bytes = tail_pack(&from, &size);

	(void)state;
	assert_non_null(bytes);
	memcpy(&head, bytes, sizeof(head));
	assert_int_equal(head.size + sizeof(head), size);
	arena_init(&arena);
	assert_int_equal(tail_unpack(&arena, &head, bytes + sizeof(head), &to), 0);
	assert_ptr_equal(to.resource, &resource);
	assert_int_equal(to.end_unix_ns, from.end_unix_ns);
	assert_string_equal(to.name, value);
	assert_ptr_not_equal(to.name, value);
	assert_string_equal(to.error_type, "500");
	assert_null(to.status_message);
	assert_null(to.target);
	assert_memory_equal(to.span_id, from.span_id, 8);
	assert_memory_equal(to.parent_id, from.parent_id, 8);
	assert_int_equal(to.flags, 0x303);
	assert_int_equal(to.http_status, 503);
	assert_int_equal(to.attributes_dropped, 9);
	assert_same_attributes(&to, &from);
	assert_string_equal(to.attributes[0].text.at, value);
	assert_int_equal(to.events[0].time_unix_ns, 7);
	assert_string_equal(to.events[0].name, "repeated");
	assert_int_equal(to.events[0].attributes[0].number, -5);
	arena_free(&arena);
}

int main(void)
{
#define TAIL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TAIL_TEST(a_trace_is_kept_whole_by_one_span_of_it),
		TAIL_TEST(a_trace_waits_for_its_local_parent),
		TAIL_TEST(late_spans_follow_the_decision),
		TAIL_TEST(policies_are_tried_in_their_order),
		TAIL_TEST(a_route_that_was_not_kept_for_long_is_rare),
		TAIL_TEST(what_is_slower_than_a_routes_p99_is_kept),
		TAIL_TEST(a_rate_keeps_so_many_traces_a_second),
		TAIL_TEST(a_ratio_is_the_same_choice_everywhere),
		TAIL_TEST(a_threshold_is_only_ever_raised),
		TAIL_TEST(with_little_memory_the_oldest_are_decided_early),
		TAIL_TEST(while_nothing_is_taken_only_errors_are_kept_and_then_none_come),
		TAIL_TEST(switched_off_it_lets_go_of_all),
		TAIL_TEST(what_waits_at_the_end_is_counted),
		TAIL_TEST(batches_are_filled_or_wait_for_their_delay),
		TAIL_TEST(a_section_that_makes_no_sense_is_complained_of),
		TAIL_TEST(a_packed_span_is_the_same_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
