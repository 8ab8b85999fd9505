/* kernel_span.h - where the time of a request went, and its slow calls, on its span. */
#ifndef TAGALONG_KERNEL_SPAN_H
#define TAGALONG_KERNEL_SPAN_H

/*
 * tagalong.time.cpu, .runqueue, .blocked and .blocked.network, .disk, .lock, ... in nanoseconds, of
 * the threads that said they worked for it; an event tagalong.syscall for each slow call, up to
 * KERNEL_SPAN_CALLS. One thread.
 */

#include "ebpf/probes.h"
#include "exporter/batch.h"
#include "exporter/settings.h"

#define KERNEL_SPAN_CALLS 8

struct kernel_slow;

struct kernel_slow *kernel_slow_new(void);       /* NULL: no memory */
void kernel_slow_free(struct kernel_slow *slow); /* accepts NULL */

/*
 * Keeps a slow call until its span comes. There is room for a thousand spans; a newer one takes the
 * place of an older one, whose calls are forgotten.
 */
void kernel_slow_keep(struct kernel_slow *slow, const struct slow_call *call);

/* Replaces the span's attributes of the same keys. Without memory the span stays as it is. */
void kernel_span_times(struct batch *batch, struct batch_span *span,
		       const struct settings *settings, const struct span_times *times);

/* Adds the events of the calls that were kept for this span, and forgets them. */
void kernel_span_calls(struct kernel_slow *slow, struct batch *batch, struct batch_span *span,
		       uint64_t unix_offset_ns);

#endif
