/* test_destinations.c - where telemetry goes, by the environment and by the settings file. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/config.h"
#include "exporter/destinations.h"
#include "exporter/file.h"

static struct destinations destinations;

static int set_up(void **state)
{
	(void)state;
	clearenv();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	destinations_fini(&destinations);
	return 0;
}

static void read_with(const char *name, const char *value)
{
	destinations_fini(&destinations);
	setenv(name, value, 1);
	assert_int_equal(destinations_of_environment(&destinations), 0);
}

static const struct otlp_settings *otlp(enum signal signal)
{
	assert_true(destinations.count > 0);
	assert_true(destinations.at[0].signals & 1u << signal);
	return &destinations.at[0].otlp[signal];
}

/* ---- the environment ------------------------------------------------------------------------ */

static void nothing_said_leads_nowhere(void **state)
{
	(void)state;
	assert_int_equal(destinations_of_environment(&destinations), 0);
	assert_int_equal(destinations.count, 0);
	assert_int_equal(destinations.signals_off, 0);
	assert_null(destinations.spool_directory);
}

static void a_base_endpoint_gets_the_path_of_each_signal(void **state)
{
	(void)state;
	read_with("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
	assert_int_equal(destinations.count, 1);
	assert_string_equal(otlp(SIGNAL_TRACES)->url, "http://collector:4318/v1/traces");
	assert_string_equal(otlp(SIGNAL_METRICS)->url, "http://collector:4318/v1/metrics");
	assert_string_equal(otlp(SIGNAL_LOGS)->url, "http://collector:4318/v1/logs");
	assert_int_equal(otlp(SIGNAL_LOGS)->protocol, OTLP_HTTP_PROTOBUF);
	assert_int_equal(otlp(SIGNAL_LOGS)->compression, OTLP_PLAIN);
	assert_int_equal(otlp(SIGNAL_LOGS)->timeout_ms, 10000);
	read_with("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector/otlp/");
	assert_string_equal(otlp(SIGNAL_TRACES)->url, "https://collector/otlp/v1/traces");
}

static void the_endpoint_of_a_signal_is_used_as_it_is(void **state)
{
	(void)state;
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://other:1", 1);
	read_with("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318/mine");
	assert_string_equal(otlp(SIGNAL_TRACES)->url, "http://collector:4318/mine");
	assert_string_equal(otlp(SIGNAL_METRICS)->url, "http://other:1/v1/metrics");
	read_with("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318");
	assert_string_equal(otlp(SIGNAL_TRACES)->url, "http://collector:4318/");
}

static void only_signals_with_an_endpoint_are_sent(void **state)
{
	(void)state;
	read_with("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://collector:4318/m");
	assert_int_equal(destinations.count, 1);
	assert_int_equal(destinations.at[0].signals, 1u << SIGNAL_METRICS);
	assert_false(destinations_take(&destinations, SIGNAL_TRACES));
	assert_true(destinations_take(&destinations, SIGNAL_METRICS));
}

static void an_endpoint_that_is_no_url_becomes_the_default(void **state)
{
	static const char *const bad[] = {"collector:4318", "http://", "ftp://x", "http:///v1"};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		read_with("OTEL_EXPORTER_OTLP_ENDPOINT", bad[i]);
		assert_string_equal(otlp(SIGNAL_TRACES)->url, "http://localhost:4318/v1/traces");
	}
	setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", 1);
	read_with("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://x");
	assert_string_equal(otlp(SIGNAL_TRACES)->url,
			    "http://localhost:4317/"
			    "opentelemetry.proto.collector.trace.v1.TraceService/Export");
}

static void grpc_ignores_the_path_and_takes_tls_from_the_scheme(void **state)
{
	static const struct {
		const char *endpoint, *insecure, *url;
	} cases[] = {
		{"http://c:4317", "", "http://c:4317/"},
		{"https://c:4317/ignored?x", "true", "https://c:4317/"},
		{"c:4317", "", "https://c:4317/"},
		{"c:4317", "true", "http://c:4317/"},
		{"c/v1", "TRUE", "http://c/"},
	};
	char wanted[128];

	(void)state;
	setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "gRPC", 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setenv("OTEL_EXPORTER_OTLP_INSECURE", cases[i].insecure, 1);
		read_with("OTEL_EXPORTER_OTLP_ENDPOINT", cases[i].endpoint);
		snprintf(wanted, sizeof(wanted), "%s%s", cases[i].url,
			 "opentelemetry.proto.collector.metrics.v1.MetricsService/Export");
		assert_string_equal(otlp(SIGNAL_METRICS)->url, wanted);
	}
	unsetenv("OTEL_EXPORTER_OTLP_INSECURE");
	read_with("OTEL_EXPORTER_OTLP_SPAN_INSECURE", "true");
	assert_memory_equal(otlp(SIGNAL_TRACES)->url, "http://c/", 9);
	assert_memory_equal(otlp(SIGNAL_METRICS)->url, "https://c/", 10);
}

static void a_signals_own_variables_win(void **state)
{
	(void)state;
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318", 1);
	setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", 1);
	setenv("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf", 1);
	setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", 1);
	setenv("OTEL_EXPORTER_OTLP_LOGS_COMPRESSION", "zstd", 1);
	setenv("OTEL_EXPORTER_OTLP_HEADERS", "a=1", 1);
	setenv("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "b=2", 1);
	setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "7", 1);
	setenv("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "0", 1);
	setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca", 1);
	setenv("OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE", "/logs-ca", 1);
	setenv("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/key", 1);
	read_with("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/crt");
	assert_int_equal(otlp(SIGNAL_TRACES)->protocol, OTLP_HTTP_JSON);
	assert_int_equal(otlp(SIGNAL_LOGS)->protocol, OTLP_HTTP_PROTOBUF);
	assert_int_equal(otlp(SIGNAL_TRACES)->compression, OTLP_GZIP);
	assert_int_equal(otlp(SIGNAL_LOGS)->compression, OTLP_ZSTD);
	assert_string_equal(otlp(SIGNAL_TRACES)->headers[0], "a: 1");
	assert_int_equal(otlp(SIGNAL_LOGS)->header_count, 1);
	assert_string_equal(otlp(SIGNAL_LOGS)->headers[0], "b: 2");
	assert_int_equal(otlp(SIGNAL_TRACES)->timeout_ms, 7);
	assert_int_equal(otlp(SIGNAL_LOGS)->timeout_ms, 0);
	assert_string_equal(otlp(SIGNAL_TRACES)->certificate, "/ca");
	assert_string_equal(otlp(SIGNAL_LOGS)->certificate, "/logs-ca");
	assert_string_equal(otlp(SIGNAL_LOGS)->client_key, "/key");
	assert_string_equal(otlp(SIGNAL_TRACES)->client_certificate, "/crt");
}

static void bad_values_leave_the_default(void **state)
{
	(void)state;
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318", 1);
	setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http", 1);
	setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "br", 1);
	read_with("OTEL_EXPORTER_OTLP_TIMEOUT", "-1");
	assert_int_equal(otlp(SIGNAL_TRACES)->protocol, OTLP_HTTP_PROTOBUF);
	assert_int_equal(otlp(SIGNAL_TRACES)->compression, OTLP_PLAIN);
	assert_int_equal(otlp(SIGNAL_TRACES)->timeout_ms, 10000);
}

static void headers_are_decoded_and_checked(void **state)
{
	(void)state;
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318", 1);
	read_with("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b%2Cc , x=1");
	assert_int_equal(otlp(SIGNAL_TRACES)->header_count, 2);
	assert_string_equal(otlp(SIGNAL_TRACES)->headers[0], "api-key: a b,c");
	assert_string_equal(otlp(SIGNAL_TRACES)->headers[1], "x: 1");
	read_with("OTEL_EXPORTER_OTLP_HEADERS", "good=1,evil=a%0d%0aX: y,b ad=1");
	assert_int_equal(otlp(SIGNAL_TRACES)->header_count, 1);
	read_with("OTEL_EXPORTER_OTLP_HEADERS", "noequals");
	assert_int_equal(otlp(SIGNAL_TRACES)->header_count, 0);
}

static void exporters_can_be_a_list(void **state)
{
	(void)state;
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318", 1);
	setenv("OTEL_METRICS_EXPORTER", "prometheus", 1);
	setenv("OTEL_LOGS_EXPORTER", "none", 1);
	read_with("OTEL_TRACES_EXPORTER", "otlp, console,otlp/stdout");
	assert_int_equal(destinations.count, 3);
	assert_int_equal(destinations.at[0].kind, DESTINATION_OTLP);
	assert_int_equal(destinations.at[0].signals, 1u << SIGNAL_TRACES);
	assert_int_equal(destinations.at[1].kind, DESTINATION_STDOUT);
	assert_int_equal(destinations.at[2].kind, DESTINATION_CONSOLE);
	assert_int_equal(destinations.at[2].signals, 1u << SIGNAL_TRACES);
	assert_int_equal(destinations.signals_off, 1u << SIGNAL_LOGS);
	read_with("OTEL_TRACES_EXPORTER", "none");
	assert_int_equal(destinations.count, 0);
	assert_true(destinations.signals_off & 1u << SIGNAL_TRACES);
}

static void a_file_takes_all_signals_but_those_that_are_off(void **state)
{
	(void)state;
	setenv("OTEL_LOGS_EXPORTER", "none", 1);
	setenv("TAGALONG_FILE_MAX_MB", "2", 1);
	read_with("TAGALONG_FILE", "/tmp/spans.jsonl");
	assert_int_equal(destinations.count, 1);
	assert_int_equal(destinations.at[0].kind, DESTINATION_FILE);
	assert_string_equal(destinations.at[0].path, "/tmp/spans.jsonl");
	assert_int_equal(destinations.at[0].max_bytes, 2 << 20);
	assert_int_equal(destinations.at[0].signals, 1u << SIGNAL_TRACES | 1u << SIGNAL_METRICS);
}

static void each_signal_has_a_file_of_its_own(void **state)
{
	static const struct {
		const char *path, *logs;
	} cases[] = {
		{"/a/b.jsonl", "/a/b.logs.jsonl"},
		{"/a.d/b", "/a.d/b.logs"},
		{"b", "b.logs"},
		{".hidden", ".hidden.logs"},
		{"/a/.hidden", "/a/.hidden.logs"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *of_traces = file_path_of(cases[i].path, SIGNAL_TRACES);
		char *of_logs = file_path_of(cases[i].path, SIGNAL_LOGS);

		assert_string_equal(of_traces, cases[i].path);
		assert_string_equal(of_logs, cases[i].logs);
		free(of_traces);
		free(of_logs);
	}
}

static void the_spool_is_a_path_or_off(void **state)
{
	(void)state;
	setenv("TAGALONG_SPOOL_MAX_MB", "3", 1);
	setenv("TAGALONG_SPOOL_MAX_AGE", "2", 1);
	read_with("TAGALONG_SPOOL", "/var/spool/x");
	assert_string_equal(destinations.spool_directory, "/var/spool/x");
	assert_int_equal(destinations.spool_max_bytes, 3 << 20);
	assert_int_equal(destinations.spool_max_age_ms, 2 * 3600 * 1000);
	assert_false(destinations.spool_off);
	read_with("TAGALONG_SPOOL", "off");
	assert_null(destinations.spool_directory);
	assert_true(destinations.spool_off);
}

static void a_copy_is_equal_until_something_changes(void **state)
{
	struct otlp_settings copy;

	(void)state;
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318", 1);
	setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca", 1);
	read_with("OTEL_EXPORTER_OTLP_HEADERS", "a=1,b=2");
	assert_int_equal(otlp_settings_copy(&copy, otlp(SIGNAL_TRACES)), 0);
	assert_true(otlp_settings_equal(&copy, otlp(SIGNAL_TRACES)));
	copy.headers[1][0] = 'c';
	assert_false(otlp_settings_equal(&copy, otlp(SIGNAL_TRACES)));
	copy.headers[1][0] = 'b';
	free(copy.certificate);
	copy.certificate = NULL;
	assert_false(otlp_settings_equal(&copy, otlp(SIGNAL_TRACES)));
	assert_false(otlp_settings_equal(otlp(SIGNAL_LOGS), otlp(SIGNAL_TRACES)));
	otlp_settings_fini(&copy);
}

/* ---- the settings file ---------------------------------------------------------------------- */

/* Returns the complaints. */
static unsigned configure(const char *text)
{
	struct config *config = config_parse("test.yaml", text, strlen(text));
	unsigned complaints;

	assert_non_null(config);
	destinations_fini(&destinations);
	assert_int_equal(destinations_of_config(&destinations, config_root(config)), 0);
	complaints = config_finish(config);
	config_free(config);
	return complaints;
}

static void the_file_lists_several_destinations(void **state)
{
	static const char text[] =
		"destinations:\n"
		"  - otlp:\n"
		"      name: main\n"
		"      endpoint: https://one:4318\n"
		"      protocol: http/json\n"
		"      compression: zstd\n"
		"      timeout: 3s\n"
		"      certificate: /ca.pem\n"
		"      headers: {api-key: 'a b', x: 1}\n"
		"      traces: {endpoint: 'https://two/t', protocol: grpc}\n"
		"  - otlp: {name: other, endpoint: 'http://b:1', signals: [traces]}\n"
		"  - file: {path: /x.jsonl, max_size: 1MiB, files: 3}\n"
		"  - console\n"
		"spool:\n"
		"  directory: /spool\n"
		"  max_size: 2GiB\n"
		"  max_age: 1h\n";

	(void)state;
	assert_int_equal(configure(text), 0);
	assert_int_equal(destinations.count, 4);
	assert_string_equal(destinations.at[0].name, "main");
	assert_string_equal(otlp(SIGNAL_LOGS)->url, "https://one:4318/v1/logs");
	assert_int_equal(otlp(SIGNAL_LOGS)->protocol, OTLP_HTTP_JSON);
	assert_int_equal(otlp(SIGNAL_LOGS)->compression, OTLP_ZSTD);
	assert_int_equal(otlp(SIGNAL_LOGS)->timeout_ms, 3000);
	assert_string_equal(otlp(SIGNAL_LOGS)->certificate, "/ca.pem");
	assert_int_equal(otlp(SIGNAL_LOGS)->header_count, 2);
	assert_string_equal(otlp(SIGNAL_LOGS)->headers[0], "api-key: a b");
	assert_int_equal(otlp(SIGNAL_TRACES)->protocol, OTLP_GRPC);
	assert_memory_equal(otlp(SIGNAL_TRACES)->url, "https://two/opentelemetry", 25);
	assert_int_equal(otlp(SIGNAL_TRACES)->compression, OTLP_ZSTD);
	assert_int_equal(destinations.at[1].signals, 1u << SIGNAL_TRACES);
	assert_string_equal(destinations.at[2].path, "/x.jsonl");
	assert_int_equal(destinations.at[2].max_bytes, 1 << 20);
	assert_int_equal(destinations.at[2].max_files, 3);
	assert_int_equal(destinations.at[3].kind, DESTINATION_CONSOLE);
	assert_string_equal(destinations.spool_directory, "/spool");
	assert_int_equal(destinations.spool_max_bytes, 2ull << 30);
	assert_int_equal(destinations.spool_max_age_ms, 3600000);
}

static void the_environment_comes_first(void **state)
{
	(void)state;
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://environment:4318", 1);
	assert_int_equal(configure("spool: {enabled: false}\n"), 0);
	assert_int_equal(destinations.count, 1);
	assert_true(destinations.spool_off);
	assert_int_equal(configure("destinations: [{otlp: {endpoint: 'http://file:1'}}]\n"), 0);
	assert_int_equal(destinations.count, 2);
	assert_string_equal(destinations.at[1].name, "otlp-2");
	setenv("TAGALONG_SPOOL", "/of/environment", 1);
	assert_int_equal(configure("spool: {directory: /of/file, enabled: no}\n"), 0);
	assert_string_equal(destinations.spool_directory, "/of/environment");
	assert_false(destinations.spool_off);
}

static void two_of_one_name_are_told_apart(void **state)
{
	(void)state;
	assert_int_equal(configure("destinations:\n"
				   "  - otlp: {endpoint: 'http://a:1'}\n"
				   "  - otlp: {endpoint: 'http://b:1'}\n"
				   "  - otlp: {endpoint: 'http://c:1'}\n"),
			 0);
	assert_string_equal(destinations.at[0].name, "otlp");
	assert_string_equal(destinations.at[1].name, "otlp-2");
	assert_string_equal(destinations.at[2].name, "otlp-3");
}

static void what_is_wrong_in_the_file_is_complained_of(void **state)
{
	static const char *const bad[] = {
		"destinations: [{otlp: {endpoint: 'nowhere'}}]\n",
		"destinations: [{otlp: {signals: [traces]}}]\n",
		"destinations: [{otlp: {endpoint: 'http://a', signals: [spans]}}]\n",
		"destinations: [{otlp: {endpoint: 'http://a', protocol: http}}]\n",
		"destinations: [{otlp: {endpoint: 'http://a', compression: lz4}}]\n",
		"destinations: [{otlp: {endpoint: 'http://a', headers: {'a b': c}}}]\n",
		"destinations: [{otlp: {endpoint: 'http://a', timeout: soon}}]\n",
		"destinations: [{otlp: {endpoint: 'http://a', colour: red}}]\n",
		"destinations: [{otlp: {endpoint: 'http://a', name: 'a/b'}}]\n",
		"destinations: [{file: {files: 2}}]\n",
		"destinations: [{kafka: {}}]\n",
		"destinations: [kafka]\n",
		"destinations: {otlp: {endpoint: 'http://a'}}\n",
		"spool: {max_size: huge}\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (configure(bad[i]) == 0)
			fail_msg("no complaint: %s", bad[i]);
}

int main(void)
{
#define DESTINATIONS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		DESTINATIONS_TEST(nothing_said_leads_nowhere),
		DESTINATIONS_TEST(a_base_endpoint_gets_the_path_of_each_signal),
		DESTINATIONS_TEST(the_endpoint_of_a_signal_is_used_as_it_is),
		DESTINATIONS_TEST(only_signals_with_an_endpoint_are_sent),
		DESTINATIONS_TEST(an_endpoint_that_is_no_url_becomes_the_default),
		DESTINATIONS_TEST(grpc_ignores_the_path_and_takes_tls_from_the_scheme),
		DESTINATIONS_TEST(a_signals_own_variables_win),
		DESTINATIONS_TEST(bad_values_leave_the_default),
		DESTINATIONS_TEST(headers_are_decoded_and_checked),
		DESTINATIONS_TEST(exporters_can_be_a_list),
		DESTINATIONS_TEST(a_file_takes_all_signals_but_those_that_are_off),
		DESTINATIONS_TEST(each_signal_has_a_file_of_its_own),
		DESTINATIONS_TEST(the_spool_is_a_path_or_off),
		DESTINATIONS_TEST(a_copy_is_equal_until_something_changes),
		DESTINATIONS_TEST(the_file_lists_several_destinations),
		DESTINATIONS_TEST(the_environment_comes_first),
		DESTINATIONS_TEST(two_of_one_name_are_told_apart),
		DESTINATIONS_TEST(what_is_wrong_in_the_file_is_complained_of),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
