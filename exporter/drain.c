/* drain.c - all rings of a segment into batches: who is attached, what they finished, who died. */
#include "drain.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "exporter/call_site.h"
#include "exporter/enrich.h"
#include "exporter/failure.h"
#include "exporter/kernel.h"
#include "exporter/log.h"
#include "exporter/measure.h"
#include "exporter/record.h"
#include "exporter/redact.h"
#include "exporter/repeats.h"
#include "exporter/routes_span.h"
#include "exporter/slot_counts.h"
#include "exporter/slow.h"

#define SECOND_NS        1000000000ull
#define STATUS_WAIT_NS   200000000ull
#define IDENTITY_WAIT_NS (60 * SECOND_NS)
#define EXTRA_SLOTS_MAX  8
#define SPANS_A_TURN     128
#define INFLIGHT_ROOM    (SPAN_BYTES - offsetof(struct inflight, span))

enum source_state {
	SOURCE_FREE,
	SOURCE_CLAIMED, /* its identity is not complete yet */
	SOURCE_LIVE,
	SOURCE_ENDED, /* its ring is drained, and its wait status is waited for */
	SOURCE_TOLD,  /* its open requests are in a batch too; free when that is delivered */
};

struct source {
	enum source_state state;
	uint32_t generation;
	uint32_t undelivered; /* batches that hold spans of it */
	uint32_t next_inflight;
	uint64_t since_ns; /* of the state */
	uint64_t claimed_ns;
	uint64_t delivered;
	struct ring_reader reader;
	struct process process;
	struct resource *resource;
	struct slot_counts seen;
};

uint64_t drain_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static void take_time(struct drain *drain)
{
	struct timespec unix_now;

	drain->now_ns = drain_clock_ns();
	clock_gettime(CLOCK_REALTIME, &unix_now);
	drain->unix_offset_ns =
		(uint64_t)unix_now.tv_sec * SECOND_NS + (uint64_t)unix_now.tv_nsec - drain->now_ns;
}

void drain_tune(struct drain *drain)
{
	slow_calls_free(drain->slow);
	repeats_free(drain->repeats);
	drain->slow = slow_calls_new(drain->settings->slow_call_ms);
	drain->repeats = repeats_new(drain->settings);
}

int drain_init(struct drain *drain, struct segment_file *file, const struct settings *settings,
	       struct drops *drops, struct exits *exits)
{
	int result;

	memset(drain, 0, sizeof(*drain));
	drain->file = file;
	drain->settings = settings;
	drain->drops = drops;
	drain->exits = exits;
	result = process_set_init(&drain->processes);
	if (result != 0)
		return result;
	drain->sources = calloc(SEGMENT_SLOTS_MAX, sizeof(*drain->sources));
	if (!drain->sources) {
		process_set_fini(&drain->processes);
		return -ENOMEM;
	}
	drain_tune(drain);
	take_time(drain);
	return 0;
}

/* What an exporter that comes later is to find is spans alone. */
static void wipe_stacks(const struct drain *drain, struct source *source)
{
	enum ring_result found;
	const void *payload;
	size_t size;

	while ((found = ring_next(&source->reader, source->process.ended, drain->now_ns, &payload,
				  &size)) != RING_EMPTY)
		if (found == RING_STACK)
			ring_wipe(&source->reader, payload, size);
}

void drain_fini(struct drain *drain)
{
	for (uint32_t i = 0; drain->sources && i < SEGMENT_SLOTS_MAX; i++) {
		struct source *source = &drain->sources[i];

		if (source->state == SOURCE_LIVE || source->state == SOURCE_ENDED)
			wipe_stacks(drain, source);
		if (source->state >= SOURCE_LIVE)
			process_forget(&drain->processes, &source->process);
		resource_put(source->resource);
	}
	free(drain->sources);
	drain->sources = NULL;
	slow_calls_free(drain->slow);
	repeats_free(drain->repeats);
	process_set_fini(&drain->processes);
}

static void enter(struct drain *drain, struct source *source, enum source_state state)
{
	source->state = state;
	source->since_ns = drain->now_ns;
}

/* An image that called exec keeps its pid; the slot that it left behind belongs to nobody. */
static void end_earlier_images(struct drain *drain, const struct source *newer)
{
	for (uint32_t i = 0; i < drain->file->slot_count; i++) {
		struct source *source = &drain->sources[i];

		if (source != newer && source->state == SOURCE_LIVE &&
		    source->process.pid == newer->process.pid &&
		    source->process.start_ticks == newer->process.start_ticks &&
		    source->claimed_ns < newer->claimed_ns)
			source->process.ended = 1;
	}
}

static void attach(struct drain *drain, struct source *source, struct slot *slot)
{
	struct slot_identity identity;

	memcpy(&identity, &slot->identity, sizeof(identity));
	source->resource = resource_new(&identity);
	if (!source->resource)
		return;
	ring_reader_init(&source->reader, &slot->ring);
	source->delivered = source->reader.cursor;
	source->claimed_ns = identity.claimed_ns;
	source->next_inflight = 0;
	source->undelivered = 0;
	memset(&source->seen, 0, sizeof(source->seen));
	process_watch(&drain->processes, &source->process, identity.pid, identity.start_ticks);
	enter(drain, source, SOURCE_LIVE);
	drain->ever_attached++;
	end_earlier_images(drain, source);
	log_line(LOG_DEBUG, "drain", "attached pid=%u service=%s", identity.pid,
		 source->resource->service);
}

/* A process that died, or lives in another world, between its claim and its name. */
static void check_claim(struct drain *drain, uint32_t index)
{
	struct source *source = &drain->sources[index];

	if (drain->now_ns - source->since_ns < IDENTITY_WAIT_NS)
		return;
	segment_file_free_slot(drain->file, index);
	enter(drain, source, SOURCE_FREE);
}

static void meet(struct drain *drain, uint32_t index)
{
	struct source *source = &drain->sources[index];
	struct slot *slot = drain->file->slots[index];
	uint32_t state = atomic_load_explicit(&slot->state, memory_order_acquire);

	if (source->state == SOURCE_FREE && state != SLOT_FREE) {
		enter(drain, source, SOURCE_CLAIMED);
		drain->recent_claims++;
	}
	if (source->state == SOURCE_CLAIMED && state == SLOT_READY)
		attach(drain, source, slot);
	else if (source->state == SOURCE_CLAIMED && state == SLOT_FREE)
		enter(drain, source, SOURCE_FREE);
	else if (source->state == SOURCE_CLAIMED)
		check_claim(drain, index);
}

static void read_counters(struct drain *drain, struct source *source, struct slot *slot)
{
	drain->connections += slot_counts_read(&source->seen, &slot->counters, &source->reader,
					       drain->drops, drain->redact);
}

static void look_for_end(struct drain *drain, struct source *source)
{
	if (source->process.descriptor < 0 && !source->process.ended)
		process_ask(&source->process);
	if (source->process.ended)
		enter(drain, source, SOURCE_ENDED);
}

/* Whether the wait status is known, or not worth waiting for any longer. */
static int status_settled(struct drain *drain, struct source *source)
{
	struct process *process = &source->process;

	if (process->wait_status < 0)
		process->wait_status = exits_take(drain->exits, process->pid);
	if (process->wait_status < 0)
		process_ask_status(process);
	return process->wait_status >= 0 || drain->now_ns - source->since_ns >= STATUS_WAIT_NS;
}

static void free_if_done(struct drain *drain, uint32_t index)
{
	struct source *source = &drain->sources[index];

	if (source->state != SOURCE_TOLD || source->undelivered)
		return;
	read_counters(drain, source, drain->file->slots[index]);
	log_line(LOG_DEBUG, "drain", "ended pid=%u", source->process.pid);
	process_forget(&drain->processes, &source->process);
	slow_calls_forget(drain->slow, index);
	resource_put(source->resource);
	source->resource = NULL;
	source->generation++;
	segment_file_free_slot(drain->file, index);
	enter(drain, source, SOURCE_FREE);
}

/* Servers that fork claim many slots at once, so recent claims raise what is kept ahead. */
static void keep_ahead(struct drain *drain)
{
	uint32_t extra = drain->recent_claims;
	int result;

	if (drain->now_ns - drain->recent_since_ns >= SECOND_NS) {
		drain->recent_since_ns = drain->now_ns;
		drain->recent_claims /= 2;
	}
	if (extra > EXTRA_SLOTS_MAX)
		extra = EXTRA_SLOTS_MAX;
	result = segment_file_grow(drain->file, drain->settings->reserved_slots + extra);
	if (result >= 0 || drain->file->out_of_space)
		return;
	drain->file->out_of_space = 1;
	log_line(LOG_WARN, "segment",
		 "no room for further processes (%s), %u are traced, later ones are not",
		 strerror(-result), drain->file->slot_count);
}

void drain_watch(struct drain *drain)
{
	take_time(drain);
	exits_read(drain->exits);
	process_set_collect(&drain->processes);
	drain->attached = 0;
	for (uint32_t i = 0; i < drain->file->slot_count; i++) {
		struct source *source = &drain->sources[i];

		meet(drain, i);
		if (source->state == SOURCE_LIVE) {
			look_for_end(drain, source);
			read_counters(drain, source, drain->file->slots[i]);
			ring_release_excess(&source->reader);
			slow_calls_visit(drain->slow, i, &source->process, drain->file->slots[i],
					 drain->now_ns);
		}
		free_if_done(drain, i);
		if (source->state != SOURCE_FREE)
			drain->attached++;
	}
	keep_ahead(drain);
}

static void mark(struct drain *drain, struct batch *batch, uint32_t index)
{
	struct source *source = &drain->sources[index];
	size_t marks = batch->mark_count;

	batch_mark(batch, index, source->generation, source->reader.cursor, source->resource);
	source->undelivered += batch->mark_count != marks;
}

/* Measures every span. Returns whether it is in the batch now. */
static int take_span(struct drain *drain, struct batch *batch, const struct source *source,
		     struct record *record, const struct enrich_ending *ending)
{
	struct batch_span *span = &batch->spans[batch->count];
	int is_sampled = record->span.trace_flags & 1;
	struct route_match match;
	uint32_t repeated;

	drain->spans_read++;
	drain->spans_unsampled += !is_sampled;
	if (!is_sampled && !drain->measure)
		return 0;
	if (is_sampled) {
		struct symbol_process process = {source->process.pid, source->process.start_ticks};
		record->call.stack =
			slow_calls_take(drain->slow, record->span.span_id, &batch->arena);
		call_site_find(&batch->arena, &process, source->resource->program, record);
	}
	redact_record(drain->redact, &batch->arena, record);
	routes_span(drain->routes, &batch->arena, source->resource, drain->settings->url_template,
		    record, &match);
	if (enrich_span(batch, drain->settings, record, ending, drain->unix_offset_ns, span) != 0) {
		drops_add(drain->drops, DROPS_MEMORY, 1);
		return 0;
	}
	repeated = repeats_visit(drain->repeats, record, batch, span);
	drain->repeated_queries += repeated;
	if (drain->measure)
		measure_span(drain->measure, source->resource, record, span, repeated);
	if (!is_sampled)
		return 0;
	kernel_visit(drain->kernel, batch, span);
	if (batch->count == 0)
		batch->opened_ns = drain->now_ns;
	span->resource = source->resource;
	batch->count++;
	return 1;
}

/* Returns 0 when the ring has nothing more for now. */
static int read_one(struct drain *drain, struct batch *batch, uint32_t index)
{
	struct source *source = &drain->sources[index];
	struct arena_mark mark = arena_mark(&batch->arena);
	struct record record;
	const void *payload;
	size_t size;
	int result;

	switch (ring_next(&source->reader, source->state == SOURCE_ENDED, drain->now_ns, &payload,
			  &size)) {
	case RING_EMPTY:
		return 0;
	case RING_STACK:
		slow_calls_snapshot(drain->slow, index, &source->process, payload, size);
		ring_wipe(&source->reader, payload, size);
		return 1;
	case RING_SPAN:
		break;
	}
	result = record_parse(&batch->arena, payload, size, drain->now_ns, &record);
	if (result == 0 && !take_span(drain, batch, source, &record, NULL))
		arena_rewind(&batch->arena, mark);
	else if (result != 0)
		drops_add(drain->drops, result == -ENOMEM ? DROPS_MEMORY : DROPS_MALFORMED, 1);
	return 1;
}

/*
 * Tells the requests that were open when the process ended. A full batch makes it go on where it
 * stopped. Returns 1 when all are told.
 */
static int tell_inflight(struct drain *drain, struct batch *batch, uint32_t index)
{
	struct source *source = &drain->sources[index];
	struct slot *slot = drain->file->slots[index];
	char message[64];
	struct enrich_ending ending = {0};
	struct record record;

	ending.error_type =
		failure_of_process(source->process.wait_status, message, sizeof(message));
	for (; source->next_inflight < INFLIGHT_COUNT; source->next_inflight++) {
		struct inflight *entry = &slot->inflight[source->next_inflight];

		if (atomic_load_explicit(&entry->live, memory_order_acquire) == 0)
			continue;
		if (batch->count >= batch->capacity)
			return 0;
		if (!ending.message)
			ending.message = arena_text(&batch->arena, message, strlen(message));
		if (record_parse(&batch->arena, &entry->span, INFLIGHT_ROOM, source->since_ns,
				 &record) != 0)
			drops_add(drain->drops, DROPS_MALFORMED, 1);
		else
			take_span(drain, batch, source, &record, &ending);
	}
	return 1;
}

static void finish_ended(struct drain *drain, struct batch *batch, uint32_t index)
{
	struct source *source = &drain->sources[index];

	if (!status_settled(drain, source))
		return;
	if (!tell_inflight(drain, batch, index)) {
		mark(drain, batch, index);
		return;
	}
	mark(drain, batch, index);
	enter(drain, source, SOURCE_TOLD);
}

static uint64_t read_source(struct drain *drain, struct batch *batch, uint32_t index)
{
	struct source *source = &drain->sources[index];
	uint64_t pending = ring_pending(&source->reader);
	uint64_t before = source->reader.cursor;
	int more = 1;

	for (int i = 0; i < SPANS_A_TURN && more && batch->count < batch->capacity; i++)
		more = read_one(drain, batch, index);
	if (source->reader.cursor != before)
		mark(drain, batch, index);
	if (!more && source->state == SOURCE_ENDED)
		finish_ended(drain, batch, index);
	return pending;
}

uint64_t drain_read(struct drain *drain, struct batch *batch)
{
	uint32_t count = drain->file->slot_count;
	uint64_t most = 0;
	int progress = 1;

	while (progress && batch->count < batch->capacity) {
		progress = 0;
		for (uint32_t i = 0; i < count && batch->count < batch->capacity; i++) {
			uint32_t index = (drain->next_source + i) % count;
			struct source *source = &drain->sources[index];
			uint64_t pending, before = source->reader.cursor;

			if (source->state != SOURCE_LIVE && source->state != SOURCE_ENDED)
				continue;
			pending = read_source(drain, batch, index);
			most = pending > most ? pending : most;
			progress |= source->reader.cursor != before;
		}
		drain->next_source = count ? (drain->next_source + 1) % count : 0;
	}
	return most;
}

int drain_pending(const struct drain *drain)
{
	for (uint32_t i = 0; i < drain->file->slot_count; i++) {
		const struct source *source = &drain->sources[i];

		if (source->state == SOURCE_ENDED ||
		    (source->state == SOURCE_LIVE && ring_pending(&source->reader)))
			return 1;
	}
	return 0;
}

void drain_each(struct drain *drain, drain_visitor visitor, void *context)
{
	for (uint32_t i = 0; i < drain->file->slot_count; i++)
		if (drain->sources[i].state == SOURCE_LIVE)
			visitor(context, drain->sources[i].resource, drain->file->slots[i]);
}

void drain_delivered(struct drain *drain, const struct batch *batch)
{
	for (size_t i = 0; i < batch->mark_count; i++) {
		const struct batch_mark *mark = &batch->marks[i];
		struct source *source;

		if (mark->slot == BATCH_NO_SLOT)
			continue;
		source = &drain->sources[mark->slot];
		if (source->generation != mark->generation || source->state == SOURCE_FREE)
			continue;
		ring_release(&source->reader, mark->position);
		source->undelivered--;
		free_if_done(drain, mark->slot);
	}
}
