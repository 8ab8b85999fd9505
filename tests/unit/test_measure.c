/* test_measure.c - spans from the rings become metrics, sampled or not, whatever worker made them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "exporter/log.h"
#include "exporter/measure.h"
#include "exporter/metrics_collect.h"
#include "exporter/metrics_options.h"
#include "exporter/stream.h"
#include "exporter/uuid.h"
#include "tests/unit/segment_writer.h"

static char path[64];
static struct segment_file file;
static struct settings settings;
static struct drops drops;
static struct exits exits;
static struct drain drain;
static struct batch *batch;
static struct slot *slot;
static struct metrics *metrics;

static int set_up(void **state)
{
	struct metrics_options options = {.series_limit = 100, .has_pull = 1};

	(void)state;
	snprintf(path, sizeof(path), "/dev/shm/tagalong-measure-%d", getpid());
	unlink(path);
	exits_init(&exits, -1);
	if (segment_file_create(&file, path, 2) != 0 || settings_read(&settings) != 0 ||
	    drain_init(&drain, &file, &settings, &drops, &exits) != 0)
		return -1;
	metrics = metrics_new(&options);
	drain.measure = measure_new(metrics, &settings, &drain);
	batch = batch_new(64);
	slot = writer_attach(path, "/usr/sbin/nginx");
	return !batch || !slot || !drain.measure;
}

static int tear_down(void **state)
{
	(void)state;
	measure_free(drain.measure);
	metrics_free(metrics);
	batch_free(batch);
	drain_fini(&drain);
	exits_fini(&exits);
	segment_file_close(&file);
	settings_free(&settings);
	return unlink(path);
}

static struct writer_span made(uint8_t kind, uint8_t protocol, uint64_t duration_ns)
{
	static uint64_t number = 100;
	struct writer_span span;

	memset(&span, 0, sizeof(span));
	number++;
	memcpy(span.span.trace_id, &number, sizeof(number));
	memcpy(span.span.span_id, &number, sizeof(number));
	span.span.start_ns = writer_now_ns() - duration_ns;
	span.span.end_ns = span.span.start_ns + duration_ns;
	span.span.kind = kind;
	span.span.protocol = protocol;
	span.span.trace_flags = 1;
	return span;
}

static struct writer_span request(const char *method, uint16_t status, uint64_t duration_ns)
{
	struct writer_span span = made(SPAN_SERVER, SPAN_HTTP, duration_ns);

	span.span.version = 11;
	span.span.status_code = status;
	span.span.flags = status ? SPAN_RESPONSE_SEEN : 0;
	span.span.response_body_bytes = 500;
	writer_text(&span, FIELD_METHOD, method);
	writer_text(&span, FIELD_PATH, "/orders/17");
	writer_text(&span, FIELD_HOST, "shop.example");
	return span;
}

static void push(struct writer_span span)
{
	assert_int_equal(writer_push(slot, &span), 0);
}

static void read_all(void)
{
	drain_watch(&drain);
	drain_read(&drain, batch);
}

/* ---- what is told ---------------------------------------------------------------------------- */

struct found {
	const char *metric;
	char attributes[512]; /* "key=value " each */
	double value;
	uint64_t count;
	double sum;
	uint64_t exemplars;
	uint8_t trace_id;
	char service[64];
};

static struct found found[64];
static size_t found_count;

static void keep(void *context, const struct metric_point *point)
{
	struct found *to = &found[found_count++];
	char *at = to->attributes;

	(void)context;
	assert_true(found_count <= 64);
	memset(to, 0, sizeof(*to));
	to->metric = point->definition->name;
	for (size_t i = 0; i < point->attribute_count; i++) {
		const struct attribute *from = &point->attributes[i];

		if (attribute_is_text(from->type))
			at += sprintf(at, "%s=%s ", from->key, from->text.at);
		else
			at += sprintf(at, "%s=%lld ", from->key, (long long)from->number);
	}
	to->value = point->value;
	to->count = point->count;
	to->sum = point->sum;
	to->exemplars = point->exemplar_mask;
	if (point->exemplar_mask)
		to->trace_id = point->exemplars[__builtin_ctzll(point->exemplar_mask)].trace_id[0];
	snprintf(to->service, sizeof(to->service), "%s", point->resource->service);
}

static void collect(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	found_count = 0;
	metrics_collect(metrics, READER_PULL, (uint64_t)now.tv_sec * 1000000000u, keep, NULL);
}

/* The only series of that metric with these attributes. */
static const struct found *the(const char *metric, const char *attributes)
{
	const struct found *result = NULL;

	for (size_t i = 0; i < found_count; i++)
		if (strcmp(found[i].metric, metric) == 0 &&
		    strcmp(found[i].attributes, attributes) == 0) {
			assert_null(result);
			result = &found[i];
		}
	if (!result)
		for (size_t i = 0; i < found_count; i++)
			print_message("told: %s %s\n", found[i].metric, found[i].attributes);
	assert_non_null(result);
	return result;
}

#define OK_GET                                                                                     \
	"http.request.method=GET http.response.status_code=200 network.protocol.version=1.1 "      \
	"url.scheme=http "

/* ---- tests ----------------------------------------------------------------------------------- */

static void requests_are_counted_by_what_the_conventions_name(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		push(request("GET", 200, 2000000));
	push(request("GET", 503, 80000000));
	push(request("BREW", 200, 1000000));
	read_all();
	collect();
	assert_int_equal(the("http.server.request.duration", OK_GET)->count, 5);
	assert_true(the("http.server.request.duration", OK_GET)->sum > 0.00999);
	assert_true(the("http.server.request.duration", OK_GET)->sum < 0.01001);
	assert_int_equal(the("http.server.response.body.size", OK_GET)->count, 5);
	assert_true(the("http.server.response.body.size", OK_GET)->sum == 2500);
	assert_true(the("http.server.request.body.size", OK_GET)->sum == 0);
	assert_int_equal(the("http.server.request.duration",
			     "error.type=503 http.request.method=GET "
			     "http.response.status_code=503 network.protocol.version=1.1 "
			     "url.scheme=http ")
				 ->count,
			 1);
	assert_int_equal(the("http.server.request.duration",
			     "http.request.method=_OTHER http.response.status_code=200 "
			     "network.protocol.version=1.1 url.scheme=http ")
				 ->count,
			 1);
}

static void a_failed_request_has_no_response_to_measure(void **state)
{
	struct writer_span span = request("GET", 0, 1000000);

	(void)state;
	span.span.failure = FAILURE_CONNECTION_RESET;
	push(span);
	read_all();
	collect();
	assert_int_equal(the("http.server.request.duration",
			     "error.type=connection_reset http.request.method=GET "
			     "network.protocol.version=1.1 url.scheme=http ")
				 ->count,
			 1);
	for (size_t i = 0; i < found_count; i++)
		if (strcmp(found[i].metric, "http.server.response.body.size") == 0)
			assert_int_equal(found[i].count, 0);
}

static void what_is_not_sampled_is_measured_and_not_kept(void **state)
{
	(void)state;
	for (int i = 0; i < 200; i++) {
		struct writer_span span = request("GET", 200, 1000000);

		span.span.trace_flags = i % 4 == 0;
		push(span);
	}
	read_all();
	collect();
	assert_int_equal(the("http.server.request.duration", OK_GET)->count, 200);
	assert_int_equal(batch->count, 50);
	assert_int_equal(drain.spans_unsampled, 150);
}

static void spans_that_are_not_sampled_take_no_memory(void **state)
{
	size_t used;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct writer_span span = request("GET", 200, 1000000);

		span.span.trace_flags = 0;
		push(span);
	}
	read_all();
	used = batch->arena.used_bytes;
	assert_int_equal(drain.spans_read, 1000);
	assert_true(used < 100000);
}

static void exemplars_are_of_sampled_spans(void **state)
{
	struct writer_span span = request("GET", 200, 1000000);

	(void)state;
	span.span.trace_flags = 0;
	push(span);
	read_all();
	collect();
	assert_int_equal(the("http.server.request.duration", OK_GET)->exemplars, 0);
	span = request("GET", 200, 1000000);
	push(span);
	read_all();
	collect();
	assert_int_equal(the("http.server.request.duration", OK_GET)->exemplars, 1);
	assert_int_equal(the("http.server.request.duration", OK_GET)->trace_id,
			 span.span.trace_id[0]);
}

static void a_client_s_request_names_its_server(void **state)
{
	struct writer_span span = made(SPAN_CLIENT, SPAN_HTTP, 3000000);

	(void)state;
	span.span.version = 11;
	span.span.status_code = 404;
	span.span.flags = SPAN_RESPONSE_SEEN;
	writer_text(&span, FIELD_METHOD, "POST");
	writer_text(&span, FIELD_HOST, "pay.example:8443");
	push(span);
	read_all();
	collect();
	assert_int_equal(the("http.client.request.duration",
			     "error.type=404 http.request.method=POST "
			     "http.response.status_code=404 network.protocol.version=1.1 "
			     "server.address=pay.example server.port=8443 ")
				 ->count,
			 1);
}

static void a_statement_is_counted_by_its_summary(void **state)
{
	struct writer_span span = made(SPAN_CLIENT, SPAN_POSTGRESQL, 4000000);

	(void)state;
	writer_text(&span, FIELD_QUERY_TEXT, "SELECT * FROM orders WHERE id = ?");
	writer_text(&span, FIELD_NAMESPACE, "shop");
	writer_text(&span, FIELD_HOST, "db.example");
	writer_text(&span, FIELD_STATUS, "23505");
	push(span);
	read_all();
	collect();
	assert_int_equal(the("db.client.operation.duration",
			     "db.namespace=shop db.query.summary=SELECT orders "
			     "db.response.status_code=23505 db.system.name=postgresql "
			     "error.type=23505 server.address=db.example ")
				 ->count,
			 1);
}

static void failed_connects_are_counted(void **state)
{
	struct writer_span span = made(SPAN_CLIENT, SPAN_CONNECT, 1000000);

	(void)state;
	span.span.failure = FAILURE_CONNECTION_REFUSED;
	span.span.peer =
		(struct span_address){.family = ADDRESS_IPV4, .port = 81, .bytes = {127, 0, 0, 1}};
	push(span);
	push(span);
	read_all();
	collect();
	assert_true(the("tagalong.connection.failures",
			"error.type=connection_refused network.peer.address=127.0.0.1 "
			"network.peer.port=81 ")
			    ->value == 2);
}

static void repeated_queries_are_counted(void **state)
{
	struct writer_span span = request("GET", 200, 90000000);
	uint64_t at = span.span.start_ns;

	(void)state;
	for (int i = 0; i < 12; i++) {
		struct writer_span query = made(SPAN_CLIENT, SPAN_POSTGRESQL, 1000);

		query.span.start_ns = at += 2000;
		query.span.end_ns = at + 1000;
		memcpy(query.span.trace_id, span.span.trace_id, 16);
		memcpy(query.span.parent_id, span.span.span_id, 8);
		writer_text(&query, FIELD_QUERY_TEXT, "SELECT ?");
		push(query);
	}
	push(span);
	read_all();
	collect();
	assert_true(the("tagalong.db.repeated_queries", "http.request.method=GET ")->value == 12);
}

static void workers_of_one_service_are_one_series(void **state)
{
	(void)state;
	push(request("GET", 200, 1000000));
	read_all();
	slot = writer_attach(path, "/usr/sbin/nginx");
	assert_non_null(slot);
	push(request("GET", 200, 1000000));
	read_all();
	assert_ptr_not_equal(batch->spans[0].resource, batch->spans[1].resource);
	collect();
	assert_int_equal(the("http.server.request.duration", OK_GET)->count, 2);
	assert_string_equal(the("http.server.request.duration", OK_GET)->service, "nginx");
}

static void active_requests_are_exact_at_a_collection(void **state)
{
	struct writer_span open = request("GET", 0, 1000000);
	struct writer_span client = made(SPAN_CLIENT, SPAN_HTTP, 1000);

	(void)state;
	open.span.end_ns = client.span.end_ns = 0;
	writer_text(&client, FIELD_METHOD, "GET");
	for (unsigned i = 0; i < 3; i++)
		writer_open(slot, i, &open);
	writer_open(slot, 7, &client);
	read_all();
	collect();
	assert_true(the("http.server.active_requests", "http.request.method=GET url.scheme=http ")
			    ->value == 3);
	slot->inflight[1].live = 0;
	collect();
	assert_true(the("http.server.active_requests", "http.request.method=GET url.scheme=http ")
			    ->value == 2);
	slot->inflight[0].live = slot->inflight[2].live = 0;
	collect();
	assert_true(the("http.server.active_requests", "http.request.method=GET url.scheme=http ")
			    ->value == 0);
	slot->inflight[7].live = 0;
}

static const struct batch_span *visited;
static uint32_t visits;

static void visit(void *context, struct resource *stream, const struct record *record,
		  const struct batch_span *span)
{
	assert_ptr_equal(context, &visits);
	assert_string_equal(stream->service, "nginx");
	assert_int_equal(record->span.protocol, SPAN_HTTP);
	visited = span;
	visits++;
}

static void others_see_every_span(void **state)
{
	struct writer_span span = request("GET", 200, 1000000);

	(void)state;
	measure_also(drain.measure, visit, &visits);
	push(span);
	span = request("GET", 200, 1000000);
	span.span.trace_flags = 0;
	push(span);
	read_all();
	assert_int_equal(visits, 2);
	assert_non_null(visited);
}

static void a_service_has_an_instance_of_its_own(void **state)
{
	struct slot_identity identity = {.pid = 17, .executable = "/usr/bin/shop"};
	struct slot_identity given = {.pid = 17,
				      .executable = "/usr/bin/shop",
				      .resource_attributes = "service.instance.id=seven"};
	struct streams *streams = streams_new();
	struct resource *one = resource_new(&identity), *named = resource_new(&given), *two;
	const struct resource *stream = stream_of(streams, one);
	const struct attribute *instance;

	(void)state;
	identity.pid = 18;
	two = resource_new(&identity);
	assert_ptr_equal(stream_of(streams, two), stream);
	assert_null(attribute_find(stream->attributes, stream->attribute_count, "process.pid"));
	instance =
		attribute_find(stream->attributes, stream->attribute_count, "service.instance.id");
	assert_int_equal(instance->text.at[14], '5');
	stream = stream_of(streams, named);
	instance =
		attribute_find(stream->attributes, stream->attribute_count, "service.instance.id");
	assert_string_equal(instance->text.at, "seven");
	resource_put(one);
	resource_put(two);
	resource_put(named);
	streams_free(streams);
}

/* As Python's uuid.uuid5 has it. */
static void a_uuid_of_a_name_is_always_the_same(void **state)
{
	char text[UUID_TEXT], name[200];

	(void)state;
	uuid_of_name("shop", 4, text);
	assert_string_equal(text, "f3801c17-afa7-5116-9b37-04e8b38cae3e");
	memset(name, 'x', sizeof(name));
	uuid_of_name(name, sizeof(name), text);
	assert_string_equal(text, "6ee913e8-79f5-5d01-bdb9-cfcdb05862ba");
	uuid_of_name(name, 119 - 16, text);
	assert_string_equal(text, "71d1aefe-72d8-54f8-9b58-1c9660bf7f35");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(requests_are_counted_by_what_the_conventions_name),
		TEST(a_failed_request_has_no_response_to_measure),
		TEST(what_is_not_sampled_is_measured_and_not_kept),
		TEST(spans_that_are_not_sampled_take_no_memory),
		TEST(exemplars_are_of_sampled_spans),
		TEST(a_client_s_request_names_its_server),
		TEST(a_statement_is_counted_by_its_summary),
		TEST(failed_connects_are_counted),
		TEST(repeated_queries_are_counted),
		TEST(workers_of_one_service_are_one_series),
		TEST(active_requests_are_exact_at_a_collection),
		TEST(others_see_every_span),
		cmocka_unit_test(a_service_has_an_instance_of_its_own),
		cmocka_unit_test(a_uuid_of_a_name_is_always_the_same),
	};

	clearenv();
	log_set_level(LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
