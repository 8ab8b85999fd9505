/* deliver.c - what was read to all destinations, and when it is safe with all of them. */
#include "deliver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exporter/console.h"
#include "exporter/log.h"
#include "exporter/otlp.h"
#include "exporter/outlets.h"
#include "exporter/store.h"

#define MS_NS          1000000ull
#define STORE_DELAY_MS 250
#define STORE_RETRY_NS (200 * MS_NS)
#define PRUNE_NS       (15000 * MS_NS)

/* Bits of a batch's waiting_for. The first one holds it while it is being handed out. */
#define TO_ALL       1u
#define TO_STORE     2u
#define FIRST_OUTLET 4u
_Static_assert(OUTLETS_MAX <= 30, "each outlet has a bit");

struct deliver {
	const struct settings *settings;
	struct drops *drops;
	deliver_safe safe;
	void *context;
	struct store *store;
	struct outlets outlets;
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

/* ---- collectors and files ------------------------------------------------------------------- */

static void on_answer(void *context, struct batch *batch)
{
	struct outlet *outlet = context;

	batch->waiting_for &= ~outlet->bit;
	collect_answered(outlet->owner);
}

/* The next outlet of this signal that takes something new, from *index on. NULL: none. */
static struct outlet *next_outlet(const struct deliver *deliver, enum signal signal,
				  unsigned *index)
{
	while (*index < OUTLETS_MAX) {
		struct outlet *outlet = deliver->outlets.at[(*index)++];

		if (outlet && !outlet->retired && outlet->signal == signal)
			return outlet;
	}
	return NULL;
}

/* What could not be encoded reaches nobody; files write and forget. */
static void hand_to(struct deliver *deliver, struct outlet *outlet, struct payload *payload,
		    struct batch *batch)
{
	int result = payload ? 0 : -ENOMEM;

	if (result == 0 && outlet->file) {
		if (file_write(outlet->file, payload) != 0 && batch)
			drops_add(deliver->drops, DROPS_REFUSED, payload->items);
		return;
	}
	if (batch)
		batch->waiting_for |= outlet->bit;
	if (result == 0)
		result = ship_push(outlet->ship, payload, batch);
	if (result == 0)
		return;
	log_line(LOG_ERROR, "deliver", "%s: no memory, %s are lost", outlet->name,
		 otlp_signal_name(outlet->signal));
	if (!batch)
		return;
	batch->waiting_for &= ~outlet->bit;
	drops_add(deliver->drops, DROPS_MEMORY, batch->count);
}

static void send_batch(struct deliver *deliver, struct batch *batch)
{
	struct payload *payload = NULL;
	struct outlet *outlet;
	int encoded = 0;

	for (unsigned i = 0; (outlet = next_outlet(deliver, SIGNAL_TRACES, &i));) {
		if (!outlet->ship && !outlet->file) {
			console_write(batch);
			continue;
		}
		if (!encoded) {
			arena_reset(&deliver->arena);
			payload = otlp_encode(&deliver->arena, batch);
			encoded = 1;
		}
		hand_to(deliver, outlet, payload, batch);
	}
	payload_put(payload);
}

/*
 * The queue is full. Who waits for the oldest batch alone may let it wait: the rings are a buffer,
 * too. But if others are done with it, it is let go.
 */
static void relieve(struct deliver *deliver)
{
	unsigned waiting = deliver->first ? deliver->first->waiting_for : 0;
	struct outlet *outlet;
	int alone = !deliver->store;

	for (unsigned i = 0; (outlet = next_outlet(deliver, SIGNAL_TRACES, &i));)
		if (!(waiting & outlet->bit))
			alone = 0;
	for (unsigned i = 0; i < OUTLETS_MAX; i++) {
		outlet = deliver->outlets.at[i];
		if (outlet && outlet->ship && (waiting & outlet->bit))
			ship_relieve(outlet->ship, alone && !outlet->retired);
	}
	collect_answered(deliver);
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
	deliver->outlets = (struct outlets){.loop = loop,
					    .settings = settings,
					    .drops = drops,
					    .answered = on_answer,
					    .owner = deliver};
	arena_init(&deliver->arena);
	open_store(deliver);
	outlets_configure(&deliver->outlets, &settings->destinations, FIRST_OUTLET);
	return deliver;
}

/* The spool is what it was at the start: see sections.c. */
static int keep_spool(struct destinations *destinations, const struct destinations *from)
{
	free(destinations->spool_directory);
	destinations->spool_directory = NULL;
	destinations->spool_off = from->spool_off;
	destinations->spool_max_bytes = from->spool_max_bytes;
	destinations->spool_max_age_ms = from->spool_max_age_ms;
	if (!from->spool_directory)
		return 0;
	destinations->spool_directory = strdup(from->spool_directory);
	return destinations->spool_directory ? 0 : -ENOMEM;
}

int deliver_take(struct deliver *deliver, const struct config_node *root)
{
	struct destinations destinations = {0};
	int result;

	if (deliver->settings->disabled)
		return 0;
	result = destinations_of_config(&destinations, root);
	if (result == 0)
		result = keep_spool(&destinations, &deliver->settings->destinations);
	if (result == 0)
		result = outlets_configure(&deliver->outlets, &destinations, FIRST_OUTLET);
	destinations_fini(&destinations);
	return result;
}

void deliver_batch(struct deliver *deliver, struct batch *batch)
{
	*deliver->last = batch;
	deliver->last = &batch->next;
	deliver->queued_spans += batch->count;
	batch->waiting_for = TO_ALL;
	if (batch->count && !deliver->settings->disabled) {
		if (deliver->settings->store_enabled)
			batch->waiting_for |= TO_STORE;
		send_batch(deliver, batch);
	}
	batch->waiting_for &= ~TO_ALL;
	write_store(deliver);
	collect_answered(deliver);
	if (!deliver_has_room(deliver))
		relieve(deliver);
}

void deliver_payload(struct deliver *deliver, struct payload *payload)
{
	struct outlet *outlet;

	for (unsigned i = 0; (outlet = next_outlet(deliver, payload->signal, &i));)
		hand_to(deliver, outlet, payload, NULL);
}

int deliver_takes(const struct deliver *deliver, enum signal signal)
{
	unsigned index = 0;

	return next_outlet(deliver, signal, &index) != NULL;
}

int deliver_has_room(const struct deliver *deliver)
{
	return deliver->queued_spans < deliver->settings->queue_spans;
}

uint64_t deliver_delay_ns(const struct deliver *deliver)
{
	uint32_t delay_ms = deliver->settings->schedule_delay_ms;
	int at_once = deliver->store || !deliver_takes(deliver, SIGNAL_TRACES);
	struct outlet *outlet;

	if (deliver->flush)
		return 0;
	/* A collector's own delay is kept by ship.c; people look at the others at once. */
	for (unsigned i = 0; (outlet = next_outlet(deliver, SIGNAL_TRACES, &i));)
		at_once |= !outlet->ship;
	if (at_once && delay_ms > STORE_DELAY_MS)
		delay_ms = STORE_DELAY_MS;
	return delay_ms * MS_NS;
}

void deliver_pass(struct deliver *deliver, uint64_t now_ns, uint64_t unix_ns)
{
	write_store(deliver);
	collect_answered(deliver);
	if (!deliver_has_room(deliver))
		relieve(deliver);
	for (unsigned i = 0; i < OUTLETS_MAX; i++)
		if (deliver->outlets.at[i] && deliver->outlets.at[i]->ship)
			ship_housekeep(deliver->outlets.at[i]->ship, unix_ns);
	outlets_reap(&deliver->outlets);
	if (deliver->store && now_ns - deliver->pruned_ns >= PRUNE_NS) {
		store_prune(deliver->store, unix_ns);
		deliver->pruned_ns = now_ns;
	}
}

void deliver_flush(struct deliver *deliver)
{
	deliver->flush = 1;
	for (unsigned i = 0; i < OUTLETS_MAX; i++)
		if (deliver->outlets.at[i] && deliver->outlets.at[i]->ship)
			ship_flush(deliver->outlets.at[i]->ship);
}

int deliver_is_idle(const struct deliver *deliver)
{
	for (unsigned i = 0; i < OUTLETS_MAX; i++) {
		const struct outlet *outlet = deliver->outlets.at[i];

		if (outlet && outlet->ship && ship_waiting(outlet->ship))
			return 0;
	}
	return !deliver->first;
}

int deliver_stats(const struct deliver *deliver, unsigned index, struct deliver_stats *stats)
{
	const struct outlet *outlet = NULL;

	for (unsigned i = 0; i < OUTLETS_MAX; i++)
		if (deliver->outlets.at[i] && index-- == 0)
			outlet = deliver->outlets.at[i];
	if (!outlet)
		return 0;
	*stats = (struct deliver_stats){outlet->name, "stdout", outlet->kind, outlet->signal, {0}};
	if (outlet->ship) {
		stats->target = outlet->otlp->url;
		ship_stats(outlet->ship, &stats->sent);
	} else if (outlet->file) {
		struct file_stats file;

		file_stats(outlet->file, &file);
		stats->target = outlet->path ? outlet->path : "stdout";
		stats->sent.sent_items = file.sent_items;
		stats->sent.sent_bytes = file.sent_bytes;
		stats->sent.refused_items = file.failed_items;
	}
	return 1;
}

/* What no spool took is lost. */
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
	outlets_close(&deliver->outlets);
	free_batches(deliver);
	store_close(deliver->store);
	arena_free(&deliver->arena);
	free(deliver);
}
