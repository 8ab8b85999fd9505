/* post.h - one HTTP POST at a time to one URL, by libcurl on the event loop. */
#ifndef TAGALONG_POST_H
#define TAGALONG_POST_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "exporter/settings_otlp.h"

#define POST_ANSWER_MAX (4u << 20) /* OTLP's recommended cap of a response */

struct post;

struct post_answer {
	int failed;             /* no answer; `error` says why */
	int retryable;          /* the failure is one of the network's */
	const char *error;      /* one line */
	long status;            /* HTTP */
	int grpc_status;        /* -1: none came */
	char *grpc_message;     /* "" if none came */
	int64_t retry_after_ms; /* Retry-After, or gRPC's RetryInfo; -1: not given */
	const uint8_t *body;
	size_t size;
};

typedef void (*post_done)(void *context, const struct post_answer *answer);

/* The settings are read here only. NULL: no memory, or libcurl can't start. Proxies are as
 * libcurl's variables say: http_proxy, https_proxy, all_proxy, no_proxy.
 */
struct post *post_new(uv_loop_t *loop, const struct otlp_settings *otlp, post_done done,
		      void *context);

/* Sends `body`, which must live until done is called. 0, or -EIO. `done` isn't called from here. */
int post_send(struct post *post, const uint8_t *body, size_t size);

/* Gives up what is under way (done isn't called) and frees, once the loop has run. */
void post_close(struct post *post);

/* Seconds of a Retry-After value (RFC 9110, 10.2.3: seconds or a date), -1: neither. */
int64_t post_retry_after(const char *value, int64_t unix_now_s);

#endif
