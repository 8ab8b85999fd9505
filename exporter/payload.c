/* payload.c - one OTLP request, encoded once, on its way to several destinations. */
#include "payload.h"

#include <stdlib.h>

struct payload *payload_new(enum signal signal, uint32_t items, size_t size)
{
	struct payload *payload = malloc(sizeof(*payload) + size);

	if (!payload)
		return NULL;
	payload->references = 1;
	payload->signal = signal;
	payload->items = items;
	payload->opened_ns = 0;
	payload->size = size;
	return payload;
}

struct payload *payload_get(struct payload *payload)
{
	payload->references++;
	return payload;
}

void payload_put(struct payload *payload)
{
	if (payload && --payload->references == 0)
		free(payload);
}
