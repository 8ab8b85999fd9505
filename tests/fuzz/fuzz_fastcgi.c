/* fuzz_fastcgi.c - any bytes as FastCGI: results stay within bounds, pieces equal the whole. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "preload/fastcgi.h"
#include "tests/fuzz/target.h"

static void check_within(struct http1_text text, const char *at, long size)
{
	if (text.at)
		CHECK(text.at >= at && text.at + text.size <= at + size);
}

static void check_head(const char *at, size_t size, size_t cut)
{
	static const struct http1_text names[] = {{"x-a", 3}, {"cookie", 6}};
	static const struct http1_capture capture = {names, 2};
	struct http1_head head, other;
	long whole = fastcgi_head_parse(at, size, &capture, &head);
	long part = fastcgi_head_parse(at, cut, NULL, &other);

	CHECK(part == -2 || part == whole);
	if (whole <= 0)
		return;
	CHECK((size_t)whole <= size && head.size == (size_t)whole &&
	      head.insert_at + 8 <= head.size);
	CHECK(head.method.size && head.target.size && head.fastcgi);
	check_within(head.method, at, whole);
	check_within(head.target, at, whole);
	for (size_t i = 0; i < HTTP1_FIELDS; i++)
		check_within(head.field[i], at, whole);
	for (size_t i = 0; i < head.captured_count; i++)
		check_within(head.captured[i], at, whole);
}

typedef size_t feed_function(struct fastcgi_records *records, const char *at, size_t size,
			     enum fastcgi_event *event);

struct told {
	uint64_t events; /* two bits each */
	size_t taken;
	struct fastcgi_records records;
};

static int feed(struct told *told, feed_function *function, const char *at, size_t size)
{
	while (size) {
		enum fastcgi_event event;
		size_t taken = function(&told->records, at, size, &event);

		CHECK(taken <= size && (taken == size || event != FASTCGI_MORE));
		at += taken;
		size -= taken;
		told->taken += taken;
		if (event != FASTCGI_MORE)
			told->events = told->events << 2 | event;
		if (event == FASTCGI_END || event == FASTCGI_BAD)
			return 0;
	}
	return 1;
}

static void check_records(feed_function *function, const char *at, size_t size, size_t cut)
{
	struct told whole = {.records.id = 1}, pieces = {.records.id = 1};

	feed(&whole, function, at, size);
	if (feed(&pieces, function, at, cut))
		feed(&pieces, function, at + cut, size - cut);
	CHECK(whole.events == pieces.events && whole.taken == pieces.taken);
	CHECK(whole.records.bytes == pieces.records.bytes);
	CHECK(whole.records.status == pieces.records.status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char lines[256];
	size_t cut;

	if (size < 2)
		return 0;
	cut = ((size_t)data[0] << 8 | data[1]) % (size - 1);
	data += 2;
	size -= 2;
	check_head((const char *)data, size, cut);
	check_records(fastcgi_request_feed, (const char *)data, size, cut);
	check_records(fastcgi_reply_feed, (const char *)data, size, cut);
	size = size < sizeof(lines) ? size : sizeof(lines);
	memcpy(lines, data, size);
	CHECK(fastcgi_params_of_lines(lines, size, sizeof(lines), 1) <= sizeof(lines));
	return 0;
}
