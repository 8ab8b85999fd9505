/* sending_test.c - a program that sends through the hooks, and a kernel that takes what the test
 * says.
 */

/* First, for its parameters have names that the other one declares. */
#include "tests/unit/shim_test.h"

#include "tests/unit/sending_test.h"

struct slot *slot;
int fd;

/* ---- a kernel that takes what the test says -------------------------------------------------- */

struct sending_kernel kernel;

static ssize_t take(const struct iovec *iov, size_t count)
{
	size_t left = kernel.at_most < kernel.room ? kernel.at_most : kernel.room;
	size_t before = kernel.size;

	assert_true(count <= IOV_MAX);
	kernel.calls++;
	if (!left) {
		kernel.room = SIZE_MAX;
		kernel.refused++;
		errno = EAGAIN;
		return -1;
	}
	for (size_t i = 0; i < count && left; i++) {
		size_t n = iov[i].iov_len < left ? iov[i].iov_len : left;

		assert_true(kernel.size + n <= MOST);
		if (n)
			memcpy(kernel.out + kernel.size, iov[i].iov_base, n);
		kernel.size += n;
		left -= n;
	}
	kernel.room -= kernel.size - before;
	return (ssize_t)(kernel.size - before);
}

static ssize_t take_one(const void *at, size_t size)
{
	struct iovec one = {(void *)at, size};

	return take(&one, 1);
}

static ssize_t kernel_write(int to, const void *at, size_t size)
{
	assert_int_equal(to, fd);
	return take_one(at, size);
}

static ssize_t kernel_writev(int to, const struct iovec *iov, int count)
{
	assert_int_equal(to, fd);
	return take(iov, (size_t)count);
}

static ssize_t kernel_send(int to, const void *at, size_t size, int flags)
{
	assert_int_equal(to, fd);
	assert_int_equal(flags, MSG_NOSIGNAL);
	return take_one(at, size);
}

static ssize_t kernel_sendmsg(int to, const struct msghdr *message, int flags)
{
	assert_int_equal(to, fd);
	assert_int_equal(flags & ~(MSG_NOSIGNAL | MSG_MORE), 0);
	kernel.flags = flags;
	return take(message->msg_iov, message->msg_iovlen);
}

/* What seen_send.c calls; the rest is not used here. */
ssize_t (*real_write)(int, const void *, size_t) = kernel_write;
ssize_t (*real_writev)(int, const struct iovec *, int) = kernel_writev;
ssize_t (*real_send)(int, const void *, size_t, int) = kernel_send;
ssize_t (*real_sendmsg)(int, const struct msghdr *, int) = kernel_sendmsg;
ssize_t (*real_sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
ssize_t (*real_sendfile)(int, int, off_t *, size_t);
ssize_t (*real_sendfile64)(int, int, off64_t *, size_t);
ssize_t (*real_splice)(int, off64_t *, int, off64_t *, size_t, unsigned);

/* ---- a program that sends -------------------------------------------------------------------- */

/* In as many vectors as there are; the last takes the rest. */
static size_t cut(const char *at, size_t size, size_t vectors, struct iovec *iov)
{
	size_t piece = size / vectors ? size / vectors : 1;
	size_t count = 0;

	while (size) {
		size_t n = count + 1 < vectors && piece < size ? piece : size;

		iov[count].iov_base = (void *)at;
		iov[count++].iov_len = n;
		at += n;
		size -= n;
	}
	return count;
}

static ssize_t call(enum way way, const char *at, size_t size, size_t vectors)
{
	static struct iovec iov[IOV_MAX];
	struct msghdr message = {.msg_iov = iov};

	if (way == BY_WRITE)
		return around_write(fd, at, size);
	if (way == BY_SEND)
		return around_send(fd, at, size, MSG_NOSIGNAL);
	message.msg_iovlen = cut(at, size, vectors, iov);
	if (way == BY_WRITEV)
		return around_writev(fd, iov, (int)message.msg_iovlen);
	return around_sendmsg(fd, &message, MSG_NOSIGNAL);
}

void send_all(enum way way, const char *at, size_t size, size_t stop, size_t vectors)
{
	size_t sent = 0;

	while (sent < size) {
		size_t asked = (sent < stop ? stop : size) - sent;
		ssize_t n = call(way, at + sent, asked, vectors);

		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			continue;
		}
		assert_in_range(n, 1, asked);
		sent += (size_t)n;
	}
}

void fresh_kernel(size_t at_most, size_t room)
{
	kernel.size = 0;
	kernel.at_most = at_most;
	kernel.room = room;
	kernel.refused = 0;
	kernel.calls = 0;
	kernel.flags = 0;
}

void receive(const char *text)
{
	after_read((ssize_t)strlen(text), fd, (void *)text, strlen(text));
}

void hang_up(void)
{
	shim_hang_up(slot, fd);
}

int tear_down(void **state)
{
	(void)state;
	hang_up();
	return 0;
}

void sending_start(const void *main_frame)
{
	slot = shim_attach(main_frame);
	fd = shim_socket();
}
