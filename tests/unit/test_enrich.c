/* test_enrich.c - spans by the semantic conventions, from records as the shim writes them. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/enrich.h"
#include "exporter/failure.h"
#include "exporter/routes.h"
#include "tests/unit/segment_writer.h"

static struct settings settings;
static struct batch *batch;
static struct writer_span from;
static struct batch_span span;

static int set_up(void **state)
{
	(void)state;
	clearenv();
	settings_read(&settings);
	batch = batch_new(4);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	batch_free(batch);
	settings_free(&settings);
	return 0;
}

static void start(uint8_t kind)
{
	memset(&from, 0, sizeof(from));
	from.span.start_ns = 1000;
	from.span.end_ns = 3000;
	from.span.trace_id[0] = from.span.span_id[0] = 1;
	from.span.kind = kind;
	from.span.protocol = SPAN_HTTP;
	from.span.version = 11;
	from.span.trace_flags = 1;
}

static void answered(uint16_t status)
{
	from.span.flags |= SPAN_RESPONSE_SEEN;
	from.span.status_code = status;
}

static void enrich(const struct enrich_ending *ending)
{
	struct record record;

	assert_int_equal(record_parse(&batch->arena, &from,
				      sizeof(from.span) + from.span.fields_size, 1, &record),
			 0);
	assert_int_equal(enrich_span(batch, &settings, &record, ending, 1000000, &span), 0);
}

static const char *text_of(const char *key)
{
	const struct attribute *found = attribute_find(span.attributes, span.attribute_count, key);

	return found && found->type != ATTRIBUTE_NUMBER ? found->text.at : NULL;
}

static int64_t number_of(const char *key)
{
	const struct attribute *found = attribute_find(span.attributes, span.attribute_count, key);

	return found && found->type == ATTRIBUTE_NUMBER ? found->number : -1;
}

static int is_absent(const char *key)
{
	return attribute_find(span.attributes, span.attribute_count, key) == NULL;
}

static void a_server_span_has_what_the_conventions_require(void **state)
{
	(void)state;
	writer_sample(&from, 7);
	enrich(NULL);
	assert_string_equal(span.name, "GET");
	assert_int_equal(span.kind, SPAN_SERVER);
	assert_int_equal(span.status, STATUS_UNSET);
	assert_string_equal(text_of("http.request.method"), "GET");
	assert_string_equal(text_of("url.path"), "/orders/17");
	assert_string_equal(text_of("url.query"), "page=2");
	assert_string_equal(text_of("url.scheme"), "http");
	assert_string_equal(text_of("server.address"), "shop.example");
	assert_int_equal(number_of("server.port"), 8080);
	assert_string_equal(text_of("client.address"), "127.0.0.1");
	assert_string_equal(text_of("network.peer.address"), "127.0.0.1");
	assert_int_equal(number_of("network.peer.port"), 40000);
	assert_string_equal(text_of("network.protocol.version"), "1.1");
	assert_int_equal(number_of("http.response.status_code"), 200);
	assert_string_equal(text_of("user_agent.original"), "curl/7.88.1");
	assert_string_equal(text_of("http.request.header.x-request-id"),
			    "3f2b8a54-7f0e-4e0c-9a86-0f3f4a1b2c3d");
	assert_true(is_absent("error.type"));
	assert_true(is_absent("url.full"));
	assert_string_equal(span.target, "/orders/17");
	assert_int_equal(span.flags, 0x101);
}

static void a_route_is_told_and_named_after_the_method(void **state)
{
	static const char *const keys[] = {"http.route", "url.template"};
	struct route_match match = {.route = TEXT_OF("/orders/{id}")};
	struct record record;

	(void)state;
	for (int i = 0; i < 2; i++) {
		start(i == 0 ? SPAN_SERVER : SPAN_CLIENT);
		writer_text(&from, FIELD_METHOD, "GET");
		writer_text(&from, FIELD_PATH, "/orders/17");
		assert_int_equal(record_parse(&batch->arena, &from,
					      sizeof(from.span) + from.span.fields_size, 1,
					      &record),
				 0);
		record.route = &match;
		assert_int_equal(enrich_span(batch, &settings, &record, NULL, 0, &span), 0);
		assert_string_equal(span.name, "GET /orders/{id}");
		assert_string_equal(text_of(keys[i]), "/orders/{id}");
		assert_true(is_absent(keys[1 - i]));
	}
}

static void a_client_span_has_a_url_without_credentials(void **state)
{
	(void)state;
	start(SPAN_CLIENT);
	answered(200);
	writer_text(&from, FIELD_METHOD, "POST");
	writer_text(&from, FIELD_HOST, "user:secret@api.example:8443");
	writer_text(&from, FIELD_PATH, "/v1/items");
	writer_text(&from, FIELD_QUERY, "a=b");
	from.span.flags |= SPAN_ENCRYPTED | SPAN_PARENT_REMOTE;
	enrich(NULL);
	assert_string_equal(text_of("url.full"),
			    "https://REDACTED:REDACTED@api.example:8443/v1/items?a=b");
	assert_string_equal(text_of("server.address"), "api.example");
	assert_int_equal(number_of("server.port"), 8443);
	assert_true(is_absent("url.path"));
	assert_int_equal(span.flags, 0x301);
}

static void ports_that_are_not_given_follow_the_scheme(void **state)
{
	(void)state;
	start(SPAN_CLIENT);
	writer_text(&from, FIELD_METHOD, "GET");
	writer_text(&from, FIELD_HOST, "[::1]");
	writer_text(&from, FIELD_PATH, "/");
	from.span.flags |= SPAN_ENCRYPTED;
	enrich(NULL);
	assert_string_equal(text_of("server.address"), "::1");
	assert_int_equal(number_of("server.port"), 443);
	assert_string_equal(text_of("url.full"), "https://[::1]/");
}

static void an_unknown_method_is_other_and_keeps_its_original(void **state)
{
	(void)state;
	start(SPAN_SERVER);
	writer_text(&from, FIELD_METHOD, "PURGE");
	writer_text(&from, FIELD_PATH, "/");
	enrich(NULL);
	assert_string_equal(span.name, "HTTP");
	assert_string_equal(text_of("http.request.method"), "_OTHER");
	assert_string_equal(text_of("http.request.method_original"), "PURGE");
}

static void status_decides_by_the_side(void **state)
{
	static const struct {
		uint8_t kind;
		uint16_t status;
		int error;
	} cases[] = {
		{SPAN_SERVER, 200, 0}, {SPAN_SERVER, 302, 0}, {SPAN_SERVER, 404, 0},
		{SPAN_SERVER, 500, 1}, {SPAN_SERVER, 599, 1}, {SPAN_SERVER, 600, 1},
		{SPAN_CLIENT, 101, 0}, {SPAN_CLIENT, 399, 0}, {SPAN_CLIENT, 400, 1},
		{SPAN_CLIENT, 503, 1}, {SPAN_CLIENT, 999, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char code[8];

		start(cases[i].kind);
		writer_text(&from, FIELD_METHOD, "GET");
		answered(cases[i].status);
		enrich(NULL);
		snprintf(code, sizeof(code), "%u", cases[i].status);
		assert_int_equal(span.status, cases[i].error ? STATUS_ERROR : STATUS_UNSET);
		assert_int_equal(span.http_status, cases[i].status);
		if (cases[i].error)
			assert_string_equal(text_of("error.type"), code);
		else
			assert_true(is_absent("error.type"));
	}
}

static void a_failure_counts_only_where_the_status_is_no_error(void **state)
{
	(void)state;
	start(SPAN_SERVER);
	writer_text(&from, FIELD_METHOD, "GET");
	from.span.failure = FAILURE_CONNECTION_RESET;
	answered(201);
	enrich(NULL);
	assert_string_equal(span.error_type, "connection_reset");
	from.span.status_code = 502;
	enrich(NULL);
	assert_string_equal(span.error_type, "502");
}

static void a_client_that_stops_reading_an_answer_has_not_failed(void **state)
{
	(void)state;
	start(SPAN_CLIENT);
	writer_text(&from, FIELD_METHOD, "GET");
	from.span.failure = FAILURE_CLOSED;
	enrich(NULL);
	assert_string_equal(span.error_type, "closed");
	answered(200);
	enrich(NULL);
	assert_int_equal(span.status, STATUS_UNSET);
	assert_true(is_absent("error.type"));
}

static void a_killed_process_leaves_errors_that_name_the_signal(void **state)
{
	char message[64];
	struct enrich_ending ending = {.message = message};

	(void)state;
	writer_sample(&from, 7);
	from.span.flags = 0;
	ending.error_type = failure_of_process(SIGKILL, message, sizeof(message));
	enrich(&ending);
	assert_int_equal(span.status, STATUS_ERROR);
	assert_string_equal(text_of("error.type"), "SIGKILL");
	assert_string_equal(span.status_message, "process killed by SIGKILL (9)");
	ending.error_type = failure_of_process(3 << 8, message, sizeof(message));
	assert_string_equal(ending.error_type, "exit");
	assert_string_equal(message, "process exited with code 3");
	failure_of_process(-1, message, sizeof(message));
	assert_string_equal(message, "process ended");
}

static void a_failed_connect_is_named_by_where_it_went(void **state)
{
	(void)state;
	start(SPAN_CLIENT);
	from.span.protocol = SPAN_CONNECT;
	from.span.failure = FAILURE_CONNECTION_REFUSED;
	from.span.peer.family = ADDRESS_IPV4;
	from.span.peer.port = 5432;
	memcpy(from.span.peer.bytes, "\x7f\0\0\1", 4);
	enrich(NULL);
	assert_string_equal(span.name, "socket connect 127.0.0.1:5432");
	assert_int_equal(span.kind, SPAN_INTERNAL);
	assert_string_equal(text_of("error.type"), "connection_refused");
	from.span.failure = FAILURE_OTHER;
	from.span.error_number = EADDRNOTAVAIL;
	enrich(NULL);
	assert_string_equal(text_of("error.type"), "address_not_available");
}

static void forwarding_headers_name_client_and_server(void **state)
{
	(void)state;
	start(SPAN_SERVER);
	writer_text(&from, FIELD_METHOD, "GET");
	writer_text(&from, FIELD_HOST, "inner:8000");
	writer_text(&from, FIELD_SCHEME, "https");
	writer_text(&from, FIELD_FORWARDED_FOR, "[2001:db8::17]:4711");
	writer_text(&from, FIELD_FORWARDED_HOST, "shop.example");
	enrich(NULL);
	assert_string_equal(text_of("client.address"), "2001:db8::17");
	assert_string_equal(text_of("server.address"), "shop.example");
	assert_int_equal(number_of("server.port"), 443);
	assert_string_equal(text_of("url.scheme"), "https");
}

static void a_guessed_parent_says_how_it_was_guessed(void **state)
{
	(void)state;
	writer_sample(&from, 7);
	from.span.link = SPAN_LINK_CONTEXT;
	enrich(NULL);
	assert_true(is_absent("tagalong.parent.guess"));
	from.span.link = SPAN_LINK_GUESS_THREAD;
	enrich(NULL);
	assert_string_equal(text_of("tagalong.parent.guess"), "thread");
	from.span.link = 255;
	enrich(NULL);
	assert_true(is_absent("tagalong.parent.guess"));
}

static void limits_cut_texts_by_characters_and_count_the_rest(void **state)
{
	(void)state;
	writer_sample(&from, 7);
	writer_text(&from, FIELD_PEER_NAME, "x");
	enrich(NULL);
	size_t all = span.attribute_count;

	settings.attribute_count_limit = 3;
	settings.attribute_length_limit = 2;
	enrich(NULL);
	assert_int_equal(span.attribute_count, 3);
	assert_int_equal(span.attributes_dropped, all - 3);
	assert_string_equal(text_of("url.path"), "/o");
	assert_string_equal(span.target, "/orders/17");
}

static void captured_headers_become_lists(void **state)
{
	(void)state;
	writer_sample(&from, 7);
	writer_field(&from, FIELD_RESPONSE_HEADER, "content-type\0text/html", 22);
	enrich(NULL);
	assert_string_equal(text_of("http.response.header.content-type"), "text/html");
	assert_int_equal(attribute_find(span.attributes, span.attribute_count,
					"http.response.header.content-type")
				 ->type,
			 ATTRIBUTE_TEXTS);
}

int main(void)
{
#define ENRICH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ENRICH_TEST(a_server_span_has_what_the_conventions_require),
		ENRICH_TEST(a_route_is_told_and_named_after_the_method),
		ENRICH_TEST(a_client_span_has_a_url_without_credentials),
		ENRICH_TEST(ports_that_are_not_given_follow_the_scheme),
		ENRICH_TEST(an_unknown_method_is_other_and_keeps_its_original),
		ENRICH_TEST(status_decides_by_the_side),
		ENRICH_TEST(a_failure_counts_only_where_the_status_is_no_error),
		ENRICH_TEST(a_client_that_stops_reading_an_answer_has_not_failed),
		ENRICH_TEST(a_killed_process_leaves_errors_that_name_the_signal),
		ENRICH_TEST(a_failed_connect_is_named_by_where_it_went),
		ENRICH_TEST(forwarding_headers_name_client_and_server),
		ENRICH_TEST(a_guessed_parent_says_how_it_was_guessed),
		ENRICH_TEST(limits_cut_texts_by_characters_and_count_the_rest),
		ENRICH_TEST(captured_headers_become_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
