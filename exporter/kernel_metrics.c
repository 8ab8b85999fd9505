/* kernel_metrics.c - what the kernel measured of attached processes, as metrics. */
#include "exporter/kernel_metrics.h"

#include <math.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A process whose end was told in the last reading has nothing more to come in the next. */
struct owner {
	uint32_t pid;
	uint64_t start_ticks;
	uint64_t process; /* as the probes name it, 0: not seen yet */
	struct resource *resource;
	int ended;
};

struct kernel_metrics {
	struct measure *measure;
	struct probes *probes;
	struct metric *durations[MEASURE_KINDS];
	struct metric *retransmits, *resets, *lost;
	struct owner **owners; /* by pid in `tree` as well */
	size_t count;
	void *tree; /* by process */
};

static const struct metric_definition durations[MEASURE_KINDS] = {
	[MEASURE_CALL] = {.name = "tagalong.syscall.duration",
			  .description = "Duration of system calls."},
	[MEASURE_OFFCPU] = {.name = "tagalong.sched.offcpu.duration",
			    .description = "Time that threads were blocked, by reason."},
	[MEASURE_RUNQUEUE] = {.name = "tagalong.sched.runqueue.duration",
			      .description = "Time that threads waited for a CPU."},
	[MEASURE_BLOCK] = {.name = "tagalong.block.io.duration",
			   .description = "Duration of requests to block devices."},
	[MEASURE_CONNECT] = {.name = "tagalong.tcp.connect.duration",
			     .description = "Time from the first packet to the connection."},
	[MEASURE_ACCEPT] = {.name = "tagalong.tcp.accept.duration",
			    .description = "Time that connections waited to be accepted."},
};

static struct metric *define_duration(struct metrics *metrics, int measure)
{
	struct metric_definition definition = durations[measure];

	definition.unit = "s";
	definition.kind = METRIC_HISTOGRAM;
	definition.is_exponential = 1;
	return metric_define(metrics, &definition);
}

static struct metric *define_counter(struct metrics *metrics, const char *name, const char *unit,
				     const char *description)
{
	struct metric_definition definition = {.name = name,
					       .unit = unit,
					       .description = description,
					       .kind = METRIC_COUNTER,
					       .is_integer = 1};

	return metric_define(metrics, &definition);
}

static struct attribute text_of(const char *key, const char *text)
{
	return (struct attribute){
		.key = key, .text = {text, (uint32_t)strlen(text)}, .type = ATTRIBUTE_TEXT};
}

/* ---- whose it is -------------------------------------------------------------------------- */

static int compare(const void *left, const void *right)
{
	const struct owner *one = left, *two = right;

	return (one->process > two->process) - (one->process < two->process);
}

static void keep(void *item)
{
	(void)item;
}

static struct owner *owner_of(const struct kernel_metrics *kernel, uint64_t process)
{
	struct owner key = {.process = process};
	struct owner *const *found = tfind(&key, &kernel->tree, compare);

	return found ? *found : NULL;
}

static struct owner *add_owner(struct kernel_metrics *kernel)
{
	struct owner **longer = realloc(kernel->owners, (kernel->count + 1) * sizeof(longer[0]));

	if (!longer)
		return NULL;
	kernel->owners = longer;
	struct owner *owner = calloc(1, sizeof(*owner));
	if (owner)
		longer[kernel->count++] = owner;
	return owner;
}

/* An image that called exec is the same process with another resource. */
void kernel_metrics_meet(struct kernel_metrics *kernel, uint32_t pid, uint64_t start_ticks,
			 struct resource *resource)
{
	struct owner *owner = NULL;

	for (size_t i = 0; i < kernel->count && !owner; i++)
		if (kernel->owners[i]->pid == pid && kernel->owners[i]->start_ticks == start_ticks)
			owner = kernel->owners[i];
	if (!owner)
		owner = add_owner(kernel);
	if (!owner || owner->resource == resource)
		return;
	owner->pid = pid;
	owner->start_ticks = start_ticks;
	resource_put(owner->resource);
	owner->resource = resource_get(resource);
}

/* The probes name a process by the time of its start, /proc by the same in clock ticks. */
static void take_process(void *own, uint64_t process, const struct process_info *info)
{
	struct kernel_metrics *kernel = own;
	uint64_t ticks = info->start_boot_ns / (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
	struct owner *owner = owner_of(kernel, process);

	for (size_t i = 0; i < kernel->count && !owner; i++) {
		struct owner *one = kernel->owners[i];
		if (one->process || one->pid != process >> 32 || one->start_ticks != ticks)
			continue;
		one->process = process;
		if (tsearch(one, &kernel->tree, compare))
			owner = one;
	}
	if (owner && info->ended_ns)
		owner->ended = 1;
}

static void forget_ended(struct kernel_metrics *kernel)
{
	size_t kept = 0;

	for (size_t i = 0; i < kernel->count; i++) {
		struct owner *owner = kernel->owners[i];
		if (owner->ended < 2) {
			owner->ended += owner->ended == 1;
			kernel->owners[kept++] = owner;
			continue;
		}
		tdelete(owner, &kernel->tree, compare);
		resource_put(owner->resource);
		free(owner);
	}
	kernel->count = kept;
}

/* ---- reading ------------------------------------------------------------------------------ */

static void take_latency(void *own, const struct latency_key *key, const struct latency *total,
			 const struct latency *news)
{
	struct kernel_metrics *kernel = own;
	struct owner *owner = owner_of(kernel, key->process);
	struct resource *stream = owner ? measure_stream(kernel->measure, owner->resource) : NULL;
	struct attribute attributes[2];
	size_t count = 0;

	(void)total;
	if (!stream || key->measure >= MEASURE_KINDS)
		return;
	if (key->measure == MEASURE_CALL)
		attributes[count++] = text_of("syscall", probes_call_name(key->call));
	if (key->measure == MEASURE_CALL && key->error)
		attributes[count++] = text_of("error.type", probes_error_name(key->error));
	if (key->measure == MEASURE_OFFCPU)
		attributes[count++] = text_of("reason", probes_wait_name(key->wait));
	struct series *series =
		metric_series(kernel->durations[key->measure], stream, attributes, count);
	uint64_t buckets[PROBE_BUCKETS];
	for (int i = 0; i < PROBE_BUCKETS; i++)
		buckets[i] = news->buckets[i];
	if (series)
		series_merge_log2(series, buckets, PROBE_BUCKETS, ldexp(1, PROBE_UNIT_LOG2),
				  (double)news->total_ns / 1e9);
}

static void take_count(void *own, const struct count_key *key, uint64_t total, uint64_t news)
{
	struct kernel_metrics *kernel = own;
	struct owner *owner = owner_of(kernel, key->process);
	struct resource *stream = owner ? measure_stream(kernel->measure, owner->resource) : NULL;
	struct attribute direction = text_of(
		"network.io.direction", key->what == COUNT_RESET_SENT ? "transmit" : "receive");
	struct series *series = NULL;

	(void)total;
	if (!stream)
		return;
	if (key->what == COUNT_RETRANSMIT)
		series = metric_series(kernel->retransmits, stream, NULL, 0);
	else
		series = metric_series(kernel->resets, stream, &direction, 1);
	if (series)
		series_add(series, (double)news);
}

static void read_lost(struct kernel_metrics *kernel)
{
	uint64_t lost[LOST_REASONS];

	if (probes_lost(kernel->probes, lost) < 0)
		return;
	for (int i = 0; i < LOST_REASONS; i++) {
		struct attribute reason = text_of("reason", probes_lost_name(i));
		struct series *series = metric_series(kernel->lost, NULL, &reason, 1);
		if (series)
			series_set(series, (double)lost[i]);
	}
}

/* Processes come first, so that it is known whose the rest is. */
static void collect(void *context)
{
	struct kernel_metrics *kernel = context;

	forget_ended(kernel);
	probes_processes(kernel->probes, take_process, kernel);
	probes_latencies(kernel->probes, take_latency, kernel);
	probes_counts(kernel->probes, take_count, kernel);
	read_lost(kernel);
}

void kernel_metrics_free(struct kernel_metrics *kernel)
{
	if (!kernel)
		return;
	tdestroy(kernel->tree, keep);
	for (size_t i = 0; i < kernel->count; i++) {
		resource_put(kernel->owners[i]->resource);
		free(kernel->owners[i]);
	}
	free(kernel->owners);
	free(kernel);
}

struct kernel_metrics *kernel_metrics_new(struct metrics *metrics, struct measure *measure,
					  struct probes *probes)
{
	struct kernel_metrics *kernel = calloc(1, sizeof(*kernel));
	int whole = kernel != NULL;

	if (!kernel)
		return NULL;
	kernel->measure = measure;
	kernel->probes = probes;
	for (int i = 0; i < MEASURE_KINDS; i++) {
		kernel->durations[i] = define_duration(metrics, i);
		whole &= kernel->durations[i] != NULL;
	}
	kernel->retransmits = define_counter(metrics, "tagalong.tcp.retransmits", "{segment}",
					     "TCP segments that were sent again.");
	kernel->resets = define_counter(metrics, "tagalong.tcp.resets", "{reset}",
					"TCP connections that were reset.");
	kernel->lost = define_counter(metrics, "tagalong.ebpf.lost", "{item}",
				      "What found no room in the kernel, by reason.");
	whole &= kernel->retransmits && kernel->resets && kernel->lost;
	if (!whole || metrics_observe(metrics, collect, kernel) != 0) {
		free(kernel);
		return NULL;
	}
	return kernel;
}
