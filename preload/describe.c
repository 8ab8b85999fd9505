/* describe.c - the text fields of a span out of a message's head. */
#include "preload/describe.h"

#include <string.h>

#include "preload/attach.h"
#include "preload/live.h"
#include "preload/mask.h"
#include "preload/names.h"
#include "preload/secret.h"
#include "preload/thread.h"
#include "preload/tls.h"

#define PATH_MAX_BYTES  1024
#define QUERY_MAX_BYTES 512
#define TEXT_MAX_BYTES  256

static void field(struct exchange *exchange, enum span_field id, struct http1_text text, size_t max)
{
	if (text.at && text.size)
		exchange_text(exchange, id, text.at, text.size, max);
}

static struct http1_text slice(const char *from, const char *to)
{
	return (struct http1_text){from, (uint32_t)(to - from)};
}

static const char *find(const char *at, const char *end, char c)
{
	const char *found = memchr(at, c, (size_t)(end - at));

	return found ? found : end;
}

static void authority(struct exchange *exchange, struct http1_text text)
{
	const char *begin = text.at;
	size_t size = text.at ? mask_authority(text.at, text.size, &begin) : 0;

	field(exchange, FIELD_HOST, (struct http1_text){begin, (uint32_t)size}, TEXT_MAX_BYTES);
}

/* scheme://authority of an absolute-form target; returns where the path begins. */
static const char *absolute_form(struct exchange *exchange, struct http1_text target)
{
	const char *end = target.at + target.size;
	const char *colon = find(target.at, end, ':');
	const char *host = colon + 3;
	const char *path;

	if (end - colon < 3 || colon[1] != '/' || colon[2] != '/')
		return NULL;
	path = find(host, end, '/');
	if (find(host, end, '?') < path)
		path = find(host, end, '?');
	field(exchange, FIELD_SCHEME, slice(target.at, colon), 16);
	authority(exchange, slice(host, path));
	return path;
}

static void target_fields(struct exchange *exchange, const struct http1_head *head)
{
	/* A client never sends a fragment; what looks like one is kept out. */
	const char *end = find(head->target.at, head->target.at + head->target.size, '#');
	struct http1_text target = slice(head->target.at, end);
	const char *path = target.at;
	const char *query;
	/* Not written yet: no such buffer on the host's stack. */
	char *masked = exchange->added;
	size_t size;
	int cut = 0;

	if (exchange->is_connect) {
		authority(exchange, target);
		return;
	}
	if (*path != '/' && *path != '*') {
		path = absolute_form(exchange, target);
		path = path ? path : target.at;
	} else {
		authority(exchange, head->field[HTTP1_HOST]);
	}
	query = find(path, end, '?');
	field(exchange, FIELD_PATH, slice(path, query), PATH_MAX_BYTES);
	if (query == end)
		return;
	size = mask_query(&live_now()->mask, query + 1, (size_t)(end - query - 1), masked,
			  sizeof(exchange->added), &cut);
	if (cut)
		exchange_span(exchange)->flags |= SPAN_TEXT_CUT;
	exchange_text(exchange, FIELD_QUERY, masked, size, QUERY_MAX_BYTES);
}

/* First element of a comma list, up to `stop` or the end. */
static struct http1_text first_of(struct http1_text list)
{
	const char *end = list.at + list.size;
	const char *stop = find(list.at, end, ',');

	while (stop > list.at && (stop[-1] == ' ' || stop[-1] == '\t'))
		stop--;
	return slice(list.at, stop);
}

/* The value of one parameter in the first element of a Forwarded field (RFC 7239). */
static struct http1_text forwarded(struct http1_text value, const char *name, size_t name_size)
{
	struct http1_text element = first_of(value);
	const char *at = element.at;
	const char *end = element.at + element.size;

	while (at < end) {
		const char *stop = find(at, end, ';');
		size_t i = 0;

		while (at < stop && *at == ' ')
			at++;
		while (i < name_size && at + i < stop && (at[i] | 32) == name[i])
			i++;
		if (i == name_size && at + i < stop && at[i] == '=') {
			at += i + 1;
			if (at < stop && *at == '"') {
				at++;
				stop = find(at, stop, '"');
			}
			return slice(at, stop);
		}
		at = stop + 1;
	}
	return (struct http1_text){NULL, 0};
}

/* Forwarded wins over its X- forerunners. */
static void forwarded_fields(struct exchange *exchange, const struct http1_head *head)
{
	static const struct {
		const char *name;
		uint8_t size, header, id;
	} parts[] = {
		{"for", 3, HTTP1_FORWARDED_FOR, FIELD_FORWARDED_FOR},
		{"proto", 5, HTTP1_FORWARDED_PROTO, FIELD_SCHEME},
		{"host", 4, HTTP1_FORWARDED_HOST, FIELD_FORWARDED_HOST},
	};

	if (!head->field[HTTP1_FORWARDED].at && !head->field[HTTP1_FORWARDED_FOR].at &&
	    !head->field[HTTP1_FORWARDED_PROTO].at && !head->field[HTTP1_FORWARDED_HOST].at)
		return;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct http1_text text = {NULL, 0};

		if (head->field[HTTP1_FORWARDED].at)
			text = forwarded(head->field[HTTP1_FORWARDED], parts[i].name,
					 parts[i].size);
		if (!text.at && head->field[parts[i].header].at)
			text = first_of(head->field[parts[i].header]);
		field(exchange, parts[i].id, text, TEXT_MAX_BYTES);
	}
}

/* What follows the '?' of a URL: by its keys, then by the looks of what is left. */
static size_t url_query(const char *query, const char *end, char *to, size_t room,
			uint8_t counts[REDACTIONS])
{
	char masked[TEXT_MAX_BYTES];
	int cut = 0;
	size_t size = mask_query(&live_now()->mask, query, (size_t)(end - query), masked,
				 sizeof(masked), &cut);

	return secret_copy(masked, size, SECRET_IN_VALUE, to, room, &cut, counts);
}

/* A value as it may be told: secrets masked, of URLs the query by its keys as well. */
static size_t header_value(struct http1_text name, struct http1_text value, char *to, size_t room)
{
	const char *end = value.at + value.size;
	const char *query = find(value.at, end, '?');
	uint8_t counts[REDACTIONS] = {0};
	size_t size;
	int cut = 0;

	if (secret_header(name.at, name.size)) {
		attach_count_redaction(REDACTION_HEADER, 1);
		size = sizeof(MASK_TEXT) - 1 < room ? sizeof(MASK_TEXT) - 1 : room;
		memcpy(to, MASK_TEXT, size);
		return size;
	}
	if (query < end)
		query++;
	size = secret_copy(value.at, (size_t)(query - value.at), SECRET_IN_VALUE, to, room, &cut,
			   counts);
	if (query < end)
		size += url_query(query, end, to + size, room - size, counts);
	for (unsigned rule = 0; rule < REDACTIONS; rule++)
		if (counts[rule])
			attach_count_redaction((enum redaction)rule, counts[rule]);
	return size;
}

static void captured(struct exchange *exchange, enum span_field id, const struct http1_head *head)
{
	for (size_t i = 0; i < head->captured_count; i++) {
		struct http1_text name = head->captured_name[i];
		char text[TEXT_MAX_BYTES];

		if (name.size + 1 >= sizeof(text))
			continue;
		for (size_t c = 0; c < name.size; c++)
			text[c] = (char)(name.at[c] |
					 (name.at[c] >= 'A' && name.at[c] <= 'Z' ? 32 : 0));
		text[name.size] = 0;
		exchange_masked(exchange, id, text,
				name.size + 1 +
					header_value(name, head->captured[i], text + name.size + 1,
						     sizeof(text) - name.size - 1));
	}
}

void describe_peer(struct exchange *exchange, const struct conn *conn)
{
	struct span *span = exchange_span(exchange);
	char *name = exchange->added;
	size_t size;

	span->peer = conn->peer;
	span->local = conn->local;
	if (conn->tls)
		tls_describe(exchange, conn);
	if (conn->unix_path_size)
		exchange_field(exchange, FIELD_UNIX_PATH, conn->unix_path, conn->unix_path_size);
	if (exchange->kind != SPAN_CLIENT)
		return;
	size = names_find(&conn->peer, name, TEXT_MAX_BYTES);
	if (size)
		exchange_field(exchange, FIELD_PEER_NAME, name, size);
}

void describe_request(struct exchange *exchange, const struct conn *conn,
		      const struct http1_head *head)
{
	exchange_span(exchange)->version = head->version;
	field(exchange, FIELD_METHOD, head->method, 32);
	if (exchange->request_id_size)
		exchange_field(exchange, FIELD_REQUEST_ID, exchange->request_id,
			       exchange->request_id_size);
	target_fields(exchange, head);
	describe_peer(exchange, conn);
	if (exchange->kind == SPAN_SERVER)
		forwarded_fields(exchange, head);
	field(exchange, FIELD_USER_AGENT, head->field[HTTP1_USER_AGENT], TEXT_MAX_BYTES);
	if (exchange->tracestate_size)
		exchange_field(exchange, FIELD_TRACE_STATE, exchange->tracestate,
			       exchange->tracestate_size);
	captured(exchange, FIELD_REQUEST_HEADER, head);
}

void describe_response(struct exchange *exchange, const struct http1_head *head)
{
	struct span *span = exchange_span(exchange);

	if (exchange->epoch != process_epoch)
		return;
	span->status_code = head->status;
	span->flags |= SPAN_RESPONSE_SEEN;
	captured(exchange, FIELD_RESPONSE_HEADER, head);
}

static uint64_t mix(uint64_t hash, struct http1_text text)
{
	/* FNV-1a over eight bytes at a time: only equality matters. */
	for (; text.size >= 8; text.at += 8, text.size -= 8) {
		uint64_t word;

		memcpy(&word, text.at, 8);
		hash = (hash ^ word) * 0x100000001b3ull;
		hash ^= hash >> 29;
	}
	for (uint32_t i = 0; i < text.size; i++)
		hash = (hash ^ (uint8_t)text.at[i]) * 0x100000001b3ull;
	return (hash ^ 0xff) * 0x100000001b3ull;
}

uint64_t describe_target_hash(const struct http1_head *head)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	if (head->target.size < 2)
		return 0;
	hash = mix(hash, head->method);
	hash = mix(hash, head->target);
	hash = mix(hash, head->field[HTTP1_HOST]);
	return hash ? hash : 1;
}
