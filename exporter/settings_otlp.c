/* settings_otlp.c - how one signal goes to one OTLP destination: OTEL_EXPORTER_OTLP_*. */
#include "settings_otlp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "exporter/env.h"
#include "exporter/log.h"

#define DEFAULT_TIMEOUT_MS 10000
#define VARIABLE_MAX       96

static const struct signal_words {
	const char *name, *variable, *path, *method;
} signals[SIGNAL_COUNT] = {
	[SIGNAL_TRACES] = {"traces", "TRACES_", "v1/traces",
			   "opentelemetry.proto.collector.trace.v1.TraceService/Export"},
	[SIGNAL_METRICS] = {"metrics", "METRICS_", "v1/metrics",
			    "opentelemetry.proto.collector.metrics.v1.MetricsService/Export"},
	[SIGNAL_LOGS] = {"logs", "LOGS_", "v1/logs",
			 "opentelemetry.proto.collector.logs.v1.LogsService/Export"},
};

const char *otlp_signal_name(enum signal signal)
{
	return signals[signal].name;
}

void otlp_settings_init(struct otlp_settings *otlp, enum signal signal)
{
	*otlp = (struct otlp_settings){.signal = signal, .timeout_ms = DEFAULT_TIMEOUT_MS};
}

void otlp_settings_fini(struct otlp_settings *otlp)
{
	for (unsigned i = 0; i < otlp->header_count; i++)
		free(otlp->headers[i]);
	free(otlp->url);
	free(otlp->certificate);
	free(otlp->client_key);
	free(otlp->client_certificate);
	memset(otlp, 0, sizeof(*otlp));
}

static char *duplicate(const char *text, int *result)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		*result = -ENOMEM;
	return copy;
}

int otlp_settings_copy(struct otlp_settings *to, const struct otlp_settings *from)
{
	int result = 0;

	*to = *from;
	for (unsigned i = 0; i < from->header_count; i++)
		to->headers[i] = duplicate(from->headers[i], &result);
	to->url = duplicate(from->url, &result);
	to->certificate = duplicate(from->certificate, &result);
	to->client_key = duplicate(from->client_key, &result);
	to->client_certificate = duplicate(from->client_certificate, &result);
	if (result != 0)
		otlp_settings_fini(to);
	return result;
}

static int same(const char *one, const char *other)
{
	return one == other || (one && other && strcmp(one, other) == 0);
}

int otlp_settings_equal(const struct otlp_settings *one, const struct otlp_settings *other)
{
	if (one->signal != other->signal || one->protocol != other->protocol ||
	    one->compression != other->compression || one->timeout_ms != other->timeout_ms ||
	    one->header_count != other->header_count)
		return 0;
	for (unsigned i = 0; i < one->header_count; i++)
		if (!same(one->headers[i], other->headers[i]))
			return 0;
	return same(one->url, other->url) && same(one->certificate, other->certificate) &&
	       same(one->client_key, other->client_key) &&
	       same(one->client_certificate, other->client_certificate);
}

/* ---- values --------------------------------------------------------------------------------- */

int otlp_parse_protocol(const char *text, enum otlp_protocol *protocol)
{
	if (strcasecmp(text, "http/protobuf") == 0)
		*protocol = OTLP_HTTP_PROTOBUF;
	else if (strcasecmp(text, "http/json") == 0)
		*protocol = OTLP_HTTP_JSON;
	else if (strcasecmp(text, "grpc") == 0)
		*protocol = OTLP_GRPC;
	else
		return -EINVAL;
	return 0;
}

int otlp_parse_compression(const char *text, enum otlp_compression *compression)
{
	if (strcasecmp(text, "none") == 0)
		*compression = OTLP_PLAIN;
	else if (strcasecmp(text, "gzip") == 0)
		*compression = OTLP_GZIP;
	else if (strcasecmp(text, "zstd") == 0)
		*compression = OTLP_ZSTD;
	else
		return -EINVAL;
	return 0;
}

/* What stands behind "http://" or "https://", NULL: it is neither, or names no host. */
static const char *authority_of(const char *url)
{
	const char *rest = NULL;

	if (strncasecmp(url, "http://", 7) == 0)
		rest = url + 7;
	else if (strncasecmp(url, "https://", 8) == 0)
		rest = url + 8;
	return rest && *rest && *rest != '/' && *rest != ':' ? rest : NULL;
}

/* A base URL gets the signal's path: a query or fragment has no place in it. */
static int http_url(char **url, const char *given, int is_base, const char *path)
{
	const char *authority = authority_of(given);

	if (!authority)
		return -EINVAL;
	if (is_base)
		return asprintf(url, "%s%s%s", given, given[strlen(given) - 1] == '/' ? "" : "/",
				path);
	/* Used as it is, but a URL without a path asks for "/". */
	return asprintf(url, "%s%s", given, authority[strcspn(authority, "/?#")] ? "" : "/");
}

static int grpc_url(char **url, const char *given, int insecure, const char *method)
{
	const char *authority = given, *scheme = insecure ? "http" : "https";
	size_t size;

	if (strstr(given, "://")) {
		authority = authority_of(given);
		scheme = strncasecmp(given, "https", 5) == 0 ? "https" : "http";
	}
	if (!authority)
		return -EINVAL;
	size = strcspn(authority, "/?#");
	if (!size || *authority == ':')
		return -EINVAL;
	return asprintf(url, "%s://%.*s/%s", scheme, (int)size, authority, method);
}

int otlp_set_endpoint(struct otlp_settings *otlp, const char *given, int is_base, int insecure)
{
	const struct signal_words *words = &signals[otlp->signal];
	char *url = NULL;
	int result = otlp->protocol == OTLP_GRPC ? grpc_url(&url, given, insecure, words->method)
						 : http_url(&url, given, is_base, words->path);

	if (result < 0)
		return result == -EINVAL ? -EINVAL : -ENOMEM;
	free(otlp->url);
	otlp->url = url;
	return 0;
}

static int is_token(struct text text)
{
	static const char allowed[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	for (uint32_t i = 0; i < text.size; i++)
		if (!text.at[i] || !strchr(allowed, text.at[i]))
			return 0;
	return text.size > 0;
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

int otlp_add_header(struct otlp_settings *otlp, struct text name, struct text value)
{
	char *line;

	if (!is_token(name) || !is_header_value(value))
		return -EINVAL;
	if (otlp->header_count == OTLP_HEADERS_MAX)
		return -E2BIG;
	if (asprintf(&line, "%.*s: %.*s", (int)name.size, name.at, (int)value.size, value.at) < 0)
		return -ENOMEM;
	otlp->headers[otlp->header_count++] = line;
	return 0;
}

/* ---- the environment ------------------------------------------------------------------------ */

/* OTEL_EXPORTER_OTLP_<SIGNAL>_<NAME>, or else OTEL_EXPORTER_OTLP_<NAME>; which of them in `used`.
 */
static const char *get(enum signal signal, const char *name, char used[VARIABLE_MAX])
{
	const char *value;

	snprintf(used, VARIABLE_MAX, "OTEL_EXPORTER_OTLP_%s%s", signals[signal].variable, name);
	value = env_get(used);
	if (value)
		return value;
	snprintf(used, VARIABLE_MAX, "OTEL_EXPORTER_OTLP_%s", name);
	return env_get(used);
}

static char *copy(enum signal signal, const char *name)
{
	char used[VARIABLE_MAX];
	const char *value = get(signal, name, used);

	return value ? strdup(value) : NULL;
}

static void read_protocol(struct otlp_settings *otlp)
{
	char used[VARIABLE_MAX];
	const char *value = get(otlp->signal, "PROTOCOL", used);

	if (value && otlp_parse_protocol(value, &otlp->protocol) != 0)
		log_line(LOG_WARN, "settings", "%s has no known value, http/protobuf is used",
			 used);
}

/* The names of the variable's first version, of two signals, still count. */
static int read_insecure(enum signal signal)
{
	char used[VARIABLE_MAX];

	if (get(signal, "INSECURE", used))
		return env_boolean(used);
	if (signal == SIGNAL_TRACES)
		return env_boolean("OTEL_EXPORTER_OTLP_SPAN_INSECURE");
	return signal == SIGNAL_METRICS && env_boolean("OTEL_EXPORTER_OTLP_METRIC_INSECURE");
}

static int read_endpoint(struct otlp_settings *otlp)
{
	const char *otherwise =
		otlp->protocol == OTLP_GRPC ? "http://localhost:4317" : "http://localhost:4318";
	char used[VARIABLE_MAX];
	const char *given = get(otlp->signal, "ENDPOINT", used);
	int is_base = strstr(used, signals[otlp->signal].variable) == NULL;
	int result;

	if (!given)
		return 0;
	result = otlp_set_endpoint(otlp, given, is_base, read_insecure(otlp->signal));
	if (result == -EINVAL) {
		log_line(LOG_WARN, "settings", "%s is no http:// or https:// URL, %s is used", used,
			 otherwise);
		result = otlp_set_endpoint(otlp, otherwise, 1, 0);
	}
	return result == 0 ? 1 : result;
}

static void read_compression(struct otlp_settings *otlp)
{
	char used[VARIABLE_MAX];
	const char *value = get(otlp->signal, "COMPRESSION", used);

	if (value && otlp_parse_compression(value, &otlp->compression) != 0)
		log_line(LOG_WARN, "settings", "%s is none of gzip, zstd and none, taken as none",
			 used);
}

static void read_headers(struct otlp_settings *otlp)
{
	struct env_pair pairs[OTLP_HEADERS_MAX];
	char used[VARIABLE_MAX];
	const char *value = get(otlp->signal, "HEADERS", used);
	struct arena arena;
	int count;

	if (!value)
		return;
	arena_init(&arena);
	count = env_parse_pairs(&arena, value, strlen(value), pairs, OTLP_HEADERS_MAX);
	if (count < 0)
		log_line(LOG_WARN, "settings", "%s is malformed, ignored", used);
	for (int i = 0; i < count; i++)
		if (otlp_add_header(otlp, pairs[i].key, pairs[i].value) == -EINVAL)
			log_line(LOG_WARN, "settings", "%s has a member that is no header, ignored",
				 used);
	arena_free(&arena);
}

int otlp_settings_read(struct otlp_settings *otlp, enum signal signal)
{
	char used[VARIABLE_MAX];
	int result;

	otlp_settings_init(otlp, signal);
	if (!get(signal, "ENDPOINT", used))
		return 0;
	read_protocol(otlp);
	result = read_endpoint(otlp);
	if (result <= 0)
		return result;
	read_compression(otlp);
	read_headers(otlp);
	otlp->certificate = copy(signal, "CERTIFICATE");
	otlp->client_key = copy(signal, "CLIENT_KEY");
	otlp->client_certificate = copy(signal, "CLIENT_CERTIFICATE");
	if (get(signal, "TIMEOUT", used))
		otlp->timeout_ms = env_integer(used, DEFAULT_TIMEOUT_MS);
	return 1;
}
