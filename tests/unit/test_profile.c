/* test_profile.c - quantiles of histograms, flame graphs, lines of slow calls, the loader's table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "ebpf/probes.h"
#include "ebpf/table.h"
#include "exporter/flame.h"
#include "exporter/profile_data.h"
#include "exporter/profile_json.h"

static void bounds_are_powers_of_two_of_a_second(void **state)
{
	(void)state;
	assert_int_equal(profile_bound_ns(25), 1000000000);
	assert_int_equal(profile_bound_ns(26), 2000000000);
	assert_int_equal(profile_bound_ns(24), 500000000);
	assert_int_equal(profile_bound_ns(15), 976562);
	assert_int_equal(profile_bound_ns(0), 29);
}

static void quantiles_lie_in_their_bucket_and_below_the_maximum(void **state)
{
	struct latency latency = {.count = 100, .max_ns = 700000000};

	(void)state;
	latency.buckets[15] = 90; /* up to 976 us */
	latency.buckets[24] = 10; /* 250 to 500 ms: but for the maximum, which is within the next */
	uint64_t half = profile_quantile(&latency, 0.5);
	assert_true(half > profile_bound_ns(14) && half <= profile_bound_ns(15));
	uint64_t most = profile_quantile(&latency, 0.99);
	assert_true(most > profile_bound_ns(23) && most <= profile_bound_ns(24));
	latency.max_ns = 300000000;
	assert_int_equal(profile_quantile(&latency, 1), 300000000);
}

static void quantiles_of_nothing_are_nothing(void **state)
{
	struct latency latency = {0};

	(void)state;
	assert_int_equal(profile_quantile(&latency, 0.5), 0);
}

static void sums_keep_the_greater_maximum(void **state)
{
	struct latency sum = {.count = 1, .total_ns = 5, .max_ns = 5};
	struct latency more = {.count = 2, .total_ns = 9, .max_ns = 7};

	(void)state;
	sum.buckets[3] = 1;
	more.buckets[3] = 2;
	profile_latency_add(&sum, &more);
	assert_int_equal(sum.count, 3);
	assert_int_equal(sum.total_ns, 14);
	assert_int_equal(sum.max_ns, 7);
	assert_int_equal(sum.buckets[3], 3);
}

/* ---- processes that ended ----------------------------------------------------------------- */

static void add_process(struct profile_data *data, uint32_t pid, const char *name, uint64_t calls)
{
	struct latency_key key = {.process = (uint64_t)pid << 32, .call = 1};
	struct profile_process *process = profile_data_add_process(data, key.process);
	struct profile_row *row = profile_data_row(data, &key);

	assert_non_null(process);
	assert_non_null(row);
	process->pid = pid;
	process->ended = 1;
	snprintf(process->name, sizeof(process->name), "%s", name);
	row->total.count = row->total.buckets[2] = calls;
}

static void many_processes_that_ended_become_one_of_their_name(void **state)
{
	struct profile_data data;
	uint64_t calls = 0;

	(void)state;
	profile_data_init(&data, 0);
	for (uint32_t pid = 1; pid <= PROFILE_ENDED + 1; pid++)
		add_process(&data, pid, pid % 2 ? "odd" : "even", pid);
	profile_data_merge_ended(&data); /* told only now: something may come yet */
	assert_int_equal(data.row_count, PROFILE_ENDED + 1);
	add_process(&data, 5000, "new", 3);
	data.processes[data.process_count - 1]->ended = 0;
	profile_data_merge_ended(&data);
	assert_int_equal(data.row_count, 3);
	assert_int_equal(data.process_count, 3);
	assert_int_equal(data.merged_count, PROFILE_ENDED + 1);
	for (size_t i = 0; i < data.row_count; i++)
		calls += data.rows[i]->total.count;
	assert_int_equal(calls, (PROFILE_ENDED + 1) * (PROFILE_ENDED + 2) / 2 + 3);
	add_process(&data, 6000, "later", 1); /* the lists can grow again */
	assert_int_equal(data.row_count, 4);
	profile_data_fini(&data);
}

/* ---- drawings ----------------------------------------------------------------------------- */

static char *draw(struct profile_fold *folds, size_t count)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	assert_non_null(to);
	assert_int_equal(flame_print(folds, count, "a < b", to), 0);
	fclose(to);
	return text;
}

static void frames_that_lines_share_are_one(void **state)
{
	char one[] = "p;main;a;[read]", two[] = "p;main;b<c>;[read]";
	struct profile_fold folds[] = {{one, 3000000}, {two, 1000000}};
	char *text = draw(folds, 2);

	(void)state;
	assert_non_null(strstr(text, "<title>all (4.00s, 100.00%)</title>"));
	assert_non_null(strstr(text, "<title>main (4.00s, 100.00%)</title>"));
	assert_null(strstr(strstr(text, "<title>main (") + 1, "<title>main ("));
	assert_non_null(strstr(text, "<title>a (3.00s, 75.00%)</title>"));
	assert_non_null(strstr(text, "<title>b&lt;c&gt; (1.00s, 25.00%)</title>"));
	assert_non_null(strstr(text, ">a &lt; b</text>"));
	free(text);
}

static void nothing_is_drawn_as_nothing(void **state)
{
	char *text = draw(NULL, 0);

	(void)state;
	assert_null(strstr(text, "<title>"));
	assert_non_null(strstr(text, "</svg>\n"));
	free(text);
}

static void slow_calls_are_lines(void **state)
{
	struct slow_call call = {.thread = 7,
				 .call = 0,
				 .duration_ns = 12500000,
				 .result = -104,
				 .arguments = {9},
				 .mode = S_IFSOCK | 0777,
				 .family = 2,
				 .port = 5432,
				 .address = {127, 0, 0, 1}};
	char line[128] = "";
	FILE *to = fmemopen(line, sizeof(line), "w");

	(void)state;
	profile_slow_print(&call, to);
	fclose(to);
	assert_string_equal(line, "7 read 12.5ms ECONNRESET on socket 9 127.0.0.1 port 5432\n");
}

/* ---- names -------------------------------------------------------------------------------- */

static void names_are_those_of_the_kernel(void **state)
{
	(void)state;
	assert_string_equal(probes_call_name(0), "read");
	assert_string_equal(probes_call_name(PROBE_CALL_OTHER), "other");
	assert_string_equal(probes_call_name(-1), "other");
	assert_string_equal(probes_call_name(PROBE_CALLS), "other");
	assert_string_equal(probes_error_name(2), "ENOENT");
	assert_string_equal(probes_error_name(512), "ERESTARTSYS");
	assert_string_equal(probes_error_name(PROBE_RESTART + 2), "ERESTARTNOHAND");
	assert_string_equal(probes_error_name(PROBE_ERROR_OTHER), "other");
	assert_string_equal(probes_error_name(150), "");
	assert_string_equal(probes_wait_name(WAIT_LOCK), "lock");
	assert_string_equal(probes_wait_name(99), "other");
}

/* ---- the loader's table ------------------------------------------------------------------- */

static int is_odd(void *own, const void *key, const void *value)
{
	uint64_t number;

	(void)own;
	(void)value;
	memcpy(&number, key, sizeof(number));
	return number & 1;
}

static void table_keeps_what_is_not_dropped(void **state)
{
	struct table table;
	uint64_t seen = 0;
	const void *key;
	void *value;

	(void)state;
	table_init(&table, sizeof(uint64_t), sizeof(uint64_t));
	for (uint64_t i = 0; i < 5000; i++)
		*(uint64_t *)table_put(&table, &i) = i * 3;
	table_sift(&table, is_odd, NULL);
	assert_int_equal(table.count, 2500);
	for (uint64_t i = 0; i < 5000; i++) {
		const uint64_t *found = table_get(&table, &i);
		assert_true(i & 1 ? !found : found && *found == i * 3);
	}
	for (size_t i = 0; table_at(&table, i, &key, &value); i++)
		seen += key != NULL;
	assert_int_equal(seen, 2500);
	table_fini(&table);
	assert_null(table_get(&table, &seen));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bounds_are_powers_of_two_of_a_second),
		cmocka_unit_test(quantiles_lie_in_their_bucket_and_below_the_maximum),
		cmocka_unit_test(quantiles_of_nothing_are_nothing),
		cmocka_unit_test(sums_keep_the_greater_maximum),
		cmocka_unit_test(many_processes_that_ended_become_one_of_their_name),
		cmocka_unit_test(frames_that_lines_share_are_one),
		cmocka_unit_test(nothing_is_drawn_as_nothing),
		cmocka_unit_test(slow_calls_are_lines),
		cmocka_unit_test(names_are_those_of_the_kernel),
		cmocka_unit_test(table_keeps_what_is_not_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
