/* ship.c - payloads of one signal to one collector: one request at a time, retried. */
#include "ship.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <zlib.h>

#include "exporter/log.h"
#include "exporter/otlp.h"
#include "exporter/post.h"

#define MS_NS            1000000ull
#define BACKOFF_FIRST_MS 1000u
#define BACKOFF_MOST_MS  5000u
#define REQUEST_MOST     (64u << 20) /* OTLP's recommended cap of a request */

enum ship_result { SHIP_DONE, SHIP_RETRY, SHIP_DROP };

struct entry {
	struct payload *payload;
	struct batch *batch; /* or NULL */
};

struct ship {
	uv_loop_t *loop;
	uv_timer_t timer; /* until a payload is due, or a retry */
	struct post *post;
	const struct settings *settings;
	struct drops *drops;
	ship_answered answered;
	void *context;
	struct entry *queue; /* the first `sending` are in the request */
	size_t count, room;
	size_t sending;
	struct arena arena; /* of the request */
	const uint8_t *body;
	size_t size;
	uint64_t first_try_ns; /* of this request */
	unsigned tries;
	uint64_t not_before_ns; /* the collector, or backoff, asks for silence until then */
	int in_flight, flush;
};

static void try_send(struct ship *ship);

static size_t items_of(const struct ship *ship, size_t payloads)
{
	size_t items = 0;

	for (size_t i = 0; i < payloads; i++)
		items += ship->queue[i].payload->items;
	return items;
}

/* The payloads of the request leave the queue; there may be new ones behind them afterwards. */
static void answer(struct ship *ship)
{
	size_t done = ship->sending;

	ship->sending = 0;
	ship->tries = 0;
	arena_reset(&ship->arena);
	for (size_t i = 0; i < done; i++) {
		struct entry entry = ship->queue[0];

		memmove(ship->queue, ship->queue + 1, --ship->count * sizeof(entry));
		payload_put(entry.payload);
		if (entry.batch)
			ship->answered(ship->context, entry.batch);
	}
}

static void drop(struct ship *ship, enum drops_reason reason)
{
	drops_add(ship->drops, reason, items_of(ship, ship->sending));
	answer(ship);
}

/* ---- the request ---------------------------------------------------------------------------- */

static int compress_body(struct ship *ship)
{
	z_stream stream = {0};
	uint8_t *out;
	size_t room;
	int code;

	if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	room = deflateBound(&stream, ship->size);
	out = arena_take(&ship->arena, room);
	if (!out) {
		deflateEnd(&stream);
		return -ENOMEM;
	}
	stream.next_in = (uint8_t *)(uintptr_t)ship->body;
	stream.avail_in = (unsigned)ship->size;
	stream.next_out = out;
	stream.avail_out = (unsigned)room;
	code = deflate(&stream, Z_FINISH);
	ship->body = out;
	ship->size = stream.total_out;
	deflateEnd(&stream);
	return code == Z_STREAM_END ? 0 : -EIO;
}

/* Requests written one after the other are one request. */
static int join(struct ship *ship)
{
	uint8_t *all;
	size_t size = 0;

	assert(ship->sending > 0);
	for (size_t i = 0; i < ship->sending; i++)
		size += ship->queue[i].payload->size;
	if (size > REQUEST_MOST)
		return -E2BIG;
	ship->size = size;
	ship->body = ship->queue[0].payload->bytes;
	if (ship->sending == 1)
		return 0;
	all = arena_take(&ship->arena, size);
	if (!all)
		return -ENOMEM;
	ship->body = all;
	for (size_t i = 0; i < ship->sending; i++)
		all = mempcpy(all, ship->queue[i].payload->bytes, ship->queue[i].payload->size);
	return 0;
}

static int build(struct ship *ship)
{
	int result = join(ship);

	if (result == 0 && ship->settings->gzip)
		result = compress_body(ship);
	return result;
}

/* How many payloads from the front of the queue fit into one export. */
static size_t gather(const struct ship *ship)
{
	size_t items = 0, count = 0;

	while (count < ship->count) {
		items += ship->queue[count].payload->items;
		if (count && items > ship->settings->batch_spans)
			break;
		count++;
	}
	return count;
}

/* ---- the answer ----------------------------------------------------------------------------- */

static enum ship_result accepted(struct ship *ship, const struct post_answer *from)
{
	struct otlp_answer said;

	/* An unreadable body of a 2xx can't undo the success. */
	if (otlp_answer_parse(from->body, from->size, &said) != 0)
		return SHIP_DONE;
	if (said.rejected > 0) {
		uint64_t spans = items_of(ship, ship->sending);
		uint64_t rejected = (uint64_t)said.rejected;

		drops_add(ship->drops, DROPS_REJECTED, rejected < spans ? rejected : spans);
		log_line(LOG_WARN, "ship", "the collector rejected spans=%lld: %s",
			 (long long)said.rejected, said.message);
	} else if (said.message[0]) {
		log_line(LOG_WARN, "ship", "the collector says: %s", said.message);
	}
	return SHIP_DONE;
}

static enum ship_result judge(struct ship *ship, const struct post_answer *from)
{
	const char *endpoint = ship->settings->endpoint;
	char said[256];

	if (from->failed) {
		log_line(LOG_WARN, "ship", "%s: %s%s", endpoint, from->error,
			 from->retryable ? ", trying again" : "");
		return from->retryable ? SHIP_RETRY : SHIP_DROP;
	}
	if (from->status >= 200 && from->status <= 299)
		return accepted(ship, from);
	otlp_status_text(from->body, from->size, said, sizeof(said));
	if (from->status == 429 || (from->status >= 502 && from->status <= 504)) {
		log_line(LOG_WARN, "ship", "%s: status=%ld %s, trying again", endpoint,
			 from->status, said);
		return SHIP_RETRY;
	}
	log_line(LOG_ERROR, "ship", "%s: status=%ld %s, not taken", endpoint, from->status, said);
	return SHIP_DROP;
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

static void plan_retry(struct ship *ship, const struct post_answer *from)
{
	uint64_t now = uv_hrtime();
	uint64_t limit = ship->settings->export_timeout_ms * MS_NS;
	uint64_t wait = backoff_ms(ship->tries) * MS_NS;

	if (from->retry_after_s >= 0)
		wait = (uint64_t)(from->retry_after_s > 3600 ? 3600 : from->retry_after_s) * 1000 *
		       MS_NS;
	ship->tries++;
	ship->not_before_ns = now + wait;
	/* Waiting for the collector's time to come is no reason to keep a payload over its own
	 * time.
	 */
	if (limit && ship->not_before_ns - ship->first_try_ns > limit)
		drop(ship, DROPS_TIMED_OUT);
}

static void on_answer(void *context, const struct post_answer *from)
{
	struct ship *ship = context;
	enum ship_result result = judge(ship, from);

	ship->in_flight = 0;
	if (result == SHIP_RETRY)
		plan_retry(ship, from);
	else if (result == SHIP_DROP)
		drop(ship, DROPS_REFUSED);
	else
		answer(ship);
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
	uint64_t wait_ns = when_ns > now ? when_ns - now : 0;

	uv_timer_start(&ship->timer, on_timer, wait_ns / MS_NS + 1, 0);
}

/* Monotonic time from which on the head of the queue is to be sent. */
static uint64_t due_ns(const struct ship *ship)
{
	uint64_t due =
		ship->queue[0].payload->opened_ns + ship->settings->schedule_delay_ms * MS_NS;

	if (ship->flush || ship->sending ||
	    items_of(ship, ship->count) >= ship->settings->batch_spans)
		due = 0;
	return due > ship->not_before_ns ? due : ship->not_before_ns;
}

static void send_now(struct ship *ship)
{
	int result = 0;

	if (ship->sending == 0) {
		ship->sending = gather(ship);
		ship->first_try_ns = uv_hrtime();
		result = build(ship);
	}
	if (result == 0)
		result = post_send(ship->post, ship->body, ship->size);
	if (result == 0) {
		ship->in_flight = 1;
		return;
	}
	log_line(LOG_ERROR, "ship", "can't make a request: %s", strerror(-result));
	drop(ship, result == -E2BIG ? DROPS_REFUSED : DROPS_MEMORY);
	uv_timer_start(&ship->timer, on_timer, 1, 0);
}

static void try_send(struct ship *ship)
{
	uint64_t due;

	if (ship->in_flight || ship->count == 0)
		return;
	due = due_ns(ship);
	/* uv_hrtime is CLOCK_MONOTONIC, as the times of payloads are. */
	if (due > uv_hrtime())
		wait_until(ship, due);
	else
		send_now(ship);
}

/* ---- from outside --------------------------------------------------------------------------- */

struct ship *ship_new(uv_loop_t *loop, const struct settings *settings, struct drops *drops,
		      ship_answered answered, void *context)
{
	struct ship *ship = calloc(1, sizeof(*ship));

	if (!ship)
		return NULL;
	ship->loop = loop;
	ship->settings = settings;
	ship->drops = drops;
	ship->answered = answered;
	ship->context = context;
	arena_init(&ship->arena);
	ship->post = post_new(loop, settings, on_answer, ship);
	if (!ship->post) {
		free(ship);
		return NULL;
	}
	uv_timer_init(loop, &ship->timer);
	ship->timer.data = ship;
	return ship;
}

int ship_push(struct ship *ship, struct payload *payload, struct batch *batch)
{
	if (ship->count == ship->room) {
		size_t room = ship->room ? ship->room * 2 : 64;
		struct entry *queue = realloc(ship->queue, room * sizeof(*queue));

		if (!queue)
			return -ENOMEM;
		ship->queue = queue;
		ship->room = room;
	}
	ship->queue[ship->count++] = (struct entry){payload_get(payload), batch};
	try_send(ship);
	return 0;
}

void ship_flush(struct ship *ship)
{
	ship->flush = 1;
	try_send(ship);
}

size_t ship_waiting(const struct ship *ship)
{
	return ship->count;
}

static void on_closed(uv_handle_t *handle)
{
	struct ship *ship = handle->data;

	for (size_t i = 0; i < ship->count; i++)
		payload_put(ship->queue[i].payload);
	arena_free(&ship->arena);
	free(ship->queue);
	free(ship);
}

void ship_close(struct ship *ship)
{
	if (!ship)
		return;
	post_close(ship->post);
	uv_close((uv_handle_t *)&ship->timer, on_closed);
}
