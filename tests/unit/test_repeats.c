/* test_repeats.c - repeated queries are told with the request that they were made for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/enrich.h"
#include "exporter/otlp.h"
#include "exporter/proto/common.pb-c.h"
#include "exporter/proto/trace_service.pb-c.h"
#include "exporter/repeats.h"
#include "tests/unit/segment_writer.h"

#define MS 1000000ull

static struct settings settings;
static struct batch *batch;
static struct repeats *repeats;
static struct writer_span from;
static struct batch_span span;
static uint64_t now;

static int set_up(void **state)
{
	(void)state;
	clearenv();
	settings_read(&settings);
	settings.repeated_queries = 3;
	batch = batch_new(4);
	repeats = repeats_new(&settings);
	now = 1000 * MS;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	repeats_free(repeats);
	batch_free(batch);
	settings_free(&settings);
	return 0;
}

static uint32_t visit(void)
{
	struct record record;

	assert_int_equal(record_parse(&batch->arena, &from,
				      sizeof(from.span) + from.span.fields_size, 1, &record),
			 0);
	record.call.function = (struct text){"list_users", 10};
	record.call.file = (struct text){"users.c", 7};
	record.call.line = 17;
	assert_int_equal(enrich_span(batch, &settings, &record, NULL, 0, &span), 0);
	return repeats_visit(repeats, &record, batch, &span);
}

/* A query of 2 ms below the request of that number, after all others. */
static void start(uint8_t protocol, uint32_t request)
{
	memset(&from, 0, sizeof(from));
	from.span.start_ns = now += 5 * MS;
	from.span.end_ns = now += 2 * MS;
	memcpy(from.span.parent_id, &request, sizeof(request));
	from.span.trace_id[0] = from.span.span_id[7] = 1;
	from.span.kind = SPAN_CLIENT;
	from.span.protocol = protocol;
}

static void query(uint32_t request, const char *sql)
{
	start(SPAN_POSTGRESQL, request);
	writer_text(&from, FIELD_QUERY_TEXT, sql);
	assert_int_equal(visit(), 0);
}

static void queries(uint32_t request, const char *sql, int count)
{
	for (int i = 0; i < count; i++)
		query(request, sql);
}

static uint32_t request_ends(uint32_t request)
{
	start(SPAN_HTTP, 0);
	from.span.kind = SPAN_SERVER;
	memset(from.span.span_id, 0, sizeof(from.span.span_id));
	memcpy(from.span.span_id, &request, sizeof(request));
	return visit();
}

static int64_t number_of(const struct attribute *at, size_t count, const char *key)
{
	const struct attribute *found = attribute_find(at, count, key);

	return found && found->type == ATTRIBUTE_NUMBER ? found->number : -1;
}

static const char *text_of(const struct batch_event *event, const char *key)
{
	const struct attribute *found =
		attribute_find(event->attributes, event->attribute_count, key);

	return found ? found->text.at : NULL;
}

static void a_repeated_statement_is_told_with_count_time_and_place(void **state)
{
	(void)state;
	queries(7, "SELECT a FROM users WHERE id = ?", 42);
	query(7, "SELECT a FROM orders");
	assert_int_equal(request_ends(7), 42);
	assert_int_equal(
		number_of(span.attributes, span.attribute_count, "tagalong.db.repeated_queries"),
		42);
	assert_int_equal(span.event_count, 1);
	const struct batch_event *event = &span.events[0];
	assert_string_equal(event->name, "tagalong.db.repeated_query");
	assert_string_equal(text_of(event, "db.system.name"), "postgresql");
	assert_string_equal(text_of(event, "db.query.summary"), "SELECT users");
	assert_string_equal(text_of(event, "db.query.text"), "SELECT a FROM users WHERE id = ?");
	assert_string_equal(text_of(event, "code.function.name"), "list_users");
	assert_string_equal(text_of(event, "code.file.path"), "users.c");
	assert_int_equal(number_of(event->attributes, event->attribute_count, "code.line.number"),
			 17);
	assert_int_equal(number_of(event->attributes, event->attribute_count,
				   "tagalong.db.repeated_queries"),
			 42);
	assert_int_equal(
		number_of(event->attributes, event->attribute_count, "tagalong.db.repeated_us"),
		84000);
	/* The 42nd ended before the other query and the request, which take 7 ms each. */
	assert_int_equal(event->time_unix_ns, now - 14 * MS);
}

static void what_is_seen_less_often_is_not_told(void **state)
{
	(void)state;
	queries(7, "SELECT a FROM users", 2);
	queries(8, "SELECT a FROM users", 2);
	queries(7, "SELECT b FROM users", 2);
	assert_int_equal(request_ends(7), 0);
	assert_int_equal(span.event_count, 0);
	assert_int_equal(
		number_of(span.attributes, span.attribute_count, "tagalong.db.repeated_queries"),
		-1);
}

static void each_shape_has_its_own_event_in_any_order(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		query(7, "SELECT a FROM users");
		query(7, "SELECT b FROM orders");
	}
	query(7, "SELECT b FROM orders");
	assert_int_equal(request_ends(7), 7);
	assert_int_equal(span.event_count, 2);
	assert_string_equal(text_of(&span.events[1], "db.query.summary"), "SELECT orders");
}

static void what_runs_side_by_side_is_no_repetition(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		start(SPAN_POSTGRESQL, 7);
		from.span.start_ns = 900 * MS;
		writer_text(&from, FIELD_QUERY_TEXT, "SELECT a FROM users");
		assert_int_equal(visit(), 0);
	}
	assert_int_equal(request_ends(7), 0);
}

static void commands_are_the_same_whatever_their_keys(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		char text[32];

		start(SPAN_REDIS, 7);
		snprintf(text, sizeof(text), "GET user:%d", i);
		writer_text(&from, FIELD_OPERATION, "GET");
		writer_text(&from, FIELD_QUERY_TEXT, text);
		assert_int_equal(visit(), 0);
	}
	assert_int_equal(request_ends(7), 3);
	assert_string_equal(text_of(&span.events[0], "db.system.name"), "redis");
	assert_string_equal(text_of(&span.events[0], "db.operation.name"), "GET");
}

static void a_request_is_told_once(void **state)
{
	(void)state;
	queries(7, "SELECT a FROM users", 5);
	assert_int_equal(request_ends(7), 5);
	assert_int_equal(request_ends(7), 0);
}

static void many_requests_and_shapes_are_forgotten_not_kept(void **state)
{
	char sql[64];

	(void)state;
	queries(1, "SELECT a FROM users", 5);
	for (uint32_t i = 2; i < 50 * REPEATS_PARENTS; i++)
		query(i, "SELECT a FROM users");
	assert_int_equal(request_ends(1), 0);
	for (int i = 0; i < 4 * REPEATS_SHAPES; i++) {
		snprintf(sql, sizeof(sql), "SELECT c%d FROM users", i);
		queries(1, sql, 3);
	}
	assert_int_equal(request_ends(1), 3 * REPEATS_SHAPES);
	assert_int_equal(span.event_count, REPEATS_SHAPES);
}

static void zero_turns_it_off(void **state)
{
	(void)state;
	repeats_free(repeats);
	settings.repeated_queries = 0;
	repeats = repeats_new(&settings);
	assert_null(repeats);
	queries(7, "SELECT a FROM users", 50);
	assert_int_equal(request_ends(7), 0);
}

static void a_full_list_of_attributes_counts_the_one_more_as_dropped(void **state)
{
	(void)state;
	settings.attribute_count_limit = 2;
	queries(7, "SELECT a FROM users", 3);
	assert_int_equal(request_ends(7), 3);
	assert_int_equal(span.attribute_count, 2);
	assert_int_equal(span.event_count, 1);
	assert_true(span.attributes_dropped >= 1);
}

/* What a collector would decode. */
static void events_and_truth_values_are_encoded(void **state)
{
	static const struct attribute truth = {.key = "t", .number = 1, .type = ATTRIBUTE_BOOLEAN};
	Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest *request;
	struct resource resource = {0};
	struct payload *payload;

	(void)state;
	queries(7, "SELECT a FROM users", 3);
	request_ends(7);
	span.resource = &resource;
	batch->spans[batch->count++] = span;
	batch->spans[batch->count] = span;
	batch->spans[batch->count].attributes = &truth;
	batch->spans[batch->count].attribute_count = 1;
	batch->spans[batch->count++].event_count = 0;
	payload = otlp_encode(&batch->arena, batch);
	assert_non_null(payload);
	assert_int_equal(payload->items, 2);
	batch->count = 0;
	request = opentelemetry__proto__collector__trace__v1__export_trace_service_request__unpack(
		NULL, payload->size, payload->bytes);
	payload_put(payload);
	assert_non_null(request);
	const ProtobufCBinaryData *packed = request->resource_spans[0]->scope_spans[0]->spans;
	Opentelemetry__Proto__Trace__V1__Span *decoded =
		opentelemetry__proto__trace__v1__span__unpack(NULL, packed->len, packed->data);
	assert_non_null(decoded);
	assert_int_equal(decoded->n_events, 1);
	Opentelemetry__Proto__Trace__V1__Event *event =
		opentelemetry__proto__trace__v1__event__unpack(NULL, decoded->events[0].len,
							       decoded->events[0].data);
	assert_non_null(event);
	assert_string_equal(event->name, "tagalong.db.repeated_query");
	assert_int_equal(event->time_unix_nano, span.events[0].time_unix_ns);
	assert_int_equal(event->n_attributes, span.events[0].attribute_count);
	protobuf_c_message_free_unpacked(&event->base, NULL);
	protobuf_c_message_free_unpacked(&decoded->base, NULL);
	decoded =
		opentelemetry__proto__trace__v1__span__unpack(NULL, packed[1].len, packed[1].data);
	assert_non_null(decoded);
	assert_int_equal(decoded->n_events, 0);
	Opentelemetry__Proto__Common__V1__KeyValue *pair =
		opentelemetry__proto__common__v1__key_value__unpack(
			NULL, decoded->attributes[0].len, decoded->attributes[0].data);
	assert_non_null(pair);
	assert_int_equal(pair->value->value_case,
			 OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_BOOL_VALUE);
	assert_true(pair->value->bool_value);
	protobuf_c_message_free_unpacked(&pair->base, NULL);
	protobuf_c_message_free_unpacked(&decoded->base, NULL);
	protobuf_c_message_free_unpacked(&request->base, NULL);
}

int main(void)
{
#define REPEATS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		REPEATS_TEST(a_repeated_statement_is_told_with_count_time_and_place),
		REPEATS_TEST(what_is_seen_less_often_is_not_told),
		REPEATS_TEST(each_shape_has_its_own_event_in_any_order),
		REPEATS_TEST(what_runs_side_by_side_is_no_repetition),
		REPEATS_TEST(commands_are_the_same_whatever_their_keys),
		REPEATS_TEST(a_request_is_told_once),
		REPEATS_TEST(many_requests_and_shapes_are_forgotten_not_kept),
		REPEATS_TEST(zero_turns_it_off),
		REPEATS_TEST(a_full_list_of_attributes_counts_the_one_more_as_dropped),
		REPEATS_TEST(events_and_truth_values_are_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
