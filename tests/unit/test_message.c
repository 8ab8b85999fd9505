/* test_message.c - what the head of a request means: its context, and what is told of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "preload/hook.h"
#include "tests/unit/shim_test.h"

static struct slot *slot;
static int fd; /* a stream socket; nothing is really sent on it */

static void receive(const char *text)
{
	after_read((ssize_t)strlen(text), fd, (void *)text, strlen(text));
}

static int tear_down(void **state)
{
	(void)state;
	shim_hang_up(slot, fd);
	return 0;
}

static void a_request_is_current_when_it_is_read(void **state)
{
	(void)state;
	receive("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_equal(context_get(&thread_self),
			 exchange_reference(conn_first(fd_known_connection(fd))));
}

/* Which of them the server turns to next can't be told. */
static void of_several_requests_at_once_none_is_current(void **state)
{
	(void)state;
	receive("GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_non_null(conn_first(fd_known_connection(fd)));
	assert_int_equal(context_get(&thread_self), 0);
	receive("POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n");
	receive("ab");
	assert_int_equal(context_get(&thread_self), 0);
}

static void drained_bytes_are_not_looked_at(void **state)
{
	(void)state;
	receive("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
	after_recv(10, fd, NULL, 100, MSG_TRUNC);
	assert_int_equal(conn_first(fd_known_connection(fd))->request_done, 1);
}

/* What follows a number sign is for the client's eyes only. */
static void fragments_are_not_told(void **state)
{
	static const char *const targets[] = {
		"/p#access_token=s3cret",
		"/p?q=1#access_token=s3cret",
		"http://h/p#access_token=s3cret",
		"http://h#access_token=s3cret",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		char request[200];
		struct told told;

		snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n",
			 targets[i]);
		receive(request);
		fd_reset(fd, FD_UNKNOWN);
		assert_int_equal(shim_next(slot, &told), 1);
		assert_true(told.span.fields_size > 0);
		assert_null(memmem(told.fields, told.span.fields_size, "s3cret", 6));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define MESSAGE_TEST(name) cmocka_unit_test_teardown(name, tear_down)
		MESSAGE_TEST(a_request_is_current_when_it_is_read),
		MESSAGE_TEST(of_several_requests_at_once_none_is_current),
		MESSAGE_TEST(drained_bytes_are_not_looked_at),
		MESSAGE_TEST(fragments_are_not_told),
	};

	slot = shim_attach(__builtin_frame_address(0));
	fd = shim_socket();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
