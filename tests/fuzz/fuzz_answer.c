/* fuzz_answer.c - what collectors answer and what lies on disk: JSON, gRPC, protobuf, spool files.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "exporter/grpc.h"
#include "exporter/json_read.h"
#include "exporter/otlp_json.h"
#include "exporter/spool_record.h"
#include "tests/fuzz/target.h"

static void read_json(const char *at, size_t size)
{
	struct text value;
	char text[32];

	if (json_member((struct text){at, (uint32_t)size}, "partialSuccess", &value) != 0)
		return;
	CHECK(value.at >= at && value.at + value.size <= at + size);
	json_whole(value, 0);
	json_copy_text(value, text, sizeof(text));
	CHECK(strlen(text) < sizeof(text));
}

static void read_grpc(const uint8_t *bytes, size_t size)
{
	const uint8_t *message;
	size_t length;
	char text[256];

	if (grpc_message(bytes, size, &message, &length) == 0)
		CHECK(message + length <= bytes + size);
	CHECK(grpc_retry_delay_ms((const char *)bytes, size) >= -1);
	length = size < sizeof(text) ? size : sizeof(text) - 1;
	memcpy(text, bytes, length);
	text[length] = '\0';
	grpc_unescape(text);
}

static void write_json(const uint8_t *bytes, size_t size)
{
	struct json json = {0};

	for (unsigned signal = 0; signal < SIGNAL_COUNT; signal++) {
		json.size = 0;
		/* What was written of a whole request is one line. */
		if (otlp_json(&json, (enum signal)signal, bytes, size) == 0)
			CHECK(!memchr(json.at, '\n', json.size));
	}
	free(json.at);
}

/* A file is walked to its end in finitely many steps, whatever is in it. */
static void walk_file(const uint8_t *bytes, size_t size)
{
	static int file = -1;
	struct spool_record record;
	uint64_t offset = 0, damaged = 0;

	if (file < 0)
		file = memfd_create("spool", 0);
	if (ftruncate(file, 0) != 0 || pwrite(file, bytes, size, 0) != (ssize_t)size)
		return;
	while (spool_record_find(file, offset, size, &record, &damaged) == 1) {
		struct payload *payload = NULL;

		CHECK(record.offset >= offset && spool_record_end(&record) <= size);
		if (spool_record_read(file, &record, &payload) == 0)
			payload_put(payload);
		offset = spool_record_end(&record);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_json((const char *)data, size);
	read_grpc(data, size);
	write_json(data, size);
	walk_file(data, size);
	return 0;
}
