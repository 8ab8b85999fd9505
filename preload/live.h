/* live.h - the settings that may change while the process runs: snapshots that never change. */
#ifndef TAGALONG_LIVE_H
#define TAGALONG_LIVE_H

/*
 * They begin as the environment has them. What the exporter's control block says goes before that;
 * each request looks whether it says something new, which is one load of a word that nobody writes,
 * and takes it over then. Any thread, lock-free: readers go on with the snapshot that they hold.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/http1.h"
#include "preload/mask.h"
#include "preload/segment.h"

#define LIVE_LIST_MAX  32u                          /* names of one list */
#define LIVE_LIST_ROOM ((size_t)LIVE_LIST_MAX * 66) /* of the longest that are masked */

enum live_list { LIVE_REQUEST_HEADERS, LIVE_RESPONSE_HEADERS, LIVE_MASK, LIVE_LISTS };

struct live {
	uint32_t generation; /* of the control block that it was taken from, 0: it says nothing */
	uint8_t disabled;
	uint8_t request_ids; /* X-Request-ID is made, forwarded and returned */
	uint8_t sql_comments;
	uint8_t call_stacks;
	uint8_t sampler; /* enum segment_sampler: of traces that begin here */
	uint8_t sample_by_parent;
	uint64_t sample_threshold; /* keep if the trace's 56 random bits are >= this */
	struct mask_keys mask;
	struct http1_capture capture_request, capture_response;
	/* What the last three point to. */
	const char *mask_names[LIVE_LIST_MAX];
	struct http1_text capture_names[2][HTTP1_CAPTURED_MAX];
	char text[LIVE_LISTS][LIVE_LIST_ROOM];
};

extern struct live *_Atomic live_current __attribute__((visibility("hidden")));
extern const struct segment_control *_Atomic live_control __attribute__((visibility("hidden")));
extern _Atomic uint32_t live_seen __attribute__((visibility("hidden")));

/* The snapshot in force. Not to be kept beyond the hook. */
static inline const struct live *live_now(void)
{
	return atomic_load_explicit(&live_current, memory_order_acquire);
}

/*
 * For the constructor: the settings of the environment, zeroed, to be filled, with live_set_list
 * for the lists (NULL: none); live_start puts them in force.
 */
struct live *live_environment(void);
void live_set_list(struct live *live, enum live_list list, const char *names);
void live_start(void);

/*
 * The control block of the session that was found, and the word to tell the generation in that is
 * in force here; NULL: none any more.
 */
void live_follow(const struct segment_control *control, _Atomic uint32_t *told);

/* Copies the control block into a new snapshot, or leaves that to the next request. */
void live_take(void);

/* With each request, before it is looked into. */
static inline void live_refresh(void)
{
	const struct segment_control *control =
		atomic_load_explicit(&live_control, memory_order_relaxed);

	if (atomic_load_explicit(&control->generation, memory_order_relaxed) !=
	    atomic_load_explicit(&live_seen, memory_order_relaxed))
		live_take();
}

/* In a fork child: nobody is at it any more. */
void live_forked(void);

/* The header fields to capture from messages of that kind; NULL: none. */
static inline const struct http1_capture *live_capture(int kind)
{
	const struct live *live;
	const struct http1_capture *capture;

	if (kind == HTTP1_REQUEST)
		live_refresh();
	live = live_now();
	capture = kind == HTTP1_REQUEST ? &live->capture_request : &live->capture_response;
	return capture->count ? capture : NULL;
}

#endif
