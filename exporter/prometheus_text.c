/* prometheus_text.c - all metrics in Prometheus' text format, or in OpenMetrics'. */
#include "prometheus_text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/log.h"
#include "exporter/metrics_collect.h"
#include "exporter/prometheus_labels.h"
#include "exporter/prometheus_name.h"

#define NUMBER_ROOM 32

struct bound {
	char text[NUMBER_ROOM];
	size_t size;
};

struct page {
	enum prometheus_format format;
	struct prometheus_buffer out;
	struct prometheus_buffer labels; /* of the present series: `a="b",c="d"` */
	struct prometheus_buffer common; /* of the present resource */
	const struct metric_definition *definition;
	const struct resource *resource;
	struct prometheus_name name;
	int is_left_out; /* the present family */
	struct bound bounds[METRIC_BOUNDS_MAX];
	char (*families)[PROMETHEUS_NAME_MAX]; /* so far */
	size_t family_count, family_room;
	int failed;
};

const char *prometheus_content_type(enum prometheus_format format)
{
	return format == PROMETHEUS_OPENMETRICS
		       ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
		       : "text/plain; version=0.0.4; charset=utf-8";
}

static void put(struct page *page, const char *string)
{
	prometheus_put(&page->out, string, strlen(string));
}

static void put_number(struct page *page, double value)
{
	char text[NUMBER_ROOM];

	prometheus_put(&page->out, text, prometheus_number(value, text));
}

/* ---- families -------------------------------------------------------------------------------- */

static const char *type_of(const struct metric_definition *definition)
{
	switch (definition->kind) {
	case METRIC_COUNTER:
		return "counter";
	case METRIC_HISTOGRAM:
		return "histogram";
	default:
		return "gauge";
	}
}

static void put_about(struct page *page, const char *what, const char *suffix, const char *text)
{
	put(page, what);
	put(page, page->name.family);
	put(page, suffix);
	put(page, " ");
	put(page, text);
	put(page, "\n");
}

static void put_help(struct page *page, const char *suffix)
{
	const char *help = page->definition->description;

	if (!help)
		return;
	put(page, "# HELP ");
	put(page, page->name.family);
	put(page, suffix);
	put(page, " ");
	prometheus_put_escaped(&page->out, help, strlen(help),
			       page->format == PROMETHEUS_OPENMETRICS);
	put(page, "\n");
}

/* Two names can become one; a family must not be there twice. */
static int is_taken(struct page *page)
{
	for (size_t i = 0; i < page->family_count; i++)
		if (strcmp(page->families[i], page->name.family) == 0)
			return 1;
	if (page->family_count == page->family_room) {
		size_t room = page->family_room ? page->family_room * 2 : 32;
		char(*grown)[PROMETHEUS_NAME_MAX] =
			realloc(page->families, room * sizeof(*page->families));

		if (!grown) {
			page->failed = 1;
			return 1;
		}
		page->families = grown;
		page->family_room = room;
	}
	memcpy(page->families[page->family_count++], page->name.family, PROMETHEUS_NAME_MAX);
	return 0;
}

static void begin_family(struct page *page, const struct metric_definition *definition)
{
	int is_openmetrics = page->format == PROMETHEUS_OPENMETRICS;
	const char *suffix = definition->kind == METRIC_COUNTER && !is_openmetrics ? "_total" : "";

	page->definition = definition;
	page->resource = NULL;
	prometheus_name(definition, &page->name);
	page->is_left_out = is_taken(page);
	if (page->is_left_out) {
		log_line(LOG_WARN, "metrics",
			 "%s is called %s in Prometheus, as another one is: it is left out there",
			 definition->name, page->name.family);
		return;
	}
	put_about(page, "# TYPE ", suffix, type_of(definition));
	if (is_openmetrics && page->name.unit[0])
		put_about(page, "# UNIT ", "", page->name.unit);
	put_help(page, suffix);
	for (size_t i = 0; i < definition->bound_count; i++)
		page->bounds[i].size =
			prometheus_bound(definition->bounds[i], page->bounds[i].text);
}

/* ---- resources ------------------------------------------------------------------------------- */

/* One line of the info metric that tells a resource's attributes. */
static void name(void *context, const struct resource *resource)
{
	struct page *page = context;

	prometheus_labels_of_target(&page->labels, resource);
	put(page, "target_info{");
	prometheus_put(&page->out, page->labels.at, page->labels.size);
	put(page, "} 1\n");
}

static void put_targets(struct page *page, struct metrics *metrics)
{
	put(page, page->format == PROMETHEUS_OPENMETRICS ? "# TYPE target info\n# HELP target "
							 : "# TYPE target_info gauge\n"
							   "# HELP target_info ");
	put(page, "Resource attributes.\n");
	metrics_refresh(metrics, name, page);
}

/* ---- points ---------------------------------------------------------------------------------- */

/* `name_suffix{labels,le="bound"} `; without a bound if it is NULL. */
static void begin_line(struct page *page, const char *suffix, const struct bound *bound)
{
	put(page, page->name.family);
	put(page, suffix);
	put(page, "{");
	prometheus_put(&page->out, page->labels.at, page->labels.size);
	if (bound) {
		put(page, ",le=\"");
		prometheus_put(&page->out, bound->text, bound->size);
		put(page, "\"");
	}
	put(page, "} ");
}

static void put_exemplar(struct page *page, const struct exemplar *exemplar)
{
	char text[160];
	char *to = text;

	if (page->format != PROMETHEUS_OPENMETRICS || !exemplar)
		return;
	to += sprintf(to, " # {trace_id=\"");
	for (size_t i = 0; i < sizeof(exemplar->trace_id); i++)
		to += sprintf(to, "%02x", exemplar->trace_id[i]);
	to += sprintf(to, "\",span_id=\"");
	for (size_t i = 0; i < sizeof(exemplar->span_id); i++)
		to += sprintf(to, "%02x", exemplar->span_id[i]);
	to += sprintf(to, "\"} ");
	to += prometheus_number(exemplar->value, to);
	sprintf(to, " %llu.%03llu", (unsigned long long)(exemplar->time_unix_ns / 1000000000),
		(unsigned long long)(exemplar->time_unix_ns / 1000000 % 1000));
	put(page, text);
}

static void put_bucket(struct page *page, const struct bound *bound, uint64_t count,
		       const struct exemplar *exemplar)
{
	begin_line(page, "_bucket", bound);
	put_number(page, (double)count);
	put_exemplar(page, exemplar);
	put(page, "\n");
}

static const struct exemplar *exemplar_at(const struct metric_point *point, size_t bucket)
{
	return point->exemplar_mask >> bucket & 1 ? &point->exemplars[bucket] : NULL;
}

static const struct bound infinite = {"+Inf", 4};

static void put_buckets(struct page *page, const struct metric_point *point)
{
	size_t bound_count = point->definition->bound_count;
	uint64_t count = 0;

	for (size_t i = 0; i <= bound_count; i++) {
		count += point->buckets[i];
		put_bucket(page, i < bound_count ? &page->bounds[i] : &infinite, count,
			   exemplar_at(point, i));
	}
}

/* The latest one of those in the bucket. */
static const struct exemplar *exemplar_between(const struct metric_point *point, double above,
					       double up_to)
{
	const struct exemplar *latest = NULL;

	for (size_t i = 0; i < EXPONENTIAL_EXEMPLARS; i++) {
		const struct exemplar *at = exemplar_at(point, i);

		if (at && at->value > above && at->value <= up_to &&
		    (!latest || at->time_unix_ns > latest->time_unix_ns))
			latest = at;
	}
	return latest;
}

static void put_exponential(struct page *page, const struct metric_point *point)
{
	struct exponential coarse = *point->exponential;
	uint64_t count = coarse.zero_count;
	struct bound bound;
	double above = -1;

	exponential_coarsen(&coarse, 0);
	for (uint32_t i = 0; i < coarse.size; i++) {
		double up_to = ldexp(
			1, (int)((uint32_t)(coarse.offset + (int32_t)i + 1) << -coarse.scale));

		count += coarse.counts[i];
		bound.size = prometheus_bound(up_to, bound.text);
		if (isfinite(up_to))
			put_bucket(page, &bound, count, exemplar_between(point, above, up_to));
		above = up_to;
	}
	put_bucket(page, &infinite, point->count, NULL);
}

static void put_histogram(struct page *page, const struct metric_point *point)
{
	if (point->exponential)
		put_exponential(page, point);
	else
		put_buckets(page, point);
	begin_line(page, "_sum", NULL);
	put_number(page, point->sum);
	put(page, "\n");
	begin_line(page, "_count", NULL);
	put_number(page, (double)point->count);
	put(page, "\n");
}

static void tell(void *context, const struct metric_point *point)
{
	struct page *page = context;

	if (point->definition != page->definition)
		begin_family(page, point->definition);
	if (page->is_left_out)
		return;
	if (point->resource != page->resource)
		prometheus_labels_of_resource(&page->common, point->resource);
	page->resource = point->resource;
	prometheus_labels_of_series(&page->labels, &page->common, point);
	if (point->definition->kind == METRIC_HISTOGRAM) {
		put_histogram(page, point);
		return;
	}
	begin_line(page, point->definition->kind == METRIC_COUNTER ? "_total" : "", NULL);
	put_number(page, point->value);
	put(page, "\n");
}

/* ---- the page -------------------------------------------------------------------------------- */

int prometheus_text(struct metrics *metrics, uint64_t now_unix_ns, enum prometheus_format format,
		    char **text, size_t *size)
{
	struct page page = {.format = format};

	put_targets(&page, metrics);
	metrics_collect(metrics, READER_PULL, now_unix_ns, tell, &page);
	if (format == PROMETHEUS_OPENMETRICS)
		put(&page, "# EOF\n");
	free(page.families);
	free(page.labels.at);
	free(page.common.at);
	if (page.failed || page.out.failed || page.labels.failed || page.common.failed) {
		free(page.out.at);
		return -ENOMEM;
	}
	*text = page.out.at;
	*size = page.out.size;
	return 0;
}
