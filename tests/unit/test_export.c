/* test_export.c - the whole exporter on a real segment: deaths, takeovers, a collector that fails.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "exporter/commands.h"
#include "exporter/proto/trace_service.pb-c.h"
#include "exporter/segment_file.h"
#include "tests/unit/segment_writer.h"

static char directory[64], segment[96], database[96];

static int set_up(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/dev/shm/tagalong-test-XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(segment, sizeof(segment), "%s/segment", directory);
	snprintf(database, sizeof(database), "%s/traces.db", directory);
	clearenv();
	setenv("TAGALONG_STORE", database, 1);
	setenv("TAGALONG_ROUTES_TABLE", "memory", 1);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "/bin/rm -rf %s", directory);
	return system(command);
}

/* Starts an exporter in a process of its own and waits until the segment is ready. */
static pid_t start_exporter(const char *mode, int exits_descriptor)
{
	char ready_text[16], exits_text[16], byte;
	int ends[2];
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	snprintf(ready_text, sizeof(ready_text), "%d", ends[1]);
	snprintf(exits_text, sizeof(exits_text), "%d", exits_descriptor);
	child = fork();
	if (child == 0) {
		char *arguments[9] = {NULL};
		const char *const plain[] = {"export",   "--segment",  segment,    "--ready-fd",
					     ready_text, "--exits-fd", exits_text, mode};

		for (int i = 0; i < 8; i++)
			arguments[i] = (char *)(uintptr_t)plain[i];

		alarm(30);
		/* Another copy of the launcher's end would hide that it is closed. */
		for (int fd = 3; fd < 64; fd++)
			if (fd != ends[1] && fd != exits_descriptor)
				close(fd);
		_exit(command_export(mode ? 8 : 7, arguments));
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return child;
}

static int end_of(pid_t child)
{
	int status = -1;

	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static int stop_exporter(pid_t child)
{
	kill(child, SIGTERM);
	return end_of(child);
}

/* A process that writes spans `first`.. and leaves request 9999 open, then waits to be killed. */
static pid_t start_writer(uint64_t first, unsigned count)
{
	int ends[2];
	pid_t child;
	char byte;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		struct slot *slot = writer_attach(segment, "/usr/sbin/nginx");
		struct writer_span span;

		alarm(30);
		if (!slot)
			_exit(1);
		for (unsigned i = 0; i < count; i++) {
			writer_sample(&span, first + i);
			while (writer_push(slot, &span) != 0)
				usleep(1000);
		}
		writer_sample(&span, 9999);
		span.span.flags = 0;
		writer_open(slot, 17, &span);
		if (write(ends[1], "", 1) != 1)
			_exit(1);
		pause();
		_exit(3);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	return child;
}

static int64_t ask(const char *sql)
{
	sqlite3 *connection;
	sqlite3_stmt *statement;
	int64_t answer = -1;

	if (sqlite3_open_v2(database, &connection, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(connection, sql, -1, &statement, NULL) == SQLITE_OK) {
		if (sqlite3_step(statement) == SQLITE_ROW)
			answer = sqlite3_column_int64(statement, 0);
		sqlite3_finalize(statement);
	}
	sqlite3_close(connection);
	return answer;
}

/* Waits until the answer is there; what is never there is told by the assertion that follows. */
static int64_t ask_until(const char *sql, int64_t wanted)
{
	int64_t answer = ask(sql);

	for (int i = 0; i < 500 && answer != wanted; i++) {
		usleep(20000);
		answer = ask(sql);
	}
	return answer;
}

static void finished_spans_reach_the_store(void **state)
{
	pid_t exporter = start_exporter(NULL, -1);
	pid_t writer = start_writer(0, 5000);

	(void)state;
	assert_int_equal(ask_until("SELECT count(*) FROM spans", 5000), 5000);
	assert_int_equal(stop_exporter(exporter), 0);
	assert_int_equal(ask("SELECT count(*) FROM spans"), 5000);
	kill(writer, SIGKILL);
	end_of(writer);
}

static void a_killed_process_has_its_open_request_told(void **state)
{
	pid_t exporter = start_exporter(NULL, -1);
	pid_t writer = start_writer(0, 10);

	(void)state;
	assert_int_equal(ask_until("SELECT count(*) FROM spans", 10), 10);
	kill(writer, SIGKILL);
	end_of(writer);
	assert_int_equal(ask_until("SELECT count(*) FROM spans WHERE status = 2", 1), 1);
	assert_int_equal(ask("SELECT count(*) FROM spans WHERE error_type IN ('SIGKILL', 'exit')"),
			 1);
	assert_int_equal(stop_exporter(exporter), 0);
}

static void the_launcher_tells_how_a_process_ended(void **state)
{
	char line[32];
	int ends[2];
	pid_t exporter, writer;
	int size;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	exporter = start_exporter("--private", ends[0]);
	close(ends[0]);
	writer = start_writer(0, 10);
	assert_int_equal(ask_until("SELECT count(*) FROM spans", 10), 10);
	/* Told before it is reaped, so that the kernel's answer can't come first. */
	size = snprintf(line, sizeof(line), "%d %d\n", writer, SIGSEGV);
	assert_int_equal(write(ends[1], line, (size_t)size), size);
	kill(writer, SIGKILL);
	assert_int_equal(ask_until("SELECT count(*) FROM spans WHERE error_type = 'SIGSEGV' AND "
				   "status_message = 'process killed by SIGSEGV (11)'",
				   1),
			 1);
	end_of(writer);
	close(ends[1]);
	/* Nobody is left: it ends by itself, and the file goes with it. */
	assert_int_equal(end_of(exporter), 0);
	assert_int_equal(access(segment, F_OK), -1);
}

static void a_killed_exporters_successor_loses_nothing(void **state)
{
	pid_t exporter = start_exporter(NULL, -1);
	pid_t writer, second;

	(void)state;
	kill(exporter, SIGSTOP);
	writer = start_writer(0, 1000);
	kill(exporter, SIGKILL);
	end_of(exporter);
	second = start_exporter(NULL, -1);
	assert_int_equal(ask_until("SELECT count(*) FROM spans", 1000), 1000);
	assert_int_equal(stop_exporter(second), 0);
	assert_int_equal(ask("SELECT count(*) FROM spans"), 1000);
	kill(writer, SIGKILL);
	end_of(writer);
}

static void slots_of_dead_processes_are_used_again(void **state)
{
	pid_t exporter = start_exporter(NULL, -1);
	struct segment_file file;

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		char sql[96];
		pid_t writer = start_writer(1000ull * i, 10);

		snprintf(sql, sizeof(sql), "SELECT count(*) >= %u FROM spans", 10 * (i + 1));
		assert_int_equal(ask_until(sql, 1), 1);
		kill(writer, SIGKILL);
		end_of(writer);
		/* Freed when its open request is stored as well; they are one and the same span. */
		usleep(400000);
	}
	assert_int_equal(stop_exporter(exporter), 0);
	assert_int_equal(segment_file_adopt(&file, segment), 0);
	assert_true(file.slot_count < 12);
	assert_int_equal(segment_file_claimed(&file), 0);
	segment_file_close(&file);
}

/* ---- a collector ---------------------------------------------------------------------------- */

static int listen_somewhere(uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*port = ntohs(address.sin_port);
	return fd;
}

/* Reads one POST; *body points behind the head in `bytes`. Returns the body's size. */
static size_t read_request(int fd, char *bytes, size_t room, const char **body)
{
	size_t used = 0, length;
	const char *at;

	for (;;) {
		ssize_t size = read(fd, bytes + used, room - 1 - used);

		assert_true(size > 0);
		used += (size_t)size;
		bytes[used] = '\0';
		at = strstr(bytes, "\r\n\r\n");
		if (!at)
			continue;
		*body = at + 4;
		length = strtoul(strstr(bytes, "Content-Length: ") + 16, NULL, 10);
		if (used - (size_t)(*body - bytes) >= length)
			return length;
	}
}

static void answer_and_close(int fd, const char *answer)
{
	assert_int_equal(write(fd, answer, strlen(answer)), (ssize_t)strlen(answer));
	close(fd);
}

static void a_batch_is_sent_again_until_it_is_taken(void **state)
{
	static char first[1 << 16], again[1 << 16];
	Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest *request;
	Opentelemetry__Proto__Trace__V1__Span *span;
	const ProtobufCBinaryData *packed;
	const char *body, *same;
	char endpoint[64];
	size_t size;
	pid_t exporter, writer;
	uint16_t port;
	int listener, fd;

	(void)state;
	listener = listen_somewhere(&port);
	snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u", port);
	setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint, 1);
	setenv("OTEL_BSP_SCHEDULE_DELAY", "10", 1);
	unsetenv("TAGALONG_STORE");
	alarm(60);
	exporter = start_exporter(NULL, -1);
	writer = start_writer(0, 1);
	fd = accept(listener, NULL, NULL);
	size = read_request(fd, first, sizeof(first), &body);
	assert_non_null(strstr(first, "POST /v1/traces HTTP/1.1\r\n"));
	assert_non_null(strstr(first, "Content-Type: application/x-protobuf\r\n"));
	assert_non_null(strstr(first, " OTel-OTLP-Exporter-C/"));
	answer_and_close(fd, "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n");
	/* A connection that ends without an answer is no answer. */
	fd = accept(listener, NULL, NULL);
	assert_int_equal(read_request(fd, again, sizeof(again), &same), size);
	close(fd);
	fd = accept(listener, NULL, NULL);
	assert_int_equal(read_request(fd, again, sizeof(again), &same), size);
	assert_memory_equal(same, body, size);
	answer_and_close(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	request = opentelemetry__proto__collector__trace__v1__export_trace_service_request__unpack(
		NULL, size, (const uint8_t *)body);
	assert_non_null(request);
	assert_int_equal(request->n_resource_spans, 1);
	assert_int_equal(request->resource_spans[0]->scope_spans[0]->n_spans, 1);
	packed = &request->resource_spans[0]->scope_spans[0]->spans[0];
	span = opentelemetry__proto__trace__v1__span__unpack(NULL, packed->len, packed->data);
	assert_non_null(span);
	assert_string_equal(span->name, "GET /orders/{id}");
	assert_int_equal(span->flags, 0x101);
	protobuf_c_message_free_unpacked(&span->base, NULL);
	protobuf_c_message_free_unpacked(&request->base, NULL);
	assert_int_equal(stop_exporter(exporter), 0);
	kill(writer, SIGKILL);
	end_of(writer);
	close(listener);
	alarm(0);
}

int main(void)
{
#define EXPORT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		EXPORT_TEST(finished_spans_reach_the_store),
		EXPORT_TEST(a_killed_process_has_its_open_request_told),
		EXPORT_TEST(the_launcher_tells_how_a_process_ended),
		EXPORT_TEST(a_killed_exporters_successor_loses_nothing),
		EXPORT_TEST(slots_of_dead_processes_are_used_again),
		EXPORT_TEST(a_batch_is_sent_again_until_it_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
