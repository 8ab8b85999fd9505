/* deliver.c - what was read to all destinations, and when it is safe with all of them. */
#include "deliver.h"

#include <stdlib.h>

#include "exporter/console.h"
#include "exporter/log.h"
#include "exporter/otlp.h"
#include "exporter/ship.h"
#include "exporter/store.h"

#define MS_NS          1000000ull
#define STORE_DELAY_MS 250
#define STORE_RETRY_NS (200 * MS_NS)
#define PRUNE_NS       (15000 * MS_NS)

#define SHIPS_MAX 8

/* Bits of a batch's waiting_for. The first one holds it while it is being handed out. */
#define TO_ALL     1u
#define TO_STORE   2u
#define TO_SHIP(n) (4u << (n))

struct destination {
	struct deliver *deliver;
	struct ship *ship;
	enum signal signal;
	unsigned bit;
};

struct deliver {
	const struct settings *settings;
	struct drops *drops;
	deliver_safe safe;
	void *context;
	struct store *store;
	struct destination ships[SHIPS_MAX];
	unsigned ship_count;
	struct arena arena;          /* of encoding */
	struct batch *first, **last; /* oldest first */
	size_t queued_spans;
	uint64_t pruned_ns, store_retry_ns;
	int flush;
};

/* Gives back all that is answered by every destination, oldest first. */
static void collect_answered(struct deliver *deliver)
{
	while (deliver->first && deliver->first->waiting_for == 0) {
		struct batch *batch = deliver->first;

		deliver->first = batch->next;
		if (!deliver->first)
			deliver->last = &deliver->first;
		deliver->queued_spans -= batch->count;
		deliver->safe(deliver->context, batch);
	}
}

/* ---- the store ------------------------------------------------------------------------------ */

static void open_store(struct deliver *deliver)
{
	const struct settings *settings = deliver->settings;
	struct store_limits limits = {
		.max_bytes = (uint64_t)settings->store_max_mb << 20,
		.max_age_ns = settings->store_max_age_hours * 3600ull * 1000 * MS_NS,
	};
	int error;

	if (!settings->store_enabled)
		return;
	deliver->store = store_open(settings->store_path, &limits, &error);
	if (deliver->store)
		log_line(LOG_DEBUG, "store", "spans go to %s", settings->store_path);
}

/* Batches go to the store in order; one that must wait makes all later ones wait. */
static void write_store(struct deliver *deliver)
{
	if (uv_hrtime() < deliver->store_retry_ns && !deliver->flush)
		return;
	for (struct batch *batch = deliver->first; batch; batch = batch->next) {
		enum store_result result = STORE_DROP;

		if (!(batch->waiting_for & TO_STORE))
			continue;
		if (deliver->store)
			result = store_write(deliver->store, batch);
		if (result == STORE_RETRY) {
			deliver->store_retry_ns = uv_hrtime() + STORE_RETRY_NS;
			return;
		}
		if (result == STORE_DROP)
			drops_add(deliver->drops, DROPS_STORE, batch->count);
		batch->waiting_for &= ~TO_STORE;
	}
}

/* ---- collectors ----------------------------------------------------------------------------- */

static void on_answer(void *context, struct batch *batch)
{
	struct destination *to = context;

	batch->waiting_for &= ~to->bit;
	collect_answered(to->deliver);
}

static void open_ship(struct deliver *deliver, uv_loop_t *loop, enum signal signal)
{
	struct destination *to = &deliver->ships[deliver->ship_count];

	to->ship = ship_new(loop, deliver->settings, deliver->drops, on_answer, to);
	if (!to->ship) {
		log_line(LOG_ERROR, "ship", "libcurl can't start, nothing is sent");
		return;
	}
	to->deliver = deliver;
	to->signal = signal;
	to->bit = TO_SHIP(deliver->ship_count);
	deliver->ship_count++;
}

static void send_batch(struct deliver *deliver, struct batch *batch)
{
	struct payload *payload;

	if (!deliver_takes(deliver, SIGNAL_TRACES)) {
		if (deliver->settings->endpoint_enabled)
			drops_add(deliver->drops, DROPS_REFUSED, batch->count);
		return;
	}
	arena_reset(&deliver->arena);
	payload = otlp_encode(&deliver->arena, batch);
	if (!payload)
		drops_add(deliver->drops, DROPS_MEMORY, batch->count);
	for (unsigned i = 0; payload && i < deliver->ship_count; i++) {
		struct destination *to = &deliver->ships[i];

		if (to->signal != SIGNAL_TRACES)
			continue;
		batch->waiting_for |= to->bit;
		if (ship_push(to->ship, payload, batch) == 0)
			continue;
		batch->waiting_for &= ~to->bit;
		drops_add(deliver->drops, DROPS_MEMORY, batch->count);
	}
	payload_put(payload);
}

/* ---- from outside --------------------------------------------------------------------------- */

struct deliver *deliver_new(uv_loop_t *loop, const struct settings *settings, struct drops *drops,
			    deliver_safe safe, void *context)
{
	struct deliver *deliver = calloc(1, sizeof(*deliver));

	if (!deliver)
		return NULL;
	deliver->settings = settings;
	deliver->drops = drops;
	deliver->safe = safe;
	deliver->context = context;
	deliver->last = &deliver->first;
	arena_init(&deliver->arena);
	open_store(deliver);
	if (settings->endpoint_enabled)
		open_ship(deliver, loop, SIGNAL_TRACES);
	return deliver;
}

void deliver_batch(struct deliver *deliver, struct batch *batch)
{
	const struct settings *settings = deliver->settings;

	*deliver->last = batch;
	deliver->last = &batch->next;
	deliver->queued_spans += batch->count;
	batch->waiting_for = TO_ALL;
	if (batch->count && !settings->disabled) {
		if (settings->store_enabled)
			batch->waiting_for |= TO_STORE;
		if (settings->exporter == EXPORTER_CONSOLE)
			console_write(batch);
		send_batch(deliver, batch);
	}
	batch->waiting_for &= ~TO_ALL;
	write_store(deliver);
	collect_answered(deliver);
}

void deliver_payload(struct deliver *deliver, struct payload *payload)
{
	for (unsigned i = 0; i < deliver->ship_count; i++) {
		struct destination *to = &deliver->ships[i];

		if (to->signal == payload->signal && ship_push(to->ship, payload, NULL) != 0)
			log_line(LOG_ERROR, "ship", "no memory, a payload is lost");
	}
}

int deliver_takes(const struct deliver *deliver, enum signal signal)
{
	for (unsigned i = 0; i < deliver->ship_count; i++)
		if (deliver->ships[i].signal == signal)
			return 1;
	return 0;
}

int deliver_has_room(const struct deliver *deliver)
{
	return deliver->queued_spans < deliver->settings->queue_spans;
}

uint64_t deliver_delay_ns(const struct deliver *deliver)
{
	const struct settings *settings = deliver->settings;
	uint32_t delay_ms = settings->schedule_delay_ms;
	/* A collector's own delay is kept by ship.c; people look at the others at once. */
	int at_once = !deliver_takes(deliver, SIGNAL_TRACES) || settings->store_enabled ||
		      settings->exporter == EXPORTER_CONSOLE;

	if (deliver->flush)
		return 0;
	if (at_once && delay_ms > STORE_DELAY_MS)
		delay_ms = STORE_DELAY_MS;
	return delay_ms * MS_NS;
}

void deliver_pass(struct deliver *deliver, uint64_t now_ns, uint64_t unix_ns)
{
	write_store(deliver);
	collect_answered(deliver);
	if (deliver->store && now_ns - deliver->pruned_ns >= PRUNE_NS) {
		store_prune(deliver->store, unix_ns);
		deliver->pruned_ns = now_ns;
	}
}

void deliver_flush(struct deliver *deliver)
{
	deliver->flush = 1;
	for (unsigned i = 0; i < deliver->ship_count; i++)
		ship_flush(deliver->ships[i].ship);
}

int deliver_is_idle(const struct deliver *deliver)
{
	for (unsigned i = 0; i < deliver->ship_count; i++)
		if (ship_waiting(deliver->ships[i].ship))
			return 0;
	return !deliver->first;
}

static void free_batches(struct deliver *deliver)
{
	while (deliver->first) {
		struct batch *next = deliver->first->next;

		drops_add(deliver->drops, DROPS_SHUTDOWN, deliver->first->count);
		batch_free(deliver->first);
		deliver->first = next;
	}
}

void deliver_close(struct deliver *deliver)
{
	free_batches(deliver);
	/* A ship's own memory goes when its handles are closed; it calls nobody from here on. */
	for (unsigned i = 0; i < deliver->ship_count; i++)
		ship_close(deliver->ships[i].ship);
	store_close(deliver->store);
	arena_free(&deliver->arena);
	free(deliver);
}
