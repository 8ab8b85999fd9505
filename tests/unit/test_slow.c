/* test_slow.c - calls that wait: their stacks and call sites in spans and in `tagalong stacks`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <link.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "exporter/commands.h"
#include "exporter/segment_file.h"
#include "exporter/slow.h"
#include "exporter/stack.h"
#include "preload/registers.h"
#include "tests/unit/segment_writer.h"

#define APART  __attribute__((noipa))
#define MS_NS  1000000ull
#define SLOW   3 /* in-flight entries */
#define SERVER 5

static char directory[64], segment[96], database[96], program[256];

/* ---- a process that waits in calls -------------------------------------------------------- */

static void end_wait(struct inflight *entry)
{
	atomic_store(&entry->wait.since_ns, 0);
	atomic_store(&entry->live, 0);
}

/* As a hook: an open entry, the registers, the call, and the finished span. */
static APART int hooked_query(struct slot *slot, uint64_t number, unsigned wait_ms)
{
	struct inflight *entry = &slot->inflight[SLOW];
	struct timespec pause = {wait_ms / 1000, (long)(wait_ms % 1000 * MS_NS)};
	struct writer_span span;
	Dl_info info;
	struct link_map *map;

	writer_sample(&span, number);
	span.span.kind = SPAN_CLIENT;
	span.span.start_ns = writer_now_ns();
	memcpy(span.span.parent_id, "parent-1", 8);
	if (dladdr1(__builtin_return_address(0), &info, (void **)&map, RTLD_DL_LINKMAP))
		span.span.call_offset = (uint64_t)__builtin_return_address(0) - map->l_addr;
	writer_text(&span, FIELD_CALLER, "");
	writer_open(slot, SLOW, &span);
	strcpy(entry->wait.call, "PQexec");
	registers_note(entry->wait.registers);
	/* It began long ago, so that the first look finds it slow. */
	atomic_store(&entry->wait.since_ns, writer_now_ns() - 10000 * MS_NS);
	nanosleep(&pause, NULL);
	end_wait(entry);
	span.span.end_ns = writer_now_ns();
	return writer_push(slot, &span);
}

static APART int load_orders(struct slot *slot, uint64_t number, unsigned wait_ms)
{
	return hooked_query(slot, number, wait_ms) + 1;
}

static APART int serve_page(struct slot *slot, uint64_t number, unsigned wait_ms)
{
	return load_orders(slot, number, wait_ms) * 2;
}

static void serve(unsigned wait_ms)
{
	struct slot *slot = writer_attach(segment, program);
	struct writer_span server;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(60);
	if (!slot)
		_exit(1);
	writer_sample(&server, 1);
	memcpy(server.span.span_id, "parent-1", 8);
	writer_open(slot, SERVER, &server);
	for (uint64_t number = 100;; number++)
		serve_page(slot, number, wait_ms);
}

static pid_t start(unsigned wait_ms)
{
	pid_t child = fork();

	if (child == 0)
		serve(wait_ms);
	return child;
}

static void stop(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* ---- the exporter ------------------------------------------------------------------------- */

static int set_up(void **state)
{
	ssize_t size = readlink("/proc/self/exe", program, sizeof(program) - 1);

	(void)state;
	snprintf(directory, sizeof(directory), "/dev/shm/tagalong-test-XXXXXX");
	if (size <= 0 || !mkdtemp(directory))
		return -1;
	program[size] = '\0';
	snprintf(segment, sizeof(segment), "%s/segment", directory);
	snprintf(database, sizeof(database), "%s/traces.db", directory);
	clearenv();
	setenv("TAGALONG_STORE", database, 1);
	setenv("COLUMNS", "200", 1);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "/bin/rm -rf %s", directory);
	return system(command); /* NOLINT(cert-env33-c) */
}

static pid_t start_exporter(void)
{
	char ready[16], byte;
	int ends[2];
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		char *arguments[] = {(char[]){"export"},
				     (char[]){"--segment"},
				     segment,
				     (char[]){"--ready-fd"},
				     ready,
				     NULL};

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(ready, sizeof(ready), "%d", ends[1]);
		_exit(command_export(5, arguments));
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return child;
}

/* One text of the store, or "". */
static void ask(const char *sql, char *answer, size_t room)
{
	sqlite3 *connection;
	sqlite3_stmt *statement;

	answer[0] = '\0';
	if (sqlite3_open_v2(database, &connection, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(connection, sql, -1, &statement, NULL) == SQLITE_OK) {
		if (sqlite3_step(statement) == SQLITE_ROW)
			snprintf(answer, room, "%s",
				 (const char *)sqlite3_column_text(statement, 0));
		sqlite3_finalize(statement);
	}
	sqlite3_close(connection);
}

static void ask_until_known(const char *sql, char *answer, size_t room)
{
	for (int i = 0; i < 1000; i++) {
		ask(sql, answer, room);
		if (answer[0])
			return;
		usleep(20000);
	}
}

static void slow_calls_come_with_call_site_and_stack(void **state)
{
	char answer[STACK_TEXT_ROOM];
	const char *load, *page;
	pid_t exporter = start_exporter(), child = start(300);

	(void)state;
	/* Calls follow one another; some time one of them is looked at while it waits. */
	ask_until_known("SELECT json_extract(attributes, '$.\"code.stacktrace\"') FROM spans "
			"WHERE attributes LIKE '%code.stacktrace%'",
			answer, sizeof(answer));
	assert_memory_equal(answer, "    at ", 7);
	load = strstr(answer, "    at load_orders (");
	page = strstr(answer, "    at serve_page (");
	assert_non_null(load);
	assert_non_null(page);
	assert_true(load < page);
	assert_non_null(strstr(page, "    at main ("));
	ask("SELECT json_extract(attributes, '$.\"code.function.name\"') FROM spans "
	    "WHERE kind = 3",
	    answer, sizeof(answer));
	assert_string_equal(answer, "load_orders");
	ask("SELECT json_extract(attributes, '$.\"code.file.path\"') || ':' || "
	    "json_extract(attributes, '$.\"code.line.number\"') FROM spans WHERE kind = 3",
	    answer, sizeof(answer));
	assert_non_null(strstr(answer, "tests/unit/test_slow.c:"));
	stop(child);
	stop(exporter);
}

static void short_calls_come_with_their_call_site_alone(void **state)
{
	char answer[STACK_TEXT_ROOM];
	pid_t exporter, child;

	(void)state;
	setenv("TAGALONG_SLOW_CALL_MS", "0", 1);
	exporter = start_exporter();
	child = start(50);
	ask_until_known("SELECT json_extract(attributes, '$.\"code.function.name\"') FROM spans "
			"WHERE kind = 3 LIMIT 1 OFFSET 9",
			answer, sizeof(answer));
	assert_string_equal(answer, "load_orders");
	ask("SELECT count(*) FROM spans WHERE attributes LIKE '%code.stacktrace%'", answer,
	    sizeof(answer));
	assert_string_equal(answer, "0");
	stop(child);
	stop(exporter);
}

/* ---- tagalong stacks ---------------------------------------------------------------------- */

/* What it printed on both outputs; returns its exit code. */
static int run_stacks(const char *pid, char *output, size_t room)
{
	size_t used = 0;
	ssize_t size;
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		char *arguments[] = {(char[]){"stacks"}, (char[]){"--session"}, segment,
				     (char *)(uintptr_t)pid, NULL};

		dup2(ends[1], 1);
		dup2(ends[1], 2);
		close(ends[0]);
		_exit(command_stacks(pid ? 4 : 3, arguments));
	}
	close(ends[1]);
	while ((size = read(ends[0], output + used, room - used - 1)) > 0)
		used += (size_t)size;
	output[used] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

static void what_is_in_flight_is_shown_with_the_calls_below_their_request(void **state)
{
	static char output[32768];
	char pid[16];
	const char *request, *call, *wait, *stack;
	struct segment_file file;
	pid_t child;

	(void)state;
	assert_int_equal(segment_file_create(&file, segment, 2), 0);
	child = start(30000);
	snprintf(pid, sizeof(pid), "%d", child);
	/* Until the process has come to its call. */
	for (int i = 0; i < 500; i++) {
		int code = run_stacks(pid, output, sizeof(output));

		if (code == 0 && strstr(output, "waits in"))
			break;
		usleep(20000);
	}
	request = strstr(output, "\n  GET /orders/17");
	call = strstr(output, "\n    GET http://");
	wait = strstr(output, "\n      waits in PQexec for 1");
	stack = strstr(output, "\n        at ");
	assert_memory_equal(output, "test_slow  process ", 19);
	assert_non_null(request);
	assert_true(request < call);
	assert_true(call < wait);
	assert_true(wait < stack);
	assert_non_null(strstr(stack, "\n        at load_orders ("));
	assert_non_null(strstr(stack, "\n        at serve_page ("));
	stop(child);
	assert_int_equal(run_stacks(pid, output, sizeof(output)), 1);
	assert_non_null(strstr(output, "is not traced"));
	segment_file_close(&file);
}

static void without_a_session_it_says_so(void **state)
{
	char output[1024];

	(void)state;
	assert_int_equal(run_stacks(NULL, output, sizeof(output)), 1);
	assert_non_null(strstr(output, "No such file"));
	assert_int_equal(run_stacks("x", output, sizeof(output)), 2);
	assert_non_null(strstr(output, "no process ID"));
}

/* ---- bounds ------------------------------------------------------------------------------- */

static void more_stacks_than_are_kept_push_the_oldest_out(void **state)
{
	static struct slot slot;
	struct slow_calls *slow = slow_calls_new(1);
	struct process process = {.pid = (uint32_t)getpid(), .start_ticks = 0};
	uint64_t now_ns = writer_now_ns();
	struct arena arena = {0};
	uint64_t id, unsampled = SLOW_KEPT + 5;
	unsigned kept = 0;

	(void)state;
	/* Each time it is the stack of this function itself. */
	for (id = 1; id <= SLOW_KEPT + 10; id++) {
		struct inflight *entry = &slot.inflight[id % INFLIGHT_COUNT];

		memcpy(entry->span.span_id, &id, 8);
		entry->span.trace_flags = id != unsampled;
		registers_note(entry->wait.registers);
		entry->wait.since_ns = now_ns - 5000 * MS_NS;
		atomic_store(&entry->live, 1);
		now_ns += 10000 * MS_NS;
		slow_calls_visit(slow, 0, &process, &slot, now_ns);
		atomic_store(&entry->live, 0);
	}
	assert_null(slow_calls_take(slow, (const uint8_t *)&unsampled, &arena).at);
	for (id = 1; id <= SLOW_KEPT + 10; id++)
		kept += slow_calls_take(slow, (const uint8_t *)&id, &arena).at != NULL;
	assert_int_equal(kept, SLOW_KEPT);
	id = SLOW_KEPT + 10;
	assert_null(slow_calls_take(slow, (const uint8_t *)&id, &arena).at);
	slow_calls_forget(slow, 0);
	slow_calls_free(slow);
	arena_free(&arena);
	slow_calls_visit(NULL, 0, &process, &slot, now_ns);
	assert_null(slow_calls_take(NULL, (const uint8_t *)&id, &arena).at);
	slow_calls_forget(NULL, 0);
	slow_calls_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(slow_calls_come_with_call_site_and_stack, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(short_calls_come_with_their_call_site_alone, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_in_flight_is_shown_with_the_calls_below_their_request, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(without_a_session_it_says_so, set_up, tear_down),
		cmocka_unit_test(more_stacks_than_are_kept_push_the_oldest_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
