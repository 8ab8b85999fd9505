/* live.c - the settings that may change while the process runs: snapshots that never change. */
#include "preload/live.h"

#include <string.h>

#include "preload/list.h"

/*
 * A snapshot is used again after seven others. Who still reads it then, having stood still within
 * one hook meanwhile, finds other settings, but nothing beyond these buffers.
 */
#define SNAPSHOTS 8

static struct live snapshots[SNAPSHOTS];
static struct live environment; /* what stands where the control block says nothing */
struct live *_Atomic live_current = &environment;
_Atomic uint32_t live_seen;

/* Stands in for the control block while there is none; its generation is never another. */
static const struct segment_control no_control;
const struct segment_control *_Atomic live_control = &no_control;

static _Atomic uint32_t *taken; /* the generation that is in force here, for the exporter */
static uint32_t newest;
static _Atomic uint8_t busy; /* somebody is at what follows */
static struct segment_settings copy;

static void set_text(char *to, const char *from, size_t size)
{
	if (size >= LIVE_LIST_ROOM)
		size = LIVE_LIST_ROOM - 1;
	memcpy(to, from, size);
	to[size] = 0;
}

static void split_headers(struct http1_capture *capture, struct http1_text *names, char *text)
{
	const char *item, *list = text;
	size_t size;

	for (char *c = text; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c + 32);
	capture->names = names;
	capture->count = 0;
	while (capture->count < HTTP1_CAPTURED_MAX && (item = list_next(&list, &size)))
		names[capture->count++] = (struct http1_text){item, (uint32_t)size};
}

static void split_mask(struct live *live)
{
	char *at = live->text[LIVE_MASK];
	const char *item, *list = at;
	size_t size;

	live->mask.names = live->mask_names;
	live->mask.count = 0;
	while (live->mask.count < LIVE_LIST_MAX && (item = list_next(&list, &size))) {
		live->mask_names[live->mask.count++] = item;
		at[(item - at) + (long)size] = 0;
	}
}

void live_set_list(struct live *live, enum live_list list, const char *names)
{
	if (!names)
		return;
	set_text(live->text[list], names, strlen(names));
	if (list == LIVE_MASK)
		split_mask(live);
	else if (list == LIVE_REQUEST_HEADERS)
		split_headers(&live->capture_request, live->capture_names[0], live->text[list]);
	else
		split_headers(&live->capture_response, live->capture_names[1], live->text[list]);
}

/* A copy's lists are of its own texts. */
static void copy_environment(struct live *to)
{
	*to = environment;
	for (size_t i = 0; i < to->mask.count; i++)
		to->mask_names[i] = to->text[LIVE_MASK] +
				    (environment.mask_names[i] - environment.text[LIVE_MASK]);
	for (size_t i = 0; i < to->capture_request.count; i++)
		to->capture_names[0][i].at =
			to->text[LIVE_REQUEST_HEADERS] + (environment.capture_names[0][i].at -
							  environment.text[LIVE_REQUEST_HEADERS]);
	for (size_t i = 0; i < to->capture_response.count; i++)
		to->capture_names[1][i].at =
			to->text[LIVE_RESPONSE_HEADERS] + (environment.capture_names[1][i].at -
							   environment.text[LIVE_RESPONSE_HEADERS]);
	to->capture_request.names = to->capture_names[0];
	to->capture_response.names = to->capture_names[1];
	if (environment.mask.names)
		to->mask.names = to->mask_names;
}

struct live *live_environment(void)
{
	/* The texts are written when they are set: programs without lists pay for no pages. */
	memset(&environment, 0, offsetof(struct live, text));
	return &environment;
}

void live_start(void)
{
	newest = 0;
	live_follow(NULL, NULL);
	atomic_store(&live_current, &environment);
}

/* The bytes come from another process: what is no text of that size is none. */
static void set_shared_list(struct live *live, enum live_list list, const char *from, size_t room)
{
	if (from[room - 1])
		return;
	live_set_list(live, list, from);
}

static void set_given(struct live *live, const struct segment_settings *from)
{
	if (from->given & GIVEN_SAMPLER) {
		live->sampler = from->sampler;
		live->sample_by_parent = from->sample_by_parent != 0;
		live->sample_threshold = from->sample_threshold;
	}
	if (from->given & GIVEN_REQUEST_HEADERS)
		set_shared_list(live, LIVE_REQUEST_HEADERS, from->request_headers,
				sizeof(from->request_headers));
	if (from->given & GIVEN_RESPONSE_HEADERS)
		set_shared_list(live, LIVE_RESPONSE_HEADERS, from->response_headers,
				sizeof(from->response_headers));
	if (from->given & GIVEN_MASK)
		set_shared_list(live, LIVE_MASK, from->mask_query, sizeof(from->mask_query));
	if (from->features_given & FEATURE_REQUEST_ID)
		live->request_ids = (from->features & FEATURE_REQUEST_ID) != 0;
	if (from->features_given & FEATURE_SQL_COMMENTS)
		live->sql_comments = (from->features & FEATURE_SQL_COMMENTS) != 0;
	if (from->features_given & FEATURE_CALL_STACKS)
		live->call_stacks = (from->features & FEATURE_CALL_STACKS) != 0;
}

/* Into a static buffer, which is too much for the host's stack. 0: they are being written. */
static uint32_t copy_control(const struct segment_control *control)
{
	uint32_t before = atomic_load_explicit(&control->generation, memory_order_acquire);

	if (before & 1)
		return 0;
	memcpy(&copy, &control->settings, sizeof(copy));
	atomic_thread_fence(memory_order_acquire);
	return before == atomic_load_explicit(&control->generation, memory_order_relaxed) ? before
											  : 0;
}

static int says_nothing(const struct segment_control *control)
{
	return !copy.given && !copy.features_given && !atomic_load(&control->disabled);
}

static struct live *make_snapshot(const struct segment_control *control, uint32_t generation)
{
	struct live *next = &snapshots[newest++ % SNAPSHOTS];

	copy_environment(next);
	next->generation = generation;
	next->disabled = atomic_load(&control->disabled) != 0;
	set_given(next, &copy);
	return next;
}

void live_take(void)
{
	const struct segment_control *control = atomic_load(&live_control);
	struct live *next;
	uint32_t generation;

	if (atomic_exchange_explicit(&busy, 1, memory_order_acquire))
		return;
	generation = copy_control(control);
	if (generation && generation != atomic_load(&live_seen)) {
		next = says_nothing(control) ? &environment : make_snapshot(control, generation);
		atomic_store_explicit(&live_current, next, memory_order_release);
		atomic_store(&live_seen, generation);
		if (taken)
			atomic_store_explicit(taken, generation, memory_order_relaxed);
	}
	atomic_store_explicit(&busy, 0, memory_order_release);
}

void live_follow(const struct segment_control *control, _Atomic uint32_t *told)
{
	atomic_store(&live_control, control ? control : &no_control);
	taken = told;
	/* Nothing new to take without one. */
	atomic_store(&live_seen, 0);
	if (control)
		live_refresh();
}

void live_forked(void)
{
	live_follow(NULL, NULL);
	atomic_store(&busy, 0);
}
