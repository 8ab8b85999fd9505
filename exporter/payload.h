/* payload.h - one OTLP request, encoded once, on its way to several destinations. */
#ifndef TAGALONG_PAYLOAD_H
#define TAGALONG_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

enum signal { SIGNAL_TRACES, SIGNAL_METRICS, SIGNAL_LOGS, SIGNAL_COUNT };

/* Protobuf of an Export{Trace,Metrics,Logs}ServiceRequest, uncompressed. Never changed once made.
 */
struct payload {
	unsigned references;
	enum signal signal;
	uint32_t items;     /* spans, data points, log records */
	uint64_t opened_ns; /* monotonic, of the first of them */
	size_t size;
	uint8_t bytes[];
};

/* With room for `size` bytes, to be filled by the caller, who has the one reference. NULL: no
 * memory.
 */
struct payload *payload_new(enum signal signal, uint32_t items, size_t size);
struct payload *payload_get(struct payload *payload);
void payload_put(struct payload *payload); /* accepts NULL */

#endif
