/* http1.c - heads of HTTP/1.x messages: delimited and parsed. */
#include "preload/http1.h"

#include <string.h>

/* Names that end up outside head->field, numbered on from enum http1_field. */
enum {
	KNOWN_CONTENT_LENGTH = HTTP1_FIELDS,
	KNOWN_TRANSFER_ENCODING,
	KNOWN_CONNECTION,
	KNOWN_UPGRADE,
	KNOWN_EXPECT,
	KNOWN_NONE,
};

/* In place of pointers, which would cost every process a relocated page. */
struct known {
	char name[18];
	uint8_t size;
	uint8_t what;
};

#define KNOWN(name, what)                                                                          \
	{                                                                                          \
		name, sizeof(name) - 1, what                                                       \
	}

/* Ordered by size; first_of_size points into it. */
static const struct known knowns[] = {
	KNOWN("b3", HTTP1_B3),
	KNOWN("host", HTTP1_HOST),
	KNOWN("expect", KNOWN_EXPECT),
	KNOWN("upgrade", KNOWN_UPGRADE),
	KNOWN("forwarded", HTTP1_FORWARDED),
	KNOWN("connection", KNOWN_CONNECTION),
	KNOWN("user-agent", HTTP1_USER_AGENT),
	KNOWN("tracestate", HTTP1_TRACESTATE),
	KNOWN("x-b3-flags", HTTP1_B3_FLAGS),
	KNOWN("traceparent", HTTP1_TRACEPARENT),
	KNOWN("x-b3-spanid", HTTP1_B3_SPAN_ID),
	KNOWN("x-request-id", HTTP1_REQUEST_ID),
	KNOWN("x-b3-traceid", HTTP1_B3_TRACE_ID),
	KNOWN("x-b3-sampled", HTTP1_B3_SAMPLED),
	KNOWN("content-length", KNOWN_CONTENT_LENGTH),
	KNOWN("x-forwarded-for", HTTP1_FORWARDED_FOR),
	KNOWN("x-forwarded-host", HTTP1_FORWARDED_HOST),
	KNOWN("transfer-encoding", KNOWN_TRANSFER_ENCODING),
	KNOWN("x-forwarded-proto", HTTP1_FORWARDED_PROTO),
	{"", 0, KNOWN_NONE},
};

#define KNOWN_END (sizeof(knowns) / sizeof(knowns[0]) - 1)

static const uint8_t first_of_size[18] = {
	[0] = KNOWN_END, [1] = KNOWN_END,  [2] = 0,   [3] = KNOWN_END, [4] = 1,   [5] = KNOWN_END,
	[6] = 2,         [7] = 3,          [9] = 4,   [8] = KNOWN_END, [10] = 5,  [11] = 9,
	[12] = 11,       [13] = KNOWN_END, [14] = 14, [15] = 15,       [16] = 16, [17] = 17,
};

/* What the head's fields say about framing and the connection; judged when all are read. */
struct tally {
	uint8_t coding_seen;
	uint8_t coding_last_chunked;
	uint8_t coding_broken;
	uint8_t length_seen;
	uint8_t length_broken;
	uint8_t close;
	uint8_t keep_alive;
	uint8_t upgrade_option;
	uint8_t upgrade_field;
	uint64_t length;
};

static int is_space(char c)
{
	return c == ' ' || c == '\t';
}

static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Eight bytes at once, letters of either case alike. */
static uint64_t folded(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word | 0x2020202020202020u;
}

/*
 * Whether `size` bytes are `lower`, a text without capitals, but for case. From eight bytes on,
 * controls pass for what they become with the sixth bit set; no sender has them in a name, and a
 * carriage return is refused elsewhere.
 */
static int same_name(const char *at, const char *lower, size_t size)
{
	size_t i = 0;

	if (size >= 8) {
		for (; i + 8 < size; i += 8)
			if (folded(at + i) != folded(lower + i))
				return 0;
		/* cppcheck-suppress pointerOutOfBoundsCond ; both texts have `size` bytes */
		return folded(at + size - 8) == folded(lower + size - 8);
	}
	for (; i < size; i++) {
		if (at[i] == lower[i])
			continue;
		if (lower[i] < 'a' || lower[i] > 'z' || (at[i] | 0x20) != lower[i])
			return 0;
	}
	return 1;
}

static int text_is(struct http1_text text, const char *lower, size_t size)
{
	return text.size == size && same_name(text.at, lower, size);
}

static inline struct http1_text trim(const char *at, const char *end)
{
	while (at < end && is_space(*at))
		at++;
	while (end > at && is_space(end[-1]))
		end--;
	return (struct http1_text){at, (uint32_t)(end - at)};
}

/* Takes the next member, which may be empty, off a comma-separated list. 0: no more. */
static int next_member(const char **at, const char *end, struct http1_text *member)
{
	if (!*at)
		return 0;
	const char *comma = memchr(*at, ',', (size_t)(end - *at));
	*member = trim(*at, comma ? comma : end);
	*at = comma ? comma + 1 : NULL;
	return 1;
}

/* ---- start line ----------------------------------------------------------------------------- */

/* Both take a line that http1_looks_like has approved, `end` where its line end begins. */
static int request_line(const char *at, const char *end, struct http1_head *head)
{
	const char *space = memchr(at, ' ', (size_t)(end - at));
	const char *version = memchr(space + 1, ' ', (size_t)(end - space - 1));

	head->method = (struct http1_text){at, (uint32_t)(space - at)};
	head->target = (struct http1_text){space + 1, (uint32_t)(version - space - 1)};
	head->version = version[8] == '0' ? 10 : 11;
	return end - version == 9 ? 0 : -1;
}

static int status_line(const char *at, struct http1_head *head)
{
	head->version = at[7] == '0' ? 10 : 11;
	head->status = (uint16_t)((at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0'));
	return 0;
}

/* ---- fields --------------------------------------------------------------------------------- */

static unsigned known_name(const char *name, size_t size)
{
	if (size >= sizeof(first_of_size))
		return KNOWN_NONE;
	const struct known *known = &knowns[first_of_size[size]];
	for (; known->size == size && size; known++)
		if ((name[0] | 0x20) == known->name[0] && same_name(name, known->name, size))
			return known->what;
	return KNOWN_NONE;
}

/* One number of Content-Length. Bounded by int64_t, as what http1_body_skip returns. */
static int parse_length(struct http1_text text, uint64_t *length)
{
	uint64_t sum = 0;

	if (!text.size)
		return -1;
	for (uint32_t i = 0; i < text.size; i++) {
		if (!is_digit(text.at[i]) || sum > (INT64_MAX - 9) / 10)
			return -1;
		sum = sum * 10 + (uint64_t)(text.at[i] - '0');
	}
	*length = sum;
	return 0;
}

static void tally_length(struct tally *tally, struct http1_text value)
{
	const char *at = value.at;
	struct http1_text member;
	uint64_t length;

	while (next_member(&at, value.at + value.size, &member)) {
		if (parse_length(member, &length) ||
		    (tally->length_seen && length != tally->length)) {
			tally->length_broken = 1;
			return;
		}
		tally->length_seen = 1;
		tally->length = length;
	}
}

static void tally_coding(struct tally *tally, struct http1_text value)
{
	const char *at = value.at;
	struct http1_text member;

	tally->coding_seen = 1;
	while (next_member(&at, value.at + value.size, &member)) {
		if (!member.size)
			continue;
		/* Nothing may follow chunked, not even itself. */
		if (tally->coding_last_chunked)
			tally->coding_broken = 1;
		tally->coding_last_chunked = (uint8_t)text_is(member, "chunked", 7);
	}
}

static void tally_connection(struct tally *tally, struct http1_text value)
{
	const char *at = value.at;
	struct http1_text member;

	while (next_member(&at, value.at + value.size, &member)) {
		if (text_is(member, "close", 5))
			tally->close = 1;
		else if (text_is(member, "keep-alive", 10))
			tally->keep_alive = 1;
		else if (text_is(member, "upgrade", 7))
			tally->upgrade_option = 1;
	}
}

static void take_known(struct http1_head *head, struct tally *tally, unsigned what,
		       struct http1_text value)
{
	switch (what) {
	case KNOWN_CONTENT_LENGTH:
		tally_length(tally, value);
		break;
	case KNOWN_TRANSFER_ENCODING:
		tally_coding(tally, value);
		break;
	case KNOWN_CONNECTION:
		tally_connection(tally, value);
		break;
	case KNOWN_UPGRADE:
		tally->upgrade_field = 1;
		break;
	case KNOWN_EXPECT:
		head->expect_continue |= (uint8_t)text_is(value, "100-continue", 12);
		break;
	default:
		if (!head->repeats[what]++)
			head->field[what] = value;
	}
}

static void take_captured(struct http1_head *head, const struct http1_capture *capture,
			  struct http1_text name, struct http1_text value)
{
	for (size_t i = 0; i < capture->count; i++) {
		if (head->captured_count == HTTP1_CAPTURED_MAX)
			return;
		if (!text_is(name, capture->names[i].at, capture->names[i].size))
			continue;
		head->captured_name[head->captured_count] = name;
		head->captured[head->captured_count++] = value;
		return;
	}
}

static int take_line(struct http1_head *head, struct tally *tally, const char *at, const char *end,
		     const struct http1_capture *capture)
{
	const char *colon = memchr(at, ':', (size_t)(end - at));

	/* A space in front is a folded line, one before the colon a smuggler's. */
	if (!colon || colon == at || is_space(*at) || is_space(colon[-1]))
		return -1;
	struct http1_text name = {at, (uint32_t)(colon - at)};
	unsigned what = known_name(name.at, name.size);
	if (what == KNOWN_NONE && !capture)
		return 0;
	struct http1_text value = trim(colon + 1, end);
	if (what != KNOWN_NONE)
		take_known(head, tally, what, value);
	if (capture)
		take_captured(head, capture, name, value);
	return 0;
}

/*
 * RFC 9112 section 6.3. A request with both framings, or whose length can't be known, is how
 * requests are smuggled: servers differ on it, so we don't guess. In a response chunked wins, and
 * another last coding means: until the connection closes. Codings in HTTP/1.0 are faulty.
 */
static void judge(struct http1_head *head, const struct tally *tally)
{
	int broken = tally->length_broken || tally->coding_broken;

	if (tally->coding_seen) {
		broken |= head->version == 10;
		if (head->kind == HTTP1_REQUEST)
			broken |= tally->length_seen || !tally->coding_last_chunked;
		head->chunked = tally->coding_last_chunked;
	}
	head->bad_framing = (uint8_t)broken;
	head->has_length = tally->length_seen && !broken && !tally->coding_seen;
	head->length = head->has_length ? tally->length : 0;
	head->upgrade = tally->upgrade_option && tally->upgrade_field;
	head->keep_alive = !tally->close && (head->version == 11 || tally->keep_alive);
	head->expect_continue &= head->version == 11;
}

/* ---- whole heads ---------------------------------------------------------------------------- */

long http1_head_end(const char *at, size_t size, size_t *scanned)
{
	size_t i = *scanned;
	const char *newline;

	while (i < size && (newline = memchr(at + i, '\n', size - i))) {
		i = (size_t)(newline - at);
		size_t next = i + 1;
		if (next < size && at[next] == '\r')
			next++;
		if (next >= size) {
			*scanned = i;
			return -2;
		}
		if (at[next] == '\n') {
			*scanned = next + 1;
			return (long)(next + 1);
		}
		i++;
	}
	*scanned = size;
	return -2;
}

/*
 * The line at `at`: its end goes to `end`, returned is where the next begins. NULL: not complete.
 * A carriage return within the line is left to the caller.
 */
static const char *line_end(const char *at, const char *limit, const char **end)
{
	const char *newline = at < limit ? memchr(at, '\n', (size_t)(limit - at)) : NULL;

	if (!newline)
		return NULL;
	*end = newline > at && newline[-1] == '\r' ? newline - 1 : newline;
	return newline + 1;
}

static int start_line(const char *at, const char *end, struct http1_head *head)
{
	if (memchr(at, '\r', (size_t)(end - at)))
		return -1;
	return head->kind == HTTP1_REQUEST ? request_line(at, end, head) : status_line(at, head);
}

long http1_head_parse(const char *at, size_t size, enum http1_kind kind,
		      const struct http1_capture *capture, struct http1_head *head)
{
	const char *limit = at + (size < HTTP1_HEAD_MAX ? size : HTTP1_HEAD_MAX);
	const char *end, *line = at;
	struct tally tally = {0};
	int looks = http1_looks_like(kind, at, size);

	if (looks != 1)
		return looks && size < HTTP1_HEAD_MAX ? -2 : -1;
	memset(head, 0, offsetof(struct http1_head, captured_name));
	head->kind = kind;
	head->at = at;
	const char *next = line_end(at, limit, &end);
	if (next && start_line(at, end, head))
		return -1;
	for (line = next; line && (next = line_end(line, limit, &end)); line = next) {
		if (end == line)
			break;
		if (memchr(line, '\r', (size_t)(end - line)) ||
		    take_line(head, &tally, line, end, capture))
			return -1;
	}
	if (!line || !next)
		return size < HTTP1_HEAD_MAX ? -2 : -1;
	if (memchr(at, '\0', (size_t)(next - at)))
		return -1;
	head->size = (uint32_t)(next - at);
	head->insert_at = (uint32_t)(line - at);
	head->bare_lf = *end == '\n';
	judge(head, &tally);
	return (long)head->size;
}
