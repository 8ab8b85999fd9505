/* tail.c - tail sampling: whole traces wait in memory until it is known what they are worth. */
#include "exporter/tail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/log.h"
#include "exporter/sampling.h"
#include "exporter/tail_index.h"
#include "exporter/tail_pack.h"
#include "exporter/tail_pool.h"
#include "exporter/tail_route.h"

#define POLICY_KEY "tagalong.sampling.policy"

/* Spans of a trace beyond these are not searched for each other's parents. */
#define FAMILY_MAX 64u

struct tail {
	struct tail_outlet outlet;
	struct drops *drops;
	struct tail_policies policies;
	struct tail_pool pool; /* of blocks; none until it is configured */
	struct tail_index index;
	struct tail_queue waiting; /* by check_ns */
	struct tail_queue kept;    /* to be passed on */
	struct batch *open;        /* being filled with what was kept */
	uint64_t memory;
	struct tail_counts counts;
	uint8_t *bytes; /* of one span */
	size_t bytes_room;
};

/* ---- what is kept --------------------------------------------------------------------------- */

/* NULL: no memory. */
static uint8_t *room_for(struct tail *tail, size_t size)
{
	if (size > tail->bytes_room) {
		uint8_t *more = realloc(tail->bytes, size);

		if (!more)
			return NULL;
		tail->bytes = more;
		tail->bytes_room = size;
	}
	return tail->bytes;
}

/* Whoever is downstream can only raise the threshold that stands there. */
static void set_threshold(struct arena *arena, struct batch_span *span, uint64_t threshold)
{
	uint64_t before = sampling_threshold_of(span->trace_state);
	const char *state;

	if (before != SAMPLING_NEVER && before >= threshold)
		return;
	state = sampling_set_threshold(arena, span->trace_state, threshold);
	if (state)
		span->trace_state = state;
}

/* tail_unpack left room for one more. */
static void label(const struct tail_decision *decision, struct arena *arena,
		  struct batch_span *span)
{
	struct attribute *added =
		(struct attribute *)(uintptr_t)&span->attributes[span->attribute_count];
	const char *name;

	if (decision->kind < 0)
		return;
	name = tail_policy_name((enum tail_policy_kind)decision->kind);
	memset(added, 0, sizeof(*added));
	added->key = POLICY_KEY;
	added->type = ATTRIBUTE_TEXT;
	added->text = (struct text){name, (uint32_t)strlen(name)};
	span->attribute_count++;
	if (decision->kind == TAIL_RATIO)
		set_threshold(arena, span, decision->threshold);
}

static void emit(struct tail *tail)
{
	struct batch *batch = tail->open;

	tail->open = NULL;
	tail->counts.kept_spans += batch->count;
	tail->outlet.emit(tail->outlet.context, batch);
}

/* The batch to fill, with room for one more. NULL: no memory. */
static struct batch *open_batch(struct tail *tail)
{
	if (tail->open && tail->open->count == tail->open->capacity)
		emit(tail);
	if (!tail->open)
		tail->open = tail->outlet.take(tail->outlet.context);
	return tail->open;
}

/* `tail->bytes` holds the span. 0, or -errno. */
static int pass_on(struct tail *tail, const struct tail_trace *trace, const struct tail_head *head,
		   uint64_t now_ns)
{
	struct batch *batch = open_batch(tail);
	struct batch_span *span;
	int result;

	if (!batch)
		return -ENOMEM;
	span = &batch->spans[batch->count];
	result = tail_unpack(&batch->arena, head, tail->bytes, span);
	if (result == 0)
		result = batch_keep(batch, head->resource);
	if (result != 0)
		return result;
	memcpy(span->trace_id, trace->id, sizeof(span->trace_id));
	label(&trace->decision, &batch->arena, span);
	if (batch->count++ == 0)
		batch->opened_ns = now_ns;
	return 0;
}

/* Reads the trace's spans one by one: passes them on, or forgets them. */
static void release(struct tail *tail, uint32_t index, int is_kept, uint64_t now_ns)
{
	struct tail_trace *trace = &tail->index.traces[index];
	struct tail_reader reader = tail_stream_read(&tail->pool, &trace->spans);

	for (uint32_t i = 0; i < trace->span_count; i++) {
		struct tail_head head;
		uint8_t *room = NULL;

		tail_read(&reader, &head, sizeof(head));
		if (is_kept)
			room = room_for(tail, head.size);
		tail_read(&reader, room, head.size);
		if (is_kept && (!room || pass_on(tail, trace, &head, now_ns) != 0))
			drops_add(tail->drops, DROPS_MEMORY, 1);
		resource_put(head.resource);
	}
	tail_stream_clear(&tail->pool, &trace->spans);
	tail_index_free(&tail->index, index);
}

/* ---- decisions ------------------------------------------------------------------------------ */

static int is_jammed(const struct tail *tail)
{
	return tail->kept.first && tail->pool.free_count < tail->pool.count / 16;
}

static struct tail_decision judge(struct tail *tail, const struct tail_trace *trace,
				  uint64_t now_ns)
{
	struct tail_evidence evidence = {trace->matched, trace->randomness, is_jammed(tail)};
	struct tail_decision decision = {.kind = TAIL_DROPPED};
	int policy;

	if (!tail_is_on(tail)) {
		decision.kind = TAIL_UNLABELED;
		return decision;
	}
	policy = tail_policies_decide(&tail->policies, &evidence, now_ns);
	if (policy >= 0) {
		decision.kind = (int8_t)tail->policies.at[policy].kind;
		decision.threshold = tail->policies.at[policy].number;
	}
	return decision;
}

/* It was taken from the waiting ones. */
static void decide(struct tail *tail, uint32_t index, struct tail_decision decision,
		   uint64_t now_ns)
{
	struct tail_trace *trace = &tail->index.traces[index];

	tail_index_decide(&tail->index, index, decision, now_ns);
	if (decision.kind == TAIL_DROPPED) {
		tail->counts.dropped_spans += trace->span_count;
		release(tail, index, 0, now_ns);
		return;
	}
	tail_queue_push(&tail->index, &tail->kept, index);
}

static void count(struct tail *tail, const struct tail_decision *decision)
{
	if (decision->kind == TAIL_DROPPED)
		tail->counts.dropped++;
	else if (decision->kind >= 0)
		tail->counts.kept[decision->kind]++;
}

static void decide_next(struct tail *tail, uint64_t now_ns)
{
	uint32_t index = tail_queue_pop(&tail->index, &tail->waiting);
	struct tail_decision decision = judge(tail, &tail->index.traces[index], now_ns);

	count(tail, &decision);
	decide(tail, index, decision, now_ns);
}

/* Whether each span's parent has come, unless it is in another process: nothing here is open. */
static int is_complete(const struct tail *tail, const struct tail_trace *trace)
{
	struct tail_reader reader = tail_stream_read(&tail->pool, &trace->spans);
	struct tail_head heads[FAMILY_MAX];

	if (trace->has_root)
		return 1;
	if (trace->span_count > FAMILY_MAX)
		return 0;
	for (uint32_t i = 0; i < trace->span_count; i++) {
		tail_read(&reader, &heads[i], sizeof(heads[i]));
		tail_read(&reader, NULL, heads[i].size);
	}
	for (uint32_t i = 0; i < trace->span_count; i++) {
		uint32_t parent = 0;

		if (heads[i].flags & TAIL_FLAG_REMOTE)
			continue;
		while (parent < trace->span_count &&
		       memcmp(heads[parent].span_id, heads[i].parent_id, 8) != 0)
			parent++;
		if (parent == trace->span_count)
			return 0;
	}
	return 1;
}

static int is_due(const struct tail *tail, const struct tail_trace *trace, uint64_t now_ns)
{
	if (now_ns - trace->first_ns >= tail->policies.decision_wait_ns)
		return 1;
	return now_ns - trace->last_ns >= tail->policies.grace_ns && is_complete(tail, trace);
}

/* All are looked at again after the same time, so the first is always the next. */
static void decide_due(struct tail *tail, uint64_t now_ns)
{
	uint32_t index;

	while ((index = tail->waiting.first) && tail->index.traces[index].check_ns <= now_ns) {
		struct tail_trace *trace = &tail->index.traces[index];

		if (is_due(tail, trace, now_ns)) {
			decide_next(tail, now_ns);
			continue;
		}
		tail_queue_pop(&tail->index, &tail->waiting);
		trace->check_ns = now_ns + tail->policies.grace_ns + 1;
		tail_queue_push(&tail->index, &tail->waiting, index);
	}
}

static void decide_early(struct tail *tail, uint64_t now_ns)
{
	while (tail->waiting.first && tail->pool.free_count < tail->pool.count / 4) {
		tail->counts.early++;
		decide_next(tail, now_ns);
	}
}

/* ---- spans that come ------------------------------------------------------------------------ */

/* The trace that a span belongs to, which may be decided already; 0: it is to be dropped. */
static uint32_t trace_of(struct tail *tail, const struct batch_span *span, uint64_t now_ns)
{
	uint32_t index = tail_index_find(&tail->index, span->trace_id);
	struct tail_decision past;
	struct tail_trace *trace;

	if (index)
		return index;
	past = tail_index_past(&tail->index, span->trace_id, now_ns);
	if (past.kind == TAIL_DROPPED) {
		tail->counts.dropped_spans++;
		return 0;
	}
	index = tail_index_add(&tail->index, span->trace_id);
	if (!index) {
		drops_add(tail->drops, DROPS_MEMORY, 1);
		return 0;
	}
	trace = &tail->index.traces[index];
	trace->first_ns = now_ns;
	trace->randomness = sampling_randomness(span->trace_id, span->trace_state);
	trace->decision = past;
	if (past.kind == TAIL_UNKNOWN) {
		trace->check_ns = now_ns + tail->policies.grace_ns + 1;
		tail_queue_push(&tail->index, &tail->waiting, index);
	}
	return index;
}

static int has_no_parent(const struct batch_span *span)
{
	static const uint8_t none[8];

	return memcmp(span->parent_id, none, sizeof(none)) == 0;
}

static void take_span(struct tail *tail, const struct batch_span *span, uint64_t now_ns)
{
	uint32_t matched = tail_policies_match(&tail->policies, span, now_ns);
	uint32_t index = trace_of(tail, span, now_ns);
	struct tail_trace *trace = &tail->index.traces[index];
	const uint8_t *bytes;
	size_t size;

	if (!index)
		return;
	bytes = tail_pack(span, &size);
	if (bytes && tail_stream_write(&tail->pool, &trace->spans, bytes, size) == 0) {
		resource_get(span->resource);
		trace->span_count++;
	} else {
		drops_add(tail->drops, DROPS_MEMORY, 1);
	}
	trace->last_ns = now_ns;
	trace->matched |= matched;
	trace->has_root |= has_no_parent(span);
	if (trace->decision.kind != TAIL_UNKNOWN)
		decide(tail, index, trace->decision, now_ns);
}

void tail_take(struct tail *tail, const struct batch *batch, uint64_t now_ns)
{
	for (size_t i = 0; i < batch->count; i++)
		take_span(tail, &batch->spans[i], now_ns);
	decide_early(tail, now_ns);
}

/* ---- from outside --------------------------------------------------------------------------- */

static int has_room_outside(const struct tail *tail)
{
	return tail->outlet.has_room(tail->outlet.context);
}

void tail_pass(struct tail *tail, uint64_t now_ns, uint64_t delay_ns, int flush)
{
	uint32_t index;

	if (!tail->memory)
		return;
	if (flush || !tail_is_on(tail))
		while (tail->waiting.first)
			decide_next(tail, now_ns);
	decide_due(tail, now_ns);
	while (has_room_outside(tail) && (index = tail_queue_pop(&tail->index, &tail->kept)))
		release(tail, index, 1, now_ns);
	if (tail->open && (flush || now_ns - tail->open->opened_ns >= delay_ns))
		emit(tail);
}

int tail_is_on(const struct tail *tail)
{
	return tail->policies.count > 0 && tail->memory;
}

int tail_has_room(const struct tail *tail)
{
	return tail->pool.free_count >= tail->pool.count / 32;
}

int tail_is_empty(const struct tail *tail)
{
	return !tail->waiting.first && !tail->kept.first && !tail->open;
}

const struct tail_counts *tail_counts(const struct tail *tail)
{
	return &tail->counts;
}

struct tail *tail_new(const struct tail_outlet *outlet, struct drops *drops)
{
	struct tail *tail = calloc(1, sizeof(*tail));

	if (!tail)
		return NULL;
	tail->outlet = *outlet;
	tail->drops = drops;
	return tail;
}

/* Every trace takes a block at least, so blocks run out first. 0, or -ENOMEM. */
static int reserve(struct tail *tail)
{
	uint64_t memory = tail->policies.memory;
	uint64_t traces = memory / (TAIL_BLOCK_BYTES + TAIL_INDEX_BYTES);

	if (tail_pool_init(&tail->pool, (size_t)(traces * TAIL_BLOCK_BYTES)) != 0 ||
	    tail_index_init(&tail->index, (uint32_t)traces) != 0)
		return -ENOMEM;
	tail->policies.routes = tail_routes_new();
	tail->memory = memory;
	return 0;
}

void tail_configure(struct tail *tail, const struct config_node *section)
{
	tail_policies_read(section, &tail->policies);
	if (!section)
		return;
	if (!tail->memory && reserve(tail) != 0) {
		tail_pool_fini(&tail->pool);
		log_line(LOG_ERROR, "tail", "no memory, tail sampling is off");
	}
	if (tail->memory && tail->memory != tail->policies.memory)
		log_line(LOG_WARN, "settings",
			 "tail_sampling: memory takes effect when the exporter is started again");
}

void tail_report(const struct tail *tail)
{
	const struct tail_counts *counts = &tail->counts;
	char line[512];
	size_t size = 0;

	if (!tail->memory)
		return;
	line[0] = '\0';
	for (unsigned i = 0; i < TAIL_KINDS; i++)
		if (counts->kept[i])
			size += (size_t)snprintf(line + size, sizeof(line) - size, " %s=%llu",
						 tail_policy_name((enum tail_policy_kind)i),
						 (unsigned long long)counts->kept[i]);
	log_line(LOG_DEBUG, "tail",
		 "traces kept%s dropped=%llu early=%llu spans kept=%llu dropped=%llu",
		 size ? line : "=0", (unsigned long long)counts->dropped,
		 (unsigned long long)counts->early, (unsigned long long)counts->kept_spans,
		 (unsigned long long)counts->dropped_spans);
}

static void forget(struct tail *tail, struct tail_queue *queue)
{
	uint32_t index;

	while ((index = tail_queue_pop(&tail->index, queue))) {
		drops_add(tail->drops, DROPS_SHUTDOWN, tail->index.traces[index].span_count);
		release(tail, index, 0, 0);
	}
}

void tail_close(struct tail *tail)
{
	if (!tail)
		return;
	forget(tail, &tail->waiting);
	forget(tail, &tail->kept);
	if (tail->open)
		drops_add(tail->drops, DROPS_SHUTDOWN, tail->open->count);
	batch_free(tail->open);
	tail_routes_free(tail->policies.routes);
	tail_index_fini(&tail->index);
	tail_pool_fini(&tail->pool);
	free(tail->bytes);
	free(tail);
}
