/* test_tls.c - encrypted sessions: which socket carries one, whose calls count, what fails. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "preload/hook.h"
#include "preload/stream.h"
#include "preload/tls.h"
#include "preload/tls_carrier.h"
#include "preload/tls_library.h"
#include "tests/unit/shim_test.h"

static struct slot *slot;
static struct thread *self;

/* ---- a library that answers what the test says ----------------------------------------------- */

static struct {
	int established, server, descriptor;
	uint8_t random[TLS_RANDOM_SIZE];
	int has_random;
} library;

static int established(const struct tls_session *session)
{
	(void)session;
	return library.established;
}

static void describe(struct tls_session *session)
{
	memcpy(session->version, "1.3", 4);
	memcpy(session->server_name, "name.example", 12);
	session->server_name_size = 12;
}

static int descriptor(const struct tls_session *session)
{
	(void)session;
	return library.descriptor;
}

static int client_random(const struct tls_session *session, uint8_t out[TLS_RANDOM_SIZE])
{
	(void)session;
	memcpy(out, library.random, TLS_RANDOM_SIZE);
	return library.has_random ? 0 : -1;
}

static int is_server(const struct tls_session *session)
{
	(void)session;
	return library.server;
}

static const char *why(const struct tls_session *session, long result)
{
	(void)session;
	return result == -7 ? "certificate has expired" : NULL;
}

static const struct tls_library functions = {established,   describe,  descriptor,
					     client_random, is_server, why};

static void *handle_of(unsigned number)
{
	return (void *)(0x7f5500000000 + number * 0x70ull);
}

/* ---- sockets --------------------------------------------------------------------------------- */

/* A connected TCP socket, and its peer's port. */
static int tcp(uint16_t *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	/* The peer has only finished sending: its address is still known. */
	close(accept(listener, NULL, NULL));
	close(listener);
	*port = ntohs(at.sin_port);
	fd_reset(fd, FD_STREAM);
	return fd;
}

/* A record with a ClientHello, as far as it matters. */
static size_t client_hello(uint8_t out[64], uint8_t seed)
{
	static const uint8_t begin[] = {0x16, 3, 1, 0, 59, 1, 0, 0, 55, 3, 3};

	memset(out, 0, 64);
	memcpy(out, begin, sizeof(begin));
	memset(out + sizeof(begin), seed, TLS_RANDOM_SIZE);
	return 64;
}

static void move(int fd, enum stream_way way, const void *at, size_t size)
{
	struct iovec one = {(void *)at, size};
	struct conn *conn = fd_lock(fd);

	assert_non_null(conn);
	stream_bytes(self, conn, fd, way, &one, 1, size);
	conn_unlock(conn);
	if (conn->role == ROLE_OPAQUE)
		fd_ignore(fd, conn);
}

/* ---- the program ----------------------------------------------------------------------------- */

static struct tls_session *open_session(unsigned number)
{
	struct tls_session *session = tls_open(handle_of(number), &functions);

	assert_non_null(session);
	assert_ptr_equal(tls_find(handle_of(number)), session);
	return session;
}

static void receive(struct tls_session *session, const char *text)
{
	struct tls_call call;

	assert_true(tls_enter(&call, session, __builtin_frame_address(0)));
	tls_leave(&call);
	library.established = 1;
	tls_progress(self, &call, TLS_DONE);
	tls_received(self, &call, text, strlen(text));
}

static const struct exchange *only_exchange(const struct tls_session *session)
{
	struct exchange *exchange = conn_first(conn_at(session->conn));

	assert_non_null(exchange);
	assert_int_equal(exchange->next, 0);
	return exchange;
}

static const char get[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

static int set_up(void **state)
{
	(void)state;
	memset(&library, 0, sizeof(library));
	library.descriptor = -1;
	return 0;
}

static int tear_down(void **state)
{
	struct told told;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		tls_close(handle_of(i));
	while (shim_next(slot, &told))
		;
	return 0;
}

/* ---- tests: which socket --------------------------------------------------------------------- */

static void a_handshake_record_inside_a_call_tells_the_socket(void **state)
{
	struct tls_session *session = open_session(1);
	uint8_t hello[64];
	struct tls_call call;
	uint16_t port;
	int fd = tcp(&port);

	(void)state;
	assert_true(tls_enter(&call, session, (char *)__builtin_frame_address(0)));
	move(fd, STREAM_OUT, hello, client_hello(hello, 1));
	tls_leave(&call);
	assert_int_equal(fd_entry(fd), FD_OTHER);
	assert_int_equal(session->carried, 1);
	assert_int_equal(conn_at(session->conn)->peer.port, port);
	close(fd);
}

static void other_bytes_inside_a_call_are_not_its_socket(void **state)
{
	struct tls_session *session = open_session(1);
	struct tls_call call;
	uint16_t port;
	int fd = tcp(&port);

	(void)state;
	/* As a longjmp out of the call leaves it. */
	assert_true(tls_enter(&call, session, __builtin_frame_address(0)));
	move(fd, STREAM_IN, get, sizeof(get) - 1);
	tls_leave(&call);
	assert_int_equal(session->carried, 0);
	assert_int_equal(fd_known_connection(fd)->role, ROLE_SERVER);
	shim_hang_up(slot, fd);
	close(fd);
}

static void a_program_that_moves_the_bytes_is_known_by_the_random(void **state)
{
	uint8_t hello[64];
	uint16_t ports[3];
	int fds[3];

	(void)state;
	for (uint8_t i = 0; i < 3; i++) {
		fds[i] = tcp(&ports[i]);
		move(fds[i], STREAM_IN, hello, client_hello(hello, i));
		assert_int_equal(fd_entry(fds[i]), FD_OTHER);
		close(fds[i]);
	}
	library.has_random = 1;
	for (unsigned i = 3; i-- > 0;) {
		struct tls_session *session = open_session(i);

		memset(library.random, (int)i, TLS_RANDOM_SIZE);
		receive(session, get);
		assert_int_equal(
			exchange_span((struct exchange *)only_exchange(session))->peer.port,
			ports[i]);
	}
}

static void hellos_that_nobody_asks_for_make_room(void **state)
{
	uint8_t hello[64];
	uint16_t port;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		int fd = tcp(&port);

		move(fd, STREAM_OUT, hello, client_hello(hello, (uint8_t)(i % 200)));
		assert_int_equal(fd_entry(fd), FD_OTHER);
		fd_reset(fd, FD_UNKNOWN);
		close(fd);
	}
	/* The last one is there, the first of them are not. */
	library.has_random = 1;
	memset(library.random, 999 % 200, TLS_RANDOM_SIZE);
	receive(open_session(1), get);
	assert_int_equal(conn_at(tls_find(handle_of(1))->conn)->peer.port, port);
	memset(library.random, 1, TLS_RANDOM_SIZE);
	receive(open_session(2), get);
	assert_int_equal(conn_at(tls_find(handle_of(2))->conn)->peer.family, ADDRESS_NONE);
}

static void the_librarys_descriptor_is_the_last_resort(void **state)
{
	struct tls_session *session = open_session(1);
	uint16_t port;

	(void)state;
	library.descriptor = tcp(&port);
	receive(session, get);
	assert_int_equal(conn_at(session->conn)->peer.port, port);
	assert_int_equal(fd_entry(library.descriptor), FD_OTHER);
	close(library.descriptor);
}

/* ---- tests: whose calls ---------------------------------------------------------------------- */

static __attribute__((noinline)) int enters_deeper(struct tls_session *session)
{
	struct tls_call call;
	int entered = tls_enter(&call, session, __builtin_frame_address(0));

	if (entered)
		tls_leave(&call);
	return entered;
}

static void a_librarys_own_call_inside_a_call_is_not_looked_at(void **state)
{
	struct tls_session *session = open_session(1);
	struct tls_session *other = open_session(2);
	struct tls_call call;

	(void)state;
	assert_true(tls_enter(&call, session, __builtin_frame_address(0)));
	assert_false(enters_deeper(session));
	assert_true(enters_deeper(other));
	assert_false(enters_deeper(session));
	tls_leave(&call);
	assert_true(enters_deeper(session));
	/* The other one has carried this. */
	assert_int_equal(session->carried, 1);
}

static void ten_thousand_sessions_come_and_go(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 10000; i++)
			assert_int_equal(open_session(1000 + i)->handle == handle_of(1000 + i), 1);
		for (unsigned i = 0; i < 10000; i++)
			assert_ptr_equal(tls_find(handle_of(1000 + i))->handle,
					 handle_of(1000 + i));
		for (unsigned i = 0; i < 10000; i++) {
			tls_close(handle_of(1000 + i));
			assert_null(tls_find(handle_of(1000 + i)));
		}
	}
}

/* ---- tests: what is told --------------------------------------------------------------------- */

static void the_first_span_tells_the_handshakes_time(void **state)
{
	struct tls_session *session = open_session(1);
	struct told told;
	char text[32];

	(void)state;
	receive(session, get);
	assert_true(exchange_span((struct exchange *)only_exchange(session))->phase_us[PHASE_TLS] >
		    0);
	receive(session, get);
	tls_close(handle_of(1));
	assert_true(shim_next(slot, &told));
	assert_true(told.span.flags & SPAN_ENCRYPTED);
	assert_int_equal(shim_field(&told, FIELD_TLS_VERSION, text, sizeof(text)), 3);
	assert_string_equal(text, "1.3");
	assert_int_equal(shim_field(&told, FIELD_TLS_SERVER_NAME, text, sizeof(text)), 12);
	assert_true(shim_next(slot, &told));
	assert_int_equal(told.span.phase_us[PHASE_TLS], 0);
	assert_int_equal(told.span.failure, FAILURE_CLOSED);
}

/* The call of a handshake that ends so. */
static void fail_handshake(enum tls_outcome outcome, long result, int error)
{
	struct tls_call call;

	if (!tls_enter(&call, tls_find(handle_of(1)), __builtin_frame_address(0)))
		return;
	tls_leave(&call);
	tls_progress(self, &call, outcome);
	tls_failed(self, &call, outcome, result, error);
}

static void a_failed_handshake_is_told_once_in_words(void **state)
{
	struct told told;
	char text[64];

	(void)state;
	open_session(1);
	fail_handshake(TLS_AGAIN, -1, EAGAIN);
	assert_false(shim_next(slot, &told));
	fail_handshake(TLS_FAILED, -7, 0);
	fail_handshake(TLS_FAILED, -7, 0);
	assert_true(shim_next(slot, &told));
	assert_int_equal(told.span.protocol, SPAN_TLS);
	assert_int_equal(told.span.kind, SPAN_INTERNAL);
	assert_int_equal(told.span.failure, FAILURE_PROTOCOL);
	assert_int_equal(shim_field(&told, FIELD_STATUS, text, sizeof(text)), 23);
	assert_string_equal(text, "certificate has expired");
	assert_false(shim_next(slot, &told));
}

static void a_client_that_is_hung_up_on_tells_it_and_a_server_does_not(void **state)
{
	struct told told;

	(void)state;
	open_session(1);
	fail_handshake(TLS_BROKEN, -1, ECONNRESET);
	assert_true(shim_next(slot, &told));
	assert_int_equal(told.span.failure, FAILURE_CONNECTION_RESET);
	tls_close(handle_of(1));
	library.server = 1;
	open_session(1);
	fail_handshake(TLS_BROKEN, -1, 0);
	assert_false(shim_next(slot, &told));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_that_is_hung_up_on_tells_it_and_a_server_does_not),
		cmocka_unit_test(a_failed_handshake_is_told_once_in_words),
		cmocka_unit_test(a_handshake_record_inside_a_call_tells_the_socket),
		cmocka_unit_test(other_bytes_inside_a_call_are_not_its_socket),
		cmocka_unit_test(a_program_that_moves_the_bytes_is_known_by_the_random),
		cmocka_unit_test(hellos_that_nobody_asks_for_make_room),
		cmocka_unit_test(the_librarys_descriptor_is_the_last_resort),
		cmocka_unit_test(a_librarys_own_call_inside_a_call_is_not_looked_at),
		cmocka_unit_test(ten_thousand_sessions_come_and_go),
		cmocka_unit_test(the_first_span_tells_the_handshakes_time),
	};
	struct CMUnitTest each[sizeof(tests) / sizeof(tests[0])];

	memcpy(each, tests, sizeof(tests));
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++) {
		each[i].setup_func = set_up;
		each[i].teardown_func = tear_down;
	}
	self = &thread_self;
	slot = shim_attach(__builtin_frame_address(0));
	return cmocka_run_group_tests(each, NULL, NULL);
}
