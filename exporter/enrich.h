/* enrich.h - a checked record becomes a span by OpenTelemetry's semantic conventions. */
#ifndef TAGALONG_ENRICH_H
#define TAGALONG_ENRICH_H

/*
 * Semantic conventions 1.44.0 for HTTP, databases and TLS; error.type for what fails below them is
 * listed in failure.c. Our own: tagalong.parent.guess; tagalong.db.user; tagalong.db.affected_rows;
 * and of what a connection was made of tagalong.connect.transport_us, .tls_us, .login_us and
 * .settle_us, in microseconds.
 */

#include "exporter/batch.h"
#include "exporter/record.h"
#include "exporter/settings.h"

/* How a process ended that left a request in flight behind; NULL for spans that ended by
 * themselves. */
struct enrich_ending {
	const char *error_type;
	const char *message;
};

/*
 * Fills a span; its texts are the record's or are taken from the batch's arena. Monotonic times
 * become Unix times by adding `unix_offset_ns`. 0, or -ENOMEM.
 */
int enrich_span(struct batch *batch, const struct settings *settings, const struct record *record,
		const struct enrich_ending *ending, uint64_t unix_offset_ns,
		struct batch_span *span);

#endif
