/* settings_otlp.h - how one signal goes to one OTLP destination: OTEL_EXPORTER_OTLP_*. */
#ifndef TAGALONG_SETTINGS_OTLP_H
#define TAGALONG_SETTINGS_OTLP_H

/* OpenTelemetry's specification of the OTLP exporter decides names, defaults and parsing. */

#include <stddef.h>
#include <stdint.h>

#include "exporter/payload.h"
#include "exporter/text.h"

#define OTLP_HEADERS_MAX 32

enum otlp_protocol { OTLP_HTTP_PROTOBUF, OTLP_HTTP_JSON, OTLP_GRPC };
enum otlp_compression { OTLP_PLAIN, OTLP_GZIP, OTLP_ZSTD };

struct otlp_settings {
	enum signal signal;
	enum otlp_protocol protocol;
	enum otlp_compression compression;
	char *url;                       /* whole */
	char *headers[OTLP_HEADERS_MAX]; /* "name: value" */
	unsigned header_count;
	char *certificate, *client_key, *client_certificate; /* files, or NULL */
	uint32_t timeout_ms;                                 /* of one attempt; 0: no limit */
};

/* "traces", "metrics", "logs". */
const char *otlp_signal_name(enum signal signal);

/* The defaults: http/protobuf, 10 s, and no URL yet. */
void otlp_settings_init(struct otlp_settings *otlp, enum signal signal);

/*
 * Reads the environment: the signal's own variables win over those for all. Warns (log_line) of
 * each bad value once and takes its default. 1: there is an endpoint; 0: there is none, and nothing
 * to free; -ENOMEM.
 */
int otlp_settings_read(struct otlp_settings *otlp, enum signal signal);

/* Frees what it points to; harmless on a zeroed struct. */
void otlp_settings_fini(struct otlp_settings *otlp);

/* 0, or -ENOMEM. */
int otlp_settings_copy(struct otlp_settings *to, const struct otlp_settings *from);

/* 1 if two lead to the same place in the same way. */
int otlp_settings_equal(const struct otlp_settings *one, const struct otlp_settings *other);

/* ---- values, from wherever: 0, -EINVAL or -ENOMEM; `otlp` is untouched on failure ------------ */

/* Without case. */
int otlp_parse_protocol(const char *text, enum otlp_protocol *protocol);
int otlp_parse_compression(const char *text, enum otlp_compression *compression);

/*
 * Over HTTP a URL; a base URL gets the path of the signal, a signal's own is used as it is. For
 * gRPC the scheme may be absent, then `insecure` decides; the path is the method's. The protocol is
 * set before.
 */
int otlp_set_endpoint(struct otlp_settings *otlp, const char *given, int is_base, int insecure);

/* What is no header, or a line break in a value, is refused; so is what finds no room (-E2BIG). */
int otlp_add_header(struct otlp_settings *otlp, struct text name, struct text value);

#endif
