/* fuzz_accept.c - the Accept header of a scraper, whatever it is. */
#include <stdlib.h>
#include <string.h>

#include "exporter/prometheus_accept.h"
#include "tests/fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *accept = strndup((const char *)data, size);
	enum prometheus_format format;

	if (!accept)
		return 0;
	format = prometheus_accept(accept);
	/* OpenMetrics only for those who name it. */
	CHECK(format != PROMETHEUS_OPENMETRICS ||
	      strcasestr(accept, "application/openmetrics-text"));
	free(accept);
	return 0;
}
