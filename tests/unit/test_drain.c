/* test_drain.c - a snapshot of a stack becomes text, and nothing of it is left in the segment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exporter/drain.h"
#include "exporter/symbol.h"
#include "preload/registers.h"
#include "tests/unit/segment_writer.h"

#define APART __attribute__((noipa))

static const char marker[] = "hunter2-correct-horse-battery";
static char path[64], program[256];
static struct segment_file file;
static struct settings settings;
static struct drops drops;
static struct exits exits;
static struct drain drain;
static struct batch *batch;
static struct slot *slot;

static int set_up(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/dev/shm/tagalong-drain-%d", getpid());
	unlink(path);
	memset(&drops, 0, sizeof(drops));
	exits_init(&exits, -1);
	if (segment_file_create(&file, path, 2) != 0 || settings_read(&settings) != 0 ||
	    drain_init(&drain, &file, &settings, &drops, &exits) != 0)
		return -1;
	batch = batch_new(8);
	slot = writer_attach(path, program);
	return !batch || !slot;
}

static int tear_down(void **state)
{
	(void)state;
	batch_free(batch);
	drain_fini(&drain);
	exits_fini(&exits);
	segment_file_close(&file);
	return unlink(path);
}

/* What lies between the variables of a function is none of a checked memcpy's business. */
__attribute__((no_sanitize_address)) static void copy_stack(uint64_t *to,
							    const volatile uint64_t *from,
							    size_t count)
{
	for (size_t i = 0; i < count; i++)
		to[i] = from[i];
}

/* As a hook whose call has failed: `change` makes of the snapshot what it likes. */
static APART int hooked_call(uint64_t number, void (*change)(struct stack_record *stack))
{
	static uint64_t bytes[192];
	static struct writer_span span;
	struct stack_record stack = {.size = sizeof(bytes)};

	writer_sample(&span, number);
	span.span.kind = SPAN_CLIENT;
	registers_note(stack.registers);
	stack.base = stack.registers[1];
	memcpy(stack.span_id, span.span.span_id, sizeof(stack.span_id));
	copy_stack(bytes, (const uint64_t *)(uintptr_t)stack.base, stack.size / 8);
	if (change)
		change(&stack);
	assert_int_equal(writer_push_stack(slot, &stack, bytes), 0);
	return writer_push(slot, &span);
}

/* It has a secret on its stack. */
static APART int write_order(uint64_t number, void (*change)(struct stack_record *stack))
{
	char secret[sizeof(marker)];
	int result;

	memcpy(secret, marker, sizeof(marker));
	__asm__ volatile("" : : "r"(secret) : "memory");
	result = hooked_call(number, change) + 1;
	__asm__ volatile("" : : "r"(secret) : "memory");
	return result;
}

static APART int place_order(uint64_t number, void (*change)(struct stack_record *stack))
{
	return write_order(number, change) * 2;
}

static int holds_the_secret(void)
{
	return memmem(slot, sizeof(*slot), marker, sizeof(marker) - 1) != NULL;
}

static const char *stack_of(const struct batch_span *span)
{
	for (size_t i = 0; i < span->attribute_count; i++)
		if (strcmp(span->attributes[i].key, "code.stacktrace") == 0)
			return span->attributes[i].text.at;
	return NULL;
}

static void a_snapshot_becomes_the_stack_of_its_span_and_is_gone(void **state)
{
	const char *text, *order, *place;

	(void)state;
	assert_int_equal(place_order(100, NULL), 2);
	assert_true(holds_the_secret());
	drain_watch(&drain);
	drain_read(&drain, batch);
	assert_int_equal(batch->count, 1);
	assert_false(holds_the_secret());
	text = stack_of(&batch->spans[0]);
	assert_non_null(text);
	assert_memory_equal(text, "    at ", 7);
	order = strstr(text, "    at write_order (");
	place = strstr(text, "    at place_order (");
	assert_non_null(order);
	assert_non_null(place);
	assert_true(order < place);
	/* Nothing was delivered: whoever begins at the tail finds the span. */
	assert_int_equal(slot->ring.tail, 0);
}

static void odd(struct stack_record *stack)
{
	stack->base++;
}

static void nobodys(struct stack_record *stack)
{
	memset(stack->span_id, 0, sizeof(stack->span_id));
}

static void somebody_elses(struct stack_record *stack)
{
	memset(stack->span_id, 'e', sizeof(stack->span_id));
}

static void of_nowhere(struct stack_record *stack)
{
	stack->registers[0] = 0x1234;
}

static void elsewhere(struct stack_record *stack)
{
	stack->base = 8;
}

static void empty(struct stack_record *stack)
{
	stack->size = 0;
}

static void what_makes_no_sense_is_gone_as_well(void **state)
{
	static void (*const changes[])(struct stack_record *) = {
		odd, nobodys, somebody_elses, of_nowhere, elsewhere, empty};

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const char *text;

		place_order(200 + i, changes[i]);
		drain_watch(&drain);
		drain_read(&drain, batch);
		assert_int_equal(batch->count, i + 1);
		assert_false(holds_the_secret());
		text = stack_of(&batch->spans[i]);
		/* The live stack is another by now, and does not fill the gap. */
		assert_true(!text || !strstr(text, "    at place_order ("));
	}
}

static void what_was_not_read_is_gone_when_the_exporter_ends(void **state)
{
	struct ring_reader reader;
	const void *payload;
	size_t size;

	(void)state;
	drain_watch(&drain);
	place_order(300, NULL);
	place_order(301, NULL);
	assert_true(holds_the_secret());
	drain_fini(&drain);
	assert_false(holds_the_secret());
	/* The next one finds the spans. */
	ring_reader_init(&reader, &slot->ring);
	assert_int_equal(ring_next(&reader, 0, 1, &payload, &size), RING_SPAN);
	assert_int_equal(ring_next(&reader, 0, 1, &payload, &size), RING_SPAN);
	assert_int_equal(ring_next(&reader, 0, 1, &payload, &size), RING_EMPTY);
	assert_int_equal(drain_init(&drain, &file, &settings, &drops, &exits), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_snapshot_becomes_the_stack_of_its_span_and_is_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_makes_no_sense_is_gone_as_well, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_was_not_read_is_gone_when_the_exporter_ends,
						set_up, tear_down),
	};
	ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);

	program[size > 0 ? size : 0] = '\0';
	return cmocka_run_group_tests(tests, NULL, NULL);
}
