/* settings.c - what the environment asks of the exporter. */
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "exporter/env.h"
#include "exporter/log.h"

#define DEFAULT_ENDPOINT "http://localhost:4318"
#define DEFAULT_METHODS  "GET,HEAD,POST,PUT,DELETE,CONNECT,OPTIONS,TRACE,PATCH,QUERY"

/* OTEL_EXPORTER_OTLP_TRACES_<NAME>, or else OTEL_EXPORTER_OTLP_<NAME>; which of them in `used`. */
static const char *otlp_get(const char *name, char used[96])
{
	const char *value;

	snprintf(used, 96, "OTEL_EXPORTER_OTLP_TRACES_%s", name);
	value = env_get(used);
	if (value)
		return value;
	snprintf(used, 96, "OTEL_EXPORTER_OTLP_%s", name);
	return env_get(used);
}

static char *copy_otlp(const char *name)
{
	char used[96];
	const char *value = otlp_get(name, used);

	return value ? strdup(value) : NULL;
}

static int is_http_url(const char *url)
{
	const char *rest = NULL;

	if (strncasecmp(url, "http://", 7) == 0)
		rest = url + 7;
	else if (strncasecmp(url, "https://", 8) == 0)
		rest = url + 8;
	return rest && *rest && *rest != '/' && *rest != ':';
}

/* The base URL gets the signal's path; a query or fragment has no place in it. */
static char *url_of_base(const char *base)
{
	size_t size = strlen(base);
	char *url = malloc(size + sizeof("/v1/traces"));

	if (url)
		sprintf(url, "%s%sv1/traces", base, base[size - 1] == '/' ? "" : "/");
	return url;
}

/* The signal's own URL is used as it is, but a URL without a path asks for "/". */
static char *url_of_signal(const char *given)
{
	const char *authority = strstr(given, "://") + 3;
	char *url = malloc(strlen(given) + 2);

	if (url)
		sprintf(url, "%s%s", given, authority[strcspn(authority, "/?#")] ? "" : "/");
	return url;
}

static void read_endpoint(struct settings *settings)
{
	char used[96];
	const char *given = otlp_get("ENDPOINT", used);
	int of_signal = strstr(used, "_TRACES_") != NULL;

	if (!given)
		return;
	settings->endpoint_enabled = 1;
	if (!is_http_url(given)) {
		log_line(LOG_WARN, "settings",
			 "%s is no http:// or https:// URL, " DEFAULT_ENDPOINT " is used", used);
		given = DEFAULT_ENDPOINT;
		of_signal = 0;
	}
	settings->endpoint = of_signal ? url_of_signal(given) : url_of_base(given);
}

static void read_protocol(void)
{
	char used[96];
	const char *value = otlp_get("PROTOCOL", used);

	if (!value || strcasecmp(value, "http/protobuf") == 0)
		return;
	if (strcasecmp(value, "grpc") == 0 || strcasecmp(value, "http/json") == 0)
		log_line(LOG_WARN, "settings", "%s=%s is not supported yet, http/protobuf is used",
			 used, value);
	else
		log_line(LOG_WARN, "settings", "%s has no known value, http/protobuf is used",
			 used);
}

static void read_compression(struct settings *settings)
{
	char used[96];
	const char *value = otlp_get("COMPRESSION", used);

	if (value && strcasecmp(value, "gzip") == 0)
		settings->gzip = 1;
	else if (value && strcasecmp(value, "none") != 0)
		log_line(LOG_WARN, "settings", "%s is neither gzip nor none, taken as none", used);
}

static int is_token(struct text text)
{
	static const char allowed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	return text.size && strspn(text.at, allowed) == text.size;
}

/* A line break in a value would write headers of its own. */
static int is_header_value(struct text text)
{
	for (uint32_t i = 0; i < text.size; i++) {
		unsigned char byte = (unsigned char)text.at[i];

		if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
			return 0;
	}
	return 1;
}

static void add_header(struct settings *settings, const struct env_pair *pair, const char *name)
{
	char *line;

	if (!is_token(pair->key) || !is_header_value(pair->value)) {
		log_line(LOG_WARN, "settings", "%s has a member that is no header, ignored", name);
		return;
	}
	line = malloc((size_t)pair->key.size + pair->value.size + 3);
	if (!line)
		return;
	sprintf(line, "%s: %s", pair->key.at, pair->value.at);
	settings->headers[settings->header_count++] = line;
}

static void read_headers(struct settings *settings)
{
	struct env_pair pairs[SETTINGS_HEADERS_MAX];
	char used[96];
	const char *value = otlp_get("HEADERS", used);
	struct arena arena;
	int count;

	if (!value)
		return;
	arena_init(&arena);
	count = env_parse_pairs(&arena, value, strlen(value), pairs, SETTINGS_HEADERS_MAX);
	if (count < 0)
		log_line(LOG_WARN, "settings", "%s is malformed, ignored", used);
	for (int i = 0; i < count; i++)
		add_header(settings, &pairs[i], used);
	arena_free(&arena);
}

static uint32_t otlp_integer(const char *name, uint32_t otherwise)
{
	char used[96];

	return otlp_get(name, used) ? env_integer(used, otherwise) : otherwise;
}

static void read_exporter(struct settings *settings)
{
	const char *value = env_get("OTEL_TRACES_EXPORTER");

	settings->exporter = EXPORTER_OTLP;
	if (!value || strcasecmp(value, "otlp") == 0)
		return;
	if (strcasecmp(value, "console") == 0)
		settings->exporter = EXPORTER_CONSOLE;
	else if (strcasecmp(value, "none") == 0)
		settings->exporter = EXPORTER_NONE;
	else
		log_line(LOG_WARN, "settings",
			 "OTEL_TRACES_EXPORTER is none of otlp, console and none, otlp is used");
}

static uint32_t positive(const char *name, uint32_t otherwise)
{
	uint32_t value = env_integer(name, otherwise);

	if (value)
		return value;
	log_line(LOG_WARN, "settings", "%s must be more than 0, %u is used", name, otherwise);
	return otherwise;
}

static void read_batching(struct settings *settings)
{
	settings->schedule_delay_ms = env_integer("OTEL_BSP_SCHEDULE_DELAY", 5000);
	settings->export_timeout_ms = env_integer("OTEL_BSP_EXPORT_TIMEOUT", 30000);
	settings->queue_spans = positive("OTEL_BSP_MAX_QUEUE_SIZE", 2048);
	settings->batch_spans = positive("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512);
	if (settings->batch_spans <= settings->queue_spans)
		return;
	if (env_get("OTEL_BSP_MAX_EXPORT_BATCH_SIZE"))
		log_line(LOG_WARN, "settings",
			 "OTEL_BSP_MAX_EXPORT_BATCH_SIZE is more than the queue holds, %u is used",
			 settings->queue_spans);
	settings->batch_spans = settings->queue_spans;
}

static void read_limits(struct settings *settings)
{
	settings->attribute_count_limit = env_integer(
		"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", env_integer("OTEL_ATTRIBUTE_COUNT_LIMIT", 128));
	settings->attribute_length_limit =
		env_integer("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
			    env_integer("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", SETTINGS_NO_LIMIT));
}

static void read_methods(struct settings *settings)
{
	const char *at = env_get("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS");

	for (at = at ? at : DEFAULT_METHODS; *at;) {
		size_t size = strcspn(at, ", ");

		if (size && settings->method_count < SETTINGS_METHODS_MAX) {
			settings->methods[settings->method_count] = strndup(at, size);
			if (settings->methods[settings->method_count])
				settings->method_count++;
		}
		at += size + (at[size] != '\0');
	}
}

char *settings_store_path(void)
{
	const char *given = env_get("TAGALONG_STORE");
	const char *state = env_get("XDG_STATE_HOME");
	const char *home = env_get("HOME");
	char *path = NULL;
	int size;

	/* A plain "1" or "true" asks for the store where it usually is. */
	if (given && strchr(given, '/'))
		return strdup(given);
	if (geteuid() == 0)
		return strdup("/var/lib/tagalong/traces.db");
	if (state)
		size = asprintf(&path, "%s/tagalong/traces.db", state);
	else if (home)
		size = asprintf(&path, "%s/.local/state/tagalong/traces.db", home);
	else
		return NULL;
	return size < 0 ? NULL : path;
}

static void read_store(struct settings *settings)
{
	settings->store_path = settings_store_path();
	settings->store_max_mb = positive("TAGALONG_STORE_MAX_MB", 256);
	settings->store_max_age_hours = positive("TAGALONG_STORE_MAX_AGE", 72);
}

static void decide_destinations(struct settings *settings)
{
	int plain_otlp = settings->exporter == EXPORTER_OTLP;

	if (!plain_otlp)
		settings->endpoint_enabled = 0;
	/* Without a collector, spans that go nowhere else go into the store. */
	settings->store_enabled =
		env_get("TAGALONG_STORE") || (plain_otlp && !settings->endpoint_enabled);
	if (settings->disabled)
		settings->store_enabled = settings->endpoint_enabled = 0;
	if (settings->store_enabled && !settings->store_path) {
		log_line(LOG_WARN, "settings",
			 "no HOME and no XDG_STATE_HOME, so there is no place for the store");
		settings->store_enabled = 0;
	}
}

static void read_log_level(struct settings *settings)
{
	const char *value = env_get("OTEL_LOG_LEVEL");

	settings->log_level = LOG_INFO;
	if (value && log_level_parse(value, &settings->log_level) != 0)
		log_line(LOG_WARN, "settings",
			 "OTEL_LOG_LEVEL is none of none, error, warn, info and debug, ignored");
}

int settings_read(struct settings *settings)
{
	memset(settings, 0, sizeof(*settings));
	read_log_level(settings);
	if (env_get("OTEL_CONFIG_FILE") || env_get("OTEL_EXPERIMENTAL_CONFIG_FILE"))
		log_line(LOG_WARN, "settings",
			 "OTEL_CONFIG_FILE is not supported yet, the other variables are used");
	settings->disabled = env_boolean("OTEL_SDK_DISABLED");
	read_exporter(settings);
	read_endpoint(settings);
	read_protocol();
	read_compression(settings);
	read_headers(settings);
	settings->certificate = copy_otlp("CERTIFICATE");
	settings->client_key = copy_otlp("CLIENT_KEY");
	settings->client_certificate = copy_otlp("CLIENT_CERTIFICATE");
	settings->request_timeout_ms = otlp_integer("TIMEOUT", 10000);
	read_batching(settings);
	read_limits(settings);
	read_methods(settings);
	read_store(settings);
	decide_destinations(settings);
	settings->run_directory =
		strdup(env_get("TAGALONG_RUN_DIR") ? env_get("TAGALONG_RUN_DIR") : "/run/tagalong");
	settings->reserved_slots = positive("TAGALONG_RESERVED_SLOTS", 2);
	settings->shutdown_timeout_ms = env_integer("TAGALONG_SHUTDOWN_TIMEOUT", 5000);
	settings->slow_call_ms = env_integer("TAGALONG_SLOW_CALL_MS", 100);
	settings->repeated_queries = env_integer("TAGALONG_REPEATED_QUERIES", 10);
	if (!settings->run_directory || (settings->endpoint_enabled && !settings->endpoint))
		return -ENOMEM;
	return 0;
}

void settings_free(struct settings *settings)
{
	for (unsigned i = 0; i < settings->header_count; i++)
		free(settings->headers[i]);
	for (unsigned i = 0; i < settings->method_count; i++)
		free(settings->methods[i]);
	free(settings->endpoint);
	free(settings->certificate);
	free(settings->client_key);
	free(settings->client_certificate);
	free(settings->store_path);
	free(settings->run_directory);
	memset(settings, 0, sizeof(*settings));
}
