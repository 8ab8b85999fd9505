/* meter.c - the metrics of the exporter at work: measured, pushed now and then, and pulled. */
#include "meter.h"

#include <stdlib.h>
#include <time.h>

#include "exporter/business.h"
#include "exporter/log.h"
#include "exporter/measure.h"
#include "exporter/meter_settings.h"
#include "exporter/metrics_options.h"
#include "exporter/otlp_metrics.h"
#include "exporter/process_metrics.h"
#include "exporter/prometheus.h"
#include "exporter/self_metrics.h"

#define LOOK_MS 2000 /* a process that ends has been looked at so long ago at most */

struct meter {
	struct meter_options options;
	struct meter_settings settings;
	struct metrics *metrics;
	struct measure *measure;
	struct self_metrics *self;
	struct process_metrics *processes;
	struct business *business;
	struct prometheus *prometheus; /* NULL: none */
	uv_timer_t timer;
	uv_timer_t look; /* at the processes */
	int is_finished;
};

static uint64_t now_unix_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void push(struct meter *meter)
{
	struct payload *payload;

	if (otlp_metrics(meter->metrics, now_unix_ns(), &payload) != 0) {
		log_line(LOG_ERROR, "metrics", "no memory, one push is left out");
		return;
	}
	if (!payload)
		return;
	payload->opened_ns = uv_hrtime();
	deliver_payload(meter->options.deliver, payload);
	payload_put(payload);
}

/* Destinations come and go with the settings file. */
static int has_push(const struct meter *meter)
{
	return deliver_takes(meter->options.deliver, SIGNAL_METRICS);
}

static void on_time(uv_timer_t *timer)
{
	struct meter *meter = timer->data;

	if (meter->is_finished)
		return;
	metrics_set_readers(meter->metrics, has_push(meter), meter->prometheus != NULL);
	if (has_push(meter))
		push(meter);
	else
		metrics_expire(meter->metrics, now_unix_ns());
}

static void on_look(uv_timer_t *timer)
{
	struct meter *meter = timer->data;

	process_metrics_look(meter->processes);
}

/* ---- start and end --------------------------------------------------------------------------- */

static int wants_prometheus(const struct meter *meter)
{
	return meter->settings.prometheus < 0 ? !meter->options.is_private
					      : meter->settings.prometheus;
}

static int start(struct meter *meter)
{
	const struct meter_options *options = &meter->options;

	meter->metrics = metrics_new(&meter->settings.options);
	if (!meter->metrics)
		return -1;
	meter->measure = measure_new(meter->metrics, options->settings, options->drain);
	meter->self = self_metrics_new(meter->metrics, options->drain, options->deliver,
				       options->drops, options->tail);
	meter->processes = process_metrics_new(meter->metrics, options->drain, "/proc");
	if (meter->measure)
		meter->business = business_new(meter->metrics, meter->measure);
	return meter->business && meter->self && meter->processes ? 0 : -1;
}

static void free_all(struct meter *meter)
{
	measure_free(meter->measure);
	self_metrics_free(meter->self);
	process_metrics_free(meter->processes);
	metrics_free(meter->metrics);
	business_free(meter->business);
	free(meter);
}

struct meter *meter_new(const struct meter_options *options)
{
	struct meter *meter = options->settings->disabled ? NULL : calloc(1, sizeof(*meter));

	if (!meter)
		return NULL;
	meter->options = *options;
	meter_settings_read(&meter->settings);
	meter->settings.options.has_push = has_push(meter);
	meter->settings.options.has_pull = wants_prometheus(meter);
	if (!meter->settings.options.has_push && !meter->settings.options.has_pull) {
		free(meter);
		return NULL;
	}
	if (start(meter) != 0) {
		log_line(LOG_ERROR, "metrics", "no memory, nothing is measured");
		free_all(meter);
		return NULL;
	}
	if (meter->settings.options.has_pull)
		meter->prometheus = prometheus_new(options->loop, meter->metrics,
						   meter->settings.prometheus_host,
						   meter->settings.prometheus_port);
	uv_timer_init(options->loop, &meter->timer);
	meter->timer.data = meter;
	uv_timer_start(&meter->timer, on_time, meter->settings.interval_ms,
		       meter->settings.interval_ms);
	uv_timer_init(options->loop, &meter->look);
	meter->look.data = meter;
	uv_timer_start(&meter->look, on_look, LOOK_MS, LOOK_MS);
	options->drain->measure = meter->measure;
	return meter;
}

void meter_configure(struct meter *meter, const struct config_node *section)
{
	if (meter)
		business_configure(meter->business, section);
}

struct metrics *meter_metrics(struct meter *meter)
{
	return meter->metrics;
}

struct measure *meter_measure(struct meter *meter)
{
	return meter->measure;
}

void meter_finish(struct meter *meter)
{
	if (!meter || meter->is_finished)
		return;
	meter->is_finished = 1;
	if (has_push(meter))
		push(meter);
}

/* After the other one, which is closed before it. */
static void on_closed(uv_handle_t *handle)
{
	free_all(handle->data);
}

void meter_close(struct meter *meter)
{
	if (!meter)
		return;
	meter->options.drain->measure = NULL;
	prometheus_close(meter->prometheus);
	uv_close((uv_handle_t *)&meter->look, NULL);
	uv_close((uv_handle_t *)&meter->timer, on_closed);
}
