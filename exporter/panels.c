/* panels.c - what Grafana's dashboards show: a table of panels for each. */
#include "exporter/panels.h"

#define SERVER   "http_server_request_duration_seconds"
#define CLIENT   "http_client_request_duration_seconds"
#define DATABASE "db_client_operation_duration_seconds"
#define OF_JOB   "{job=~\"$job\"}"
#define COUNT    SERVER "_count"

#define ROW(text)                                                                                  \
	{                                                                                          \
		.title = (text), .type = "row", .width = 24                                        \
	}
#define QUANTILE(q, by, metric, matchers)                                                          \
	"histogram_quantile(" q ", sum by (le" by ") (rate(" metric "_bucket" matchers "[$rate]))" \
	")"

static const struct panel services[] = {
	{
		.title = "Throughput",
		.type = "timeseries",
		.unit = "reqps",
		.width = 8,
		.queries = {{"sum by (job) (rate(" COUNT OF_JOB "[$rate]))", "{{job}}"}},
	},
	{
		.title = "Success rate",
		.type = "timeseries",
		.unit = "percentunit",
		.description = "Requests that were answered, and not with 5xx.",
		.width = 8,
		.queries = {{"1 - (sum by (job) (rate(" COUNT
			     "{job=~\"$job\",error_type!=\"\"}[$rate])) or 0 * sum by (job) "
			     "(rate(" COUNT OF_JOB "[$rate]))) / sum by (job) (rate(" COUNT OF_JOB
			     "[$rate]))",
			     "{{job}}"}},
	},
	{
		.title = "Latency",
		.type = "timeseries",
		.unit = "s",
		.description = "Dots are exemplars: each leads to a trace.",
		.width = 8,
		.queries = {{QUANTILE("0.5", "", SERVER, OF_JOB), "p50"},
			    {QUANTILE("0.95", "", SERVER, OF_JOB), "p95"},
			    {QUANTILE("0.99", "", SERVER, OF_JOB), "p99"}},
		.exemplars = 1,
	},
	{
		.title = "Latency by route, p95",
		.type = "timeseries",
		.unit = "s",
		.width = 12,
		.queries = {{QUANTILE("0.95", ", http_route", SERVER, OF_JOB), "{{http_route}}"}},
		.exemplars = 1,
	},
	{
		.title = "How long requests take",
		.type = "heatmap",
		.unit = "s",
		.width = 12,
		.queries = {{"sum by (le) (increase(" SERVER "_bucket" OF_JOB "[$rate]))",
			     "{{le}}"}},
	},
	{
		.title = "Busiest routes",
		.type = "table",
		.unit = "reqps",
		.width = 12,
		.queries = {{"topk(20, sum by (job, http_request_method, http_route) (rate(" COUNT
				     OF_JOB "[$rate])))",
			     ""}},
	},
	{
		.title = "Errors by kind",
		.type = "timeseries",
		.unit = "reqps",
		.width = 12,
		.queries = {{"sum by (http_route, error_type) (rate(" COUNT
			     "{job=~\"$job\",error_type!=\"\"}[$rate]))",
			     "{{error_type}} {{http_route}}"}},
	},
	{
		.title = "Requests in flight",
		.type = "timeseries",
		.unit = "short",
		.width = 8,
		.queries = {{"sum by (job) (http_server_active_requests" OF_JOB ")", "{{job}}"}},
	},
	{
		.title = "Bytes received and sent in bodies",
		.type = "timeseries",
		.unit = "Bps",
		.width = 8,
		.queries = {{"sum by (job) (rate(http_server_request_body_size_bytes_sum" OF_JOB
			     "[$rate]))",
			     "{{job}} received"},
			    {"sum by (job) (rate(http_server_response_body_size_bytes_sum" OF_JOB
			     "[$rate]))",
			     "{{job}} sent"}},
	},
	{
		.title = "Refused and failed connections",
		.type = "timeseries",
		.unit = "short",
		.width = 8,
		.queries =
			{{"sum by (job, error_type) (rate(tagalong_connection_failures_total" OF_JOB
			  "[$rate]))",
			  "{{job}} {{error_type}}"}},
	},
	ROW("Objectives (needs the rules of `tagalong rules`)"),
	{
		.title = "Burn: share of bad requests",
		.type = "timeseries",
		.unit = "percentunit",
		.width = 16,
		.queries = {{"slo:error_ratio:rate1h" OF_JOB, "{{slo}} 1h"},
			    {"slo:error_ratio:rate6h" OF_JOB, "{{slo}} 6h"},
			    {"slo:error_ratio:rate3d" OF_JOB, "{{slo}} 3d"}},
	},
	{
		.title = "Error budget that is left",
		.type = "stat",
		.unit = "percentunit",
		.width = 8,
		.queries = {{"slo:error_budget:remaining" OF_JOB, "{{slo}}"}},
	},
};

static const struct panel dependencies[] = {
	ROW("Other services"),
	{
		.title = "Calls",
		.type = "timeseries",
		.unit = "reqps",
		.width = 8,
		.queries = {{"sum by (job, server_address) (rate(" CLIENT "_count" OF_JOB
			     "[$rate]))",
			     "{{job}} to {{server_address}}"}},
	},
	{
		.title = "Failed calls",
		.type = "timeseries",
		.unit = "reqps",
		.width = 8,
		.queries = {{"sum by (server_address, error_type) (rate(" CLIENT
			     "_count{job=~\"$job\",error_type!=\"\"}[$rate]))",
			     "{{server_address}} {{error_type}}"}},
	},
	{
		.title = "Latency of calls, p95",
		.type = "timeseries",
		.unit = "s",
		.width = 8,
		.queries = {{QUANTILE("0.95", ", server_address", CLIENT, OF_JOB),
			     "{{server_address}}"}},
		.exemplars = 1,
	},
	ROW("Databases"),
	{
		.title = "Operations",
		.type = "timeseries",
		.unit = "ops",
		.width = 8,
		.queries = {{"sum by (job, db_system_name) (rate(" DATABASE "_count" OF_JOB
			     "[$rate]))",
			     "{{job}} on {{db_system_name}}"}},
	},
	{
		.title = "Failed operations",
		.type = "timeseries",
		.unit = "ops",
		.description = "By the code that the server gave: SQLSTATE, or its number.",
		.width = 8,
		.queries = {{"sum by (db_system_name, error_type) (rate(" DATABASE
			     "_count{job=~\"$job\",error_type!=\"\"}[$rate]))",
			     "{{db_system_name}} {{error_type}}"}},
	},
	{
		.title = "Latency by statement, p95",
		.type = "timeseries",
		.unit = "s",
		.width = 8,
		.queries = {{QUANTILE("0.95", ", db_query_summary", DATABASE, OF_JOB),
			     "{{db_query_summary}}"}},
		.exemplars = 1,
	},
	{
		.title = "Where the time goes",
		.type = "table",
		.unit = "s",
		.description = "Seconds that were waited for each statement, a second.",
		.width = 16,
		.queries =
			{{"topk(20, sum by (job, db_system_name, db_query_summary) (rate(" DATABASE
			  "_sum" OF_JOB "[$rate])))",
			  ""}},
	},
	{
		.title = "Statements that one request repeats",
		.type = "timeseries",
		.unit = "ops",
		.width = 8,
		.queries = {{"sum by (job) (rate(tagalong_db_repeated_queries_total" OF_JOB
			     "[$rate]))",
			     "{{job}}"}},
	},
};

static const struct panel processes[] = {
	{
		.title = "CPU",
		.type = "timeseries",
		.unit = "percentunit",
		.width = 8,
		.queries = {{"sum by (job, instance) (rate(process_cpu_time_seconds_total" OF_JOB
			     "[$rate]))",
			     "{{job}} {{instance}}"}},
	},
	{
		.title = "Memory",
		.type = "timeseries",
		.unit = "bytes",
		.width = 8,
		.queries = {{"process_memory_usage_bytes" OF_JOB, "{{job}} {{instance}}"}},
	},
	{
		.title = "Open descriptors",
		.type = "timeseries",
		.unit = "short",
		.width = 8,
		.queries = {{"process_unix_file_descriptor_count" OF_JOB, "{{job}} {{instance}}"}},
	},
	{
		.title = "Context switches",
		.type = "timeseries",
		.unit = "ops",
		.description = "Involuntary ones: the threads want more CPU than there is.",
		.width = 8,
		.queries = {{"sum by (job, process_context_switch_type) "
			     "(rate(process_context_switches_total" OF_JOB "[$rate]))",
			     "{{job}} {{process_context_switch_type}}"}},
	},
	{
		.title = "Network",
		.type = "timeseries",
		.unit = "Bps",
		.description = "On connections whose protocol is recognised.",
		.width = 8,
		.queries = {{"sum by (job, network_io_direction) "
			     "(rate(process_network_io_bytes_total" OF_JOB "[$rate]))",
			     "{{job}} {{network_io_direction}}"}},
	},
	{
		.title = "Disk",
		.type = "timeseries",
		.unit = "Bps",
		.width = 8,
		.queries =
			{{"sum by (job, disk_io_direction) (rate(process_disk_io_bytes_total" OF_JOB
			  "[$rate]))",
			  "{{job}} {{disk_io_direction}}"}},
	},
};

static const struct panel tagalong[] = {
	{
		.title = "Spans read",
		.type = "timeseries",
		.unit = "ops",
		.width = 8,
		.queries = {{"sum by (instance) (rate(tagalong_spans_read_total[$rate]))",
			     "{{instance}}"}},
	},
	{
		.title = "Lost, by reason",
		.type = "timeseries",
		.unit = "ops",
		.width = 8,
		.queries = {{"sum by (reason) (rate(tagalong_drops_total[$rate])) > 0",
			     "{{reason}}"}},
	},
	{
		.title = "Traced processes",
		.type = "timeseries",
		.unit = "short",
		.width = 8,
		.queries = {{"tagalong_processes", "{{instance}}"}},
	},
	{
		.title = "Exported",
		.type = "timeseries",
		.unit = "ops",
		.width = 12,
		.queries = {{"sum by (destination, signal, outcome) "
			     "(rate(tagalong_export_items_total[$rate]))",
			     "{{destination}} {{signal}} {{outcome}}"}},
	},
	{
		.title = "Waiting",
		.type = "timeseries",
		.unit = "short",
		.width = 12,
		.queries = {{"sum by (destination, signal) (tagalong_queue_items)",
			     "{{destination}} {{signal}} in memory"},
			    {"sum by (destination, signal) (tagalong_spool_items)",
			     "{{destination}} {{signal}} on disk"}},
	},
	{
		.title = "CPU of the exporter",
		.type = "timeseries",
		.unit = "percentunit",
		.width = 12,
		.queries = {{"rate(tagalong_exporter_cpu_time_seconds_total[$rate])",
			     "{{instance}}"}},
	},
	{
		.title = "Memory of the exporter",
		.type = "timeseries",
		.unit = "bytes",
		.width = 12,
		.queries = {{"tagalong_exporter_memory_usage_bytes", "{{instance}}"}},
	},
};

const struct dashboard dashboards[] = {
	{"services", "Services", "tagalong-services", services,
	 sizeof(services) / sizeof(services[0])},
	{"dependencies", "Dependencies of services", "tagalong-dependencies", dependencies,
	 sizeof(dependencies) / sizeof(dependencies[0])},
	{"processes", "Traced processes", "tagalong-processes", processes,
	 sizeof(processes) / sizeof(processes[0])},
	{"tagalong", "tagalong itself", "tagalong-itself", tagalong,
	 sizeof(tagalong) / sizeof(tagalong[0])},
};
const size_t dashboard_count = sizeof(dashboards) / sizeof(dashboards[0]);
