/* measure.c - what every span means for the metrics, before any sampling. */
#include "measure.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/enrich.h"
#include "exporter/measure_key.h"
#include "exporter/metrics_options.h"
#include "exporter/stream.h"

#define VISITORS      4
#define INFLIGHT_ROOM (SPAN_BYTES - offsetof(struct inflight, span))

/* Semantic conventions give the bounds of durations; for sizes they leave the choice. */
static const double http_seconds[] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
				      0.5,   0.75, 1,     2.5,  5,     7.5, 10};
static const double db_seconds[] = {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10};
static const double bytes[] = {0,     128,    512,     1024,    4096,     16384,
			       65536, 262144, 1048576, 4194304, 16777216, 67108864};

#define BOUNDS(array) .bounds = (array), .bound_count = sizeof(array) / sizeof((array)[0])
#define DURATION      .kind = METRIC_HISTOGRAM, .unit = "s"
#define BODY          .kind = METRIC_HISTOGRAM, .unit = "By", BOUNDS(bytes)

/* By family; of HTTP the duration, and the sizes of the bodies. */
static const struct metric_definition definitions[MEASURE_FAMILIES][MEASURE_SERIES] = {
	[MEASURE_HTTP_SERVER] =
		{
			{
				.name = "http.server.request.duration",
				.description = "Duration of HTTP server requests.",
				DURATION,
				BOUNDS(http_seconds),
			},
			{
				.name = "http.server.request.body.size",
				.description = "Size of HTTP server request bodies.",
				BODY,
			},
			{
				.name = "http.server.response.body.size",
				.description = "Size of HTTP server response bodies.",
				BODY,
			},
		},
	[MEASURE_HTTP_CLIENT] =
		{
			{
				.name = "http.client.request.duration",
				.description = "Duration of HTTP client requests.",
				DURATION,
				BOUNDS(http_seconds),
			},
			{
				.name = "http.client.request.body.size",
				.description = "Size of HTTP client request bodies.",
				BODY,
			},
			{
				.name = "http.client.response.body.size",
				.description = "Size of HTTP client response bodies.",
				BODY,
			},
		},
	[MEASURE_DB] = {{
		.name = "db.client.operation.duration",
		.description = "Duration of database client operations.",
		DURATION,
		BOUNDS(db_seconds),
	}},
	[MEASURE_FAILURE] = {{
		.name = "tagalong.connection.failures",
		.description = "Connects and TLS handshakes that failed.",
		.kind = METRIC_COUNTER,
		.unit = "{connection}",
		.is_integer = 1,
	}},
	[MEASURE_ACTIVE] = {{
		.name = "http.server.active_requests",
		.description = "Number of active HTTP server requests.",
		.kind = METRIC_UPDOWN,
		.unit = "{request}",
		.is_integer = 1,
		.is_observed = 1,
	}},
	[MEASURE_REPEATS] = {{
		.name = "tagalong.db.repeated_queries",
		.description = "Queries that repeated another one of the same request.",
		.kind = METRIC_COUNTER,
		.unit = "{query}",
		.is_integer = 1,
	}},
};

struct visitor {
	measure_visitor call;
	void *context;
};

struct measure {
	struct metrics *metrics;
	const struct settings *settings;
	struct drain *drain;
	struct streams *streams;
	struct measure_cache *cache;
	struct batch *scratch; /* for requests in flight */
	uint64_t generation;   /* that the cache is of */
	struct metric *metric[MEASURE_FAMILIES][MEASURE_SERIES];
	struct visitor visitors[VISITORS];
	size_t visitor_count;
};

/* ---- series ---------------------------------------------------------------------------------- */

static void look_up(struct measure *measure, enum measure_family family, struct resource *stream,
		    const struct measure_pick *pick, struct series *series[MEASURE_SERIES])
{
	for (size_t i = 0; i < MEASURE_SERIES; i++)
		series[i] = measure->metric[family][i]
				    ? metric_series(measure->metric[family][i], stream, pick->at,
						    pick->count)
				    : NULL;
}

/* Fills in the series of a span, NULL where there is none. */
static void find_series(struct measure *measure, enum measure_family family,
			struct resource *stream, const struct batch_span *span,
			struct series *series[MEASURE_SERIES])
{
	struct measure_pick pick;
	struct series **known;

	if (measure->generation != metrics_generation(measure->metrics)) {
		measure_cache_clear(measure->cache);
		streams_sweep(measure->streams);
		measure->generation = metrics_generation(measure->metrics);
	}
	measure_pick(span, family, &pick);
	known = measure_cache_find(measure->cache, family, stream, &pick);
	if (!known || !known[0])
		look_up(measure, family, stream, &pick, series);
	if (known && !known[0])
		memcpy(known, series, sizeof(struct series *) * MEASURE_SERIES);
	else if (known)
		memcpy(series, known, sizeof(struct series *) * MEASURE_SERIES);
}

/* ---- spans ----------------------------------------------------------------------------------- */

/* MEASURE_FAMILIES: nothing is counted. */
static enum measure_family family_of(const struct span *span)
{
	switch (span->protocol) {
	case SPAN_HTTP:
		return span->kind == SPAN_SERVER ? MEASURE_HTTP_SERVER : MEASURE_HTTP_CLIENT;
	case SPAN_CONNECT:
	case SPAN_TLS:
		return MEASURE_FAILURE;
	case SPAN_POSTGRESQL:
	case SPAN_MYSQL:
	case SPAN_MARIADB:
	case SPAN_REDIS:
	case SPAN_MEMCACHED:
		return MEASURE_DB;
	default:
		return MEASURE_FAMILIES;
	}
}

/* NULL: there is to be none. */
static struct exemplar *exemplar_of(const struct measure *measure, const struct batch_span *span,
				    struct exemplar *exemplar)
{
	enum metrics_exemplars wanted = metrics_options(measure->metrics)->exemplars;

	if (wanted == EXEMPLARS_NONE || (wanted == EXEMPLARS_OF_SAMPLED && !(span->flags & 1)))
		return NULL;
	memcpy(exemplar->trace_id, span->trace_id, sizeof(exemplar->trace_id));
	memcpy(exemplar->span_id, span->span_id, sizeof(exemplar->span_id));
	exemplar->time_unix_ns = span->end_unix_ns;
	return exemplar;
}

static void record(struct series *series, double value, struct exemplar *exemplar)
{
	if (!series)
		return;
	if (exemplar)
		exemplar->value = value;
	series_record(series, value, exemplar);
}

static void count_span(struct measure *measure, struct resource *stream, const struct span *from,
		       const struct batch_span *span)
{
	enum measure_family family = family_of(from);
	struct series *series[MEASURE_SERIES];
	struct exemplar room, *exemplar = exemplar_of(measure, span, &room);

	if (family == MEASURE_FAMILIES)
		return;
	find_series(measure, family, stream, span, series);
	if (family == MEASURE_FAILURE) {
		if (series[0])
			series_add(series[0], 1);
		return;
	}
	record(series[0], (double)(from->end_ns - from->start_ns) / 1e9, exemplar);
	record(series[1], (double)from->request_body_bytes, exemplar);
	if (from->flags & SPAN_RESPONSE_SEEN)
		record(series[2], (double)from->response_body_bytes, exemplar);
}

static void count_repeats(struct measure *measure, struct resource *stream,
			  const struct batch_span *span, uint32_t repeated)
{
	struct series *series[MEASURE_SERIES];

	find_series(measure, MEASURE_REPEATS, stream, span, series);
	if (series[0])
		series_add(series[0], repeated);
}

void measure_span(struct measure *measure, struct resource *process, const struct record *record,
		  const struct batch_span *span, uint32_t repeated)
{
	struct resource *stream = stream_of(measure->streams, process);

	if (!stream)
		return;
	count_span(measure, stream, &record->span, span);
	if (repeated)
		count_repeats(measure, stream, span, repeated);
	for (size_t i = 0; i < measure->visitor_count; i++)
		measure->visitors[i].call(measure->visitors[i].context, stream, record, span);
}

void measure_also(struct measure *measure, measure_visitor visitor, void *context)
{
	if (measure->visitor_count < VISITORS)
		measure->visitors[measure->visitor_count++] = (struct visitor){visitor, context};
}

/* ---- requests in flight ---------------------------------------------------------------------- */

/* Returns 1 if it is a server's request that lives and could be read in one piece. */
static int read_entry(struct measure *measure, const struct inflight *entry)
{
	struct batch *batch = measure->scratch;
	struct record record;

	if (!atomic_load_explicit(&entry->live, memory_order_acquire) ||
	    entry->span.kind != SPAN_SERVER || entry->span.protocol != SPAN_HTTP)
		return 0;
	arena_reset(&batch->arena);
	if (record_parse(&batch->arena, &entry->span, INFLIGHT_ROOM, UINT64_MAX >> 1, &record) !=
		    0 ||
	    record.span.kind != SPAN_SERVER || record.span.protocol != SPAN_HTTP)
		return 0;
	atomic_thread_fence(memory_order_acquire);
	if (!atomic_load_explicit(&entry->live, memory_order_relaxed))
		return 0;
	return enrich_span(batch, measure->settings, &record, NULL, 0, &batch->spans[0]) == 0;
}

static void count_in_flight(void *context, struct resource *process, const struct slot *slot)
{
	struct measure *measure = context;
	struct resource *stream = stream_of(measure->streams, process);
	struct series *series[MEASURE_SERIES];

	for (uint32_t i = 0; stream && i < INFLIGHT_COUNT; i++) {
		if (!read_entry(measure, &slot->inflight[i]))
			continue;
		find_series(measure, MEASURE_ACTIVE, stream, &measure->scratch->spans[0], series);
		if (series[0])
			series_add(series[0], 1);
	}
}

static void observe(void *context)
{
	struct measure *measure = context;

	metric_clear(measure->metric[MEASURE_ACTIVE][0]);
	drain_each(measure->drain, count_in_flight, measure);
}

/* ---- start and end --------------------------------------------------------------------------- */

static int define(struct measure *measure)
{
	for (size_t family = 0; family < MEASURE_FAMILIES; family++)
		for (size_t i = 0; i < MEASURE_SERIES; i++) {
			if (!definitions[family][i].name)
				continue;
			measure->metric[family][i] =
				metric_define(measure->metrics, &definitions[family][i]);
			if (!measure->metric[family][i])
				return -1;
		}
	return metrics_observe(measure->metrics, observe, measure);
}

struct measure *measure_new(struct metrics *metrics, const struct settings *settings,
			    struct drain *drain)
{
	struct measure *measure = calloc(1, sizeof(*measure));

	if (!measure)
		return NULL;
	measure->metrics = metrics;
	measure->settings = settings;
	measure->drain = drain;
	measure->streams = streams_new();
	measure->cache = measure_cache_new();
	measure->scratch = batch_new(1);
	if (measure->streams && measure->cache && measure->scratch && define(measure) == 0)
		return measure;
	measure_free(measure);
	return NULL;
}

struct resource *measure_stream(struct measure *measure, struct resource *process)
{
	return stream_of(measure->streams, process);
}

void measure_free(struct measure *measure)
{
	if (!measure)
		return;
	streams_free(measure->streams);
	measure_cache_free(measure->cache);
	batch_free(measure->scratch);
	free(measure);
}
