/* test_verdict.c - what answers of collectors mean, over HTTP and gRPC, and the JSON in them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/grpc.h"
#include "exporter/json_read.h"
#include "exporter/verdict.h"

static struct verdict verdict;

static void http(long status, const void *body, size_t size, enum otlp_protocol protocol)
{
	char none[] = "";
	struct post_answer answer = {.status = status,
				     .grpc_status = -1,
				     .grpc_message = none,
				     .retry_after_ms = -1,
				     .body = body,
				     .size = size};

	verdict_of(&verdict, &answer, protocol);
}

static void grpc(int code, int64_t retry_after_ms, const void *body, size_t size)
{
	char message[] = "why";
	struct post_answer answer = {.status = 200,
				     .grpc_status = code,
				     .grpc_message = message,
				     .retry_after_ms = retry_after_ms,
				     .body = body,
				     .size = size};

	verdict_of(&verdict, &answer, OTLP_GRPC);
}

/* ExportTraceServiceResponse{partial_success{rejected_spans: 3, error_message: "no\n"}}. */
static const uint8_t partial[] = {0x0a, 0x07, 0x08, 0x03, 0x12, 0x03, 'n', 'o', '\n'};

static void only_four_statuses_may_be_sent_again(void **state)
{
	(void)state;
	for (long status = 100; status < 600; status++) {
		enum verdict_is wanted = VERDICT_DROP;

		if (status >= 200 && status < 300)
			wanted = VERDICT_DONE;
		if (status == 429 || status == 502 || status == 503 || status == 504)
			wanted = VERDICT_RETRY;
		http(status, "", 0, OTLP_HTTP_PROTOBUF);
		assert_int_equal(verdict.is, wanted);
		http(status, "", 0, OTLP_HTTP_JSON);
		assert_int_equal(verdict.is, wanted);
	}
}

static void a_partial_success_is_done_and_counted(void **state)
{
	static const char json[] = "{\"partialSuccess\": {\"rejectedDataPoints\": \"3\","
				   " \"errorMessage\": \"no\\n\"}}";

	(void)state;
	http(200, partial, sizeof(partial), OTLP_HTTP_PROTOBUF);
	assert_int_equal(verdict.is, VERDICT_DONE);
	assert_int_equal(verdict.rejected, 3);
	assert_string_equal(verdict.text, "no?");
	http(200, json, sizeof(json) - 1, OTLP_HTTP_JSON);
	assert_int_equal(verdict.is, VERDICT_DONE);
	assert_int_equal(verdict.rejected, 3);
	assert_string_equal(verdict.text, "no?");
}

static void an_unreadable_success_is_a_success(void **state)
{
	(void)state;
	http(200, "\xff\xff", 2, OTLP_HTTP_PROTOBUF);
	assert_int_equal(verdict.is, VERDICT_DONE);
	assert_int_equal(verdict.rejected, 0);
	http(200, "<html>", 6, OTLP_HTTP_JSON);
	assert_int_equal(verdict.is, VERDICT_DONE);
	grpc(GRPC_OK, -1, "\x01", 1);
	assert_int_equal(verdict.is, VERDICT_DONE);
}

static void grpc_codes_mean_what_otlp_says(void **state)
{
	static const int again[] = {1, 4, 10, 11, 14, 15};

	(void)state;
	for (int code = 0; code <= 17; code++) {
		enum verdict_is wanted = code ? VERDICT_DROP : VERDICT_DONE;

		for (size_t i = 0; i < sizeof(again) / sizeof(again[0]); i++)
			if (code == again[i])
				wanted = VERDICT_RETRY;
		grpc(code, -1, "", 0);
		assert_int_equal(verdict.is, wanted);
	}
	grpc(GRPC_RESOURCE_EXHAUSTED, 10, "", 0);
	assert_int_equal(verdict.is, VERDICT_RETRY);
	assert_int_equal(verdict.retry_after_ms, 10);
	assert_string_equal(verdict.text, "why");
	assert_string_equal(verdict.status, "grpc=8");
}

static void grpc_without_a_status_is_judged_by_http(void **state)
{
	static const struct {
		long status;
		enum verdict_is is;
	} cases[] = {{200, VERDICT_DROP},  {400, VERDICT_DROP},  {401, VERDICT_DROP},
		     {404, VERDICT_DROP},  {429, VERDICT_RETRY}, {502, VERDICT_RETRY},
		     {503, VERDICT_RETRY}, {504, VERDICT_RETRY}, {500, VERDICT_DROP}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		http(cases[i].status, "", 0, OTLP_GRPC);
		assert_int_equal(verdict.is, cases[i].is);
	}
}

static void a_grpc_success_may_be_partial(void **state)
{
	uint8_t body[GRPC_FRAME_BYTES + sizeof(partial)];

	(void)state;
	grpc_frame(body, 0, sizeof(partial));
	memcpy(body + GRPC_FRAME_BYTES, partial, sizeof(partial));
	grpc(GRPC_OK, -1, body, sizeof(body));
	assert_int_equal(verdict.is, VERDICT_DONE);
	assert_int_equal(verdict.rejected, 3);
	for (size_t size = 0; size < sizeof(body); size++) {
		grpc(GRPC_OK, -1, body, size);
		assert_int_equal(verdict.is, VERDICT_DONE);
		assert_int_equal(verdict.rejected, 0);
	}
}

static void messages_are_percent_decoded(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {{"a%20b", "a b"},   {"100%", "100%"}, {"%4", "%4"}, {"%zz", "%zz"},
		     {"%E2%82%AC", "€"}, {"%00x", "%00x"}, {"", ""}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[32];

		snprintf(text, sizeof(text), "%s", cases[i].from);
		grpc_unescape(text);
		assert_string_equal(text, cases[i].to);
	}
}

/* Status{code: 14, details: [RetryInfo{retry_delay: 1.5 s}]}, with and without padding. */
static void the_delay_is_read_from_the_details(void **state)
{
	static const char details[] = "CA4aNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW"
				      "5mbxIKCggIARCAyrXuAQ==";
	const size_t size = sizeof(details) - 1;

	(void)state;
	assert_int_equal(grpc_retry_delay_ms(details, size), 1500);
	assert_int_equal(grpc_retry_delay_ms(details, size - 2), 1500);
	for (size_t cut = 0; cut < size - 3; cut++)
		assert_int_equal(grpc_retry_delay_ms(details, cut), -1);
	assert_int_equal(grpc_retry_delay_ms("!!!!", 4), -1);
	assert_int_equal(grpc_retry_delay_ms("CA4=", 4), -1);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static int find(const char *json, const char *name, char *to, size_t room)
{
	struct text value;
	int result = json_member((struct text){json, (uint32_t)strlen(json)}, name, &value);

	if (result == 0)
		snprintf(to, room, "%.*s", (int)value.size, value.at);
	return result;
}

static void members_are_found_whatever_stands_before(void **state)
{
	static const char json[] =
		" { \"a\" : [1,{\"x\":\"}\\\"\"}], \"b\":{\"x\":2} ,\"x\": -3.5e1 }";
	char text[64];

	(void)state;
	assert_int_equal(find(json, "a", text, sizeof(text)), 0);
	assert_string_equal(text, "[1,{\"x\":\"}\\\"\"}]");
	assert_int_equal(find(json, "b", text, sizeof(text)), 0);
	assert_string_equal(text, "{\"x\":2}");
	assert_int_equal(find(json, "x", text, sizeof(text)), 0);
	assert_string_equal(text, "-3.5e1");
	assert_int_equal(find(json, "y", text, sizeof(text)), -ENOENT);
	assert_int_equal(find("[1]", "a", text, sizeof(text)), -ENOENT);
	assert_int_equal(find("{\"a\" 1}", "a", text, sizeof(text)), -ENOENT);
	assert_int_equal(find("{}", "a", text, sizeof(text)), -ENOENT);
}

/* A copy of exactly that size: what reads beyond it is seen by the sanitizer. */
static void a_cut_object_has_no_last_member(void **state)
{
	static const char json[] = "{\"a\":[\"\\\\\",{}],\"b\":\"c\\\"d\",\"last\":12}";

	(void)state;
	for (size_t size = 0; size < sizeof(json) - 2; size++) {
		char *copy = malloc(size + 1);
		struct text value;

		memcpy(copy, json, size);
		assert_int_equal(json_member((struct text){copy, (uint32_t)size}, "last", &value),
				 -ENOENT);
		free(copy);
	}
}

static void values_are_texts_and_numbers(void **state)
{
	char text[8];

	(void)state;
	assert_int_equal(json_whole((struct text)TEXT_OF("12"), -7), 12);
	assert_int_equal(json_whole((struct text)TEXT_OF("\"-12\""), -7), -12);
	assert_int_equal(json_whole((struct text)TEXT_OF("1.5"), -7), -7);
	assert_int_equal(json_whole((struct text)TEXT_OF("null"), -7), -7);
	assert_int_equal(json_whole((struct text)TEXT_OF("99999999999999999999"), -7), -7);
	json_copy_text((struct text)TEXT_OF("\"a\\\"\\\\\\/\\n\""), text, sizeof(text));
	assert_string_equal(text, "a\"\\/?");
	json_copy_text((struct text)TEXT_OF("\"123456789\""), text, sizeof(text));
	assert_string_equal(text, "1234567");
	json_copy_text((struct text)TEXT_OF("12"), text, sizeof(text));
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_four_statuses_may_be_sent_again),
		cmocka_unit_test(a_partial_success_is_done_and_counted),
		cmocka_unit_test(an_unreadable_success_is_a_success),
		cmocka_unit_test(grpc_codes_mean_what_otlp_says),
		cmocka_unit_test(grpc_without_a_status_is_judged_by_http),
		cmocka_unit_test(a_grpc_success_may_be_partial),
		cmocka_unit_test(messages_are_percent_decoded),
		cmocka_unit_test(the_delay_is_read_from_the_details),
		cmocka_unit_test(members_are_found_whatever_stands_before),
		cmocka_unit_test(a_cut_object_has_no_last_member),
		cmocka_unit_test(values_are_texts_and_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
