/* kernel.c - the probes in the kernel at work for the exporter: processes, threads, spans. */
#include "exporter/kernel.h"

#include <search.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exporter/env.h"
#include "exporter/kernel_metrics.h"
#include "exporter/kernel_span.h"
#include "exporter/log.h"

#define LOOK_NS         100000000ull /* how often threads are asked where they publish */
#define SLOW_DEFAULT_MS 1

/* Times that began to be known later than so long after the span, or such a part, are not told. */
#define LATE_NS   1000000ull
#define LATE_PART 20

/* A thread and the address that the kernel was told; 0: it is free. */
struct told {
	uint32_t tid;
	uint64_t address;
};

/* A process that is attached, by pid: who its measurements belong to. */
struct watched {
	uint32_t pid;
	uint64_t start_ticks;
	uint64_t seen_ns;     /* the last pass that met it */
	const void *resource; /* that its measurements belong to */
	struct told told[THREAD_COUNT];
};

struct kernel {
	struct probes *probes;
	struct drain *drain;
	struct kernel_slow *slow;       /* NULL: none are kept */
	struct kernel_metrics *metrics; /* NULL: none */
	void *tree;                     /* of struct watched */
	struct watched *gone;           /* found by the walk that looks for such */
	uint64_t looked_ns;
	uint64_t attached; /* processes, so far, when it was looked */
};

static int compare(const void *left, const void *right)
{
	const struct watched *one = left, *two = right;

	return (one->pid > two->pid) - (one->pid < two->pid);
}

static int is_asked(void)
{
	const char *value = env_get("TAGALONG_EBPF");

	return value && (strcmp(value, "1") == 0 || strcasecmp(value, "true") == 0);
}

static struct probes *load(void)
{
	struct probes_options options = {
		.scope = SCOPE_PROCESSES,
		.features = PROBES_ALL,
		.slow_ns = env_integer("TAGALONG_EBPF_SLOW_MS", SLOW_DEFAULT_MS) * 1000000ull,
		.follow_children =
			1, /* which then need not attach to be seen from their first call */
		.contexts = 1,
	};
	struct probes *probes = NULL;
	char why[256];

	if (probes_open(&probes, &options, why, sizeof(why)) < 0) {
		log_line(LOG_WARN, "ebpf", "the kernel is not asked: %s", why);
		return NULL;
	}
	probes_drop_capabilities(probes);
	log_line(LOG_DEBUG, "ebpf", "probes loaded: features=%x", probes_features(probes));
	return probes;
}

struct kernel *kernel_new(struct metrics *metrics, struct measure *measure, struct drain *drain)
{
	if (!is_asked())
		return NULL;
	struct probes *probes = load();
	struct kernel *kernel = probes ? calloc(1, sizeof(*kernel)) : NULL;
	if (!kernel) {
		probes_close(probes);
		return NULL;
	}
	kernel->probes = probes;
	kernel->drain = drain;
	kernel->slow = kernel_slow_new();
	drain->kernel = kernel;
	if (metrics && measure)
		kernel->metrics = kernel_metrics_new(metrics, measure, probes);
	return kernel;
}

void kernel_free(struct kernel *kernel)
{
	if (!kernel)
		return;
	kernel->drain->kernel = NULL;
	kernel_metrics_free(kernel->metrics);
	kernel_slow_free(kernel->slow);
	probes_close(kernel->probes);
	tdestroy(kernel->tree, free);
	free(kernel);
}

/* ---- processes ---------------------------------------------------------------------------- */

static struct watched *watch(struct kernel *kernel, const struct slot *slot)
{
	struct watched key = {.pid = slot->identity.pid};
	struct watched **found = tfind(&key, &kernel->tree, compare);

	if (found && (*found)->start_ticks == slot->identity.start_ticks)
		return *found;
	struct watched *watched = found ? *found : calloc(1, sizeof(*watched));
	if (!watched)
		return NULL;
	memset(watched, 0, sizeof(*watched));
	watched->pid = key.pid;
	watched->start_ticks = slot->identity.start_ticks;
	if (!found && !tsearch(watched, &kernel->tree, compare)) {
		free(watched);
		return NULL;
	}
	probes_add(kernel->probes, watched->pid);
	return watched;
}

/* What the slot says is the process's own affair: a wrong address is just not readable. */
static void tell_threads(struct kernel *kernel, struct watched *watched, const struct slot *slot)
{
	for (unsigned i = 0; i < THREAD_COUNT; i++) {
		struct told *told = &watched->told[i];
		uint32_t tid =
			atomic_load_explicit(&slot->threads[i].thread_id, memory_order_acquire);
		uint64_t address =
			atomic_load_explicit(&slot->threads[i].context, memory_order_acquire);
		if (told->tid == tid && told->address == address)
			continue;
		if (told->tid && told->tid != tid)
			probes_set_context(kernel->probes, told->tid, 0);
		if (tid && address)
			probes_set_context(kernel->probes, tid, address);
		told->tid = tid;
		told->address = address;
	}
}

static void meet(void *context, struct resource *resource, const struct slot *slot)
{
	struct kernel *kernel = context;
	struct watched *watched = watch(kernel, slot);

	if (!watched)
		return;
	if (kernel->metrics && watched->resource != resource)
		kernel_metrics_meet(kernel->metrics, watched->pid, watched->start_ticks, resource);
	watched->resource = resource;
	watched->seen_ns = kernel->looked_ns;
	tell_threads(kernel, watched, slot);
}

static void look_for_gone(const void *node, VISIT which, void *closure)
{
	struct watched *const *watched = node;
	struct kernel *kernel = closure;

	if ((which == postorder || which == leaf) && (*watched)->seen_ns != kernel->looked_ns)
		kernel->gone = *watched;
}

static void forget_gone(struct kernel *kernel)
{
	do {
		kernel->gone = NULL;
		twalk_r(kernel->tree, look_for_gone, kernel);
		if (kernel->gone) {
			tdelete(kernel->gone, &kernel->tree, compare);
			probes_remove(kernel->probes, kernel->gone->pid);
			free(kernel->gone);
		}
	} while (kernel->gone);
}

static void keep_slow(void *own, const struct slow_call *call)
{
	const struct kernel *kernel = own;

	kernel_slow_keep(kernel->slow, call);
}

void kernel_pass(struct kernel *kernel, uint64_t now_ns)
{
	if (!kernel)
		return;
	if (now_ns - kernel->looked_ns >= LOOK_NS ||
	    kernel->attached != kernel->drain->ever_attached) {
		kernel->looked_ns = now_ns;
		kernel->attached = kernel->drain->ever_attached;
		drain_each(kernel->drain, meet, kernel);
		forget_gone(kernel);
	}
	probes_poll(kernel->probes, 0, keep_slow, kernel);
}

void kernel_visit(struct kernel *kernel, struct batch *batch, struct batch_span *span)
{
	struct span_times times;

	if (!kernel || span->kind != SPAN_SERVER)
		return;
	uint64_t start_ns = span->start_unix_ns - kernel->drain->unix_offset_ns;
	uint64_t late_ns = (span->end_unix_ns - span->start_unix_ns) / LATE_PART;
	if (probes_take_span(kernel->probes, span->span_id, &times) == 0 &&
	    times.since_ns <= start_ns + (late_ns > LATE_NS ? late_ns : LATE_NS))
		kernel_span_times(batch, span, kernel->drain->settings, &times);
	kernel_span_calls(kernel->slow, batch, span, kernel->drain->unix_offset_ns);
}
