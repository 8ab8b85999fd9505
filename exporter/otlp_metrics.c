/* otlp_metrics.c - all metrics as OTLP's ExportMetricsServiceRequest. */
#include "otlp_metrics.h"

#include <errno.h>
#include <string.h>

#include "exporter/otlp_points.h"
#include "exporter/packed.h"
#include "exporter/proto/metrics_service.pb-c.h"

/* The generated names carry their whole package's name. */
#define METRICS(name) Opentelemetry__Proto__Metrics__V1__##name
#define V1(name)      OPENTELEMETRY__PROTO__METRICS__V1__##name
#define REQUEST       Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest
#define REQUEST_INIT                                                                               \
	OPENTELEMETRY__PROTO__COLLECTOR__METRICS__V1__EXPORT_METRICS_SERVICE_REQUEST__INIT
#define OWNER         Opentelemetry__Proto__Resource__V1__Resource
#define RESOURCE_INIT OPENTELEMETRY__PROTO__RESOURCE__V1__RESOURCE__INIT
#define SCOPE         Opentelemetry__Proto__Common__V1__InstrumentationScope
#define SCOPE_INIT    OPENTELEMETRY__PROTO__COMMON__V1__INSTRUMENTATION_SCOPE__INIT

/* The points in the order in which they were told: by resource, then by metric. */
struct told {
	struct told *next;
	const struct metric_definition *definition;
	struct resource *resource; /* a reference: its last series may be forgotten by now */
	int is_delta;
	int is_exponential;
	ProtobufCMessage *point;
};

struct telling {
	struct arena arena;
	struct told *first, **last;
	uint32_t count;
	int failed;
};

static char *unconst(const char *string)
{
	return (char *)(uintptr_t)string;
}

static void tell(void *context, const struct metric_point *from)
{
	struct telling *telling = context;
	struct told *told = arena_take(&telling->arena, sizeof(*told));
	ProtobufCMessage *point = told ? otlp_point(&telling->arena, from) : NULL;

	if (!point) {
		telling->failed = 1;
		return;
	}
	*told = (struct told){
		.definition = from->definition,
		.resource = resource_get(from->resource),
		.is_delta = from->is_delta,
		.is_exponential = from->exponential != NULL,
		.point = point,
	};
	*telling->last = told;
	telling->last = &told->next;
	telling->count++;
}

/* ---- metrics --------------------------------------------------------------------------------- */

static int same_metric(const struct told *left, const struct told *right)
{
	return right && left->definition == right->definition && left->resource == right->resource;
}

/* Takes all points of one metric off the list. Their number is in `count`; NULL: no memory. */
static void *take_points(struct arena *arena, struct told **list, size_t *count)
{
	const struct told *first = *list;
	ProtobufCMessage **points;
	size_t n = 0;

	for (const struct told *at = first; same_metric(first, at); at = at->next)
		n++;
	points = arena_take(arena, n * sizeof(ProtobufCMessage *));
	for (size_t i = 0; i < n; i++, *list = (*list)->next)
		if (points)
			points[i] = (*list)->point;
	*count = n;
	return points;
}

static METRICS(AggregationTemporality) temporality_of(const struct told *told)
{
	return told->is_delta ? V1(AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_DELTA)
			      : V1(AGGREGATION_TEMPORALITY__AGGREGATION_TEMPORALITY_CUMULATIVE);
}

/* What stands around the points of each kind. */
union data {
	METRICS(Gauge) gauge;
	METRICS(Sum) sum;
	METRICS(Histogram) histogram;
	METRICS(ExponentialHistogram) exponential;
};

static void fill_sum(METRICS(Metric) * metric, union data *data, const struct told *of,
		     size_t count, void *points)
{
	metric->data_case = V1(METRIC__DATA_SUM);
	metric->sum = &data->sum;
	data->sum = (METRICS(Sum))V1(SUM__INIT);
	data->sum.aggregation_temporality = temporality_of(of);
	data->sum.is_monotonic = of->definition->kind == METRIC_COUNTER;
	data->sum.n_data_points = count;
	data->sum.data_points = points;
}

static void fill_histogram(METRICS(Metric) * metric, union data *data, const struct told *of,
			   size_t count, void *points)
{
	if (of->is_exponential) {
		metric->data_case = V1(METRIC__DATA_EXPONENTIAL_HISTOGRAM);
		metric->exponential_histogram = &data->exponential;
		data->exponential = (METRICS(ExponentialHistogram))V1(EXPONENTIAL_HISTOGRAM__INIT);
		data->exponential.aggregation_temporality = temporality_of(of);
		data->exponential.n_data_points = count;
		data->exponential.data_points = points;
		return;
	}
	metric->data_case = V1(METRIC__DATA_HISTOGRAM);
	metric->histogram = &data->histogram;
	data->histogram = (METRICS(Histogram))V1(HISTOGRAM__INIT);
	data->histogram.aggregation_temporality = temporality_of(of);
	data->histogram.n_data_points = count;
	data->histogram.data_points = points;
}

static METRICS(Metric) * next_metric(struct arena *arena, struct told **list)
{
	METRICS(Metric) *metric = arena_take(arena, sizeof(*metric));
	union data *data = arena_take(arena, sizeof(*data));
	const struct told *of = *list;
	size_t count;
	void *points = take_points(arena, list, &count);

	if (!metric || !data || !points)
		return NULL;
	*metric = (METRICS(Metric))V1(METRIC__INIT);
	metric->name = unconst(of->definition->name);
	metric->unit = unconst(of->definition->unit);
	if (of->definition->description)
		metric->description = unconst(of->definition->description);
	if (of->definition->kind == METRIC_HISTOGRAM) {
		fill_histogram(metric, data, of, count, points);
	} else if (of->definition->kind == METRIC_GAUGE) {
		metric->data_case = V1(METRIC__DATA_GAUGE);
		metric->gauge = &data->gauge;
		data->gauge = (METRICS(Gauge))V1(GAUGE__INIT);
		data->gauge.n_data_points = count;
		data->gauge.data_points = points;
	} else {
		fill_sum(metric, data, of, count, points);
	}
	return metric;
}

/* ---- resources ------------------------------------------------------------------------------- */

struct group {
	METRICS(ResourceMetrics) group;
	OWNER resource;
	METRICS(ScopeMetrics) scoped;
	SCOPE scope;
	METRICS(ScopeMetrics) * scoped_list[1];
};

static int start_group(struct arena *arena, const struct resource *of, struct group *group)
{
	group->group = (METRICS(ResourceMetrics))V1(RESOURCE_METRICS__INIT);
	group->resource = (OWNER)RESOURCE_INIT;
	group->scoped = (METRICS(ScopeMetrics))V1(SCOPE_METRICS__INIT);
	group->scope = (SCOPE)SCOPE_INIT;
	group->scope.name = unconst(TELEMETRY_SCOPE);
	group->scope.version = unconst(TAGALONG_VERSION);
	group->scoped.scope = &group->scope;
	group->scoped.schema_url = unconst(SCHEMA_URL);
	group->scoped_list[0] = &group->scoped;
	group->group.resource = &group->resource;
	group->group.n_scope_metrics = 1;
	group->group.scope_metrics = group->scoped_list;
	group->group.schema_url = unconst(SCHEMA_URL);
	group->resource.n_attributes = of->attribute_count;
	group->resource.attributes = packed_attributes(arena, of->attributes, of->attribute_count);
	return group->resource.attributes ? 0 : -ENOMEM;
}

static size_t metrics_of(const struct told *list)
{
	size_t count = 0;

	for (const struct told *at = list; at && at->resource == list->resource; at = at->next)
		count += !same_metric(at, at->next);
	return count;
}

/* All of one resource, taken off the list. NULL: no memory. */
static struct group *next_group(struct arena *arena, struct told **list)
{
	struct group *group = arena_take(arena, sizeof(*group));
	size_t count = metrics_of(*list);

	if (!group || start_group(arena, (*list)->resource, group) != 0)
		return NULL;
	group->scoped.metrics = arena_take(arena, count * sizeof(METRICS(Metric) *));
	if (!group->scoped.metrics)
		return NULL;
	for (; group->scoped.n_metrics < count; group->scoped.n_metrics++) {
		METRICS(Metric) *metric = next_metric(arena, list);

		if (!metric)
			return NULL;
		group->scoped.metrics[group->scoped.n_metrics] = metric;
	}
	return group;
}

static size_t resources_of(const struct told *list)
{
	size_t count = 0;

	for (; list; list = list->next)
		count += !list->next || list->next->resource != list->resource;
	return count;
}

static int build(struct telling *telling, REQUEST *request)
{
	struct told *list = telling->first;
	size_t count = resources_of(list);

	request->resource_metrics =
		arena_take(&telling->arena, count * sizeof(METRICS(ResourceMetrics) *));
	if (!request->resource_metrics)
		return -ENOMEM;
	while (list) {
		struct group *group = next_group(&telling->arena, &list);

		if (!group)
			return -ENOMEM;
		request->resource_metrics[request->n_resource_metrics++] = &group->group;
	}
	return 0;
}

static int pack(struct telling *telling, struct payload **payload)
{
	REQUEST request = REQUEST_INIT;
	size_t size;

	if (telling->failed || build(telling, &request) != 0)
		return -ENOMEM;
	size = protobuf_c_message_get_packed_size(&request.base);
	*payload = payload_new(SIGNAL_METRICS, telling->count, size);
	if (!*payload)
		return -ENOMEM;
	protobuf_c_message_pack(&request.base, (*payload)->bytes);
	return 0;
}

int otlp_metrics(struct metrics *metrics, uint64_t now_unix_ns, struct payload **payload)
{
	struct telling telling = {.last = &telling.first};
	int result = 0;

	*payload = NULL;
	metrics_collect(metrics, READER_PUSH, now_unix_ns, tell, &telling);
	if (telling.first || telling.failed)
		result = pack(&telling, payload);
	for (struct told *told = telling.first; told; told = told->next)
		resource_put(told->resource);
	arena_free(&telling.arena);
	return result;
}
