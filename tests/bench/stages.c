/* stages.c - what the exporter takes for one span, stage by stage, and for a scrape of 10,000
 * series. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exporter/drain.h"
#include "exporter/measure.h"
#include "exporter/metrics_collect.h"
#include "exporter/metrics_options.h"
#include "exporter/otlp.h"
#include "exporter/prometheus_text.h"
#include "exporter/routes.h"
#include "tests/unit/segment_writer.h"

#define SPANS       512 /* of a batch */
#define BATCHES     600
#define ROUNDS      5
#define SERIES      10000
#define SCRAPES     5
#define FAILED_EXIT 1

static char path[64];
static struct segment_file file;
static struct settings settings;
static struct drops drops;
static struct exits exits;
static struct drain drain;
static struct slot *slot;
static struct batch *batch;
static struct arena arena;
static struct writer_span spans[SPANS];

/* CPU time of this process. */
static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void must(int condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "stages: %s failed\n", what);
	unlink(path);
	exit(FAILED_EXIT);
}

/* Three of four are requests of a server, the others statements on one of a hundred tables. */
static void make_spans(void)
{
	char target[64];

	for (unsigned i = 0; i < SPANS; i++) {
		if (i % 4 != 3) {
			writer_sample(&spans[i], i + 1);
			continue;
		}
		writer_sample(&spans[i], i + 1);
		spans[i].span.fields_size = 0;
		spans[i].span.kind = SPAN_CLIENT;
		spans[i].span.protocol = SPAN_POSTGRESQL;
		snprintf(target, sizeof(target), "SELECT * FROM table_%u WHERE id = ?", i % 100);
		writer_text(&spans[i], FIELD_QUERY_TEXT, target);
		writer_text(&spans[i], FIELD_NAMESPACE, "shop");
		writer_text(&spans[i], FIELD_HOST, "db.example");
	}
}

static void start(void)
{
	snprintf(path, sizeof(path), "/dev/shm/tagalong-stages-%d", getpid());
	unlink(path);
	exits_init(&exits, -1);
	must(segment_file_create(&file, path, 2) == 0 && settings_read(&settings) == 0 &&
		     drain_init(&drain, &file, &settings, &drops, &exits) == 0,
	     "the start");
	batch = batch_new(SPANS);
	drain.routes = routes_new(NULL);
	slot = writer_attach(path, "/usr/sbin/nginx");
	must(batch && slot && drain.routes, "attaching");
	make_spans();
	drain_watch(&drain);
}

/* One batch through the stages; the writer's part is not counted. */
static uint64_t one_batch(int encode)
{
	uint64_t begin;

	for (unsigned i = 0; i < SPANS; i++)
		must(writer_push(slot, &spans[i]) == 0, "a ring with room");
	begin = cpu_ns();
	drain_read(&drain, batch);
	if (encode) {
		struct payload *payload = otlp_encode(&arena, batch);

		must(payload != NULL, "encoding");
		payload_put(payload);
		arena_reset(&arena);
	}
	must(batch->count == SPANS, "reading all");
	drain_delivered(&drain, batch);
	batch_reset(batch);
	return cpu_ns() - begin;
}

/* Nanoseconds a span, the best of several rounds. */
static double stages(int encode)
{
	uint64_t best = UINT64_MAX;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t total = 0;

		for (int i = 0; i < BATCHES; i++)
			total += one_batch(encode);
		best = total < best ? total : best;
	}
	return (double)best / (SPANS * (double)BATCHES);
}

static void fill(struct metrics *metrics)
{
	static const struct metric_definition definition = {
		.name = "bench.requests",
		.unit = "{request}",
		.kind = METRIC_COUNTER,
		.is_integer = 1,
	};
	struct metric *metric = metric_define(metrics, &definition);

	for (int i = 0; i < SERIES; i++) {
		char route[64];
		struct attribute attributes[] = {
			{.key = "http.request.method", .text = {"GET", 3}},
			{.key = "http.route"},
			{.key = "http.response.status_code",
			 .number = 200,
			 .type = ATTRIBUTE_NUMBER},
		};
		struct series *series;

		snprintf(route, sizeof(route), "/orders/{id}/items/%d", i);
		attributes[1].text = (struct text){route, (uint32_t)strlen(route)};
		series = metric_series(metric, NULL, attributes, 3);
		must(series != NULL, "a series");
		series_add(series, i);
	}
}

static void measure_scrape(enum prometheus_format format, const char *name)
{
	struct metrics_options options = {.has_pull = 1};
	struct metrics *metrics = metrics_new(&options);
	uint64_t best = UINT64_MAX;
	size_t size = 0;

	must(metrics != NULL, "metrics");
	fill(metrics);
	for (int i = 0; i < SCRAPES; i++) {
		uint64_t begin = cpu_ns(), spent;
		char *text;

		must(prometheus_text(metrics, 1, format, &text, &size) == 0, "a scrape");
		spent = cpu_ns() - begin;
		best = spent < best ? spent : best;
		free(text);
	}
	printf("  scrape of %d series, %s: %.1f ms, %.1f MB (aim: 50 ms)\n", SERIES, name,
	       (double)best / 1e6, (double)size / 1e6);
	metrics_free(metrics);
}

int main(void)
{
	struct metrics_options options = {.series_limit = 2000, .has_pull = 1, .has_push = 1};
	struct metrics *metrics;
	double read, counted, encoded;

	start();
	read = stages(0);
	metrics = metrics_new(&options);
	drain.measure = metrics ? measure_new(metrics, &settings, &drain) : NULL;
	must(drain.measure != NULL, "measuring");
	counted = stages(0);
	encoded = stages(1);
	printf("  a span, CPU: drained and enriched %.0f ns, counted %.0f ns, encoded %.0f ns\n",
	       read, counted - read, encoded - counted);
	printf("  together %.0f ns: %.0f spans/s on one core (aim: 400000)\n", encoded,
	       1e9 / encoded);
	measure_free(drain.measure);
	metrics_free(metrics);
	measure_scrape(PROMETHEUS_TEXT, "text");
	measure_scrape(PROMETHEUS_OPENMETRICS, "OpenMetrics");
	routes_free(drain.routes);
	arena_free(&arena);
	batch_free(batch);
	drain_fini(&drain);
	segment_file_close(&file);
	settings_free(&settings);
	unlink(path);
	return 0;
}
