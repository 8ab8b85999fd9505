/* verdict.h - what a collector's answer means: done, try again, or give it up. */
#ifndef TAGALONG_VERDICT_H
#define TAGALONG_VERDICT_H

/* OpenTelemetry's OTLP specification 1.11 decides, for HTTP and for gRPC. */

#include <stdint.h>

#include "exporter/post.h"
#include "exporter/settings_otlp.h"

enum verdict_is { VERDICT_DONE, VERDICT_RETRY, VERDICT_DROP };

struct verdict {
	enum verdict_is is;
	int64_t rejected;       /* items that were not taken, though the rest was */
	int64_t retry_after_ms; /* -1: the answer doesn't say */
	char status[32];        /* "status=503", "grpc=14"; "" without an answer */
	char text[256];         /* what the answer says, or what failed; "" if nothing */
};

void verdict_of(struct verdict *verdict, const struct post_answer *answer,
		enum otlp_protocol protocol);

#endif
