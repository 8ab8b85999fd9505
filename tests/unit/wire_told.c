/* wire_told.c - writes down what a parser of a database's protocol tells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/wire_told.h"

static void put(struct wire_told *told, const char *at, size_t size)
{
	assert_true(told->size + size < sizeof(told->line));
	memcpy(told->line + told->size, at, size);
	told->size += size;
	told->line[told->size] = '\0';
}

static void told_begin(void *to)
{
	put(to, "{", 1);
}

static void told_text(void *to, const char *at, size_t size, int raw)
{
	assert_int_equal(raw, 0);
	assert_true(size > 0);
	put(to, at, size);
}

static void told_request(void *to, const struct wire_request *request)
{
	static const char kinds[] = {
		[WIRE_EXECUTE] = 'E', [WIRE_NAMESPACE] = 'N', [WIRE_SESSION] = 'S'};
	char line[64];

	assert_in_range(request->kind, 0, sizeof(kinds) - 1);
	int size = snprintf(line, sizeof(line), "}%.*s:%c%d ", request->operation_size,
			    request->operation, kinds[request->kind], request->replies);
	put(to, line, (size_t)size);
}

static void told_reply(void *to, const struct wire_reply *reply)
{
	char line[64];
	int size;

	if (reply->failed)
		size = snprintf(line, sizeof(line), "=!%.*s ", reply->code_size, reply->code);
	else if (reply->has_rows)
		size = snprintf(line, sizeof(line), "=%llu ", (unsigned long long)reply->rows);
	else
		size = snprintf(line, sizeof(line), "=ok ");
	put(to, line, (size_t)size);
}

const struct wire_calls wire_told_calls = {
	.begin = told_begin,
	.text = told_text,
	.request = told_request,
	.reply = told_reply,
};

/* `cut` of the step `cut_step`: in two there, or, if the step is -1, all of it byte by byte. */
static enum wire_result run(wire_feed feed, const struct wire_step *steps, int cut_step, size_t cut,
			    struct wire_told *told)
{
	enum wire_result result = WIRE_OK;
	int first = 1;

	told->size = 0;
	told->line[0] = '\0';
	for (int i = 0; steps[i].size && result == WIRE_OK; i++) {
		for (size_t at = 0; at < steps[i].size && result == WIRE_OK;) {
			size_t size = cut_step == -1 ? 1 : steps[i].size - at;
			if (cut_step == i && at == 0)
				size = cut;
			result = feed(first, steps[i].way, steps[i].at + at, size, told);
			first = 0;
			at += size;
		}
	}
	return result;
}

void wire_told_whole_and_cut(wire_feed feed, const struct wire_step *steps, const char *expected,
			     enum wire_result result)
{
	struct wire_told told;

	assert_int_equal(run(feed, steps, -2, 0, &told), result);
	assert_string_equal(told.line, expected);
	assert_int_equal(run(feed, steps, -1, 0, &told), result);
	assert_string_equal(told.line, expected);
	for (int i = 0; steps[i].size; i++) {
		for (size_t cut = 1; cut < steps[i].size; cut++) {
			assert_int_equal(run(feed, steps, i, cut, &told), result);
			assert_string_equal(told.line, expected);
		}
	}
}
