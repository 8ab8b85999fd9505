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
 * Loads the probes, and gives up the rights that this takes; sets the drain's `kernel`. `metrics`
 * and `measure` may be NULL: then there are none. All are borrowed. NULL: it was not asked for, or
 * can't be, which is said in one line.
 */
struct kernel *kernel_new(struct metrics *metrics, struct measure *measure, struct drain *drain);
void kernel_free(struct kernel *kernel); /* accepts NULL; nothing may be collected afterwards */

/*
 * Once a pass of the drain, after it has met new processes: measures those, and reads where their
 * threads publish what they work for. Accepts NULL.
 */
void kernel_pass(struct kernel *kernel, uint64_t now_ns);

/*
 * Adds to a span that is finished what is known of it, see kernel_span.h; what it takes is in the
 * batch's arena. Once for each span. Accepts NULL.
 */
void kernel_visit(struct kernel *kernel, struct batch *batch, struct batch_span *span);

#endif
