/* identity.c - the trace that a request belongs to: from its headers, its context, or new. */
#include "preload/identity.h"

#include <string.h>

#include "preload/conf.h"
#include "preload/exchange_list.h"
#include "preload/fastcgi.h"
#include "preload/late.h"
#include "preload/live.h"
#include "preload/runtime.h"
#include "preload/sample.h"

static struct sample_state state_of(struct exchange *exchange)
{
	return (struct sample_state){exchange->tracestate, &exchange->tracestate_size};
}

static void begin_trace(struct thread *self, struct exchange *exchange)
{
	uint8_t trace_id[16];

	thread_random(self, trace_id, sizeof(trace_id));
	exchange->tracestate_size = 0;
	exchange_identify(exchange, trace_id, NULL,
			  sample_begin(live_now(), trace_id, state_of(exchange)) |
				  TRACE_FLAG_RANDOM,
			  SPAN_LINK_ROOT);
}

/* The flags of our span under a remote parent, whose tracestate the exchange has. */
static uint8_t flags_under(struct exchange *exchange, const struct trace_parent *parent)
{
	return sample_under(live_now(), parent, state_of(exchange));
}

/* Next line of a head after `at`; NULL at the empty line. */
static const char *next_line(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));

	return newline && newline + 1 < end && newline[1] != '\r' && newline[1] != '\n'
		       ? newline + 1
		       : NULL;
}

static int is_tracestate(const char *line, const char *end)
{
	static const char name[] = "tracestate:";
	size_t size = sizeof(name) - 1;

	if ((size_t)(end - line) < size || line[size - 1] != ':')
		return 0;
	for (size_t i = 0; i < size - 1; i++)
		if ((line[i] | 32) != name[i])
			return 0;
	return 1;
}

/* Several tracestate fields are one list, in order, joined by commas. Returns its size, 0: too
 * long. */
static size_t join_tracestate(const struct http1_head *head, char *out, size_t room)
{
	const char *line = head->method.at;
	const char *end = head->method.at + head->size;
	size_t used = 0;

	while ((line = next_line(line, end))) {
		const char *value = line + sizeof("tracestate:") - 1;
		const char *stop;

		if (!is_tracestate(line, end))
			continue;
		stop = memchr(value, '\n', (size_t)(end - value));
		if (stop > value && stop[-1] == '\r')
			stop--;
		if (used + (size_t)(stop - value) + 1 > room)
			return 0;
		if (used)
			out[used++] = ',';
		memcpy(out + used, value, (size_t)(stop - value));
		used += (size_t)(stop - value);
	}
	return used;
}

static void take_tracestate(struct exchange *exchange, const struct http1_head *head)
{
	const struct http1_text *state = &head->field[HTTP1_TRACESTATE];
	/* Unused until the response: no such buffer on the host's stack. */
	char *joined = exchange->added;
	int size;

	if (!state->at)
		return;
	if (head->repeats[HTTP1_TRACESTATE] > 1)
		size = tracestate_parse(joined,
					join_tracestate(head, joined, sizeof(exchange->added)),
					exchange->tracestate);
	else
		size = tracestate_parse(state->at, state->size, exchange->tracestate);
	exchange->tracestate_size = (uint16_t)(size > 0 ? size : 0);
}

static int extract_b3(struct exchange *exchange, const struct http1_head *head,
		      struct trace_parent *parent, int multi)
{
	const struct http1_text *field = head->field;
	struct b3_headers headers = {0};
	int debug = 0;
	int deferred = 0;

	if (multi) {
		headers.trace_id = field[HTTP1_B3_TRACE_ID].at;
		headers.trace_id_size = field[HTTP1_B3_TRACE_ID].size;
		headers.span_id = field[HTTP1_B3_SPAN_ID].at;
		headers.span_id_size = field[HTTP1_B3_SPAN_ID].size;
		headers.sampled = field[HTTP1_B3_SAMPLED].at;
		headers.sampled_size = field[HTTP1_B3_SAMPLED].size;
		headers.flags = field[HTTP1_B3_FLAGS].at;
		headers.flags_size = field[HTTP1_B3_FLAGS].size;
	} else {
		headers.single = field[HTTP1_B3].at;
		headers.single_size = field[HTTP1_B3].size;
	}
	if ((!headers.single && !headers.trace_id) || b3_parse(&headers, parent, &debug, &deferred))
		return 0;
	exchange->debug = (uint8_t)debug;
	if (deferred)
		parent->flags |= sample_begin(live_now(), parent->trace_id, state_of(exchange));
	return 1;
}

/* OpenTelemetry reads both B3 forms, single first, whichever of the two is configured. */
static int extract(struct exchange *exchange, const struct http1_head *head, uint8_t propagator,
		   struct trace_parent *parent)
{
	const struct http1_text *text = &head->field[HTTP1_TRACEPARENT];

	if (propagator != PROPAGATE_TRACECONTEXT)
		return extract_b3(exchange, head, parent, 0) ||
		       extract_b3(exchange, head, parent, 1);
	if (!text->at || head->repeats[HTTP1_TRACEPARENT] != 1 ||
	    traceparent_parse(text->at, text->size, parent))
		return 0;
	take_tracestate(exchange, head);
	return 1;
}

int identity_of_head(struct exchange *exchange, const struct http1_head *head,
		     struct trace_parent *parent, const char **digits)
{
	const struct http1_text *text = &head->field[HTTP1_TRACEPARENT];

	if (text->at) {
		*digits = text->size == TRACEPARENT_SIZE ? text->at + 36 : NULL;
		return head->repeats[HTTP1_TRACEPARENT] == 1 &&
		       traceparent_parse(text->at, text->size, parent) == 0;
	}
	if (!(conf.propagators & (PROPAGATE_B3 | PROPAGATE_B3MULTI)))
		return 0;
	text = &head->field[HTTP1_B3];
	if (extract_b3(exchange, head, parent, 0)) {
		*digits = (const char *)memchr(text->at, '-', text->size) + 1;
		return head->repeats[HTTP1_B3] == 1;
	}
	*digits = head->field[HTTP1_B3_SPAN_ID].at;
	return extract_b3(exchange, head, parent, 1) && head->repeats[HTTP1_B3_SPAN_ID] == 1;
}

int identity_take_request_id(struct exchange *exchange, const struct http1_head *head)
{
	const struct http1_text *id = &head->field[HTTP1_REQUEST_ID];

	if (!id->at || head->repeats[HTTP1_REQUEST_ID] != 1 || !request_id_valid(id->at, id->size))
		return 0;
	memcpy(exchange->request_id, id->at, id->size);
	exchange->request_id_size = (uint16_t)id->size;
	return 1;
}

static void make_request_id(struct thread *self, struct exchange *exchange)
{
	uint8_t random[16];

	/* A database has no use for one, nor has a span without a parent that could share it. */
	if (!live_now()->request_ids || exchange->is_operation)
		return;
	thread_random(self, random, sizeof(random));
	request_id_format(random, exchange->request_id);
	exchange->request_id_size = REQUEST_ID_SIZE;
}

void identity_from_request(struct thread *self, struct exchange *exchange,
			   const struct http1_head *head)
{
	struct trace_parent parent;
	int found = 0;

	for (size_t i = 0; i < sizeof(conf.extract) && conf.extract[i]; i++) {
		struct trace_parent candidate = {0};

		if (extract(exchange, head, conf.extract[i], &candidate)) {
			parent = candidate;
			found = 1;
		}
	}
	if (found) {
		exchange->incoming = parent;
		exchange_identify(exchange, parent.trace_id, parent.span_id,
				  flags_under(exchange, &parent), SPAN_LINK_REMOTE);
	} else {
		begin_trace(self, exchange);
	}
	if (!identity_take_request_id(exchange, head))
		make_request_id(self, exchange);
}

void identity_from_context(struct thread *self, struct exchange *exchange,
			   const struct exchange *context, enum span_link link)
{
	exchange_identify(exchange, context->own.trace_id, context->own.span_id, context->own.flags,
			  link);
	exchange->debug = context->debug;
	exchange->tracestate_size = context->tracestate_size;
	memcpy(exchange->tracestate, context->tracestate, context->tracestate_size);
	exchange->request_id_size = context->request_id_size;
	memcpy(exchange->request_id, context->request_id, context->request_id_size);
	if (!exchange->request_id_size)
		make_request_id(self, exchange);
}

void identity_from_process(struct thread *self, struct exchange *exchange)
{
	if (conf.has_parent && !exchange_served()) {
		exchange->tracestate_size = conf.parent_state_size;
		memcpy(exchange->tracestate, conf.parent_state, conf.parent_state_size);
		exchange_identify(exchange, conf.parent.trace_id, conf.parent.span_id,
				  flags_under(exchange, &conf.parent), SPAN_LINK_ENVIRONMENT);
	} else {
		begin_trace(self, exchange);
	}
	make_request_id(self, exchange);
}

/* 1: the response has gone out, but the runtime knows in what the call is made. */
static int by_runtime(struct thread *self, struct exchange *exchange)
{
	const struct runtime_context *late = self->runtime;

	if (!runtime_lasts(late))
		return 0;
	exchange_identify(exchange, late->own.trace_id, late->own.span_id, late->own.flags,
			  SPAN_LINK_CONTEXT);
	if (!late_find(late->reference, exchange) || !exchange->request_id_size)
		make_request_id(self, exchange);
	return 1;
}

/* A context that a fork child inherited is its parent's business; it may only guess. */
void identity_by_context(struct thread *self, struct exchange *exchange, uint64_t context,
			 enum span_link link)
{
	const struct exchange *server = exchange_of(context);

	if (!server) {
		if (!by_runtime(self, exchange))
			identity_from_process(self, exchange);
		return;
	}
	if (server->epoch != process_epoch && link < SPAN_LINK_GUESSES)
		link = SPAN_LINK_GUESS_INHERITED;
	exchange->parent = context;
	identity_from_context(self, exchange, server, link);
}

int identity_add_line(struct exchange *exchange, const char *name, const char *value, size_t size)
{
	size_t name_size = strlen(name);
	char *to = exchange->added + exchange->added_size;

	if (exchange->added_size + name_size + size + 4 > sizeof(exchange->added))
		return 0;
	memcpy(to, name, name_size);
	memcpy(to + name_size, ": ", 2);
	memcpy(to + name_size + 2, value, size);
	memcpy(to + name_size + 2 + size, "\r\n", 2);
	exchange->added_size = (uint16_t)(exchange->added_size + name_size + size + 4);
	return 1;
}

static void add_b3(struct exchange *exchange)
{
	char trace_id[32];
	char span_id[16];
	char single[B3_SIZE];
	char sampled = exchange->own.flags & TRACE_FLAG_SAMPLED ? '1' : '0';

	if (conf.propagators & PROPAGATE_B3)
		identity_add_line(exchange, "b3", single,
				  b3_format(&exchange->own, exchange->debug, single));
	if (!(conf.propagators & PROPAGATE_B3MULTI))
		return;
	hex_format(exchange->own.trace_id, 16, trace_id);
	hex_format(exchange->own.span_id, 8, span_id);
	identity_add_line(exchange, "X-B3-TraceId", trace_id, sizeof(trace_id));
	identity_add_line(exchange, "X-B3-SpanId", span_id, sizeof(span_id));
	if (exchange->debug)
		identity_add_line(exchange, "X-B3-Flags", "1", 1);
	else
		identity_add_line(exchange, "X-B3-Sampled", &sampled, 1);
}

void identity_write_headers(struct exchange *exchange, const struct http1_head *head, int own_trace)
{
	char parent[TRACEPARENT_SIZE];

	exchange->added_size = 0;
	if (!own_trace && conf.propagators & PROPAGATE_TRACECONTEXT) {
		traceparent_format(&exchange->own, parent);
		identity_add_line(exchange, "traceparent", parent, sizeof(parent));
		if (exchange->tracestate_size && !head->field[HTTP1_TRACESTATE].at)
			identity_add_line(exchange, "tracestate", exchange->tracestate,
					  exchange->tracestate_size);
	}
	if (!own_trace)
		add_b3(exchange);
	if (exchange->request_id_size && !head->field[HTTP1_REQUEST_ID].at)
		identity_add_line(exchange, "X-Request-ID", exchange->request_id,
				  exchange->request_id_size);
	if (head->fastcgi && exchange->added_size)
		exchange->added_size =
			(uint16_t)fastcgi_params_of_lines(exchange->added, exchange->added_size,
							  sizeof(exchange->added), head->fastcgi);
}
