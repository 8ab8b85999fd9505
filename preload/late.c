/* late.c - what the last requests that a runtime has taken were called, after they have ended. */
#include "preload/late.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "preload/sys.h"

#define KEPT 4096u

/* A longer tracestate is not kept: it may be left out (W3C Trace Context, 3.3.1). */
struct late {
	uint8_t request_id_size;
	uint8_t tracestate_size;
	uint8_t debug;
	char request_id[REQUEST_ID_MAX];
	char tracestate[125];
};

_Static_assert(sizeof(struct late) == 256, "four cache lines");

static struct late *_Atomic kept;
static _Atomic uint64_t references[KEPT];
static _Atomic uint32_t next;

int late_init(void)
{
	struct late *none = NULL;
	struct late *made;

	if (kept)
		return 0;
	made = sys_map(KEPT * sizeof(*made));
	if (!made)
		return -ENOMEM;
	if (!atomic_compare_exchange_strong(&kept, &none, made))
		sys_unmap(made, KEPT * sizeof(*made));
	return 0;
}

void late_keep(const struct exchange *exchange, uint64_t reference)
{
	uint32_t at = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % KEPT;
	struct late *late = kept;

	if (!late)
		return;
	late += at;
	atomic_store_explicit(&references[at], 0, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	late->debug = exchange->debug;
	late->request_id_size = (uint8_t)exchange->request_id_size;
	memcpy(late->request_id, exchange->request_id, late->request_id_size);
	late->tracestate_size = 0;
	if (exchange->tracestate_size <= sizeof(late->tracestate)) {
		late->tracestate_size = (uint8_t)exchange->tracestate_size;
		memcpy(late->tracestate, exchange->tracestate, late->tracestate_size);
	}
	atomic_store_explicit(&references[at], reference, memory_order_release);
}

/* What was there may be overwritten meanwhile; sizes hold for whatever was read. */
static void take(struct exchange *call, const struct late *late)
{
	size_t request_id = late->request_id_size;
	size_t tracestate = late->tracestate_size;

	if (request_id > sizeof(late->request_id) || tracestate > sizeof(late->tracestate))
		return;
	call->debug = late->debug;
	call->request_id_size = (uint16_t)request_id;
	memcpy(call->request_id, late->request_id, request_id);
	call->tracestate_size = (uint16_t)tracestate;
	memcpy(call->tracestate, late->tracestate, tracestate);
}

int late_find(uint64_t reference, struct exchange *call)
{
	const struct late *first = kept;
	uint32_t newest = atomic_load_explicit(&next, memory_order_relaxed);

	for (uint32_t age = 1; first && age <= KEPT; age++) {
		uint32_t at = (newest - age) % KEPT;

		if (atomic_load_explicit(&references[at], memory_order_acquire) != reference)
			continue;
		take(call, first + at);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&references[at], memory_order_relaxed) == reference)
			return 1;
		call->request_id_size = call->tracestate_size = 0;
		call->debug = 0;
		return 0;
	}
	return 0;
}
