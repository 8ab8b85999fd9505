/* test_exchange.c - one request and its response: references, fields, in flight, look-ups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "preload/exchange_list.h"
#include "tests/unit/shim_test.h"

static struct slot *slot;

static struct exchange *begin(enum span_kind kind)
{
	struct exchange *exchange = exchange_new(kind, 1000);

	assert_non_null(exchange);
	return exchange;
}

/* A server exchange that a caller with that traceparent asked for. */
static struct exchange *served(uint8_t trace, uint8_t span, uint64_t target)
{
	struct exchange *exchange = begin(SPAN_SERVER);

	exchange->incoming.trace_id[0] = trace;
	exchange->incoming.span_id[7] = span;
	exchange->target_hash = target;
	exchange_list(exchange);
	return exchange;
}

static struct trace_parent parent_of(uint8_t trace, uint8_t span)
{
	struct trace_parent parent = {0};

	parent.trace_id[0] = trace;
	parent.span_id[7] = span;
	return parent;
}

static void a_reference_dies_with_its_exchange(void **state)
{
	struct exchange *exchange = begin(SPAN_SERVER);
	uint64_t first = exchange_reference(exchange);
	uint64_t second;

	(void)state;
	assert_ptr_equal(exchange_of(first), exchange);
	exchange_drop(exchange);
	assert_null(exchange_of(first));
	exchange = begin(SPAN_SERVER);
	second = exchange_reference(exchange);
	/* The same place, another generation. */
	assert_int_equal((uint32_t)first, (uint32_t)second);
	assert_null(exchange_of(first));
	assert_ptr_equal(exchange_of(second), exchange);
	exchange_drop(exchange);
	assert_null(exchange_of(0));
}

static void a_new_exchange_has_nothing_of_the_old(void **state)
{
	static const uint8_t id[16] = {1};
	struct exchange *exchange = begin(SPAN_SERVER);
	uint8_t span_id[8];
	struct told told;

	(void)state;
	exchange_identify(exchange, id, id, 1, SPAN_LINK_REMOTE);
	exchange_field(exchange, FIELD_PATH, "/old", 4);
	exchange_span(exchange)->status_code = 500;
	exchange->responded = exchange->request_done = exchange->is_head = 1;
	exchange->tracestate_size = exchange->request_id_size = 3;
	memcpy(span_id, exchange->own.span_id, sizeof(span_id));
	exchange_end(exchange, 2000);
	assert_int_equal(shim_next(slot, &told), 1);
	exchange = begin(SPAN_CLIENT);
	assert_memory_not_equal(exchange->own.span_id, span_id, sizeof(span_id));
	assert_false(exchange->responded || exchange->request_done || exchange->is_head);
	assert_false(exchange->tracestate_size || exchange->request_id_size);
	exchange_end(exchange, 3000);
	assert_int_equal(shim_next(slot, &told), 1);
	assert_int_equal(told.span.kind, SPAN_CLIENT);
	assert_int_equal(told.span.status_code, 0);
	assert_int_equal(told.span.fields_size, 0);
	assert_int_equal(told.span.flags, 0);
	assert_int_equal(told.span.parent_id[0], 0);
	assert_int_equal(told.span.pid, getpid());
	assert_int_equal(told.span.thread_id, gettid());
}

static void fields_that_do_not_fit_are_cut_and_flagged(void **state)
{
	static char big[SPAN_FIELDS_MAX];
	char out[SPAN_FIELDS_MAX];
	struct told told;

	(void)state;
	memset(big, 'b', sizeof(big));
	for (size_t first = SPAN_FIELDS_MAX - 30; first <= SPAN_FIELDS_MAX - 4; first++) {
		struct exchange *exchange = begin(SPAN_SERVER);
		size_t room = SPAN_FIELDS_MAX - 4 - first;
		int kept;

		exchange_field(exchange, FIELD_PATH, big, first);
		assert_int_equal(exchange_span(exchange)->flags & SPAN_TEXT_CUT, 0);
		exchange_field(exchange, FIELD_HOST, "0123456789", 10);
		exchange_end(exchange, 2);
		assert_int_equal(shim_next(slot, &told), 1);
		assert_int_equal(shim_field(&told, FIELD_PATH, out, sizeof(out)), first);
		/* Less than four bytes of a text are not worth their frame. */
		kept = room < 8 ? -1 : room - 4 < 10 ? (int)room - 4 : 10;
		assert_int_equal(shim_field(&told, FIELD_HOST, out, sizeof(out)), kept);
		if (kept > 0)
			assert_memory_equal(out, "0123456789", kept);
		assert_int_equal(!!(told.span.flags & SPAN_TEXT_CUT), kept != 10);
		assert_true(told.span.fields_size <= SPAN_FIELDS_MAX);
	}
}

static void an_entry_in_flight_is_seen_from_its_publication_to_its_end(void **state)
{
	struct exchange *exchange = begin(SPAN_SERVER);
	struct inflight *entry = exchange->inflight;
	struct told told;

	(void)state;
	assert_true(entry >= slot->inflight && entry < slot->inflight + INFLIGHT_COUNT);
	assert_int_equal(entry->live, 0);
	exchange_field(exchange, FIELD_METHOD, "GET", 3);
	exchange_publish(exchange);
	assert_int_equal(entry->live, 1);
	assert_int_equal(entry->span.end_ns, 0);
	assert_int_equal(entry->span.fields_size, 7);
	assert_memory_equal(entry->fields + 4, "GET", 3);
	exchange_end(exchange, 2000);
	assert_int_equal(entry->live, 0);
	assert_int_equal(shim_next(slot, &told), 1);
	assert_int_equal(told.span.end_ns, 2000);
	exchange = begin(SPAN_SERVER);
	assert_ptr_equal(exchange->inflight, entry);
	exchange_drop(exchange);
	assert_int_equal(shim_next(slot, &told), 0);
}

static void beyond_the_table_spans_are_kept_but_not_visible(void **state)
{
	static struct exchange *many[INFLIGHT_COUNT + 50];
	const size_t count = sizeof(many) / sizeof(many[0]);
	struct told told;
	size_t live = 0;

	(void)state;
	for (size_t i = 0; i < count; i++) {
		many[i] = begin(SPAN_CLIENT);
		exchange_publish(many[i]);
	}
	assert_int_equal(slot->counters.dropped[DROP_INFLIGHT_FULL], 50);
	for (size_t i = 0; i < INFLIGHT_COUNT; i++)
		live += slot->inflight[i].live;
	assert_int_equal(live, INFLIGHT_COUNT);
	for (size_t i = 0; i < count; i++)
		exchange_end(many[i], 1000 + i);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(shim_next(slot, &told), 1);
		assert_int_equal(told.span.end_ns, 1000 + i);
	}
	for (size_t i = 0; i < INFLIGHT_COUNT; i++)
		assert_int_equal(slot->inflight[i].live, 0);
}

static void the_ceiling_refuses_and_counts(void **state)
{
	static struct exchange *all[8192];
	struct exchange *more;
	struct told told;

	(void)state;
	for (size_t i = 0; i < 8192; i++)
		all[i] = begin(SPAN_CLIENT);
	assert_null(exchange_new(SPAN_SERVER, 1));
	assert_int_equal(slot->counters.dropped[DROP_EXCHANGES], 1);
	exchange_drop(all[4000]);
	more = exchange_new(SPAN_SERVER, 1);
	assert_ptr_equal(more, all[4000]);
	for (size_t i = 0; i < 8192; i++)
		exchange_drop(all[i]);
	assert_int_equal(shim_next(slot, &told), 0);
}

static void the_caller_is_found_by_trace_and_span(void **state)
{
	struct exchange *exchange = served(1, 10, 0);
	struct trace_parent right = parent_of(1, 10);
	struct trace_parent other_trace = parent_of(2, 10);
	struct trace_parent other_span = parent_of(1, 11);
	struct trace_parent none = parent_of(1, 0);

	(void)state;
	assert_ptr_equal(exchange_find_incoming(&right, 0), exchange);
	assert_null(exchange_find_incoming(&other_trace, 0));
	assert_null(exchange_find_incoming(&other_span, 0));
	assert_null(exchange_find_incoming(&none, 0));
	exchange_drop(exchange);
	assert_null(exchange_find_incoming(&right, 0));
}

static void of_several_only_the_preferred_one_is_found(void **state)
{
	struct exchange *one = served(1, 20, 77);
	struct exchange *two = served(1, 20, 77);
	struct trace_parent parent = parent_of(1, 20);
	struct exchange *stranger = served(9, 9, 99);

	(void)state;
	assert_null(exchange_find_incoming(&parent, 0));
	assert_null(exchange_find_incoming(&parent, exchange_reference(stranger)));
	assert_ptr_equal(exchange_find_incoming(&parent, exchange_reference(one)), one);
	assert_ptr_equal(exchange_find_incoming(&parent, exchange_reference(two)), two);
	assert_null(exchange_find_target(77, 0));
	assert_ptr_equal(exchange_find_target(77, exchange_reference(two)), two);
	assert_null(exchange_find_target(78, 0));
	assert_null(exchange_find_target(0, 0));
	exchange_drop(one);
	assert_ptr_equal(exchange_find_incoming(&parent, 0), two);
	assert_ptr_equal(exchange_find_target(77, 0), two);
	exchange_drop(two);
	exchange_drop(stranger);
}

static void a_preference_that_ended_is_none(void **state)
{
	struct exchange *old = served(1, 30, 0);
	uint64_t stale = exchange_reference(old);
	struct trace_parent parent = parent_of(1, 30);
	struct exchange *only;

	(void)state;
	exchange_drop(old);
	only = served(1, 30, 0);
	assert_int_equal(only->index, (uint32_t)stale);
	assert_ptr_equal(exchange_find_incoming(&parent, stale), only);
	exchange_drop(only);
}

static void only_what_is_listed_is_found(void **state)
{
	struct exchange *client = begin(SPAN_CLIENT);
	struct trace_parent parent = parent_of(1, 40);

	(void)state;
	client->incoming = parent;
	assert_null(exchange_find_incoming(&parent, 0));
	assert_null(exchange_find_incoming(&parent, exchange_reference(client)));
	exchange_drop(client);
	assert_int_equal(exchange_served(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reference_dies_with_its_exchange),
		cmocka_unit_test(a_new_exchange_has_nothing_of_the_old),
		cmocka_unit_test(fields_that_do_not_fit_are_cut_and_flagged),
		cmocka_unit_test(an_entry_in_flight_is_seen_from_its_publication_to_its_end),
		cmocka_unit_test(beyond_the_table_spans_are_kept_but_not_visible),
		cmocka_unit_test(the_ceiling_refuses_and_counts),
		cmocka_unit_test(the_caller_is_found_by_trace_and_span),
		cmocka_unit_test(of_several_only_the_preferred_one_is_found),
		cmocka_unit_test(a_preference_that_ended_is_none),
		cmocka_unit_test(only_what_is_listed_is_found),
	};

	slot = shim_attach(__builtin_frame_address(0));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
