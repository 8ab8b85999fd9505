/* slo.h - service level objectives, as people write them into a file. */
#ifndef TAGALONG_SLO_H
#define TAGALONG_SLO_H

/* Read by config.h's rules; texts live as long as the file. One thread. */

#include <stddef.h>

#define SLO_MAX 256

enum slo_indicator { SLO_SERVER, SLO_CLIENT, SLO_DATABASE };

struct slo {
	const char *name;    /* lower case letters, digits, '-' and '_' */
	const char *service; /* the job label; NULL: every service by itself */
	const char *route;   /* NULL: all */
	const char *summary; /* of the alert; NULL: a general one */
	const char *runbook; /* URL, NULL: none */
	enum slo_indicator indicator;
	double objective;    /* share of good requests, 0 to 1 */
	double period_days;  /* of the objective */
	double latency_s;    /* good is what takes no longer; 0: availability */
	int failures;        /* availability: whatever has an error.type, not only 5xx, is bad */
	double minimum_rate; /* requests a second below which nobody is called; 0: none */
};

struct slo_file {
	struct config *config;
	struct slo *slos;
	size_t count;
};

/* 0, or the number of complaints, which were printed; then the file is as if empty. */
unsigned slo_read(const char *path, struct slo_file *file);
void slo_free(struct slo_file *file);

/* The bad share that is left: what the objective allows. */
static inline double slo_budget(const struct slo *slo)
{
	return 1 - slo->objective;
}

/* The stem of the histogram's name in Prometheus: "http_server_request_duration_seconds". */
const char *slo_metric(const struct slo *slo);

#endif
