/* test_rewrite.c - the rewritten vector and its account, for every plan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "preload/rewrite.h"
#include "tests/unit/shim_test.h"

static const char digits_of_ours[] = "################";
static const char lines_of_ours[] = "+++++";

/* What is to go out; owner[i] is 1 where a byte is the program's. */
static size_t expect(const struct rewrite *plan, const char *text, size_t size, char *out,
		     char *owner)
{
	size_t used = 0;

	for (size_t at = plan->start; at < plan->start + size; at++) {
		for (uint32_t i = plan->inserted; at == plan->insert_at && i < plan->insert_size;
		     i++) {
			owner[used] = 0;
			out[used++] = plan->insert[i];
		}
		owner[used] = 1;
		out[used++] = plan->replace_at != REWRITE_NOWHERE && at >= plan->replace_at &&
					      at < plan->replace_at + 16
				      ? '#'
				      : text[at - plan->start];
	}
	return used;
}

static void check_plan(const struct rewrite *plan, const struct iovec *iov, size_t count,
		       const char *text)
{
	struct iovec built[8];
	char expected[64];
	char owner[64];
	size_t own = 0;
	uint32_t ours = plan->inserted;
	size_t size = expect(plan, text, strlen(text), expected, owner);
	size_t pieces = rewrite_build(plan, iov, count, built);
	size_t at = 0;

	assert_true(pieces <= count + REWRITE_VECTORS);
	for (size_t i = 0; i < pieces; i++) {
		assert_true(at + built[i].iov_len <= size);
		assert_memory_equal(built[i].iov_base, expected + at, built[i].iov_len);
		at += built[i].iov_len;
	}
	assert_int_equal(at, size);
	for (size_t sent = 0; sent <= size; sent++) {
		uint32_t inserted = UINT32_MAX;

		assert_int_equal(rewrite_account(plan, sent, &inserted), own);
		assert_int_equal(inserted, ours);
		if (sent < size && owner[sent])
			own++;
		else if (sent < size)
			ours++;
	}
}

/* One place of each edit (the size of the text: none), with every cut into two vectors. */
static void check_places(struct rewrite *plan, uint32_t insert, uint32_t replace, const char *text)
{
	size_t size = strlen(text);

	/* The empty line is never among the digits. */
	if (insert < size && insert >= replace && insert < replace + 16)
		return;
	plan->insert_at = insert < size ? plan->start + insert : REWRITE_NOWHERE;
	plan->replace_at = replace < size ? plan->start + replace : REWRITE_NOWHERE;
	for (size_t first = 0; first <= size; first++) {
		struct iovec iov[] = {{(void *)text, first},
				      {(void *)(text + first), size - first}};

		plan->inserted = insert < size ? (uint32_t)(first % 6) : 0;
		check_plan(plan, iov, 2, text);
	}
}

/* At the start of a head and after an earlier call, with every remainder of the insertion. */
static void vectors_and_accounts_are_right_for_every_plan(void **state)
{
	static const char text[] = "abcdefghijklmnopqrstuvwxyz";
	struct rewrite plan = {.insert = lines_of_ours, .insert_size = 5};

	(void)state;
	memcpy(plan.replacement, digits_of_ours, 16);
	for (plan.start = 0; plan.start < 20; plan.start += 19)
		for (uint32_t insert = 0; insert < sizeof(text); insert++)
			for (uint32_t replace = 0; replace < sizeof(text); replace++)
				check_places(&plan, insert, replace, text);
}

static void digits_that_earlier_calls_began_are_finished(void **state)
{
	static const char text[] = "abcdefghijklmnopqrstuvwxyz";
	struct rewrite plan = {.insert_at = REWRITE_NOWHERE, .start = 20};

	(void)state;
	memcpy(plan.replacement, "0123456789ABCDEF", 16);
	for (plan.replace_at = 5; plan.replace_at < 20; plan.replace_at++) {
		struct iovec iov = {(void *)text, sizeof(text) - 1};
		struct iovec built[8];
		size_t gone = plan.start - plan.replace_at;

		assert_int_equal(rewrite_build(&plan, &iov, 1, built), 2);
		assert_int_equal(built[0].iov_len, 16 - gone);
		assert_memory_equal(built[0].iov_base, plan.replacement + gone, 16 - gone);
		assert_ptr_equal(built[1].iov_base, text + 16 - gone);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_and_accounts_are_right_for_every_plan),
		cmocka_unit_test(digits_that_earlier_calls_began_are_finished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
