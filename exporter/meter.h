/* meter.h - the metrics of the exporter at work: measured, pushed now and then, and pulled. */
#ifndef TAGALONG_METER_H
#define TAGALONG_METER_H

#include <uv.h>

#include "exporter/config.h"
#include "exporter/deliver.h"
#include "exporter/drain.h"
#include "exporter/metrics.h"

struct measure;
struct tail;
struct meter;

/* What it works on; all of it must outlive the meter. */
struct meter_options {
	uv_loop_t *loop;
	const struct settings *settings;
	struct drain *drain; /* its `measure` is set */
	struct deliver *deliver;
	struct drops *drops;
	const struct tail *tail;
	int is_private; /* no Prometheus endpoint unless it was asked for: several would collide */
};

/* NULL: nobody takes metrics, or there is no memory; then nothing is measured. */
struct meter *meter_new(const struct meter_options *options);

/* Takes the section `metrics` of the settings file, see business.h. Accepts NULL. */
void meter_configure(struct meter *meter, const struct config_node *section);

/* For those who measure something else. */
struct metrics *meter_metrics(struct meter *meter);
struct measure *meter_measure(struct meter *meter);

/* Pushes what there is, the first time that it is called. Accepts NULL. */
void meter_finish(struct meter *meter);

/* Ends all handles on the loop; nothing is measured any more. Accepts NULL. */
void meter_close(struct meter *meter);

#endif
