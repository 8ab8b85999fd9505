/* test_enrich_db.c - spans of databases and of TLS, from records as the shim writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exporter/enrich.h"
#include "tests/unit/segment_writer.h"

static struct settings settings;
static struct batch *batch;
static struct writer_span from;
static struct batch_span span;

static int set_up(void **state)
{
	(void)state;
	clearenv();
	settings_read(&settings);
	batch = batch_new(4);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	batch_free(batch);
	settings_free(&settings);
	return 0;
}

/* A statement or command on 127.0.0.1 that went well. */
static void start(uint8_t protocol, uint16_t port)
{
	memset(&from, 0, sizeof(from));
	from.span.start_ns = 1000;
	from.span.end_ns = 3000;
	from.span.trace_id[0] = from.span.span_id[0] = 1;
	from.span.kind = SPAN_CLIENT;
	from.span.protocol = protocol;
	from.span.thread_id = 42;
	from.span.peer.family = ADDRESS_IPV4;
	from.span.peer.port = port;
	memcpy(from.span.peer.bytes, "\x7f\0\0\1", 4);
}

static void enrich(const struct enrich_ending *ending)
{
	struct record record;

	assert_int_equal(record_parse(&batch->arena, &from,
				      sizeof(from.span) + from.span.fields_size, 1, &record),
			 0);
	assert_int_equal(enrich_span(batch, &settings, &record, ending, 1000000, &span), 0);
}

static const char *text_of(const char *key)
{
	const struct attribute *found = attribute_find(span.attributes, span.attribute_count, key);

	return found && found->type == ATTRIBUTE_TEXT ? found->text.at : NULL;
}

static int64_t number_of(const char *key)
{
	const struct attribute *found = attribute_find(span.attributes, span.attribute_count, key);

	return found && found->type == ATTRIBUTE_NUMBER ? found->number : -1;
}

static int64_t boolean_of(const char *key)
{
	const struct attribute *found = attribute_find(span.attributes, span.attribute_count, key);

	return found && found->type == ATTRIBUTE_BOOLEAN ? found->number : -1;
}

static int is_absent(const char *key)
{
	return attribute_find(span.attributes, span.attribute_count, key) == NULL;
}

static void a_query_is_named_by_its_summary(void **state)
{
	(void)state;
	start(SPAN_POSTGRESQL, 5432);
	writer_text(&from, FIELD_HOST, "db.example");
	writer_text(&from, FIELD_NAMESPACE, "shop");
	writer_text(&from, FIELD_USER, "web");
	writer_text(&from, FIELD_QUERY_TEXT, "SELECT a FROM users WHERE id = $1");
	from.span.flags |= SPAN_ROWS_KNOWN;
	from.span.rows = 3;
	enrich(NULL);
	assert_string_equal(span.name, "SELECT users");
	assert_int_equal(span.kind, SPAN_CLIENT);
	assert_int_equal(span.status, STATUS_UNSET);
	assert_string_equal(text_of("db.system.name"), "postgresql");
	assert_string_equal(text_of("db.namespace"), "shop");
	assert_string_equal(text_of("db.query.text"), "SELECT a FROM users WHERE id = $1");
	assert_string_equal(text_of("db.query.summary"), "SELECT users");
	assert_string_equal(text_of("tagalong.db.user"), "web");
	assert_string_equal(text_of("server.address"), "db.example");
	assert_string_equal(text_of("network.peer.address"), "127.0.0.1");
	assert_int_equal(number_of("network.peer.port"), 5432);
	assert_int_equal(number_of("db.response.returned_rows"), 3);
	assert_int_equal(number_of("thread.id"), 42);
	/* The usual port, no batch, no operation of its own, no error. */
	assert_true(is_absent("server.port"));
	assert_true(is_absent("db.operation.name"));
	assert_true(is_absent("db.operation.batch.size"));
	assert_true(is_absent("db.response.status_code"));
	assert_true(is_absent("error.type"));
	assert_true(is_absent("http.request.method"));
}

static void systems_have_names_and_usual_ports(void **state)
{
	static const struct {
		uint8_t protocol;
		uint16_t port;
		const char *name;
	} cases[] = {
		{SPAN_POSTGRESQL, 5432, "postgresql"}, {SPAN_MYSQL, 3306, "mysql"},
		{SPAN_MARIADB, 3306, "mariadb"},       {SPAN_REDIS, 6379, "redis"},
		{SPAN_MEMCACHED, 11211, "memcached"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		start(cases[i].protocol, cases[i].port);
		enrich(NULL);
		assert_string_equal(text_of("db.system.name"), cases[i].name);
		assert_string_equal(text_of("server.address"), "127.0.0.1");
		assert_true(is_absent("server.port"));
		assert_string_equal(span.name, "127.0.0.1");
		from.span.peer.port++;
		enrich(NULL);
		assert_int_equal(number_of("server.port"), cases[i].port + 1);
	}
}

static void what_has_no_summary_is_named_by_operation_and_target(void **state)
{
	(void)state;
	start(SPAN_REDIS, 6380);
	writer_text(&from, FIELD_OPERATION, "HGET");
	writer_text(&from, FIELD_NAMESPACE, "3");
	writer_text(&from, FIELD_QUERY_TEXT, "HGET user:17 name");
	writer_text(&from, FIELD_PEER_NAME, "cache");
	enrich(NULL);
	assert_string_equal(span.name, "HGET cache:6380");
	assert_string_equal(text_of("db.operation.name"), "HGET");
	assert_string_equal(text_of("db.namespace"), "3");
	assert_string_equal(text_of("db.query.text"), "HGET user:17 name");
	assert_true(is_absent("db.query.summary"));

	start(SPAN_POSTGRESQL, 5433);
	writer_text(&from, FIELD_OPERATION, "CONNECT");
	writer_text(&from, FIELD_NAMESPACE, "shop");
	enrich(NULL);
	assert_string_equal(span.name, "CONNECT shop");

	start(SPAN_MEMCACHED, 11211);
	from.span.peer.family = ADDRESS_NONE;
	enrich(NULL);
	assert_string_equal(span.name, "memcached");
	assert_true(is_absent("server.address"));
	assert_true(is_absent("server.port"));
}

static void an_operation_of_its_own_stands_before_the_summary(void **state)
{
	(void)state;
	start(SPAN_POSTGRESQL, 5432);
	writer_text(&from, FIELD_OPERATION, "PREPARE");
	writer_text(&from, FIELD_QUERY_TEXT, "SELECT a FROM users");
	enrich(NULL);
	assert_string_equal(span.name, "PREPARE SELECT users");
	assert_string_equal(text_of("db.operation.name"), "PREPARE");
	start(SPAN_POSTGRESQL, 5432);
	writer_text(&from, FIELD_OPERATION, "COPY");
	writer_text(&from, FIELD_QUERY_TEXT, "copy users FROM STDIN");
	enrich(NULL);
	assert_string_equal(span.name, "copy users");
}

static void a_socket_in_the_file_system_has_no_port(void **state)
{
	(void)state;
	start(SPAN_POSTGRESQL, 5433);
	from.span.peer.family = ADDRESS_UNIX;
	writer_text(&from, FIELD_UNIX_PATH, "/run/postgresql/.s.PGSQL.5433");
	enrich(NULL);
	assert_string_equal(text_of("server.address"), "/run/postgresql/.s.PGSQL.5433");
	assert_true(is_absent("server.port"));
	assert_string_equal(text_of("network.transport"), "unix");
}

static void only_a_batch_has_a_size(void **state)
{
	(void)state;
	start(SPAN_REDIS, 6379);
	writer_text(&from, FIELD_OPERATION, "PIPELINE SET");
	from.span.operations = 1;
	enrich(NULL);
	assert_true(is_absent("db.operation.batch.size"));
	from.span.operations = 16;
	enrich(NULL);
	assert_int_equal(number_of("db.operation.batch.size"), 16);
}

static void codes_are_errors_but_for_warnings_of_postgresql(void **state)
{
	static const struct {
		const char *code;
		uint8_t protocol;
		uint8_t error;
	} cases[] = {
		{"00000", SPAN_POSTGRESQL, 0}, {"01000", SPAN_POSTGRESQL, 0},
		{"02000", SPAN_POSTGRESQL, 1}, {"23505", SPAN_POSTGRESQL, 1},
		{"10000", SPAN_POSTGRESQL, 1}, {"0A000", SPAN_POSTGRESQL, 1},
		{"1062", SPAN_MYSQL, 1},       {"0100", SPAN_MARIADB, 1},
		{"WRONGTYPE", SPAN_REDIS, 1},  {"SERVER_ERROR", SPAN_MEMCACHED, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		start(cases[i].protocol, 1);
		writer_text(&from, FIELD_STATUS, cases[i].code);
		enrich(NULL);
		assert_string_equal(text_of("db.response.status_code"), cases[i].code);
		assert_int_equal(span.status, cases[i].error ? STATUS_ERROR : STATUS_UNSET);
		if (cases[i].error)
			assert_string_equal(span.error_type, cases[i].code);
		else
			assert_true(is_absent("error.type"));
	}
}

static void a_failure_below_counts_where_there_is_no_code(void **state)
{
	struct enrich_ending ending = {"SIGKILL", "process killed by SIGKILL (9)"};

	(void)state;
	start(SPAN_MYSQL, 3306);
	from.span.failure = FAILURE_CONNECTION_RESET;
	enrich(NULL);
	assert_string_equal(text_of("error.type"), "connection_reset");
	enrich(&ending);
	assert_string_equal(text_of("error.type"), "SIGKILL");
	assert_string_equal(span.status_message, ending.message);
	writer_text(&from, FIELD_STATUS, "1205");
	enrich(&ending);
	assert_string_equal(text_of("error.type"), "1205");
}

static void rows_are_returned_or_affected(void **state)
{
	static const struct {
		const char *sql;
		int affected;
	} cases[] = {
		{"SELECT a FROM t", 0},
		{"INSERT INTO t SELECT a FROM u", 1},
		{"update t SET a = ?", 1},
		{"DELETE FROM t RETURNING id", 0},
		{"WITH x AS (SELECT ?) INSERT INTO t SELECT * FROM x", 1},
		{"SELECT a FROM updates", 0},
		{"VALUES (?)", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		start(SPAN_POSTGRESQL, 5432);
		writer_text(&from, FIELD_QUERY_TEXT, cases[i].sql);
		from.span.rows = 7;
		enrich(NULL);
		assert_true(is_absent("db.response.returned_rows"));
		from.span.flags |= SPAN_ROWS_KNOWN;
		enrich(NULL);
		assert_int_equal(number_of("db.response.returned_rows"),
				 cases[i].affected ? -1 : 7);
		assert_int_equal(number_of("tagalong.db.affected_rows"),
				 cases[i].affected ? 7 : -1);
	}
}

static void a_connection_tells_the_time_of_each_phase(void **state)
{
	(void)state;
	start(SPAN_POSTGRESQL, 5432);
	from.span.phase_us[PHASE_CONNECT] = 150;
	from.span.phase_us[PHASE_LOGIN] = 2500;
	from.span.phase_us[PHASE_SETTLE] = 80;
	enrich(NULL);
	assert_int_equal(number_of("tagalong.connect.transport_us"), 150);
	assert_int_equal(number_of("tagalong.connect.login_us"), 2500);
	assert_int_equal(number_of("tagalong.connect.settle_us"), 80);
	assert_true(is_absent("tagalong.connect.tls_us"));
}

static void an_encrypted_span_tells_its_tls(void **state)
{
	(void)state;
	start(SPAN_POSTGRESQL, 5432);
	writer_text(&from, FIELD_TLS_VERSION, "1.3");
	writer_text(&from, FIELD_TLS_PROTOCOL, "postgresql");
	enrich(NULL);
	assert_true(is_absent("tls.protocol.version"));
	from.span.flags |= SPAN_ENCRYPTED;
	enrich(NULL);
	assert_string_equal(text_of("tls.protocol.name"), "tls");
	assert_string_equal(text_of("tls.protocol.version"), "1.3");
	assert_string_equal(text_of("tls.next_protocol"), "postgresql");
	assert_int_equal(boolean_of("tls.resumed"), 0);
	from.span.flags |= SPAN_RESUMED;
	enrich(NULL);
	assert_int_equal(boolean_of("tls.resumed"), 1);
}

static void a_failed_handshake_says_with_whom_and_why(void **state)
{
	(void)state;
	start(SPAN_TLS, 443);
	from.span.failure = FAILURE_PROTOCOL;
	writer_text(&from, FIELD_TLS_SERVER_NAME, "shop.example");
	writer_text(&from, FIELD_STATUS, "certificate verify failed");
	enrich(NULL);
	assert_string_equal(span.name, "TLS handshake shop.example");
	assert_int_equal(span.kind, SPAN_INTERNAL);
	assert_int_equal(span.status, STATUS_ERROR);
	assert_string_equal(text_of("error.type"), "protocol_error");
	assert_string_equal(span.status_message, "certificate verify failed");
	assert_string_equal(text_of("server.address"), "shop.example");
	assert_string_equal(text_of("network.peer.address"), "127.0.0.1");
	assert_int_equal(boolean_of("tls.established"), 0);
	/* A client that came to a server of ours has no name. */
	start(SPAN_TLS, 40000);
	from.span.failure = FAILURE_PEER_CLOSED;
	enrich(NULL);
	assert_string_equal(span.name, "TLS handshake");
	assert_true(is_absent("server.address"));
}

static void long_names_are_cut_at_a_character(void **state)
{
	char database[400], expected[400];

	(void)state;
	for (size_t i = 0; i < 199; i++)
		memcpy(database + 2 * i, "\xc3\xa4", 3);
	start(SPAN_MYSQL, 3306);
	writer_text(&from, FIELD_OPERATION, "CONNECT");
	writer_text(&from, FIELD_NAMESPACE, database);
	enrich(NULL);
	memcpy(expected, "CONNECT ", 8);
	memcpy(expected + 8, database, 240);
	expected[248] = '\0';
	assert_string_equal(span.name, expected);
}

int main(void)
{
#define DB_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		DB_TEST(a_query_is_named_by_its_summary),
		DB_TEST(systems_have_names_and_usual_ports),
		DB_TEST(what_has_no_summary_is_named_by_operation_and_target),
		DB_TEST(an_operation_of_its_own_stands_before_the_summary),
		DB_TEST(a_socket_in_the_file_system_has_no_port),
		DB_TEST(only_a_batch_has_a_size),
		DB_TEST(codes_are_errors_but_for_warnings_of_postgresql),
		DB_TEST(a_failure_below_counts_where_there_is_no_code),
		DB_TEST(rows_are_returned_or_affected),
		DB_TEST(a_connection_tells_the_time_of_each_phase),
		DB_TEST(an_encrypted_span_tells_its_tls),
		DB_TEST(a_failed_handshake_says_with_whom_and_why),
		DB_TEST(long_names_are_cut_at_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
