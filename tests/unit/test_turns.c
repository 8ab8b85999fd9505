/* test_turns.c - an event loop's turns: whom a request belongs to that is sent in one. */
#include "tests/unit/shim_told.h"
/* Above what it needs: the hooks' prototypes. */
#include "tests/unit/sending_test.h"

#include <pthread.h>
#include <unistd.h>

#include "preload/connect.h"
#include "preload/context.h"

/* Never fd here. */
int (*real_connect)(int, const struct sockaddr *, socklen_t);
int (*real_dup2)(int, int);
int (*real_dup3)(int, int, int);

static int server; /* fd is a client's connection of the same loop */

static const char asked[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
static const char asks[] = "GET /b HTTP/1.1\r\nHost: y\r\n\r\n";
static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

static void read_on(int from, const char *text)
{
	after_read((ssize_t)strlen(text), from, (void *)text, strlen(text));
}

static void call(void)
{
	assert_int_equal(around_send(fd, asks, sizeof(asks) - 1, 0), sizeof(asks) - 1);
}

static const struct exchange *made(void)
{
	return conn_first(fd_known_connection(fd));
}

/* In a loop, whose frame is not known, after one call for nobody. */
static int begin(void **state)
{
	(void)state;
	fresh_kernel(MOST, MOST);
	server = socket(AF_INET, SOCK_STREAM, 0);
	after_socket(server, AF_INET, SOCK_STREAM, 0);
	thread_self.waits = THREAD_LOOPS;
	thread_self.loop_slot = NULL;
	call();
	read_on(fd, answer);
	assert_null(made());
	return 0;
}

static int end(void **state)
{
	before_close(server);
	close(server);
	thread_self.waits = THREAD_CALLS;
	return tear_down(state);
}

static void what_is_sent_in_the_turn_of_a_request_is_a_guess(void **state)
{
	(void)state;
	read_on(server, asked);
	call();
	assert_true(made()->parent);
	assert_int_equal(made()->link, SPAN_LINK_GUESS_READ);
}

static void what_waited_for_room_belongs_to_nobody(void **state)
{
	struct epoll_event told = {.events = EPOLLIN | EPOLLOUT};

	(void)state;
	after_epoll_ctl(0, 3, EPOLL_CTL_MOD, fd, &told);
	read_on(server, asked);
	call();
	assert_int_equal(made()->parent, 0);
}

static void room_that_is_no_longer_asked_for_does_not_matter(void **state)
{
	static const struct {
		int operation, result;
		uint32_t events;
	} rows[] = {
		{EPOLL_CTL_MOD, 0, EPOLLIN},
		{EPOLL_CTL_DEL, 0, EPOLLOUT},
		{EPOLL_CTL_MOD, 0, EPOLLIN | EPOLLOUT | EPOLLET},
	};
	struct epoll_event told = {.events = EPOLLOUT};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct epoll_event then = {.events = rows[i].events};

		after_epoll_ctl(0, 3, EPOLL_CTL_ADD, fd, &told);
		after_epoll_ctl(0, 3, rows[i].operation, fd, &then);
		assert_int_equal(fd_known_connection(fd)->deferred, 0);
	}
	after_epoll_ctl(-1, 3, EPOLL_CTL_ADD, fd, &told);
	assert_int_equal(fd_known_connection(fd)->deferred, 0);
}

static void a_poll_that_asks_for_room_is_as_good(void **state)
{
	struct pollfd set[] = {{fd, POLLIN | POLLOUT, 0}, {server, POLLIN, 0}};

	(void)state;
	wait_poll(__builtin_frame_address(0), set, 2, 0);
	read_on(server, asked);
	call();
	assert_int_equal(made()->parent, 0);
}

static void the_end_of_a_connection_ends_the_turn_of_a_request(void **state)
{
	(void)state;
	read_on(server, asked);
	assert_int_not_equal(context_get(&thread_self), 0);
	after_read(0, fd, (char[1]){0}, 1);
	assert_int_equal(context_get(&thread_self), 0);
}

static void the_end_of_a_call_is_the_turn_of_who_made_it(void **state)
{
	uint64_t context;

	(void)state;
	read_on(server, asked);
	context = context_get(&thread_self);
	call();
	context_set(&thread_self, 0, 0, 0);
	errno = ECONNRESET;
	after_read(-1, fd, (char[1]){0}, 1);
	assert_int_equal(context_get(&thread_self), context);
}

static void a_connection_that_is_accepted_begins_a_turn(void **state)
{
	int accepted = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	read_on(server, asked);
	after_accept(accepted, 3, NULL, NULL);
	assert_int_equal(context_get(&thread_self), 0);
	close(accepted);
}

/* A worker that waits for its listener, and within a request for room, as Python's sockets do. */
static void a_server_of_one_request_at_a_time_keeps_it(void **state)
{
	struct pollfd set[] = {{fd, POLLOUT, 0}};

	(void)state;
	thread_self.waits = THREAD_SELECTS;
	read_on(server, asked);
	wait_poll(__builtin_frame_address(0), set, 1, 0);
	call();
	assert_true(made()->parent);
	assert_int_equal(made()->link, SPAN_LINK_CONTEXT);
}

/* One thing after the other: then there are no turns. */
static void a_thread_that_is_no_loop_keeps_its_request(void **state)
{
	struct epoll_event told = {.events = EPOLLOUT};

	(void)state;
	thread_self.waits = THREAD_CALLS;
	read_on(server, asked);
	after_epoll_ctl(0, 3, EPOLL_CTL_ADD, fd, &told);
	call();
	assert_true(made()->parent);
	assert_int_equal(made()->link, SPAN_LINK_CONTEXT);
	after_read(0, fd, (char[1]){0}, 1);
	assert_int_not_equal(context_get(&thread_self), 0);
}

/* Another thread reads, or answers, on the connection of the server. */
static void *read_the_rest(void *text)
{
	thread_self.waits = THREAD_LOOPS;
	read_on(server, text);
	return NULL;
}

static void elsewhere(void *(*what)(void *), const void *text)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, what, (void *)text), 0);
	pthread_join(thread, NULL);
}

static void what_another_thread_has_read_on_is_not_served_here(void **state)
{
	(void)state;
	thread_self.waits = THREAD_CALLS;
	read_on(server, "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n");
	call();
	assert_true(made()->parent);
	assert_int_equal(made()->link, SPAN_LINK_GUESS_READ);
	read_on(fd, answer);
	read_on(server, "ab");
	assert_int_not_equal(context_get(&thread_self), 0);
	elsewhere(read_the_rest, "cd");
	assert_int_equal(context_get(&thread_self), 0);
	call();
	assert_int_equal(made()->parent, 0);
}

/* ---- connections that one request makes, as of a pool, and another one may use first ------------
 */

static void connect_now(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(80)};

	connect_called(&thread_self, fd, (struct sockaddr *)&to, sizeof(to), 1, 0);
}

/* A thread, which is gone then, reads a request and makes a connection in it. */
static void *make_connection(void *reference)
{
	thread_self.waits = THREAD_CALLS;
	read_on(server, asked);
	connect_now();
	*(uint64_t *)reference = context_get(&thread_self);
	return NULL;
}

static uint64_t made_by_another(void)
{
	uint64_t maker = 0;

	elsewhere(make_connection, &maker);
	assert_int_not_equal(maker, 0);
	assert_int_equal(fd_known_connection(fd)->connect_context, maker);
	return maker;
}

/* Another client's request; `fd` has become a connection that was made in the one before. */
static uint64_t serve_another(int other)
{
	after_socket(other, AF_INET, SOCK_STREAM, 0);
	read_on(other, "GET /c HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_int_not_equal(context_get(&thread_self), 0);
	return context_get(&thread_self);
}

static void a_thread_takes_a_pools_connection_for_its_own_request(void **state)
{
	int other = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t maker;
	uint64_t own;

	(void)state;
	thread_self.waits = THREAD_CALLS;
	maker = made_by_another();
	own = serve_another(other);
	assert_int_not_equal(own, maker);
	call();
	assert_int_equal(made()->parent, own);
	assert_int_equal(made()->link, SPAN_LINK_CONTEXT);
	before_close(other);
	close(other);
}

static void a_thread_that_serves_nobody_known_only_guesses_from_the_connection(void **state)
{
	uint64_t maker;

	(void)state;
	thread_self.waits = THREAD_CALLS;
	maker = made_by_another();
	assert_int_equal(context_get(&thread_self), 0);
	call();
	assert_int_equal(made()->parent, maker);
	assert_int_equal(made()->link, SPAN_LINK_GUESS_CONNECT);
}

static void a_loop_in_the_turn_of_another_request_only_guesses_from_it(void **state)
{
	int other = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t maker;

	(void)state;
	maker = made_by_another();
	serve_another(other);
	call();
	assert_int_equal(made()->parent, maker);
	assert_int_equal(made()->link, SPAN_LINK_GUESS_CONNECT);
	before_close(other);
	close(other);
}

static void a_loop_in_no_requests_turn_goes_by_who_made_the_connection(void **state)
{
	uint64_t maker;

	(void)state;
	maker = made_by_another();
	assert_int_equal(context_get(&thread_self), 0);
	call();
	assert_int_equal(made()->parent, maker);
	assert_int_equal(made()->link, SPAN_LINK_CONNECT);
}

static void who_makes_a_connection_and_uses_it_first_is_sure(void **state)
{
	(void)state;
	thread_self.waits = THREAD_CALLS;
	read_on(server, asked);
	connect_now();
	call();
	assert_int_equal(made()->parent, context_get(&thread_self));
	assert_int_equal(made()->link, SPAN_LINK_CONNECT);
}

static void *answer_it(void *conn)
{
	context_answered(&thread_self, conn_first(conn));
	return NULL;
}

/* The last test: from then on it is so in this process. */
static void where_others_answer_what_is_read_is_a_guess(void **state)
{
	struct conn *conn;

	(void)state;
	thread_self.waits = THREAD_CALLS;
	read_on(server, asked);
	context_answered(&thread_self, conn_first(fd_known_connection(server)));
	assert_int_equal(context_link(&thread_self), SPAN_LINK_CONTEXT);
	conn = fd_known_connection(server);
	elsewhere(answer_it, conn);
	assert_int_equal(context_link(&thread_self), SPAN_LINK_GUESS_READ);
	/* What a call's answer brings back is as sure as the call was. */
	call();
	assert_int_equal(made()->link, SPAN_LINK_GUESS_READ);
}

#define TURN_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TURN_TEST(what_is_sent_in_the_turn_of_a_request_is_a_guess),
		TURN_TEST(what_waited_for_room_belongs_to_nobody),
		TURN_TEST(room_that_is_no_longer_asked_for_does_not_matter),
		TURN_TEST(a_poll_that_asks_for_room_is_as_good),
		TURN_TEST(the_end_of_a_connection_ends_the_turn_of_a_request),
		TURN_TEST(the_end_of_a_call_is_the_turn_of_who_made_it),
		TURN_TEST(a_connection_that_is_accepted_begins_a_turn),
		TURN_TEST(a_server_of_one_request_at_a_time_keeps_it),
		TURN_TEST(a_thread_that_is_no_loop_keeps_its_request),
		TURN_TEST(what_another_thread_has_read_on_is_not_served_here),
		TURN_TEST(a_thread_takes_a_pools_connection_for_its_own_request),
		TURN_TEST(a_thread_that_serves_nobody_known_only_guesses_from_the_connection),
		TURN_TEST(a_loop_in_the_turn_of_another_request_only_guesses_from_it),
		TURN_TEST(a_loop_in_no_requests_turn_goes_by_who_made_the_connection),
		TURN_TEST(who_makes_a_connection_and_uses_it_first_is_sure),
		TURN_TEST(where_others_answer_what_is_read_is_a_guess),
	};

	sending_start(__builtin_frame_address(0));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
