/* open_requests.c - the requests that one process has in flight, as spans. */
#include "open_requests.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/call_site.h"
#include "exporter/drain.h"
#include "exporter/enrich.h"

#define INFLIGHT_ROOM (SPAN_BYTES - offsetof(struct inflight, span))

static void copy_wait(struct open_request *request, const struct inflight_wait *wait,
		      uint64_t now_ns)
{
	uint64_t since_ns = wait->since_ns;
	size_t size = strnlen(wait->call, sizeof(wait->call));

	if (since_ns == 0 || since_ns > now_ns)
		return;
	request->waits_since_ns = since_ns;
	memcpy(request->waits_in, wait->call, size);
	request->waits_in[size] = '\0';
}

static void add(struct open_requests *requests, uint32_t index, const struct settings *settings)
{
	const struct inflight *entry = &requests->snapshot->inflight[index];
	struct open_request *request = &requests->at[requests->count];

	memset(request, 0, sizeof(*request));
	if (entry->live == 0 ||
	    record_parse(&requests->batch->arena, &entry->span, INFLIGHT_ROOM, requests->now_ns,
			 &request->record) != 0 ||
	    request->record.span.start_ns > requests->now_ns)
		return;
	call_site_find(&requests->batch->arena, &requests->process, requests->resource->program,
		       &request->record);
	if (enrich_span(requests->batch, settings, &request->record, NULL, 0, &request->span) != 0)
		return;
	request->entry = index;
	copy_wait(request, &entry->wait, requests->now_ns);
	requests->count++;
}

static int by_age(const void *left, const void *right)
{
	uint64_t a = ((const struct open_request *)left)->record.span.start_ns;
	uint64_t b = ((const struct open_request *)right)->record.span.start_ns;

	return (a > b) - (a < b);
}

int open_requests_init(struct open_requests *requests, int descriptor,
		       const struct snapshot *snapshot, const struct settings *settings)
{
	memset(requests, 0, sizeof(*requests));
	requests->descriptor = descriptor;
	requests->snapshot = snapshot;
	requests->now_ns = drain_clock_ns();
	requests->process.pid = snapshot->identity.pid;
	requests->process.start_ticks = snapshot->identity.start_ticks;
	requests->at = calloc(INFLIGHT_COUNT, sizeof(*requests->at));
	requests->batch = batch_new(1);
	requests->resource = resource_new(&snapshot->identity);
	if (!requests->at || !requests->batch || !requests->resource) {
		open_requests_fini(requests);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < INFLIGHT_COUNT; i++)
		add(requests, i, settings);
	qsort(requests->at, requests->count, sizeof(*requests->at), by_age);
	return 0;
}

void open_requests_fini(struct open_requests *requests)
{
	resource_put(requests->resource);
	batch_free(requests->batch);
	free(requests->at);
	memset(requests, 0, sizeof(*requests));
}

bool open_requests_is_root(const struct open_requests *requests, const struct open_request *request)
{
	for (size_t i = 0; i < requests->count; i++)
		if (&requests->at[i] != request && memcmp(requests->at[i].record.span.span_id,
							  request->record.span.parent_id, 8) == 0)
			return false;
	return true;
}

int open_requests_stack(const struct open_requests *requests, const struct open_request *request,
			char *text, size_t room)
{
	const struct inflight_wait *wait = &requests->snapshot->inflight[request->entry].wait;
	int frames;

	if (!request->waits_since_ns || wait->registers[0] == 0)
		return -ENOENT;
	frames = stack_of_wait(&requests->process, wait, request->waits_since_ns, text, room);
	if (frames >= 0 &&
	    !snapshot_waits(requests->descriptor, requests->snapshot, request->entry))
		return -EAGAIN;
	return frames;
}
