/* replay.c - a process whose spans wait for room in the segment: as fast as the exporter reads. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/segment_writer.h"

#define KINDS     4u /* three requests, then a statement that the last of them caused */
#define TABLES    100u
#define DIGITS    5u
#define SPREAD    0x9e3779b97f4a7c15u /* odd: all products differ, and their bytes are even */
#define LASTED_NS 2000000u
#define PAUSE_US  1000u

static struct writer_span templates[KINDS];
static uint8_t *numbers[KINDS]; /* the digits that differ from span to span */

static void make_statement(struct writer_span *span)
{
	span->span.fields_size = 0;
	span->span.kind = SPAN_CLIENT;
	span->span.protocol = SPAN_POSTGRESQL;
	span->span.status_code = 0;
	writer_text(span, FIELD_QUERY_TEXT, "SELECT * FROM table_00000 WHERE id = ?");
	writer_text(span, FIELD_NAMESPACE, "shop");
	writer_text(span, FIELD_HOST, "db.example");
}

static void make_request(struct writer_span *span)
{
	span->span.fields_size = 0;
	writer_text(span, FIELD_METHOD, "GET");
	writer_text(span, FIELD_PATH, "/products/00000");
	writer_text(span, FIELD_QUERY, "page=2");
	writer_text(span, FIELD_HOST, "shop.example:8080");
	writer_text(span, FIELD_USER_AGENT, "curl/7.88.1");
	writer_text(span, FIELD_REQUEST_ID, "3f2b8a54-7f0e-4e0c-9a86-0f3f4a1b2c3d");
}

static void make_templates(void)
{
	for (unsigned i = 0; i < KINDS; i++) {
		struct writer_span *span = &templates[i];

		writer_sample(span, i);
		if (i == KINDS - 1)
			make_statement(span);
		else
			make_request(span);
		numbers[i] = memmem(span->fields, span->span.fields_size, "00000", DIGITS);
	}
}

static void write_digits(uint8_t *to, uint64_t number)
{
	for (unsigned i = DIGITS; i-- > 0; number /= 10)
		to[i] = (uint8_t)('0' + number % 10);
}

/* With room for a record and a filler nothing is dropped, for no other thread writes here. */
static void wait_for_room(const struct ring *ring)
{
	while (atomic_load(&ring->head) + 2ull * SPAN_BYTES - atomic_load(&ring->tail) > RING_BYTES)
		usleep(PAUSE_US);
}

static void push(struct slot *slot, uint64_t count, uint64_t products)
{
	unsigned kind = count % KINDS;
	struct writer_span *span = &templates[kind];
	/* A statement is of the trace of the request before it. */
	uint64_t id = (count + 1) * SPREAD, trace = kind == KINDS - 1 ? count * SPREAD : id;
	uint64_t request = count / KINDS * (KINDS - 1) + kind;

	memcpy(span->span.trace_id, &trace, sizeof(trace));
	memcpy(span->span.span_id, &id, sizeof(id));
	if (kind == KINDS - 1)
		memcpy(span->span.parent_id, &trace, sizeof(trace));
	write_digits(numbers[kind],
		     kind == KINDS - 1 ? count / KINDS % TABLES : request % products);
	span->span.end_ns = writer_now_ns();
	span->span.start_ns = span->span.end_ns - LASTED_NS;
	wait_for_room(&slot->ring);
	writer_push(slot, span);
}

/* Is told line by line how many more to write, and says after each how many it has written. */
int main(int argc, char **argv)
{
	struct slot *slot = argc == 3 ? writer_attach(argv[1], "/usr/bin/replay") : NULL;
	uint64_t products = argc == 3 ? strtoull(argv[2], NULL, 10) : 0, count = 0;
	char line[32];

	if (!slot || !products) {
		fputs("usage: replay SEGMENT PRODUCTS\n", stderr);
		return 2;
	}
	make_templates();
	while (fgets(line, sizeof(line), stdin)) {
		uint64_t until = count + strtoull(line, NULL, 10);

		while (count < until)
			push(slot, count++, products);
		printf("%" PRIu64 "\n", count);
		fflush(stdout);
	}
	return 0;
}
