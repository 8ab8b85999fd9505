/* test_request.c - bodies of exports: joined, JSON, compressed, framed; and JSON lines in files. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#include "exporter/file.h"
#include "exporter/grpc.h"
#include "exporter/otlp.h"
#include "exporter/otlp_json.h"
#include "exporter/request.h"

static char directory[64];

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/tagalong-test-XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "/bin/rm -rf %s", directory);
	return system(command);
}

/* One span, encoded by what encodes all of them. */
static struct payload *sample(uint8_t id)
{
	struct attribute attributes[] = {
		{.key = "http.request.method", .text = TEXT_OF("GET"), .type = ATTRIBUTE_TEXT},
		{.key = "server.port", .number = 8080, .type = ATTRIBUTE_NUMBER},
		{.key = "list", .text = TEXT_OF("a\"\n\xc3\xa9"), .type = ATTRIBUTE_TEXTS},
		{.key = "yes", .number = 1, .type = ATTRIBUTE_BOOLEAN},
	};
	struct attribute service = {
		.key = "service.name", .text = TEXT_OF("shop"), .type = ATTRIBUTE_TEXT};
	struct batch_event event = {.time_unix_ns = 1500,
				    .name = "event",
				    .attributes = attributes,
				    .attribute_count = 1};
	struct resource resource = {.attributes = &service, .attribute_count = 1};
	struct batch *batch = batch_new(1);
	struct payload *payload;

	assert_non_null(batch);
	batch->spans[0] = (struct batch_span){.resource = &resource,
					      .start_unix_ns = 1000,
					      .end_unix_ns = 2000,
					      .name = "GET",
					      .kind = 3,
					      .flags = 0x101,
					      .attributes = attributes,
					      .attribute_count = 4,
					      .events = &event,
					      .event_count = 1,
					      .status = STATUS_ERROR};
	memset(batch->spans[0].trace_id, 0xab, 16);
	memset(batch->spans[0].span_id, id, 8);
	batch->count = 1;
	payload = otlp_encode(&batch->arena, batch);
	assert_non_null(payload);
	batch->count = 0;
	batch_free(batch);
	return payload;
}

#define SPAN_JSON(id)                                                                              \
	"{\"traceId\":\"abababababababababababababababab\",\"spanId\":\"" id "\",\"kind\":3,"      \
	"\"startTimeUnixNano\":\"1000\",\"endTimeUnixNano\":\"2000\",\"flags\":257,"               \
	"\"name\":\"GET\",\"attributes\":["                                                        \
	"{\"key\":\"http.request.method\",\"value\":{\"stringValue\":\"GET\"}},"                   \
	"{\"key\":\"server.port\",\"value\":{\"intValue\":\"8080\"}},"                             \
	"{\"key\":\"list\",\"value\":{\"arrayValue\":{\"values\":["                                \
	"{\"stringValue\":\"a\\\"\\u000a\xc3\xa9\"}]}}},"                                          \
	"{\"key\":\"yes\",\"value\":{\"boolValue\":true}}],"                                       \
	"\"events\":[{\"timeUnixNano\":\"1500\",\"name\":\"event\",\"attributes\":["               \
	"{\"key\":\"http.request.method\",\"value\":{\"stringValue\":\"GET\"}}]}],"                \
	"\"status\":{\"code\":2}}"
#define GROUP_JSON(id)                                                                             \
	"{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":"                      \
	"{\"stringValue\":\"shop\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"tagalong\","         \
	"\"version\":\"" TAGALONG_VERSION                                                          \
	"\"},\"spans\":[" SPAN_JSON(id) "],\"schemaUrl\":\"" SCHEMA_URL                            \
					"\"}],\"schemaUrl\":\"" SCHEMA_URL "\"}"

static void json_is_that_of_the_specification(void **state)
{
	static const char wanted[] = "{\"resourceSpans\":[" GROUP_JSON(
		"0101010101010101") "," GROUP_JSON("0202020202020202") "]}";
	struct payload *payloads[2] = {sample(1), sample(2)};
	struct otlp_settings otlp = {.protocol = OTLP_HTTP_JSON};
	struct request request;

	(void)state;
	request_init(&request);
	assert_int_equal(request_build(&request, &otlp, payloads, 2), 0);
	assert_int_equal(request.size, sizeof(wanted) - 1);
	assert_memory_equal(request.body, wanted, sizeof(wanted) - 1);
	request_fini(&request);
	payload_put(payloads[0]);
	payload_put(payloads[1]);
}

/* A copy of exactly that size: what reads beyond it is seen by the sanitizer. */
static void cut_protobuf_is_no_json_or_less_of_it(void **state)
{
	struct payload *payload = sample(1);
	struct json json = {0};

	(void)state;
	for (size_t size = 0; size < payload->size; size++) {
		uint8_t *copy = malloc(size + !size);
		int result;

		memcpy(copy, payload->bytes, size);
		json.size = 0;
		result = otlp_json(&json, SIGNAL_TRACES, copy, size);
		assert_true(result == -EINVAL || (result == 0 && size == 0));
		free(copy);
	}
	free(json.at);
	payload_put(payload);
}

static void values_that_json_has_no_word_for(void **state)
{
	/* ResourceMetrics{ScopeMetrics{Metric{Gauge{NumberDataPoint{as_double}}}}} */
	static const struct {
		double value;
		const char *text;
	} cases[] = {{0.0 / 0.0, "\"NaN\""},
		     {1 / 0.0, "\"Infinity\""},
		     {-1 / 0.0, "\"-Infinity\""},
		     {0.1, "0.10000000000000001"},
		     {-2, "-2"}};
	struct json json = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t bytes[] = {0x0a, 17, 0x12, 15, 0x12, 13, 0x2a, 11, 0x0a, 9,
				   0x21, 0,  0,    0,  0,    0,  0,    0,  0};
		char wanted[160];

		memcpy(bytes + 11, &cases[i].value, 8);
		snprintf(wanted, sizeof(wanted),
			 "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"gauge\":"
			 "{\"dataPoints\":[{\"asDouble\":%s}]}}]}]}]}",
			 cases[i].text);
		json.size = 0;
		assert_int_equal(otlp_json(&json, SIGNAL_METRICS, bytes, sizeof(bytes)), 0);
		json_put(&json, "", 1);
		assert_string_equal(json.at, wanted);
	}
	free(json.at);
}

static size_t gunzip(const uint8_t *from, size_t size, uint8_t *to, size_t room)
{
	z_stream stream = {.next_in = (uint8_t *)(uintptr_t)from,
			   .avail_in = (unsigned)size,
			   .next_out = to,
			   .avail_out = (unsigned)room};

	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	inflateEnd(&stream);
	return stream.total_out;
}

static void a_request_is_what_its_parts_are(void **state)
{
	struct payload *payloads[2] = {sample(1), sample(2)};
	size_t size = payloads[0]->size + payloads[1]->size;
	uint8_t *all = malloc(size), out[4096];
	struct request request;

	(void)state;
	memcpy(mempcpy(all, payloads[0]->bytes, payloads[0]->size), payloads[1]->bytes,
	       payloads[1]->size);
	request_init(&request);
	for (unsigned i = 0; i < 6; i++) {
		struct otlp_settings otlp = {.protocol = i & 1 ? OTLP_GRPC : OTLP_HTTP_PROTOBUF,
					     .compression = (enum otlp_compression)(i / 2)};
		const uint8_t *body;
		size_t length;

		assert_int_equal(request_build(&request, &otlp, payloads, 2), 0);
		assert_int_equal(request.plain_size, size);
		body = request.body;
		length = request.size;
		if (i & 1) {
			assert_int_equal(body[0], otlp.compression != OTLP_PLAIN);
			length -= GRPC_FRAME_BYTES;
			assert_int_equal(body[3] << 8 | body[4], length);
			body += GRPC_FRAME_BYTES;
		}
		if (otlp.compression == OTLP_GZIP)
			length = gunzip(body, length, out, sizeof(out));
		else if (otlp.compression == OTLP_ZSTD)
			length = ZSTD_decompress(out, sizeof(out), body, length);
		else
			memcpy(out, body, length);
		assert_int_equal(length, size);
		assert_memory_equal(out, all, size);
	}
	request_fini(&request);
	payload_put(payloads[0]);
	payload_put(payloads[1]);
	free(all);
}

static void a_request_that_is_too_large_is_refused(void **state)
{
	struct payload *large = payload_new(SIGNAL_TRACES, 1, REQUEST_MOST);
	struct payload *payloads[2] = {large, sample(1)};
	struct otlp_settings otlp = {.protocol = OTLP_HTTP_PROTOBUF};
	struct request request;

	(void)state;
	assert_non_null(large);
	request_init(&request);
	assert_int_equal(request_build(&request, &otlp, payloads, 1), 0);
	assert_ptr_equal(request.body, large->bytes);
	assert_int_equal(request_build(&request, &otlp, payloads, 2), -E2BIG);
	request_fini(&request);
	payload_put(large);
	payload_put(payloads[1]);
}

/* ---- files ---------------------------------------------------------------------------------- */

static long size_of(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 ? (long)status.st_size : -1;
}

static void full_files_are_moved_on(void **state)
{
	struct payload *payload = sample(1);
	struct file_stats stats;
	char path[96], name[112];
	struct file *file;
	long line;

	(void)state;
	snprintf(path, sizeof(path), "%s/a.jsonl", directory);
	file = file_new(path, 0, 1);
	assert_int_equal(file_write(file, payload), 0);
	line = size_of(path);
	assert_true(line > 0);
	file_free(file);
	/* Two lines a file, three files: of nine lines the first three are gone. */
	file = file_new(path, (uint64_t)line * 2 + 1, 3);
	for (int i = 0; i < 8; i++)
		assert_int_equal(file_write(file, payload), 0);
	assert_int_equal(size_of(path), line);
	for (int i = 1; i <= 3; i++) {
		snprintf(name, sizeof(name), "%s.%d", path, i);
		assert_int_equal(size_of(name), i < 3 ? 2 * line : -1);
	}
	file_stats(file, &stats);
	assert_int_equal(stats.sent_items, 8);
	assert_int_equal(stats.sent_bytes, 8 * line);
	assert_int_equal(stats.rotations, 4);
	file_free(file);
	payload_put(payload);
}

static void a_lone_file_begins_anew(void **state)
{
	struct payload *payload = sample(1);
	char path[96];
	struct file *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/a.jsonl", directory);
	file = file_new(path, 1, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(file_write(file, payload), 0);
	file_free(file);
	file = file_new(path, 0, 1);
	assert_int_equal(file_write(file, payload), 0);
	file_free(file);
	assert_true(size_of(path) > 0);
	payload_put(payload);
}

static void a_full_disk_is_counted_and_survived(void **state)
{
	struct payload *payload = sample(1);
	struct file *file = file_new("/dev/full", 0, 1);
	struct file_stats stats;
	char path[96];

	(void)state;
	assert_int_equal(file_write(file, payload), -ENOSPC);
	assert_int_equal(file_write(file, payload), -ENOSPC);
	file_stats(file, &stats);
	assert_int_equal(stats.failed_items, 2);
	file_free(file);
	snprintf(path, sizeof(path), "%s/later/a.jsonl", directory);
	file = file_new(path, 0, 1);
	assert_int_equal(file_write(file, payload), -ENOENT);
	*strrchr(path, '/') = '\0';
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(file_write(file, payload), 0);
	file_free(file);
	payload_put(payload);
}

int main(void)
{
#define REQUEST_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		REQUEST_TEST(json_is_that_of_the_specification),
		REQUEST_TEST(cut_protobuf_is_no_json_or_less_of_it),
		REQUEST_TEST(values_that_json_has_no_word_for),
		REQUEST_TEST(a_request_is_what_its_parts_are),
		REQUEST_TEST(a_request_that_is_too_large_is_refused),
		REQUEST_TEST(full_files_are_moved_on),
		REQUEST_TEST(a_lone_file_begins_anew),
		REQUEST_TEST(a_full_disk_is_counted_and_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
