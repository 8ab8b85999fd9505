/* kernel_span.c - where the time of a request went, and its slow calls, on its span. */
#include "exporter/kernel_span.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_SPANS       1024 /* power of two */
#define TIME_ATTRIBUTES  (3 + WAIT_KINDS)
#define EVENT_ATTRIBUTES 8

struct kept {
	uint8_t span_id[8];
	uint32_t count; /* 0: free */
	struct slow_call calls[KERNEL_SPAN_CALLS];
};

struct kernel_slow {
	struct kept kept[KEPT_SPANS];
};

static const char *const blocked_keys[WAIT_KINDS] = {
	[WAIT_OTHER] = "tagalong.time.blocked.other",
	[WAIT_NETWORK] = "tagalong.time.blocked.network",
	[WAIT_DISK] = "tagalong.time.blocked.disk",
	[WAIT_LOCK] = "tagalong.time.blocked.lock",
	[WAIT_SLEEP] = "tagalong.time.blocked.sleep",
	[WAIT_FAULT] = "tagalong.time.blocked.page_fault",
	[WAIT_PIPE] = "tagalong.time.blocked.pipe",
	[WAIT_POLL] = "tagalong.time.blocked.poll",
	[WAIT_CHILD] = "tagalong.time.blocked.child",
	[WAIT_STOPPED] = "tagalong.time.blocked.stopped",
};

/* ---- times -------------------------------------------------------------------------------- */

static struct attribute number(const char *key, uint64_t value)
{
	return (struct attribute){.key = key, .number = (int64_t)value, .type = ATTRIBUTE_NUMBER};
}

static size_t list_times(const struct span_times *times, struct attribute at[TIME_ATTRIBUTES])
{
	uint64_t blocked = 0;
	size_t count = 3;

	for (int i = 0; i < WAIT_KINDS; i++) {
		blocked += times->blocked_ns[i];
		if (times->blocked_ns[i])
			at[count++] = number(blocked_keys[i], times->blocked_ns[i]);
	}
	at[0] = number("tagalong.time.cpu", times->cpu_ns);
	at[1] = number("tagalong.time.runqueue", times->runqueue_ns);
	at[2] = number("tagalong.time.blocked", blocked);
	return count;
}

/* By the thread's clock, which is coarser. */
static int is_replaced(const struct attribute *attribute)
{
	return strcmp(attribute->key, "tagalong.time.cpu") == 0 ||
	       strcmp(attribute->key, "tagalong.time.off_cpu") == 0;
}

void kernel_span_times(struct batch *batch, struct batch_span *span,
		       const struct settings *settings, const struct span_times *times)
{
	struct attribute more[TIME_ATTRIBUTES];
	size_t added = list_times(times, more), count = 0;
	struct attribute *all = arena_take(&batch->arena, (span->attribute_count + added) *
								  sizeof(struct attribute));

	if (!all)
		return;
	for (size_t i = 0; i < span->attribute_count; i++)
		if (!is_replaced(&span->attributes[i]))
			all[count++] = span->attributes[i];
	for (size_t i = 0; i < added; i++) {
		if (count < settings->attribute_count_limit)
			all[count++] = more[i];
		else
			span->attributes_dropped++;
	}
	span->attributes = all;
	span->attribute_count = (uint16_t)count;
}

/* ---- slow calls --------------------------------------------------------------------------- */

struct kernel_slow *kernel_slow_new(void)
{
	return calloc(1, sizeof(struct kernel_slow));
}

void kernel_slow_free(struct kernel_slow *slow)
{
	free(slow);
}

/* Span IDs are random, but for those of strangers: the worst that they do is to push others out. */
static struct kept *place_of(struct kernel_slow *slow, const uint8_t span_id[8])
{
	uint64_t hash;

	memcpy(&hash, span_id, sizeof(hash));
	return &slow->kept[(hash ^ hash >> 32) & (KEPT_SPANS - 1)];
}

void kernel_slow_keep(struct kernel_slow *slow, const struct slow_call *call)
{
	if (!slow || !call->has_context)
		return;
	struct kept *kept = place_of(slow, call->context.span_id);
	if (memcmp(kept->span_id, call->context.span_id, sizeof(kept->span_id)) != 0)
		kept->count = 0;
	memcpy(kept->span_id, call->context.span_id, sizeof(kept->span_id));
	if (kept->count < KERNEL_SPAN_CALLS)
		kept->calls[kept->count++] = *call;
}

static struct attribute text(const char *key, const char *at)
{
	return (struct attribute){
		.key = key, .text = {at, (uint32_t)strlen(at)}, .type = ATTRIBUTE_TEXT};
}

static size_t describe_peer(struct arena *arena, const struct slow_call *call, struct attribute *at)
{
	char address[INET6_ADDRSTRLEN];

	if (!call->family || !call->port ||
	    !inet_ntop(call->family, call->address, address, sizeof(address)))
		return 0;
	const char *copy = arena_text(arena, address, strlen(address));
	if (!copy)
		return 0;
	at[0] = text("network.peer.address", copy);
	at[1] = number("network.peer.port", call->port);
	return 2;
}

/* Only what can't be a secret: kinds, sizes, addresses of peers. */
static size_t describe(struct arena *arena, const struct slow_call *call, struct attribute *at)
{
	const char *type = probes_file_name(call->mode);
	size_t count = 0;

	at[count++] = text("syscall", probes_call_name(call->call));
	at[count++] = number("tagalong.duration", call->duration_ns);
	if (call->result < 0 && call->result >= -4095)
		at[count++] = text("error.type", probes_error_name((int)-call->result));
	if (*type)
		at[count++] = text("tagalong.descriptor.type", type);
	if (*type && call->result >= 0)
		at[count++] = number("tagalong.syscall.result", (uint64_t)call->result);
	return count + describe_peer(arena, call, at + count);
}

static int add_event(struct batch *batch, const struct slow_call *call, uint64_t unix_offset_ns,
		     struct batch_event *event)
{
	struct attribute *attributes =
		arena_take(&batch->arena, EVENT_ATTRIBUTES * sizeof(*attributes));

	if (!attributes)
		return 0;
	event->time_unix_ns = call->start_ns + unix_offset_ns;
	event->name = "tagalong.syscall";
	event->attributes = attributes;
	event->attribute_count = (uint16_t)describe(&batch->arena, call, attributes);
	return 1;
}

void kernel_span_calls(struct kernel_slow *slow, struct batch *batch, struct batch_span *span,
		       uint64_t unix_offset_ns)
{
	struct kept *kept = slow ? place_of(slow, span->span_id) : NULL;

	if (!kept || !kept->count ||
	    memcmp(kept->span_id, span->span_id, sizeof(kept->span_id)) != 0)
		return;
	struct batch_event *events = arena_take(&batch->arena, (span->event_count + kept->count) *
								       sizeof(struct batch_event));
	if (!events)
		return;
	if (span->event_count)
		memcpy(events, span->events, span->event_count * sizeof(events[0]));
	for (uint32_t i = 0; i < kept->count; i++)
		span->event_count += add_event(batch, &kept->calls[i], unix_offset_ns,
					       &events[span->event_count]);
	span->events = events;
	kept->count = 0;
}
