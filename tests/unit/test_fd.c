/* test_fd.c - what each descriptor is: classified once, shared, forgotten. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include <cmocka.h>

#include "preload/stream.h"
#include "tests/unit/shim_test.h"

static struct slot *slot;

/* Closes descriptors as the hook does. */
static void close_both(int fd, int other)
{
	fd_reset(fd, FD_UNKNOWN);
	close(fd);
	if (other >= 0) {
		fd_reset(other, FD_UNKNOWN);
		close(other);
	}
}

static int listener(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static int stream(void)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[1]);
	return pair[0];
}

static void give(int fd, const char *text)
{
	struct iovec one = {(void *)text, strlen(text)};

	stream_bytes(&thread_self, fd_connection(fd), fd, STREAM_IN, &one, 1, strlen(text));
}

static void descriptors_are_told_apart(void **state)
{
	int pipes[2];
	struct {
		int fd;
		enum fd_kind kind;
	} cases[] = {
		{open("/etc/passwd", O_RDONLY), FD_OTHER},
		{open("/", O_RDONLY | O_DIRECTORY), FD_OTHER},
		{open("/dev/null", O_RDWR), FD_OTHER},
		{socket(AF_INET, SOCK_DGRAM, 0), FD_OTHER},
		{socket(AF_UNIX, SOCK_SEQPACKET, 0), FD_OTHER},
		{socket(AF_NETLINK, SOCK_RAW, 0), FD_OTHER},
		{eventfd(0, 0), FD_WAKE},
		{timerfd_create(CLOCK_MONOTONIC, 0), FD_WAKE},
		{pipe(pipes) ? -1 : pipes[0], FD_WAKE},
		{listener(), FD_LISTENER},
		{stream(), FD_STREAM},
		{socket(AF_INET6, SOCK_STREAM, 0), FD_STREAM},
	};

	(void)state;
	close(pipes[1]);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(cases[i].fd >= 0);
		assert_int_equal(fd_entry(cases[i].fd), FD_UNKNOWN);
		assert_int_equal(fd_classify(cases[i].fd), cases[i].kind);
		assert_int_equal(fd_connection(cases[i].fd) != NULL, cases[i].kind == FD_STREAM);
		assert_int_equal(fd_ignored(cases[i].fd), cases[i].kind == FD_OTHER);
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		close_both(cases[i].fd, -1);
}

static void a_socket_that_listens_later_becomes_a_listener(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(fd_classify(fd), FD_STREAM);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(fd_classify(fd), FD_LISTENER);
	assert_int_equal(fd_entry(fd), FD_LISTENER);
	assert_null(fd_connection(fd));
	close_both(fd, -1);
}

static void what_is_no_socket_is_not_inspected_twice(void **state)
{
	int fd = open("/dev/null", O_RDWR);
	int other = stream();

	(void)state;
	assert_int_equal(fd_classify(fd), FD_OTHER);
	/* Nobody told us that the number is another thing now, and nobody looked. */
	assert_int_equal(syscall(SYS_dup3, other, fd, 0), fd);
	assert_int_equal(fd_classify(fd), FD_OTHER);
	assert_null(fd_connection(fd));
	fd_reset(fd, FD_UNKNOWN);
	assert_non_null(fd_connection(fd));
	close_both(fd, other);
}

static void numbers_that_are_none_are_harmless(void **state)
{
	static const int numbers[] = {-1, INT32_MIN, INT32_MAX, FD_CHUNK * FD_CHUNKS, 987654};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		assert_null(fd_connection(numbers[i]));
		assert_null(fd_known_connection(numbers[i]));
		fd_reset(numbers[i], FD_OTHER);
		fd_reset(numbers[i], FD_UNKNOWN);
		fd_share(numbers[i], 1000000);
		fd_share(0, numbers[i]);
	}
	fd_reset_range(0, UINT32_MAX);
	fd_reset_range(UINT32_MAX, UINT32_MAX);
}

static void descriptors_beyond_the_first_chunk_are_tracked(void **state)
{
	struct rlimit limit = {5000, 5000};
	int low = stream();

	(void)state;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int fd = 1020; fd < 1030; fd++) {
		struct conn *conn;

		assert_int_equal(dup2(low, fd), fd);
		conn = fd_connection(fd);
		assert_non_null(conn);
		assert_ptr_equal(fd_known_connection(fd), conn);
		assert_null(fd_known_connection(fd + 1));
	}
	for (int fd = 1020; fd < 1030; fd++)
		close_both(fd, -1);
	close_both(low, -1);
}

static void duplicates_share_one_connection_until_the_last_is_gone(void **state)
{
	int fd = stream();
	int twin = dup(fd);
	struct conn *conn = fd_connection(fd);
	struct told told;

	(void)state;
	fd_share(fd, twin);
	assert_ptr_equal(fd_known_connection(twin), conn);
	fd_share(fd, fd);
	give(fd, "GET /x HT");
	give(twin, "TP/1.1\r\n\r\n");
	fd_reset(fd, FD_UNKNOWN);
	assert_int_equal(shim_next(slot, &told), 0);
	assert_ptr_equal(fd_known_connection(twin), conn);
	fd_reset(twin, FD_UNKNOWN);
	/* Nobody answered it. */
	assert_int_equal(shim_next(slot, &told), 1);
	assert_int_equal(told.span.failure, FAILURE_CLOSED);
	close(fd);
	close(twin);
}

static void a_duplicate_replaces_what_its_number_was(void **state)
{
	int first = stream();
	int second = stream();
	int file = open("/dev/null", O_RDWR);
	struct conn *conn = fd_connection(first);
	struct told told;

	(void)state;
	give(second, "GET /lost HTTP/1.1\r\n\r\n");
	fd_share(first, second);
	assert_ptr_equal(fd_known_connection(second), conn);
	assert_int_equal(shim_next(slot, &told), 1);
	fd_classify(file);
	fd_share(file, second);
	assert_int_equal(fd_entry(second), FD_OTHER);
	assert_ptr_equal(fd_known_connection(first), conn);
	close_both(first, second);
	close_both(file, -1);
}

static void a_range_is_forgotten_with_its_connections(void **state)
{
	int fds[3] = {stream(), stream(), stream()};
	struct told told;

	(void)state;
	for (int i = 0; i < 3; i++)
		give(fds[i], "GET /r HTTP/1.1\r\n\r\n");
	fd_reset_range((uint32_t)fds[1], UINT32_MAX);
	assert_non_null(fd_known_connection(fds[0]));
	assert_null(fd_known_connection(fds[1]));
	assert_null(fd_known_connection(fds[2]));
	assert_int_equal(shim_next(slot, &told), 1);
	assert_int_equal(shim_next(slot, &told), 1);
	assert_int_equal(shim_next(slot, &told), 0);
	fd_reset_range((uint32_t)fds[0], (uint32_t)fds[0]);
	assert_int_equal(shim_next(slot, &told), 1);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

static void an_accepted_descriptor_begins_anew(void **state)
{
	int from = listener();
	int fd = stream();
	struct conn *old = fd_connection(fd);
	uint32_t generation = atomic_load(&old->generation);
	struct told told;

	(void)state;
	give(fd, "GET /old HTTP/1.1\r\n\r\n");
	fd_accepted(from, fd);
	assert_non_null(fd_known_connection(fd));
	assert_int_equal(fd_known_connection(fd)->role, ROLE_UNKNOWN);
	assert_null(conn_first(fd_known_connection(fd)));
	assert_int_equal(shim_next(slot, &told), 1);
	/* Its place in the pool may be the same; its generation is not. */
	assert_int_equal(atomic_load(&old->generation), generation + 1);
	close_both(fd, from);
}

static void what_is_not_understood_is_ignored_until_it_is_reset(void **state)
{
	int fd = stream();
	struct conn *conn = fd_connection(fd);

	(void)state;
	fd_ignore(fd, conn + 1);
	assert_ptr_equal(fd_known_connection(fd), conn);
	fd_ignore(fd, conn);
	assert_int_equal(fd_ignored(fd), 1);
	assert_null(fd_connection(fd));
	fd_reset(fd, FD_UNKNOWN);
	assert_non_null(fd_connection(fd));
	close_both(fd, -1);
}

static void stepping_aside_ignores_everything(void **state)
{
	int fd = stream();

	(void)state;
	assert_int_equal(fd_ignored(fd), 0);
	atomic_store(&process_mode, MODE_OFF);
	assert_int_equal(fd_ignored(fd), 1);
	atomic_store(&process_mode, MODE_ON);
	close_both(fd, -1);
}

static void connections_are_given_back(void **state)
{
	int fd = stream();

	(void)state;
	/* Three times the ceiling. */
	for (int i = 0; i < 100000; i++) {
		assert_non_null(fd_connection(fd));
		fd_reset(fd, FD_UNKNOWN);
	}
	assert_int_equal(slot->counters.dropped[DROP_CONNECTIONS], 0);
	close(fd);
}

static void the_ceiling_on_connections_refuses_and_counts(void **state)
{
	int fd = stream();
	struct conn *first = NULL;
	struct conn *last = NULL;
	struct conn *conn;

	(void)state;
	for (uint32_t count = 0; (conn = conn_new()); count++) {
		assert_true(count < 1u << 20);
		first = first ? first : conn;
		last = conn;
	}
	assert_int_equal(slot->counters.dropped[DROP_CONNECTIONS], 1);
	assert_null(fd_connection(fd));
	/* It is not asked again at each call. */
	assert_int_equal(fd_ignored(fd), 1);
	assert_ptr_not_equal(last, first);
	assert_non_null(last);
	conn_put(last);
	fd_reset(fd, FD_UNKNOWN);
	assert_ptr_equal(fd_connection(fd), last);
	close_both(fd, -1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_are_told_apart),
		cmocka_unit_test(a_socket_that_listens_later_becomes_a_listener),
		cmocka_unit_test(what_is_no_socket_is_not_inspected_twice),
		cmocka_unit_test(numbers_that_are_none_are_harmless),
		cmocka_unit_test(descriptors_beyond_the_first_chunk_are_tracked),
		cmocka_unit_test(duplicates_share_one_connection_until_the_last_is_gone),
		cmocka_unit_test(a_duplicate_replaces_what_its_number_was),
		cmocka_unit_test(a_range_is_forgotten_with_its_connections),
		cmocka_unit_test(an_accepted_descriptor_begins_anew),
		cmocka_unit_test(what_is_not_understood_is_ignored_until_it_is_reset),
		cmocka_unit_test(stepping_aside_ignores_everything),
		cmocka_unit_test(connections_are_given_back),
		cmocka_unit_test(the_ceiling_on_connections_refuses_and_counts),
	};

	(void)argc;
	slot = shim_attach(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
