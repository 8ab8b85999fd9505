/* pipeline.c - the exporter at work: polls the rings, fills batches, hands them on, and ends. */
#include "pipeline.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "exporter/deliver.h"
#include "exporter/drain.h"
#include "exporter/kernel.h"
#include "exporter/log.h"
#include "exporter/meter.h"
#include "exporter/redact.h"
#include "exporter/reload.h"
#include "exporter/routes.h"
#include "exporter/settings_file.h"
#include "exporter/status_write.h"
#include "exporter/tail.h"

#define MS_NS         1000000ull
#define GONE_NS       (2000 * MS_NS)
#define NEVER_CAME_NS (10000 * MS_NS)
#define STATUS_NS     (100 * MS_NS)

/*
 * Polling, in ms: at work, shortly after work, with quiet processes, with none. A ring takes 25 ms
 * of a burst of 150,000 spans a second.
 */
#define POLL_BUSY_MS  1
#define POLL_QUIET_MS 20
#define POLL_IDLE_MS  25
#define POLL_ALONE_MS 100
#define QUIET_NS      (10000 * MS_NS)

struct pipeline {
	uv_loop_t loop;
	uv_timer_t timer;
	uv_poll_t ends; /* readable when a process ended */
	uv_signal_t signals[2];
	const struct settings *settings;
	struct pipeline_options options;
	struct drain drain;
	struct drops drops;
	struct exits exits;
	struct deliver *deliver;
	struct meter *meter;   /* NULL: nothing is measured */
	struct kernel *kernel; /* NULL: not asked */
	struct reload *reload;
	struct tail *tail;
	struct batch *open;  /* being filled */
	struct batch *spare; /* delivered, to be filled again: its memory is in use already */
	uint32_t interval_ms;
	uint64_t active_ns; /* when a span was read last */
	uint64_t started_ns, attached_ns;
	uint64_t deadline_ns; /* 0: not shutting down */
	uint64_t told_ns;     /* the status */
	int finished;
	uint64_t delivered_spans;
};

/* ---- batches -------------------------------------------------------------------------------- */

static struct batch *take_batch(struct pipeline *pipeline)
{
	struct batch *batch = pipeline->spare;

	pipeline->spare = NULL;
	return batch ? batch : batch_new(pipeline->settings->batch_spans);
}

static void give_back(struct pipeline *pipeline, struct batch *batch)
{
	if (pipeline->spare) {
		batch_free(batch);
		return;
	}
	batch_reset(batch);
	pipeline->spare = batch;
}

static void poll_now(uv_timer_t *timer);

static void on_safe(void *context, struct batch *batch)
{
	struct pipeline *pipeline = context;

	pipeline->delivered_spans += batch->count;
	drain_delivered(&pipeline->drain, batch);
	give_back(pipeline, batch);
	/* Room in the queue: what was left in the rings meanwhile comes next. */
	if (!pipeline->finished && drain_pending(&pipeline->drain))
		uv_timer_start(&pipeline->timer, poll_now, 0, 0);
}

static void seal(struct pipeline *pipeline)
{
	struct batch *batch = pipeline->open;

	if (!batch || (batch->count == 0 && batch->mark_count == 0))
		return;
	pipeline->open = NULL;
	if (!tail_is_on(pipeline->tail)) {
		deliver_batch(pipeline->deliver, batch);
		return;
	}
	tail_take(pipeline->tail, batch, pipeline->drain.now_ns);
	drain_delivered(&pipeline->drain, batch);
	give_back(pipeline, batch);
}

/* ---- tail sampling -------------------------------------------------------------------------- */

static struct batch *take_kept(void *context)
{
	return take_batch(context);
}

static void deliver_kept(void *context, struct batch *batch)
{
	struct pipeline *pipeline = context;

	deliver_batch(pipeline->deliver, batch);
}

static int has_room(void *context)
{
	const struct pipeline *pipeline = context;

	return deliver_has_room(pipeline->deliver);
}

static void take_metrics(void *context, const struct config_node *section)
{
	struct pipeline *pipeline = context;

	meter_configure(pipeline->meter, section);
}

static void take_tail_sampling(void *context, const struct config_node *section)
{
	struct pipeline *pipeline = context;

	tail_configure(pipeline->tail, section);
}

static struct tail *make_tail(struct pipeline *pipeline)
{
	const struct tail_outlet outlet = {
		.take = take_kept,
		.emit = deliver_kept,
		.has_room = has_room,
		.context = pipeline,
	};

	return tail_new(&outlet, &pipeline->drops);
}

/* ---- one pass ------------------------------------------------------------------------------- */

/*
 * What finds no room in the queue stays in the rings, which are the larger buffer; a ring that
 * runs full makes its shim count what it drops.
 */
static uint64_t read_rings(struct pipeline *pipeline)
{
	uint64_t most = 0;

	for (;;) {
		uint64_t waited;

		if (tail_is_on(pipeline->tail) ? !tail_has_room(pipeline->tail)
					       : !deliver_has_room(pipeline->deliver))
			break;
		if (!pipeline->open)
			pipeline->open = take_batch(pipeline);
		if (!pipeline->open)
			break;
		waited = drain_read(&pipeline->drain, pipeline->open);
		most = waited > most ? waited : most;
		if (pipeline->open->count < pipeline->open->capacity)
			break;
		seal(pipeline);
	}
	return most;
}

static void seal_if_due(struct pipeline *pipeline)
{
	struct batch *batch = pipeline->open;
	uint64_t delay_ns = deliver_delay_ns(pipeline->deliver);

	if (batch && (batch->count == 0 || tail_is_on(pipeline->tail) ||
		      pipeline->drain.now_ns - batch->opened_ns >= delay_ns))
		seal(pipeline);
	tail_pass(pipeline->tail, pipeline->drain.now_ns, delay_ns, pipeline->deadline_ns != 0);
}

/* Aims at rings that are a quarter full when they are read. */
static void adapt(struct pipeline *pipeline, uint64_t most)
{
	uint64_t now = pipeline->drain.now_ns;

	if (most) {
		pipeline->active_ns = now;
		if (most > RING_BYTES / 4)
			pipeline->interval_ms /= 2;
		else if (most < RING_BYTES / 16)
			pipeline->interval_ms += 1;
		if (pipeline->interval_ms < POLL_BUSY_MS)
			pipeline->interval_ms = POLL_BUSY_MS;
		if (pipeline->interval_ms > POLL_QUIET_MS / 4)
			pipeline->interval_ms = POLL_QUIET_MS / 4;
		return;
	}
	pipeline->interval_ms *= 2;
	if (now - pipeline->active_ns >= QUIET_NS) {
		batch_free(pipeline->spare);
		pipeline->spare = NULL;
	}
	if (pipeline->drain.attached && now - pipeline->active_ns < QUIET_NS) {
		if (pipeline->interval_ms > POLL_QUIET_MS)
			pipeline->interval_ms = POLL_QUIET_MS;
	} else if (pipeline->drain.attached) {
		if (pipeline->interval_ms > POLL_IDLE_MS)
			pipeline->interval_ms = POLL_IDLE_MS;
	} else if (pipeline->interval_ms > POLL_ALONE_MS) {
		pipeline->interval_ms = POLL_ALONE_MS;
	}
}

/* ---- the end -------------------------------------------------------------------------------- */

static void stop(struct pipeline *pipeline)
{
	pipeline->finished = 1;
	uv_stop(&pipeline->loop);
}

static void begin_shutdown(struct pipeline *pipeline)
{
	uint64_t timeout_ns = pipeline->settings->shutdown_timeout_ms * MS_NS;

	if (pipeline->deadline_ns)
		return;
	pipeline->deadline_ns = drain_clock_ns() + (timeout_ns ? timeout_ns : 1);
	/* Processes send no snapshot any more that nobody might wipe. */
	atomic_store(&pipeline->drain.file->header->control.exporter_pid, 0);
	deliver_flush(pipeline->deliver);
	uv_timer_start(&pipeline->timer, poll_now, 0, 0);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct pipeline *pipeline = handle->data;

	(void)number;
	/* The second one means now. */
	if (pipeline->deadline_ns)
		pipeline->deadline_ns = 1;
	begin_shutdown(pipeline);
	if (pipeline->deadline_ns == 1)
		stop(pipeline);
}

/* A private exporter outlives its processes by a moment, in which children may attach. */
static int nobody_left(struct pipeline *pipeline)
{
	uint64_t now = pipeline->drain.now_ns;

	if (!pipeline->options.private_segment || pipeline->exits.descriptor >= 0)
		return 0;
	if (pipeline->drain.attached || pipeline->attached_ns == 0)
		pipeline->attached_ns = now;
	if (pipeline->drain.ever_attached == 0 && pipeline->options.exits_descriptor < 0)
		return now - pipeline->started_ns >= NEVER_CAME_NS;
	return now - pipeline->attached_ns >= GONE_NS;
}

static int all_delivered(struct pipeline *pipeline)
{
	if ((pipeline->open && pipeline->open->count) || drain_pending(&pipeline->drain) ||
	    !tail_is_empty(pipeline->tail))
		return 0;
	meter_finish(pipeline->meter);
	return deliver_is_idle(pipeline->deliver);
}

static void tell_status(struct pipeline *pipeline)
{
	const struct status_source source = {
		.drain = &pipeline->drain,
		.tail = pipeline->tail,
		.deliver = pipeline->deliver,
		.drops = &pipeline->drops,
		.delivered_spans = pipeline->delivered_spans,
	};

	status_write(&pipeline->drain.file->header->control.exporter, &source);
	pipeline->told_ns = pipeline->drain.now_ns;
}

static void poll_now(uv_timer_t *timer)
{
	struct pipeline *pipeline = timer->data;
	uint64_t most;

	if (pipeline->finished)
		return;
	drain_watch(&pipeline->drain);
	kernel_pass(pipeline->kernel, pipeline->drain.now_ns);
	most = read_rings(pipeline);
	seal_if_due(pipeline);
	deliver_pass(pipeline->deliver, pipeline->drain.now_ns,
		     pipeline->drain.now_ns + pipeline->drain.unix_offset_ns);
	routes_housekeep(pipeline->drain.routes,
			 pipeline->drain.now_ns + pipeline->drain.unix_offset_ns);
	drops_report(&pipeline->drops, pipeline->drain.now_ns, 0);
	if (pipeline->drain.now_ns - pipeline->told_ns >= STATUS_NS)
		tell_status(pipeline);
	adapt(pipeline, most);
	if (nobody_left(pipeline))
		begin_shutdown(pipeline);
	if (pipeline->deadline_ns &&
	    (all_delivered(pipeline) || pipeline->drain.now_ns >= pipeline->deadline_ns)) {
		stop(pipeline);
		return;
	}
	uv_timer_start(timer, poll_now, pipeline->interval_ms, 0);
}

static void on_end(uv_poll_t *handle, int status, int events)
{
	struct pipeline *pipeline = handle->data;

	(void)status;
	(void)events;
	poll_now(&pipeline->timer);
}

/* settings->slow_call_ms and the like were changed before: who owns them registered first. */
static void take_settings(void *context, const struct config_node *root)
{
	struct pipeline *pipeline = context;

	/* What was read before goes where everything went then. */
	seal(pipeline);
	deliver_take(pipeline->deliver, root);
	if (pipeline->settings->changed)
		drain_tune(&pipeline->drain);
}

static void take_routes(void *context, const struct config_node *section)
{
	struct pipeline *pipeline = context;

	if (pipeline->drain.routes)
		routes_configure(pipeline->drain.routes, section);
}

static void take_redaction(void *context, const struct config_node *section)
{
	struct pipeline *pipeline = context;

	if (pipeline->drain.redact)
		redact_configure(pipeline->drain.redact, section);
}

/* ---- start and finish ----------------------------------------------------------------------- */

static void start_handles(struct pipeline *pipeline)
{
	static const int numbers[2] = {SIGTERM, SIGINT};
	sigset_t held;

	sigemptyset(&held);

	uv_timer_init(&pipeline->loop, &pipeline->timer);
	pipeline->timer.data = pipeline;
	uv_timer_start(&pipeline->timer, poll_now, 0, 0);
	uv_poll_init(&pipeline->loop, &pipeline->ends, pipeline->drain.processes.descriptor);
	pipeline->ends.data = pipeline;
	uv_poll_start(&pipeline->ends, UV_READABLE, on_end);
	for (int i = 0; i < 2; i++) {
		uv_signal_init(&pipeline->loop, &pipeline->signals[i]);
		pipeline->signals[i].data = pipeline;
		uv_signal_start(&pipeline->signals[i], on_signal, numbers[i]);
		sigaddset(&held, numbers[i]);
	}
	/* command_export holds them until here. */
	sigprocmask(SIG_UNBLOCK, &held, NULL);
}

static void start_meter(struct pipeline *pipeline)
{
	const struct meter_options options = {
		.loop = &pipeline->loop,
		.settings = pipeline->settings,
		.drain = &pipeline->drain,
		.deliver = pipeline->deliver,
		.drops = &pipeline->drops,
		.tail = pipeline->tail,
		/* Only a launcher tells of exits. */
		.is_private = pipeline->options.private_segment ||
			      pipeline->options.exits_descriptor >= 0,
	};

	pipeline->meter = meter_new(&options);
	pipeline->kernel = kernel_new(pipeline->meter ? meter_metrics(pipeline->meter) : NULL,
				      pipeline->meter ? meter_measure(pipeline->meter) : NULL,
				      &pipeline->drain);
}

static void finish(struct pipeline *pipeline)
{
	kernel_free(pipeline->kernel);
	meter_close(pipeline->meter);
	tail_report(pipeline->tail);
	tail_close(pipeline->tail);
	deliver_close(pipeline->deliver);
	if (pipeline->open)
		drops_add(&pipeline->drops, DROPS_SHUTDOWN, pipeline->open->count);
	drops_report(&pipeline->drops, drain_clock_ns(), 1);
	log_line(LOG_DEBUG, "drain",
		 "read spans=%llu delivered=%llu unsampled=%llu repeated_queries=%llu "
		 "processes=%llu",
		 (unsigned long long)pipeline->drain.spans_read,
		 (unsigned long long)pipeline->delivered_spans,
		 (unsigned long long)pipeline->drain.spans_unsampled,
		 (unsigned long long)pipeline->drain.repeated_queries,
		 (unsigned long long)pipeline->drain.ever_attached);
	reload_stop(pipeline->reload);
	settings_file_forget(pipeline->settings->file, pipeline);
	uv_close((uv_handle_t *)&pipeline->timer, NULL);
	uv_close((uv_handle_t *)&pipeline->ends, NULL);
	uv_close((uv_handle_t *)&pipeline->signals[0], NULL);
	uv_close((uv_handle_t *)&pipeline->signals[1], NULL);
	uv_run(&pipeline->loop, UV_RUN_DEFAULT);
	uv_loop_close(&pipeline->loop);
	batch_free(pipeline->open);
	batch_free(pipeline->spare);
	exits_fini(&pipeline->exits);
	routes_free(pipeline->drain.routes);
	redact_report(pipeline->drain.redact);
	redact_free(pipeline->drain.redact);
	drain_fini(&pipeline->drain);
}

int pipeline_run(struct segment_file *file, const struct settings *settings,
		 const struct pipeline_options *options)
{
	struct pipeline *pipeline = calloc(1, sizeof(*pipeline));
	int result;

	if (!pipeline)
		return 1;
	pipeline->settings = settings;
	pipeline->options = *options;
	pipeline->interval_ms = POLL_BUSY_MS;
	exits_init(&pipeline->exits, options->exits_descriptor);
	uv_loop_init(&pipeline->loop);
	result = drain_init(&pipeline->drain, file, settings, &pipeline->drops, &pipeline->exits);
	if (result == 0) {
		pipeline->drain.routes = routes_new(settings->routes_path);
		pipeline->drain.redact = redact_new();
		pipeline->deliver =
			deliver_new(&pipeline->loop, settings, &pipeline->drops, on_safe, pipeline);
		pipeline->reload = reload_start(&pipeline->loop, settings, &file->header->control);
		pipeline->tail = make_tail(pipeline);
		if (!pipeline->deliver || !pipeline->reload || !pipeline->tail)
			result = -ENOMEM;
	}
	if (result != 0) {
		log_line(LOG_ERROR, "export", "can't start: %s", strerror(-result));
		free(pipeline);
		return 1;
	}
	pipeline->started_ns = pipeline->active_ns = pipeline->drain.now_ns;
	settings_file_register(settings->file, NULL, take_settings, pipeline);
	settings_file_register(settings->file, "routes", take_routes, pipeline);
	settings_file_register(settings->file, "redaction", take_redaction, pipeline);
	settings_file_register(settings->file, "tail_sampling", take_tail_sampling, pipeline);
	start_handles(pipeline);
	start_meter(pipeline);
	settings_file_register(settings->file, "metrics", take_metrics, pipeline);
	uv_run(&pipeline->loop, UV_RUN_DEFAULT);
	finish(pipeline);
	free(pipeline);
	return 0;
}
