/* ship.c - payloads of one signal to one collector: one request at a time, retried. */
#include "ship.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "exporter/log.h"
#include "exporter/post.h"
#include "exporter/request.h"
#include "exporter/verdict.h"

#define MS_NS              1000000ull
#define BACKOFF_FIRST_MS   1000u
#define BACKOFF_MOST_MS    5000u
#define RETRY_AFTER_MOST_S 3600
#define SILENCE_NS         (1000 * MS_NS) /* no answer for so long: something is wrong there */
#define SPOOL_RETRY_NS     (1000 * MS_NS)

struct ship {
	uv_loop_t *loop;
	uv_timer_t timer; /* until a payload is due, or a retry */
	struct post *post;
	struct ship_options options;
	struct outbox outbox;
	struct request request;
	struct ship_stats stats;
	uint64_t first_try_ns, sent_ns; /* of this request */
	unsigned tries;
	uint64_t spool_dropped; /* items, that were counted as drops */
	uint64_t not_before_ns; /* the collector, or backoff, asks for silence until then */
	int has_request, in_flight, flush;
};

static void try_send(struct ship *ship);

static int has_spool(const struct ship *ship)
{
	return ship->outbox.spool != NULL;
}

static void count_drop(struct ship *ship, enum drops_reason reason, uint64_t items)
{
	if (ship->options.drops)
		drops_add(ship->options.drops, reason, items);
}

static void count_lost(struct ship *ship)
{
	uint64_t more = ship->outbox.lost_items - ship->stats.lost_items;

	if (!more)
		return;
	ship->stats.lost_items += more;
	count_drop(ship, DROPS_LAGGED, more);
}

/* ---- the end of a request ------------------------------------------------------------------- */

static void forget_request(struct ship *ship)
{
	ship->has_request = 0;
	ship->tries = 0;
	request_reset(&ship->request);
}

static void end_request(struct ship *ship)
{
	forget_request(ship);
	outbox_done(&ship->outbox);
}

static void give_up(struct ship *ship, enum drops_reason reason)
{
	uint64_t items = outbox_held_items(&ship->outbox);

	if (reason == DROPS_TIMED_OUT)
		ship->stats.timed_out_items += items;
	else
		ship->stats.refused_items += items;
	count_drop(ship, reason, items);
	end_request(ship);
}

/*
 * To disk, in order: what stands in the request as well, unless an answer may still come to it. A
 * request from the spool stays: it is there already.
 */
static int spill(struct ship *ship)
{
	int result;

	if (!has_spool(ship))
		return -ENOENT;
	if (ship->has_request && !ship->in_flight && spool_is_empty(ship->outbox.spool)) {
		forget_request(ship);
		outbox_unhold(&ship->outbox);
	}
	result = outbox_spill(&ship->outbox);
	if (result != 0)
		log_line(LOG_WARN, "spool", "%s: can't be written: %s", ship->options.name,
			 strerror(-result));
	return result;
}

/* ---- the answer ----------------------------------------------------------------------------- */

static void accept_answer(struct ship *ship, const struct verdict *verdict)
{
	uint64_t items = outbox_held_items(&ship->outbox);
	uint64_t rejected = (uint64_t)verdict->rejected;

	if (rejected > items)
		rejected = items;
	ship->stats.sent_items += items - rejected;
	ship->stats.sent_bytes += ship->request.size;
	ship->stats.rejected_items += rejected;
	if (rejected) {
		count_drop(ship, DROPS_REJECTED, rejected);
		log_line(LOG_WARN, "ship", "%s: the collector rejected %s=%llu: %s",
			 ship->options.name,
			 ship->options.otlp->signal == SIGNAL_TRACES ? "spans" : "items",
			 (unsigned long long)rejected, verdict->text);
	} else if (verdict->text[0]) {
		log_line(LOG_WARN, "ship", "%s: the collector says: %s", ship->options.name,
			 verdict->text);
	}
	end_request(ship);
}

/* Full jitter: anything between nothing and a bound that doubles, so that many don't come at once.
 */
static uint64_t backoff_ms(unsigned tries)
{
	uint32_t bound = BACKOFF_FIRST_MS << (tries < 4 ? tries : 4);
	uint32_t random = 0;

	if (bound > BACKOFF_MOST_MS)
		bound = BACKOFF_MOST_MS;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		return bound / 2;
	return random % (bound + 1);
}

static uint64_t wait_ns(const struct ship *ship, const struct verdict *verdict)
{
	int64_t asked_ms = verdict->retry_after_ms;

	if (asked_ms < 0)
		return backoff_ms(ship->tries) * MS_NS;
	if (asked_ms > RETRY_AFTER_MOST_S * 1000ll)
		asked_ms = RETRY_AFTER_MOST_S * 1000ll;
	return (uint64_t)asked_ms * MS_NS;
}

static void plan_retry(struct ship *ship, const struct verdict *verdict)
{
	uint64_t limit = ship->options.patience_ms * MS_NS;

	ship->not_before_ns = uv_hrtime() + wait_ns(ship, verdict);
	ship->tries++;
	ship->stats.retries++;
	/* Waiting for the collector's time to come is no reason to keep a payload over its own. */
	if (ship->outbox.replayed || !limit || ship->not_before_ns - ship->first_try_ns <= limit)
		return;
	if (spill(ship) != 0)
		give_up(ship, DROPS_TIMED_OUT);
}

static void tell(const struct ship *ship, const struct verdict *verdict)
{
	const char *space = verdict->status[0] && verdict->text[0] ? " " : "";
	int again = verdict->is == VERDICT_RETRY;

	log_line(again ? LOG_WARN : LOG_ERROR, "ship", "%s: %s%s%s, %s", ship->options.otlp->url,
		 verdict->status, space, verdict->text, again ? "trying again" : "not taken");
}

static void on_answer(void *context, const struct post_answer *answer)
{
	struct ship *ship = context;
	struct verdict verdict;

	verdict_of(&verdict, answer, ship->options.otlp->protocol);
	ship->in_flight = 0;
	if (verdict.is == VERDICT_DONE) {
		accept_answer(ship, &verdict);
	} else {
		ship->stats.failures++;
		tell(ship, &verdict);
		if (verdict.is == VERDICT_RETRY)
			plan_retry(ship, &verdict);
		else
			give_up(ship, DROPS_REFUSED);
	}
	try_send(ship);
}

/* ---- when ----------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer)
{
	try_send(timer->data);
}

static void wait_until(struct ship *ship, uint64_t when_ns)
{
	uint64_t now = uv_hrtime();
	uint64_t wait = when_ns > now ? when_ns - now : 0;

	uv_timer_start(&ship->timer, on_timer, wait / MS_NS + 1, 0);
}

/* Monotonic time from which on the next request is to be sent. */
static uint64_t due_ns(const struct ship *ship)
{
	const struct outbox *outbox = &ship->outbox;
	uint64_t due = 0;

	if (!ship->flush && !ship->has_request && outbox->count &&
	    outbox_waiting_items(outbox) < ship->options.items &&
	    (!outbox->spool || spool_is_empty(outbox->spool)))
		due = outbox->queue[0].payload->opened_ns + ship->options.delay_ms * MS_NS;
	return due > ship->not_before_ns ? due : ship->not_before_ns;
}

/* 1: there is a request to be sent. */
static int make_request(struct ship *ship)
{
	int result = outbox_gather(&ship->outbox, ship->options.items);

	if (result != 0) {
		log_line(LOG_WARN, "spool", "%s: can't be read: %s", ship->options.name,
			 strerror(-result));
		ship->not_before_ns = uv_hrtime() + SPOOL_RETRY_NS;
		wait_until(ship, ship->not_before_ns);
		return 0;
	}
	if (!ship->outbox.gathered_count)
		return 0;
	ship->first_try_ns = uv_hrtime();
	result = request_build(&ship->request, ship->options.otlp, ship->outbox.gathered,
			       ship->outbox.gathered_count);
	ship->has_request = 1;
	if (result == 0)
		return 1;
	log_line(LOG_ERROR, "ship", "%s: can't make a request: %s", ship->options.name,
		 strerror(-result));
	give_up(ship, result == -ENOMEM ? DROPS_MEMORY : DROPS_REFUSED);
	uv_timer_start(&ship->timer, on_timer, 1, 0);
	return 0;
}

static void send_now(struct ship *ship)
{
	if (!ship->has_request && !make_request(ship))
		return;
	if (post_send(ship->post, ship->request.body, ship->request.size) == 0) {
		ship->stats.requests++;
		ship->sent_ns = uv_hrtime();
		ship->in_flight = 1;
		return;
	}
	log_line(LOG_ERROR, "ship", "%s: libcurl can't send", ship->options.name);
	give_up(ship, DROPS_MEMORY);
	uv_timer_start(&ship->timer, on_timer, 1, 0);
}

static void try_send(struct ship *ship)
{
	uint64_t due;

	if (ship->in_flight || (!ship->has_request && outbox_is_empty(&ship->outbox)))
		return;
	due = due_ns(ship);
	/* uv_hrtime is CLOCK_MONOTONIC, as the times of payloads are. */
	if (due > uv_hrtime())
		wait_until(ship, due);
	else
		send_now(ship);
}

/* ---- from outside --------------------------------------------------------------------------- */

struct ship *ship_new(uv_loop_t *loop, const struct ship_options *options, outbox_answered answered,
		      void *context)
{
	struct ship *ship = calloc(1, sizeof(*ship));

	if (ship)
		ship->post = post_new(loop, options->otlp, on_answer, ship);
	if (!ship || !ship->post) {
		spool_close(options->spool);
		free(ship);
		return NULL;
	}
	ship->loop = loop;
	ship->options = *options;
	outbox_init(&ship->outbox, options->otlp->signal, answered, context);
	ship->outbox.spool = options->spool;
	request_init(&ship->request);
	uv_timer_init(loop, &ship->timer);
	ship->timer.data = ship;
	/* What lay in the spool from before. */
	uv_timer_start(&ship->timer, on_timer, 0, 0);
	return ship;
}

int ship_push(struct ship *ship, struct payload *payload, struct batch *batch)
{
	int result = outbox_push(&ship->outbox, payload, batch);

	count_lost(ship);
	if (result == 0)
		try_send(ship);
	return result;
}

void ship_flush(struct ship *ship)
{
	ship->flush = 1;
	try_send(ship);
}

/* It can't send now: it waits to try again, or for an answer that is long in coming. */
static int is_stuck(const struct ship *ship)
{
	if (ship->in_flight)
		return ship->tries || uv_hrtime() - ship->sent_ns > SILENCE_NS;
	return ship->not_before_ns > uv_hrtime();
}

void ship_relieve(struct ship *ship, int alone)
{
	if (is_stuck(ship) && spill(ship) == 0)
		return;
	if (alone)
		return;
	outbox_release(&ship->outbox);
	count_lost(ship);
}

/* What the spool dropped by itself. */
static void count_spool(struct ship *ship)
{
	struct spool_stats stats;
	uint64_t dropped;

	spool_stats(ship->outbox.spool, &stats);
	dropped = stats.dropped_full + stats.dropped_age;
	if (dropped > ship->spool_dropped)
		count_drop(ship, DROPS_SPOOL, dropped - ship->spool_dropped);
	ship->spool_dropped = dropped;
}

void ship_housekeep(struct ship *ship, uint64_t unix_ns)
{
	if (!has_spool(ship))
		return;
	if (ship->flush && ship->outbox.count && is_stuck(ship))
		spill(ship);
	spool_housekeep(ship->outbox.spool, unix_ns);
	count_spool(ship);
}

int ship_reconfigure(struct ship *ship, const struct ship_options *options)
{
	struct post *post = post_new(ship->loop, options->otlp, on_answer, ship);

	if (!post)
		return -ENOMEM;
	/* What is under way may arrive twice, rather than not at all. */
	post_close(ship->post);
	ship->post = post;
	ship->options = *options;
	ship->in_flight = 0;
	ship->not_before_ns = 0;
	if (ship->has_request) {
		forget_request(ship);
		outbox_unhold(&ship->outbox);
	}
	try_send(ship);
	return 0;
}

size_t ship_waiting(const struct ship *ship)
{
	return outbox_waiting(&ship->outbox);
}

void ship_stats(const struct ship *ship, struct ship_stats *stats)
{
	*stats = ship->stats;
	stats->waiting_payloads = outbox_waiting(&ship->outbox);
	stats->waiting_items = outbox_waiting_items(&ship->outbox);
	if (has_spool(ship))
		spool_stats(ship->outbox.spool, &stats->spool);
}

static void on_closed(uv_handle_t *handle)
{
	struct ship *ship = handle->data;

	request_fini(&ship->request);
	free(ship);
}

void ship_close(struct ship *ship)
{
	if (!ship)
		return;
	post_close(ship->post);
	ship->in_flight = 0;
	if (ship->outbox.count)
		spill(ship);
	outbox_fini(&ship->outbox);
	uv_close((uv_handle_t *)&ship->timer, on_closed);
}
