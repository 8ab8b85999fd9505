/* exchange.c - one request and its response: identity, span under construction, end. */
#include "preload/exchange.h"

#include <errno.h>
#include <string.h>

#include "preload/attach.h"
#include "preload/conf.h"
#include "preload/exchange_cpu.h"
#include "preload/exchange_list.h"
#include "preload/late.h"
#include "preload/live.h"
#include "preload/published.h"
#include "preload/ring.h"
#include "preload/secret.h"
#include "preload/sys.h"
#include "preload/thread.h"

#define EXCHANGES     8192
#define PRIVATE_SPANS 8192

/* What stands before the text of a field. */
struct field_head {
	uint8_t id;
	uint8_t reserved;
	uint16_t size;
};

struct pool exchanges;
static struct pool private_spans;

int exchanges_init(void)
{
	if (exchange_list_init(EXCHANGES) ||
	    pool_init(&exchanges, sizeof(struct exchange), EXCHANGES))
		return -ENOMEM;
	return pool_init(&private_spans, sizeof(struct inflight), PRIVATE_SPANS);
}

uint64_t exchange_reference(const struct exchange *exchange)
{
	return (uint64_t)atomic_load_explicit(&exchange->generation, memory_order_relaxed) << 32 |
	       exchange->index;
}

/* Takes an entry of the shared table, or a private one that the exporter can't see. */
static int take_span(struct exchange *exchange)
{
	/* A fork child claims its slot here, before its first record. */
	attach_ready();
	exchange->inflight = attach_inflight_get(&exchange->inflight_index);
	exchange->private_span = !exchange->inflight;
	if (exchange->inflight)
		return 0;
	attach_count(DROP_INFLIGHT_FULL);
	exchange->inflight_index = pool_get(&private_spans);
	if (!exchange->inflight_index)
		return -ENOMEM;
	exchange->inflight = pool_at(&private_spans, exchange->inflight_index);
	return 0;
}

static void return_span(struct exchange *exchange)
{
	/* An entry inherited by fork lies in the parent's slot: not ours to touch. */
	if (exchange->private_span)
		pool_put(&private_spans, exchange->inflight_index);
	else if (exchange->epoch == process_epoch)
		attach_inflight_put(exchange->inflight_index);
}

struct exchange *exchange_new(enum span_kind kind, uint64_t start_ns)
{
	uint32_t index;
	struct exchange *exchange;
	struct span *span;

	live_refresh();
	if (live_now()->disabled)
		return NULL;
	index = pool_get(&exchanges);
	exchange = exchange_at(index);
	if (!exchange) {
		attach_count(DROP_EXCHANGES);
		return NULL;
	}
	/* All but the texts, and the generation, which outlives its exchanges. */
	memset(&exchange->index, 0,
	       offsetof(struct exchange, request_id) - offsetof(struct exchange, index));
	exchange->index = index;
	exchange->kind = (uint8_t)kind;
	exchange->epoch = process_epoch;
	if (take_span(exchange)) {
		attach_count(DROP_EXCHANGES);
		pool_put(&exchanges, index);
		return NULL;
	}
	thread_random(&thread_self, exchange->own.span_id, sizeof(exchange->own.span_id));
	/* A call that never returned (a longjmp) may have left its wait behind. */
	atomic_store_explicit(&exchange->inflight->wait.since_ns, 0, memory_order_relaxed);
	span = exchange_span(exchange);
	memset(span, 0, sizeof(*span));
	span->start_ns = start_ns;
	span->kind = (uint8_t)kind;
	span->protocol = SPAN_HTTP;
	span->thread_id = thread_id(&thread_self);
	span->pid = attach_pid();
	memcpy(span->span_id, exchange->own.span_id, sizeof(span->span_id));
	return exchange;
}

/* Where the text of the next field goes, and at most how much of it; NULL: none fits. */
static char *field_room(struct exchange *exchange, size_t size, size_t *most)
{
	size_t room = SPAN_FIELDS_MAX - exchange->fields_size;

	if (exchange->epoch != process_epoch)
		return NULL;
	if (room < 8 && size + sizeof(struct field_head) > room) {
		exchange_span(exchange)->flags |= SPAN_TEXT_CUT;
		return NULL;
	}
	if (*most > room - sizeof(struct field_head))
		*most = room - sizeof(struct field_head);
	return (char *)exchange->inflight->fields + exchange->fields_size +
	       sizeof(struct field_head);
}

static void field_end(struct exchange *exchange, enum span_field id, size_t size, int cut)
{
	struct field_head head = {.id = (uint8_t)id, .size = (uint16_t)size};

	memcpy(exchange->inflight->fields + exchange->fields_size, &head, sizeof(head));
	exchange->fields_size += (uint16_t)(sizeof(head) + size);
	exchange_span(exchange)->fields_size = exchange->fields_size;
	if (cut)
		exchange_span(exchange)->flags |= SPAN_TEXT_CUT;
}

/* What was suspected, copied without its secrets, which are counted. */
static size_t copy_masked(const char *at, size_t size, enum secret_place place, char *to,
			  size_t most, int *cut)
{
	uint8_t counts[REDACTIONS] = {0};
	size_t copied = secret_copy(at, size, place, to, most, cut, counts);

	for (unsigned rule = 0; rule < REDACTIONS; rule++)
		if (counts[rule])
			attach_count_redaction((enum redaction)rule, counts[rule]);
	return copied;
}

void exchange_text(struct exchange *exchange, enum span_field id, const char *at, size_t size,
		   size_t most)
{
	enum secret_place place = id == FIELD_PATH ? SECRET_IN_PATH : SECRET_IN_TEXT;
	char *to = field_room(exchange, size, &most);
	int cut = 0;

	if (!to)
		return;
	if (size <= most && !secret_suspected(at, size, place))
		memcpy(to, at, size);
	else
		size = copy_masked(at, size, place, to, most, &cut);
	field_end(exchange, id, size, cut);
}

void exchange_field(struct exchange *exchange, enum span_field id, const char *at, size_t size)
{
	exchange_text(exchange, id, at, size, SPAN_FIELDS_MAX);
}

void exchange_masked(struct exchange *exchange, enum span_field id, const char *at, size_t size)
{
	size_t most = SPAN_FIELDS_MAX;
	char *to = field_room(exchange, size, &most);

	if (!to)
		return;
	memcpy(to, at, size < most ? size : most);
	field_end(exchange, id, size < most ? size : most, size > most);
}

void exchange_fields(struct exchange *exchange, const char *at, size_t size)
{
	if (exchange->epoch != process_epoch)
		return;
	if (size > (size_t)(SPAN_FIELDS_MAX - exchange->fields_size)) {
		exchange_span(exchange)->flags |= SPAN_TEXT_CUT;
		return;
	}
	memcpy(exchange->inflight->fields + exchange->fields_size, at, size);
	exchange->fields_size += (uint16_t)size;
	exchange_span(exchange)->fields_size = exchange->fields_size;
}

void exchange_identify(struct exchange *exchange, const uint8_t trace_id[16],
		       const uint8_t parent_id[8], uint8_t flags, enum span_link link)
{
	struct span *span = exchange_span(exchange);

	memcpy(exchange->own.trace_id, trace_id, 16);
	exchange->own.flags = flags;
	exchange->link = (uint8_t)link;
	memcpy(span->trace_id, trace_id, 16);
	if (parent_id)
		memcpy(span->parent_id, parent_id, 8);
	span->trace_flags = flags;
	span->link = (uint8_t)link;
	if (link == SPAN_LINK_REMOTE || link == SPAN_LINK_ENVIRONMENT || link == SPAN_LINK_OWN)
		span->flags |= SPAN_PARENT_REMOTE;
}

void exchange_publish(struct exchange *exchange)
{
	if (!exchange->private_span && exchange->epoch == process_epoch)
		atomic_store_explicit(&exchange->inflight->live, 1, memory_order_release);
}

void exchange_drop(struct exchange *exchange)
{
	uint32_t generation = atomic_load_explicit(&exchange->generation, memory_order_relaxed);

	if (exchange->kind == SPAN_SERVER)
		exchange_unlist(exchange);
	if (exchange->taken)
		late_keep(exchange, exchange_reference(exchange));
	if (!exchange->private_span && exchange->epoch == process_epoch)
		atomic_store_explicit(&exchange->inflight->live, 0, memory_order_release);
	return_span(exchange);
	atomic_store_explicit(&exchange->generation, generation + 1, memory_order_release);
	pool_put(&exchanges, exchange->index);
}

void exchange_end(struct exchange *exchange, uint64_t end_ns)
{
	struct span *span = exchange_span(exchange);

	if (exchange->epoch == process_epoch && !conf.no_telemetry) {
		span->end_ns = end_ns;
		if (exchange->kind == SPAN_SERVER)
			published_end(&thread_self, &exchange->own);
		exchange_counted(&thread_self, exchange);
		ring_push_span(span, exchange->inflight->fields, exchange->fields_size);
	}
	exchange_drop(exchange);
}
