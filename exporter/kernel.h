/* kernel.h - the probes in the kernel at work for the exporter: metrics of all attached processes.
 */
#ifndef TAGALONG_KERNEL_H
#define TAGALONG_KERNEL_H

/*
 * Asked for by TAGALONG_EBPF. tagalong.syscall.duration, tagalong.sched.runqueue.duration,
 * tagalong.sched.offcpu.duration, tagalong.block.io.duration, tagalong.tcp.connect.duration,
 * tagalong.tcp.accept.duration, tagalong.tcp.retransmits, tagalong.tcp.resets, tagalong.ebpf.lost.
 * One thread.
 */

#include "ebpf/probes.h"
#include "exporter/drain.h"
#include "exporter/measure.h"
#include "exporter/metrics.h"

struct kernel;

/*
 * Loads the probes, and gives up the rights that this takes. `metrics` and `measure` may be NULL:
 * then there are none. All are borrowed. NULL: it was not asked for, or can't be, which is said in
 * one line.
 */
struct kernel *kernel_new(struct metrics *metrics, struct measure *measure, struct drain *drain);
void kernel_free(struct kernel *kernel); /* accepts NULL; nothing may be collected afterwards */

/*
 * Once a pass of the drain, after it has met new processes: measures those, and reads where their
 * threads publish what they work for. Slow calls are told to `visit`, which may be NULL. Accepts
 * NULL.
 */
void kernel_pass(struct kernel *kernel, uint64_t now_ns, probes_slow_visitor *visit, void *own);

/* Where the time of a span that is finished went, once. 0, or -ENOENT: not known. Accepts NULL. */
int kernel_take_span(struct kernel *kernel, const uint8_t span_id[8], struct span_times *times);

#endif
