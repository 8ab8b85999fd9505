/* request.h - the body of one export: payloads joined, as JSON if asked for, compressed, framed. */
#ifndef TAGALONG_REQUEST_H
#define TAGALONG_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "exporter/arena.h"
#include "exporter/payload.h"
#include "exporter/settings_otlp.h"

#define REQUEST_MOST (64u << 20) /* OTLP's recommended cap, before compression */

struct request {
	struct arena arena;
	const uint8_t *body; /* of the arena, or of the only payload, which must live as long */
	size_t size;
	size_t plain_size; /* of the messages, before compression and frame */
};

void request_init(struct request *request);
void request_fini(struct request *request);

/* Of one payload or more of one signal. 0, -E2BIG: beyond REQUEST_MOST, -ENOMEM, -EINVAL: no OTLP.
 */
int request_build(struct request *request, const struct otlp_settings *otlp,
		  struct payload *const *payloads, size_t count);

/* Forgets the body. */
void request_reset(struct request *request);

#endif
