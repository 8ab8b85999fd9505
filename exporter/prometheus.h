/* prometheus.h - /metrics over HTTP, for Prometheus to scrape. */
#ifndef TAGALONG_PROMETHEUS_H
#define TAGALONG_PROMETHEUS_H

/* Runs on the loop, without a thread. */

#include <uv.h>

#include "exporter/metrics.h"

struct prometheus;

/*
 * Listens at a host, by address or name, and a port, 0: any. The metrics must outlive it. NULL:
 * can't, which was said in one line.
 */
struct prometheus *prometheus_new(uv_loop_t *loop, struct metrics *metrics, const char *host,
				  uint16_t port);

/* Where it listens. */
uint16_t prometheus_port(const struct prometheus *prometheus);

/* Ends all handles on the loop and frees, once the loop has run. Accepts NULL. */
void prometheus_close(struct prometheus *prometheus);

#endif
