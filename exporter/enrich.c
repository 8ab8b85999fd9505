/* enrich.c - a checked record becomes a span by OpenTelemetry's semantic conventions. */
#include "enrich.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "exporter/address.h"
#include "exporter/enrich_work.h"
#include "exporter/failure.h"
#include "exporter/routes.h"

#define FLAG_REMOTE_KNOWN 0x100u
#define FLAG_REMOTE       0x200u

struct text enrich_constant(const char *string)
{
	return (struct text){string, (uint32_t)strlen(string)};
}

/* A terminated copy: parts of other texts are not terminated, which the encoder needs. */
struct text enrich_copied(struct enrich_work *work, struct text text)
{
	char *copy;

	if (!text.at || text.size == 0)
		return ENRICH_ABSENT;
	copy = arena_text(work->list.arena, text.at, text.size);
	return copy ? (struct text){copy, text.size} : ENRICH_ABSENT;
}

static int is_known(const struct settings *settings, struct text method)
{
	for (unsigned i = 0; i < settings->method_count; i++) {
		const char *known = settings->methods[i];

		if (strncmp(known, method.at, method.size) == 0 && known[method.size] == '\0')
			return 1;
	}
	return 0;
}

static void add_method(struct enrich_work *work)
{
	struct text method = enrich_field(work, FIELD_METHOD);

	work->known_method = method.size && is_known(work->settings, method);
	if (work->known_method) {
		attribute_add_text(&work->list, "http.request.method", method);
		work->to->name = method.at;
		return;
	}
	attribute_add_text(&work->list, "http.request.method", enrich_constant("_OTHER"));
	if (method.size)
		attribute_add_text(&work->list, "http.request.method_original", method);
	work->to->name = "HTTP";
}

static void set_scheme(struct enrich_work *work)
{
	work->scheme = enrich_field(work, FIELD_SCHEME);
	if (work->scheme.size == 0)
		work->scheme =
			enrich_constant(work->from->flags & SPAN_ENCRYPTED ? "https" : "http");
}

static uint32_t default_port(struct text scheme)
{
	return scheme.size == 5 && memcmp(scheme.at, "https", 5) == 0 ? 443 : 80;
}

static void add_server(struct enrich_work *work, struct text source)
{
	struct authority authority = authority_parse(source);

	if (authority.host.size == 0)
		return;
	attribute_add_text(&work->list, "server.address", enrich_copied(work, authority.host));
	attribute_add_number(&work->list, "server.port",
			     authority.port ? authority.port : default_port(work->scheme));
}

/* The server's own name as the request has it; nothing is made up where it has none. */
static void add_server_of_request(struct enrich_work *work)
{
	struct text forwarded = enrich_field(work, FIELD_FORWARDED_HOST);

	if (forwarded.size) {
		add_server(work, forwarded);
		return;
	}
	if (enrich_field(work, FIELD_HOST).size)
		add_server(work, enrich_field(work, FIELD_HOST));
	else
		attribute_add_text(&work->list, "server.address",
				   enrich_field(work, FIELD_UNIX_PATH));
}

static void add_client(struct enrich_work *work)
{
	struct authority first = authority_parse(enrich_field(work, FIELD_FORWARDED_FOR));

	if (first.host.size)
		attribute_add_text(&work->list, "client.address", enrich_copied(work, first.host));
	else
		attribute_add_text(&work->list, "client.address", work->peer);
}

void enrich_peer(struct enrich_work *work)
{
	if (work->from->peer.family == ADDRESS_UNIX || enrich_field(work, FIELD_UNIX_PATH).size) {
		attribute_add_text(&work->list, "network.transport", enrich_constant("unix"));
		if (enrich_field(work, FIELD_UNIX_PATH).size)
			attribute_add_text(&work->list, "network.peer.address",
					   enrich_field(work, FIELD_UNIX_PATH));
		return;
	}
	if (!work->peer.at)
		return;
	attribute_add_text(&work->list, "network.peer.address", work->peer);
	attribute_add_number(&work->list, "network.peer.port", work->from->peer.port);
}

static void add_version(struct enrich_work *work)
{
	if (work->from->version == 11)
		attribute_add_text(&work->list, "network.protocol.version", enrich_constant("1.1"));
	else if (work->from->version == 10)
		attribute_add_text(&work->list, "network.protocol.version", enrich_constant("1.0"));
}

static char *append(char *to, struct text text)
{
	memcpy(to, text.at, text.size);
	return to + text.size;
}

/* Host as it was dialled; an address without a Host header is put into brackets where it must be.
 */
static struct text dialled(struct enrich_work *work)
{
	const struct span *from = work->from;
	struct text host = enrich_field(work, FIELD_HOST);
	char *text;
	int size;

	if (host.size == 0)
		host = enrich_field(work, FIELD_PEER_NAME);
	else
		return host;
	if (host.size == 0)
		host = work->peer.at ? work->peer : enrich_constant("localhost");
	text = arena_bytes(work->list.arena, host.size + 16);
	if (!text)
		return ENRICH_ABSENT;
	size = sprintf(text, memchr(host.at, ':', host.size) ? "[%s]" : "%s", host.at);
	if (from->peer.port && from->peer.port != default_port(work->scheme))
		size += sprintf(text + size, ":%u", from->peer.port);
	return (struct text){text, (uint32_t)size};
}

static void add_url_full(struct enrich_work *work, struct text host)
{
	struct text path = enrich_field(work, FIELD_PATH), query = enrich_field(work, FIELD_QUERY);
	const char *at = host.size ? memrchr(host.at, '@', host.size) : NULL;
	char *url, *end;

	url = arena_bytes(work->list.arena,
			  (size_t)work->scheme.size + host.size + path.size + query.size + 32);
	if (!url || !host.at)
		return;
	end = append(append(url, work->scheme), enrich_constant("://"));
	if (at) {
		end = append(end, enrich_constant("REDACTED:REDACTED@"));
		host.size -= (uint32_t)(at + 1 - host.at);
		host.at = at + 1;
	}
	end = append(end, host);
	/* "OPTIONS *" asks about the server itself: no path. */
	if (path.size && path.at[0] == '/')
		end = append(end, path);
	if (query.at)
		end = append(append(end, enrich_constant("?")), query);
	*end = '\0';
	work->to->target = url;
	attribute_add_text(&work->list, "url.full", (struct text){url, (uint32_t)(end - url)});
}

static void add_url_server(struct enrich_work *work)
{
	struct text path = enrich_field(work, FIELD_PATH);

	if (path.at) {
		attribute_add_text(&work->list, "url.path", path);
		work->to->target = path.at;
	}
	if (enrich_field(work, FIELD_QUERY).size)
		attribute_add_text(&work->list, "url.query", enrich_field(work, FIELD_QUERY));
	attribute_add_text(&work->list, "url.scheme", work->scheme);
}

static void add_sizes(struct enrich_work *work)
{
	const struct span *from = work->from;

	if (from->request_body_bytes)
		attribute_add_number(&work->list, "http.request.body.size",
				     (int64_t)from->request_body_bytes);
	if (from->flags & SPAN_RESPONSE_SEEN)
		attribute_add_number(&work->list, "http.response.body.size",
				     (int64_t)from->response_body_bytes);
}

static void add_headers(struct enrich_work *work)
{
	const struct record *record = work->record;
	struct text id = enrich_field(work, FIELD_REQUEST_ID);

	if (id.size) {
		attribute_add_texts(&work->list, "http.request.header.x-request-id", id);
		work->to->request_id = id.at;
	}
	for (size_t i = 0; i < record->header_count; i++) {
		const struct record_header *header = &record->headers[i];
		struct text prefix = enrich_constant(header->of_response ? "http.response.header."
									 : "http.request.header.");
		char *key = arena_bytes(work->list.arena, prefix.size + header->name.size + 1);

		if (!key)
			return;
		*append(append(key, prefix), header->name) = '\0';
		if (!attribute_find(work->list.at, work->list.count, key))
			attribute_add_texts(&work->list, key, header->value);
	}
}

static void add_guess(struct enrich_work *work)
{
	static const char *const names[] = {"reused_connection", "thread",    "target",
					    "inherited",         "last_read", "connection"};
	unsigned guess = (unsigned)work->from->link - SPAN_LINK_GUESSES;

	if (work->from->link >= SPAN_LINK_GUESSES && guess < sizeof(names) / sizeof(names[0]))
		attribute_add_string(&work->list, "tagalong.parent.guess", names[guess]);
}

static void add_call(struct enrich_work *work)
{
	const struct record_call *call = &work->record->call;

	attribute_add_text(&work->list, "code.function.name", call->function);
	attribute_add_text(&work->list, "code.file.path", call->file);
	if (call->line)
		attribute_add_number(&work->list, "code.line.number", call->line);
	attribute_add_text(&work->list, "code.stacktrace", call->stack);
}

void enrich_fail(struct enrich_work *work, const char *error_type)
{
	work->to->status = STATUS_ERROR;
	work->to->error_type = error_type;
	attribute_add_string(&work->list, "error.type", error_type);
}

static int status_is_error(const struct enrich_work *work)
{
	unsigned status = work->from->status_code;

	if (!(work->from->flags & SPAN_RESPONSE_SEEN))
		return 0;
	if (status < 100 || status > 599)
		return 1;
	return status >= (work->from->kind == SPAN_SERVER ? 500 : 400);
}

/* A client that has its answer and doesn't read all of it has lost interest: that is no failure. */
static int is_lost_interest(const struct span *from)
{
	return from->kind == SPAN_CLIENT && from->failure == FAILURE_CLOSED &&
	       (from->flags & SPAN_RESPONSE_SEEN);
}

static void add_outcome(struct enrich_work *work, const struct enrich_ending *ending)
{
	const struct span *from = work->from;

	if (from->flags & SPAN_RESPONSE_SEEN) {
		work->to->http_status = from->status_code;
		attribute_add_number(&work->list, "http.response.status_code", from->status_code);
	}
	if (ending)
		work->to->status_message = ending->message;
	if (status_is_error(work)) {
		char *code = arena_bytes(work->list.arena, 8);

		if (code)
			sprintf(code, "%u", from->status_code);
		enrich_fail(work, code ? code : "_OTHER");
	} else if (ending) {
		enrich_fail(work, ending->error_type);
	} else if (from->failure != FAILURE_NONE && !is_lost_interest(from)) {
		enrich_fail(work, failure_error_type(from->failure, from->error_number));
	}
}

/* http.route of a server, url.template of a client; without one the name is the method alone. */
static void add_route(struct enrich_work *work)
{
	const struct route_match *match = work->record->route;
	size_t size;
	char *name;

	if (!match)
		return;
	attribute_add_text(&work->list,
			   work->from->kind == SPAN_SERVER ? "http.route" : "url.template",
			   match->route);
	size = strlen(work->to->name);
	name = arena_bytes(work->list.arena, size + match->route.size + 2);
	if (!name)
		return;
	memcpy(name, work->to->name, size);
	name[size] = ' ';
	memcpy(name + size + 1, match->route.at, match->route.size + 1);
	work->to->name = name;
}

static void enrich_http(struct enrich_work *work, const struct enrich_ending *ending)
{
	add_method(work);
	add_route(work);
	set_scheme(work);
	if (work->from->kind == SPAN_SERVER) {
		add_url_server(work);
		add_server_of_request(work);
		add_client(work);
	} else {
		struct text host = dialled(work);

		add_url_full(work, host);
		add_server(work, host);
		if (work->from->resend_count)
			attribute_add_number(&work->list, "http.request.resend_count",
					     work->from->resend_count);
	}
	add_outcome(work, ending);
	enrich_peer(work);
	add_version(work);
	if (enrich_field(work, FIELD_USER_AGENT).size)
		attribute_add_text(&work->list, "user_agent.original",
				   enrich_field(work, FIELD_USER_AGENT));
	add_sizes(work);
	add_headers(work);
}

/* A connect() that failed: `socket connect ADDRESS:PORT`, or the path of a Unix socket. */
static void enrich_connect(struct enrich_work *work, const struct enrich_ending *ending)
{
	struct text where = work->peer;
	char *name;

	if (enrich_field(work, FIELD_UNIX_PATH).size)
		where = enrich_field(work, FIELD_UNIX_PATH);
	name = arena_bytes(work->list.arena, where.size + 48);
	if (!name)
		return;
	if (!where.size)
		sprintf(name, "socket connect");
	else if (work->peer.at)
		sprintf(name,
			memchr(where.at, ':', where.size) ? "socket connect [%s]:%u"
							  : "socket connect %s:%u",
			where.at, work->from->peer.port);
	else
		sprintf(name, "socket connect %s", where.at);
	work->to->name = name;
	if (where.size)
		work->to->target = name + strlen("socket connect ");
	if (enrich_field(work, FIELD_PEER_NAME).size)
		attribute_add_text(&work->list, "server.address",
				   enrich_field(work, FIELD_PEER_NAME));
	enrich_peer(work);
	add_outcome(work, ending);
}

static void copy_identity(struct batch_span *to, const struct span *from, uint64_t unix_offset_ns)
{
	memcpy(to->trace_id, from->trace_id, sizeof(to->trace_id));
	memcpy(to->span_id, from->span_id, sizeof(to->span_id));
	memcpy(to->parent_id, from->parent_id, sizeof(to->parent_id));
	to->start_unix_ns = from->start_ns + unix_offset_ns;
	to->end_unix_ns = from->end_ns + unix_offset_ns;
	to->kind = from->kind;
	to->flags = from->trace_flags | FLAG_REMOTE_KNOWN;
	if (from->flags & SPAN_PARENT_REMOTE)
		to->flags |= FLAG_REMOTE;
}

/* By the thread's own clock, in nanoseconds: eBPF can tell more. */
static void add_times(struct enrich_work *work)
{
	const struct span *from = work->from;
	uint64_t whole = from->end_ns - from->start_ns;
	uint64_t cpu = from->cpu_ns < whole ? from->cpu_ns : whole;
	uint64_t calls = from->calls_ns < whole ? from->calls_ns : whole;

	if (!(from->flags & SPAN_CPU_KNOWN))
		return;
	attribute_add_number(&work->list, "tagalong.time.cpu", (int64_t)cpu);
	attribute_add_number(&work->list, "tagalong.time.off_cpu", (int64_t)(whole - cpu));
	attribute_add_number(&work->list, "tagalong.time.calls", (int64_t)calls);
}

int enrich_span(struct batch *batch, const struct settings *settings, const struct record *record,
		const struct enrich_ending *ending, uint64_t unix_offset_ns,
		struct batch_span *span)
{
	struct enrich_work work;

	memset(span, 0, sizeof(*span));
	work.settings = settings;
	work.record = record;
	work.from = &record->span;
	work.to = span;
	attribute_list_init(&work.list, &batch->arena, settings->attribute_count_limit,
			    settings->attribute_length_limit);
	work.peer = address_text(&batch->arena, &record->span.peer);
	copy_identity(span, &record->span, unix_offset_ns);
	span->trace_state = record->field[FIELD_TRACE_STATE].at;
	switch (record->span.protocol) {
	case SPAN_HTTP:
		enrich_http(&work, ending);
		break;
	case SPAN_CONNECT:
		span->kind = SPAN_INTERNAL;
		enrich_connect(&work, ending);
		break;
	case SPAN_TLS:
		span->kind = SPAN_INTERNAL;
		enrich_handshake(&work, ending);
		break;
	default:
		enrich_db(&work, ending);
		break;
	}
	enrich_encryption(&work);
	if (record->span.thread_id)
		attribute_add_number(&work.list, "thread.id", record->span.thread_id);
	add_times(&work);
	add_guess(&work);
	add_call(&work);
	span->attributes = attribute_list_copy(&work.list);
	span->attribute_count = (uint16_t)work.list.count;
	span->attributes_dropped = (uint16_t)work.list.dropped;
	return span->attributes && span->name ? 0 : -ENOMEM;
}
