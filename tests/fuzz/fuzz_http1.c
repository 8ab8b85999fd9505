/* fuzz_http1.c - any bytes as HTTP/1.x: results stay within bounds, pieces equal the whole. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "preload/http1.h"
#include "preload/mask.h"
#include "tests/fuzz/target.h"

static void check_within(struct http1_text text, const char *at, long size)
{
	if (text.at)
		CHECK(text.at >= at && text.at + text.size <= at + size);
}

static void check_fields(const struct http1_head *head, const char *at)
{
	check_within(head->method, at, head->size);
	check_within(head->target, at, head->size);
	for (size_t i = 0; i < HTTP1_FIELDS; i++) {
		CHECK(!head->repeats[i] == !head->field[i].at);
		check_within(head->field[i], at, head->size);
	}
	CHECK(head->captured_count <= HTTP1_CAPTURED_MAX);
	for (size_t i = 0; i < head->captured_count; i++) {
		check_within(head->captured_name[i], at, head->size);
		check_within(head->captured[i], at, head->size);
	}
}

static void check_head(const struct http1_head *head, const char *at, size_t size)
{
	CHECK(head->size <= size && head->size <= HTTP1_HEAD_MAX);
	CHECK(head->insert_at + (head->bare_lf ? 1 : 2) == head->size);
	CHECK(at[head->size - 1] == '\n' && at[head->insert_at - 1] == '\n');
	CHECK(head->version == 10 || head->version == 11);
	CHECK(!(head->has_length && (head->chunked || head->bad_framing)));
	if (head->kind == HTTP1_REQUEST)
		CHECK(head->method.size && head->target.size);
	else
		CHECK(head->status >= 100 && head->status <= 999);
	check_fields(head, at);
}

/* What was refused stays so when more comes, what was taken is the same; the end is found alike. */
static void check_pieces(enum http1_kind kind, const char *at, size_t size, long whole, size_t cut)
{
	struct http1_head head;
	size_t scanned = 0;
	long part = http1_head_parse(at, cut, kind, NULL, &head);
	int looks = http1_looks_like(kind, at, cut);

	CHECK(part == -2 || part == whole);
	CHECK(looks == -2 || looks == http1_looks_like(kind, at, size));
	CHECK(looks != 0 || whole == -1);
	if (whole <= 0)
		return;
	long end = http1_head_end(at, cut, &scanned);
	if (end == -2)
		end = http1_head_end(at, size, &scanned);
	CHECK(end == whole);
}

static void check_body(const struct http1_body *start, const char *at, size_t size, size_t cut)
{
	struct http1_body whole = *start, pieces = *start, skipped = *start;
	long own = http1_body_feed(&whole, at, size);
	long first = http1_body_feed(&pieces, at, cut);

	CHECK(own >= -1 && own <= (long)size && first <= (long)cut);
	long second = first < 0 ? -1 : http1_body_feed(&pieces, at + first, size - (size_t)first);
	CHECK(own < 0 ? second < 0 : first + second == own);
	if (own < 0)
		return;
	CHECK(memcmp(&whole, &pieces, sizeof(whole)) == 0);
	CHECK(own == (long)size || whole.done);
	CHECK(whole.bytes <= (uint64_t)own);
	int64_t skip = http1_body_skip(&skipped, cut);
	CHECK(skip == -1 || skip == first);
	CHECK(skip == -1 || skipped.bytes == start->bytes + (uint64_t)skip);
	CHECK((http1_body_eof(&whole) == 0) == whole.done);
}

static void check_query(const struct http1_head *head, size_t room)
{
	const char *query = head->target.at, *end = query + head->target.size;
	int cut = 0;

	if (room > 4096)
		room = 4096;
	char *out = malloc(room + 1);
	size_t size = mask_query(NULL, query, (size_t)(end - query), out, room, &cut);
	CHECK(size <= room);
	/* What is masked once stays as it is. */
	char *again = malloc(size + 1);
	if (!cut) {
		CHECK(mask_query(NULL, out, size, again, size, &cut) == size);
		CHECK(!cut && memcmp(out, again, size) == 0);
	}
	free(out);
	free(again);
}

static void try_kind(enum http1_kind kind, const char *at, size_t size, size_t cut)
{
	static const struct http1_text names[] = {{"accept", 6}, {"x-a", 3}};
	static const struct http1_capture capture = {names, 2};
	struct http1_head head, plain;
	struct http1_body body;

	long whole = http1_head_parse(at, size, kind, &capture, &head);
	CHECK(whole == http1_head_parse(at, size, kind, NULL, &plain));
	check_pieces(kind, at, size, whole, cut);
	if (whole <= 0)
		return;
	CHECK(whole == head.size);
	check_head(&head, at, size);
	if (kind == HTTP1_REQUEST) {
		check_query(&head, cut);
		http1_body_of_request(&body, &head);
	} else {
		http1_body_of_response(&body, &head, "GET", 3);
	}
	size_t left = size - (size_t)whole;
	check_body(&body, at + whole, left, cut < left ? cut : left);
}

/* The first two bytes say where to cut the rest. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http1_body chunked = {.mode = HTTP1_BODY_CHUNKED};

	if (size < 2)
		return 0;
	size_t cut = (size_t)data[0] << 8 | data[1];
	const char *at = (const char *)data + 2;
	size -= 2;
	cut = size ? cut % (size + 1) : 0;
	try_kind(HTTP1_REQUEST, at, size, cut);
	try_kind(HTTP1_RESPONSE, at, size, cut);
	check_body(&chunked, at, size, cut);
	return 0;
}
