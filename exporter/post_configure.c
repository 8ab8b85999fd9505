/* post_configure.c - libcurl's options and the headers of all requests to one destination. */
#include "post_configure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define USER_AGENT "tagalong/" TAGALONG_VERSION " OTel-OTLP-Exporter-C/" TAGALONG_VERSION

/* A request of 512 spans goes out in one or two calls; libcurl's own buffer takes six. */
#define UPLOAD_BYTES (512L * 1024)

static int add_header(struct curl_slist **headers, const char *line)
{
	struct curl_slist *longer = curl_slist_append(*headers, line);

	if (!longer)
		return -ENOMEM;
	*headers = longer;
	return 0;
}

static int set_grpc_headers(struct curl_slist **headers, const struct otlp_settings *otlp)
{
	char timeout[48];
	int result = add_header(headers, "Content-Type: application/grpc");

	if (result == 0)
		result = add_header(headers, "TE: trailers");
	if (result == 0)
		result = add_header(headers, "grpc-accept-encoding: identity");
	if (result == 0 && otlp->compression != OTLP_PLAIN)
		result =
			add_header(headers, otlp->compression == OTLP_ZSTD ? "grpc-encoding: zstd"
									   : "grpc-encoding: gzip");
	if (result != 0 || !otlp->timeout_ms)
		return result;
	/* Eight digits at most. */
	if (otlp->timeout_ms < 100000000)
		snprintf(timeout, sizeof(timeout), "grpc-timeout: %um", otlp->timeout_ms);
	else
		snprintf(timeout, sizeof(timeout), "grpc-timeout: %uS", otlp->timeout_ms / 1000);
	return add_header(headers, timeout);
}

static int set_http_headers(struct curl_slist **headers, const struct otlp_settings *otlp)
{
	int result = add_header(headers, otlp->protocol == OTLP_HTTP_JSON
						 ? "Content-Type: application/json"
						 : "Content-Type: application/x-protobuf");

	if (result == 0 && otlp->compression != OTLP_PLAIN)
		result = add_header(headers, otlp->compression == OTLP_ZSTD
						     ? "Content-Encoding: zstd"
						     : "Content-Encoding: gzip");
	return result;
}

static int set_headers(struct curl_slist **headers, const struct otlp_settings *otlp)
{
	int result = otlp->protocol == OTLP_GRPC ? set_grpc_headers(headers, otlp)
						 : set_http_headers(headers, otlp);

	/* Large bodies would be held back for a second by servers that don't know the expectation.
	 */
	if (result == 0)
		result = add_header(headers, "Expect:");
	for (unsigned i = 0; i < otlp->header_count && result == 0; i++)
		result = add_header(headers, otlp->headers[i]);
	return result;
}

static void set_tls(CURL *easy, const struct otlp_settings *otlp)
{
	if (otlp->certificate)
		curl_easy_setopt(easy, CURLOPT_CAINFO, otlp->certificate);
	if (otlp->client_certificate)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, otlp->client_certificate);
	if (otlp->client_key)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, otlp->client_key);
}

/*
 * libcurl 7.88 fails every second request over HTTP/2 that was not negotiated: it puts one layer of
 * HTTP/2 upon the other when it uses the connection again (curl's issue 10634).
 */
static int reuse_is_broken(void)
{
	unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;

	return version >= 0x075800 && version < 0x080000;
}

/* Without TLS nothing tells the server that HTTP/2 comes but the first bytes; a proxy must pass
 * them on unread. */
static void set_http2(CURL *easy, const struct otlp_settings *otlp)
{
	int is_plain = strncmp(otlp->url, "http:", 5) == 0;

	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
			 is_plain ? (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE
				  : (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
	if (is_plain && reuse_is_broken())
		curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
}

int post_configure(CURL *easy, struct curl_slist **headers, const struct otlp_settings *otlp)
{
	int result = set_headers(headers, otlp);

	if (result != 0)
		return result;
	curl_easy_setopt(easy, CURLOPT_URL, otlp->url);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BYTES);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *headers);
	/* A proxy is not told what is meant for the collector. */
	curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, USER_AGENT);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)otlp->timeout_ms);
	set_tls(easy, otlp);
	if (otlp->protocol == OTLP_GRPC)
		set_http2(easy, otlp);
	return 0;
}
