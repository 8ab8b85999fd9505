/* status_write.c - what the exporter tells about itself in the segment, for `tagalong status`. */
#include "exporter/status_write.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Whoever reads this at the same time may find numbers of two moments. */
static void set(_Atomic uint64_t *to, uint64_t value)
{
	atomic_store_explicit(to, value, memory_order_relaxed);
}

static void write_destination(struct segment_destination *to, const struct deliver_stats *from)
{
	const struct ship_stats *sent = &from->sent;
	char name[sizeof(to->name)];

	snprintf(name, sizeof(name), "%s", from->name ? from->name : "");
	if (memcmp(to->name, name, sizeof(name)) != 0)
		memcpy(to->name, name, sizeof(name));
	atomic_store_explicit(&to->signal, (uint32_t)from->signal, memory_order_relaxed);
	set(&to->sent, sent->sent_items);
	set(&to->lost,
	    sent->rejected_items + sent->refused_items + sent->timed_out_items + sent->lost_items);
	set(&to->waiting, sent->waiting_items);
	set(&to->spooled_bytes, sent->spool.bytes);
}

static void write_destinations(struct segment_exporter *to, const struct deliver *deliver)
{
	struct deliver_stats stats;
	uint32_t count = 0;

	while (count < SEGMENT_DESTINATIONS && deliver_stats(deliver, count, &stats))
		write_destination(&to->destinations[count++], &stats);
	atomic_store_explicit(&to->destination_count, count, memory_order_release);
}

void status_write(struct segment_exporter *to, const struct status_source *from)
{
	const struct tail_counts *tail = tail_counts(from->tail);
	uint64_t dropped = 0;

	for (unsigned i = 0; i < DROPS_COUNT; i++)
		dropped += from->drops->count[i];
	set(&to->spans_read, from->drain->spans_read);
	set(&to->spans_unsampled, from->drain->spans_unsampled + tail->dropped_spans);
	set(&to->spans_delivered, from->delivered_spans);
	set(&to->spans_dropped, dropped);
	write_destinations(to, from->deliver);
}
