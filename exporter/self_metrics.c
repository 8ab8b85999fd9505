/* self_metrics.c - what the exporter tells of itself: tagalong.*. */
#include "self_metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "exporter/redact.h"

enum self_metric {
	SELF_SPANS_READ,
	SELF_SPANS_UNSAMPLED,
	SELF_DROPS,
	SELF_REDACTIONS,
	SELF_PROCESSES,
	SELF_PROCESSES_ATTACHED,
	SELF_CONNECTIONS,
	SELF_CPU,
	SELF_MEMORY,
	SELF_EXPORT_ITEMS,
	SELF_EXPORT_BYTES,
	SELF_EXPORT_REQUESTS,
	SELF_QUEUE_ITEMS,
	SELF_SPOOL_ITEMS,
	SELF_SPOOL_BYTES,
	SELF_SAMPLING_TRACES,
	SELF_SAMPLING_SPANS,
	SELF_METRICS,
};

#define COUNTER METRIC_COUNTER
#define LEVEL   METRIC_UPDOWN

static const struct definition {
	const char *name, *unit, *description;
	enum metric_kind kind;
} definitions[SELF_METRICS] = {
	[SELF_SPANS_READ] = {"tagalong.spans.read", "{span}", "Spans taken from the processes.",
			     COUNTER},
	[SELF_SPANS_UNSAMPLED] = {"tagalong.spans.unsampled", "{span}",
				  "Spans that were read, measured, and not sampled.", COUNTER},
	[SELF_DROPS] = {"tagalong.drops", "{drop}", "What was lost, by reason.", COUNTER},
	[SELF_REDACTIONS] = {"tagalong.redactions", "{redaction}",
			     "Secrets that were masked, by rule.", COUNTER},
	[SELF_PROCESSES] = {"tagalong.processes", "{process}", "Instrumented processes that live.",
			    LEVEL},
	[SELF_PROCESSES_ATTACHED] = {"tagalong.processes.attached", "{process}",
				     "Processes that have attached.", COUNTER},
	[SELF_CONNECTIONS] = {"tagalong.connections", "{connection}",
			      "Connections whose protocol was recognised.", COUNTER},
	[SELF_CPU] = {"tagalong.exporter.cpu.time", "s", "CPU time of the exporter.", COUNTER},
	[SELF_MEMORY] = {"tagalong.exporter.memory.usage", "By",
			 "Memory of the exporter that is resident and its own.", LEVEL},
	[SELF_EXPORT_ITEMS] = {"tagalong.export.items", "{item}",
			       "Spans, points and log records by what became of them.", COUNTER},
	[SELF_EXPORT_BYTES] = {"tagalong.export.bytes", "By",
			       "Bytes sent, as they went over the wire.", COUNTER},
	[SELF_EXPORT_REQUESTS] = {"tagalong.export.requests", "{request}",
				  "Requests to destinations.", COUNTER},
	[SELF_QUEUE_ITEMS] = {"tagalong.queue.items", "{item}",
			      "Spans, points and log records that wait in memory.", LEVEL},
	[SELF_SPOOL_ITEMS] = {"tagalong.spool.items", "{item}",
			      "Spans, points and log records that wait on disk.", LEVEL},
	[SELF_SAMPLING_TRACES] = {"tagalong.sampling.traces", "{trace}",
				  "Traces that tail sampling has decided on, by policy.", COUNTER},
	[SELF_SAMPLING_SPANS] = {"tagalong.sampling.spans", "{span}",
				 "Spans that tail sampling has decided on.", COUNTER},
	[SELF_SPOOL_BYTES] = {"tagalong.spool.bytes", "By", "Size of what waits on disk.", LEVEL},
};

struct self_metrics {
	struct drain *drain;
	struct deliver *deliver;
	const struct drops *drops;
	const struct tail *tail;
	struct metric *metric[SELF_METRICS];
};

static struct attribute text_of(const char *key, const char *text)
{
	return (struct attribute){
		.key = key,
		.text = {text, (uint32_t)strlen(text)},
		.type = ATTRIBUTE_TEXT,
	};
}

static void set(struct self_metrics *self, enum self_metric which,
		const struct attribute *attributes, size_t count, double value)
{
	struct series *series = metric_series(self->metric[which], NULL, attributes, count);

	if (series)
		series_set(series, value);
}

/* ---- the exporter's process ------------------------------------------------------------------ */

static double seconds_of(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

static void read_cpu(struct self_metrics *self)
{
	struct attribute user = text_of("cpu.mode", "user"), kernel = text_of("cpu.mode", "system");
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) != 0)
		return;
	set(self, SELF_CPU, &user, 1, seconds_of(&usage.ru_utime));
	set(self, SELF_CPU, &kernel, 1, seconds_of(&usage.ru_stime));
}

/* The segment's pages are shared, and the programs' as much as ours: they are not counted. */
static void read_memory(struct self_metrics *self)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long long resident, shared;

	if (file && fscanf(file, "%*u %llu %llu", &resident, &shared) == 2)
		set(self, SELF_MEMORY, NULL, 0,
		    (double)(resident - shared) * (double)sysconf(_SC_PAGESIZE));
	if (file)
		fclose(file);
}

/* ---- spans ----------------------------------------------------------------------------------- */

static void read_redactions(struct self_metrics *self)
{
	for (unsigned rule = 0; rule < REDACTIONS; rule++) {
		struct attribute attribute = text_of("rule", redact_name((enum redaction)rule));
		uint64_t count = redact_count(self->drain->redact, (enum redaction)rule);

		if (count)
			set(self, SELF_REDACTIONS, &attribute, 1, (double)count);
	}
}

static void read_drops(struct self_metrics *self)
{
	for (unsigned reason = 0; reason < DROPS_COUNT; reason++) {
		const char *name = drops_name(reason);
		struct attribute attribute;

		/* Those that the shim doesn't have yet, unless it is a newer one. */
		if (!name && !self->drops->count[reason])
			continue;
		attribute = text_of("reason", name ? name : "other");
		set(self, SELF_DROPS, &attribute, 1, (double)self->drops->count[reason]);
	}
}

static void read_drain(struct self_metrics *self)
{
	const struct drain *drain = self->drain;

	set(self, SELF_SPANS_READ, NULL, 0, (double)drain->spans_read);
	set(self, SELF_SPANS_UNSAMPLED, NULL, 0, (double)drain->spans_unsampled);
	set(self, SELF_PROCESSES, NULL, 0, (double)drain->attached);
	set(self, SELF_PROCESSES_ATTACHED, NULL, 0, (double)drain->ever_attached);
	set(self, SELF_CONNECTIONS, NULL, 0, (double)drain->connections);
}

/* What never happened is not told: most exporters sample no tails. */
static void set_decision(struct self_metrics *self, enum self_metric which, const char *decision,
			 const char *policy, uint64_t count)
{
	struct attribute attributes[2] = {text_of("decision", decision)};

	if (policy)
		attributes[1] = text_of("policy", policy);
	if (count)
		set(self, which, attributes, policy ? 2 : 1, (double)count);
}

static void read_tail(struct self_metrics *self)
{
	const struct tail_counts *counts = tail_counts(self->tail);

	for (int kind = 0; kind < TAIL_KINDS; kind++)
		set_decision(self, SELF_SAMPLING_TRACES, "kept",
			     tail_policy_name((enum tail_policy_kind)kind), counts->kept[kind]);
	set_decision(self, SELF_SAMPLING_TRACES, "dropped", NULL, counts->dropped);
	set_decision(self, SELF_SAMPLING_SPANS, "kept", NULL, counts->kept_spans);
	set_decision(self, SELF_SAMPLING_SPANS, "dropped", NULL, counts->dropped_spans);
}

/* ---- destinations ---------------------------------------------------------------------------- */

static void set_outcome(struct self_metrics *self, enum self_metric which,
			struct attribute attributes[3], const char *outcome, uint64_t value)
{
	attributes[2] = text_of("outcome", outcome);
	set(self, which, attributes, 3, (double)value);
}

static void read_destination(struct self_metrics *self, const struct deliver_stats *stats)
{
	const struct ship_stats *sent = &stats->sent;
	struct attribute attributes[3] = {
		text_of("destination", stats->name),
		text_of("signal", otlp_signal_name(stats->signal)),
	};

	set_outcome(self, SELF_EXPORT_ITEMS, attributes, "sent", sent->sent_items);
	set_outcome(self, SELF_EXPORT_ITEMS, attributes, "refused", sent->refused_items);
	set_outcome(self, SELF_EXPORT_ITEMS, attributes, "lost",
		    sent->lost_items + sent->spool.dropped_full + sent->spool.dropped_age);
	set(self, SELF_EXPORT_BYTES, attributes, 2, (double)sent->sent_bytes);
	if (stats->kind != DESTINATION_OTLP)
		return;
	set_outcome(self, SELF_EXPORT_ITEMS, attributes, "rejected", sent->rejected_items);
	set_outcome(self, SELF_EXPORT_ITEMS, attributes, "timed_out", sent->timed_out_items);
	set_outcome(self, SELF_EXPORT_REQUESTS, attributes, "success",
		    sent->requests - sent->failures);
	set_outcome(self, SELF_EXPORT_REQUESTS, attributes, "failure", sent->failures);
	set(self, SELF_QUEUE_ITEMS, attributes, 2, (double)sent->waiting_items);
	set(self, SELF_SPOOL_ITEMS, attributes, 2, (double)sent->spool.items);
	set(self, SELF_SPOOL_BYTES, attributes, 2, (double)sent->spool.bytes);
}

static void read_destinations(struct self_metrics *self)
{
	struct deliver_stats stats;

	metric_clear(self->metric[SELF_QUEUE_ITEMS]);
	metric_clear(self->metric[SELF_SPOOL_ITEMS]);
	metric_clear(self->metric[SELF_SPOOL_BYTES]);
	for (unsigned i = 0; deliver_stats(self->deliver, i, &stats); i++)
		read_destination(self, &stats);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void observe(void *context)
{
	struct self_metrics *self = context;

	read_cpu(self);
	read_memory(self);
	read_drops(self);
	read_redactions(self);
	read_drain(self);
	read_destinations(self);
	read_tail(self);
}

struct self_metrics *self_metrics_new(struct metrics *metrics, struct drain *drain,
				      struct deliver *deliver, const struct drops *drops,
				      const struct tail *tail)
{
	struct self_metrics *self = calloc(1, sizeof(*self));

	if (!self)
		return NULL;
	self->drain = drain;
	self->deliver = deliver;
	self->drops = drops;
	self->tail = tail;
	for (size_t i = 0; i < SELF_METRICS; i++) {
		struct metric_definition definition = {
			.name = definitions[i].name,
			.unit = definitions[i].unit,
			.description = definitions[i].description,
			.kind = definitions[i].kind,
			.is_integer = i != SELF_CPU,
			.is_observed = 1,
		};

		self->metric[i] = metric_define(metrics, &definition);
		if (!self->metric[i])
			goto failed;
	}
	if (metrics_observe(metrics, observe, self) == 0)
		return self;
failed:
	free(self);
	return NULL;
}

void self_metrics_free(struct self_metrics *self)
{
	free(self);
}
