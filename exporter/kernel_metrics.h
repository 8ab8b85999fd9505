/* kernel_metrics.h - what the kernel measured of attached processes, as metrics. */
#ifndef TAGALONG_KERNEL_METRICS_H
#define TAGALONG_KERNEL_METRICS_H

#include "ebpf/probes.h"
#include "exporter/measure.h"
#include "exporter/metrics.h"

struct kernel_metrics;

/* Reads the probes at each collection. Everything is borrowed. NULL: no memory. */
struct kernel_metrics *kernel_metrics_new(struct metrics *metrics, struct measure *measure,
					  struct probes *probes);
void kernel_metrics_free(
	struct kernel_metrics *kernel); /* accepts NULL; nothing may be collected afterwards */

/* What is measured of this process from now on belongs to the service of its resource. */
void kernel_metrics_meet(struct kernel_metrics *kernel, uint32_t pid, uint64_t start_ticks,
			 struct resource *resource);

#endif
