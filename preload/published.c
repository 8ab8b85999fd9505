/* published.c - which request a thread works for, where eBPF programs and profilers can read it. */
#include "preload/published.h"

#include <stdatomic.h>
#include <string.h>

#include "preload/attach.h"
#include "preload/conf.h"

#define PROBES 16 /* entries of the table that are tried before one is taken from its owner */

/*
 * Readers find it by its name; where the program has one of that name, both are one. The access has
 * to go through a descriptor (see the Makefile), as the proposal wants it.
 */
#define PUBLIC __attribute__((visibility("default"), tls_model("global-dynamic")))
extern __thread struct published *otel_thread_ctx_v1 PUBLIC;
__thread struct published *otel_thread_ctx_v1 PUBLIC;

static __thread struct published record;

/*
 * The entry of a thread: an own one, a free one, or else that of another thread, which is mostly
 * one that has ended; nobody tells us of that.
 */
static struct slot_thread *entry_for(struct slot *slot, uint32_t id)
{
	for (uint32_t i = 0; i < PROBES; i++) {
		struct slot_thread *entry = &slot->threads[(id + i) % THREAD_COUNT];
		uint32_t found = 0;

		if (atomic_compare_exchange_strong(&entry->thread_id, &found, id) || found == id)
			return entry;
	}
	return &slot->threads[id % THREAD_COUNT];
}

static void list(struct thread *self)
{
	struct slot *slot = attach_slot();
	struct slot_thread *entry;

	if (!slot)
		return;
	entry = entry_for(slot, thread_id(self));
	atomic_store_explicit(&entry->context, 0, memory_order_relaxed);
	atomic_store_explicit(&entry->thread_id, thread_id(self), memory_order_release);
	atomic_store_explicit(&entry->context, (uintptr_t)&record, memory_order_release);
}

/* Whether this thread's record is ours to write; told apart once a thread, and again after a fork.
 */
static int begin(struct thread *self)
{
	if (self->published_epoch == process_epoch)
		return self->publishes;
	self->published_epoch = process_epoch;
	/* A library of OpenTelemetry in this process that tells more than we do is left to it. */
	self->publishes = conf.publish && (!otel_thread_ctx_v1 || otel_thread_ctx_v1 == &record);
	if (!self->publishes)
		return 0;
	memset(&record, 0, sizeof(record));
	otel_thread_ctx_v1 = &record;
	list(self);
	return 1;
}

void published_set(struct thread *self, const struct trace_parent *own)
{
	if (!begin(self))
		return;
	record.valid = 0;
	atomic_signal_fence(memory_order_seq_cst);
	if (!own)
		return;
	memcpy(record.trace_id, own->trace_id, sizeof(record.trace_id));
	memcpy(record.span_id, own->span_id, sizeof(record.span_id));
	record.trace_flags = own->flags;
	atomic_signal_fence(memory_order_seq_cst);
	record.valid = 1;
}

void published_end(struct thread *self, const struct trace_parent *own)
{
	if (record.valid && memcmp(record.span_id, own->span_id, sizeof(record.span_id)) == 0)
		published_set(self, NULL);
}
