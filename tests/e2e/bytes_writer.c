/* bytes_writer.c - a program that does socket I/O in every awkward way and checks each return
 * value.
 */

/*
 * bytes_writer connect|accept ADDRESS HOW_TO_WRITE HOW_TO_READ SEED SOURCE SINK
 *
 * ADDRESS is 4:PORT, 6:PORT or u:PATH; accept with port 0 chooses one; accept prints "listening
 * PORT". The script comes on standard input, one step a line: w N   write the next N bytes of
 * SOURCE           r N   read N bytes and append them to SINK S N   sendfile N bytes of a sparse
 * file          d     go on with a duplicate of the descriptor h     shut down the sending side e
 * read up to end of file, append to SINK R     end with a reset HOW_TO_WRITE: write send writev
 * writev1000 sendmsg sendto more one sendfile splice random HOW_TO_READ: read recv readv recvmsg
 * recvfrom one peek random A prefix "n" makes the descriptor non-blocking and its buffers small, as
 * far as the kernel goes.
 *
 * It ends with 1 and a message if a return value was impossible: more than was asked, zero for a
 * write, EAGAIN on a blocking descriptor. It prints "calls N short N again N" at the end.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define VECTORS 1000
#define CHUNK   65536

static const char *const writers[] = {"write",   "send",   "writev", "writev1000",
				      "sendmsg", "sendto", "more",   "sendfile",
				      "splice",  "one",    NULL};
static const char *const readers[] = {"read",     "recv", "readv", "recvmsg",
				      "recvfrom", "peek", "one",   NULL};

static int sock = -1;
static int source = -1;
static int sink = -1;
static int is_nonblocking;
static off_t source_at;
static unsigned long calls, short_counts, again;

static void die(const char *what, const char *detail)
{
	fprintf(stderr, "bytes_writer: %s: %s\n", what, detail);
	exit(1);
}

static void must(int ok, const char *what)
{
	if (!ok)
		die(what, strerror(errno));
}

/* A count is believed only if the call could have returned it. */
static ssize_t account(const char *what, ssize_t got, size_t asked, int end_is_zero)
{
	calls++;
	if (got < 0) {
		if (errno == EAGAIN && is_nonblocking) {
			again++;
			return -1;
		}
		if (errno == EINTR)
			return -1;
		die(what, strerror(errno));
	}
	if ((size_t)got > asked)
		die(what, "returned more than was asked for");
	if (got == 0 && !end_is_zero)
		die(what, "returned zero");
	if ((size_t)got < asked)
		short_counts++;
	return got;
}

static void wait_for(short events)
{
	struct pollfd one = {.fd = sock, .events = events};

	must(poll(&one, 1, 20000) > 0, "poll");
}

/* Cuts `size` bytes into `count` vectors, the last takes the rest; some are empty. */
static size_t cut(struct iovec *vectors, size_t count, char *at, size_t size)
{
	size_t i, piece = size / count;

	for (i = 0; i < count; i++) {
		vectors[i].iov_base = at;
		vectors[i].iov_len = i == count - 1 ? size : (i % 7 == 3 ? 0 : piece);
		at += vectors[i].iov_len;
		size -= vectors[i].iov_len;
	}
	return count;
}

static ssize_t write_vectors(char *at, size_t size, size_t count, int by_message)
{
	struct iovec vectors[VECTORS];
	struct msghdr message = {.msg_iov = vectors};

	message.msg_iovlen = cut(vectors, count, at, size);
	if (by_message)
		return sendmsg(sock, &message, MSG_NOSIGNAL);
	return writev(sock, vectors, (int)message.msg_iovlen);
}

/* Into a pipe first, then from it as often as it takes, so that no byte stays there. */
static ssize_t write_by_splice(size_t size)
{
	static int ends[2] = {-1, -1};
	off_t at = source_at;
	ssize_t in, out, done = 0;

	if (ends[0] < 0)
		must(pipe(ends) == 0, "pipe");
	in = splice(source, &at, ends[1], NULL, size, 0);
	if (in <= 0)
		return in;
	while (done < in) {
		out = splice(ends[0], NULL, sock, NULL, (size_t)(in - done), 0);
		if (out < 0 && errno == EAGAIN) {
			again++;
			wait_for(POLLOUT);
			continue;
		}
		if (out <= 0 || out > in - done)
			die("splice to the socket", out < 0 ? strerror(errno) : "impossible count");
		done += out;
	}
	return done;
}

static ssize_t write_once(const char *how, char *at, size_t size, int is_body)
{
	off_t offset = source_at;

	if (!strcmp(how, "random"))
		how = writers[rand() % (is_body ? 10 : 7)];
	if (!is_body && (!strcmp(how, "sendfile") || !strcmp(how, "splice")))
		how = "write";
	if (!strcmp(how, "one"))
		return account(how, write(sock, at, 1), 1, 0);
	if (!strcmp(how, "write"))
		return account(how, write(sock, at, size), size, 0);
	if (!strcmp(how, "send"))
		return account(how, send(sock, at, size, MSG_NOSIGNAL), size, 0);
	if (!strcmp(how, "more"))
		return account(how, send(sock, at, size, MSG_NOSIGNAL | MSG_MORE), size, 0);
	if (!strcmp(how, "sendto"))
		return account(how, sendto(sock, at, size, MSG_NOSIGNAL, NULL, 0), size, 0);
	if (!strcmp(how, "writev"))
		return account(how, write_vectors(at, size, 5, 0), size, 0);
	if (!strcmp(how, "writev1000"))
		return account(how, write_vectors(at, size, VECTORS, 0), size, 0);
	if (!strcmp(how, "sendmsg"))
		return account(how, write_vectors(at, size, 9, 1), size, 0);
	if (!strcmp(how, "splice"))
		return account(how, write_by_splice(size), size, 0);
	must(!strcmp(how, "sendfile"), "unknown way to write");
	return account(how, sendfile(sock, source, &offset, size), size, 0);
}

static void write_step(const char *how, size_t size, int is_body)
{
	static char buffer[1 << 20];
	size_t piece;
	ssize_t sent;

	while (size > 0) {
		piece = size < sizeof(buffer) ? size : sizeof(buffer);
		if (!strcmp(how, "random") && piece > 1)
			piece = 1 + (size_t)rand() % piece;
		must(pread(source, buffer, piece, source_at) == (ssize_t)piece, "pread");
		sent = write_once(how, buffer, piece, is_body);
		if (sent < 0) {
			wait_for(POLLOUT);
			continue;
		}
		source_at += sent;
		size -= (size_t)sent;
	}
}

static ssize_t read_vectors(char *at, size_t size, int by_message)
{
	struct iovec vectors[4];
	struct msghdr message = {.msg_iov = vectors};

	message.msg_iovlen = cut(vectors, 4, at, size);
	return by_message ? recvmsg(sock, &message, 0) : readv(sock, vectors, 4);
}

static ssize_t read_once(const char *how, char *at, size_t size)
{
	ssize_t seen;

	if (!strcmp(how, "random"))
		how = readers[rand() % 7];
	if (!strcmp(how, "one"))
		return account(how, read(sock, at, 1), 1, 1);
	if (!strcmp(how, "read"))
		return account(how, read(sock, at, size), size, 1);
	if (!strcmp(how, "recv"))
		return account(how, recv(sock, at, size, 0), size, 1);
	if (!strcmp(how, "recvfrom"))
		return account(how, recvfrom(sock, at, size, 0, NULL, NULL), size, 1);
	if (!strcmp(how, "readv"))
		return account(how, read_vectors(at, size, 0), size, 1);
	if (!strcmp(how, "recvmsg"))
		return account(how, read_vectors(at, size, 1), size, 1);
	must(!strcmp(how, "peek"), "unknown way to read");
	seen = account(how, recv(sock, at, size, MSG_PEEK), size, 1);
	return seen <= 0 ? seen : account(how, recv(sock, at, (size_t)seen, 0), (size_t)seen, 1);
}

/* Reads `size` bytes, or up to the end of file if `to_end`. */
static void read_step(const char *how, size_t size, int to_end)
{
	static char buffer[CHUNK];
	ssize_t got;

	while (to_end || size > 0) {
		got = read_once(how, buffer, to_end || size > CHUNK ? CHUNK : size);
		if (got < 0) {
			wait_for(POLLIN);
			continue;
		}
		if (got == 0)
			break;
		must(write(sink, buffer, (size_t)got) == got, "write to the sink");
		size -= to_end ? 0 : (size_t)got;
	}
	if (!to_end && size > 0)
		die("read", "end of file too early");
}

static void sparse_step(unsigned long long size)
{
	off_t at = 0;
	char name[] = "sparse-XXXXXX";
	int file = mkstemp(name);
	ssize_t sent;

	must(file >= 0 && unlink(name) == 0 && ftruncate(file, (off_t)size) == 0, "sparse file");
	while ((unsigned long long)at < size) {
		size_t asked = size - (unsigned long long)at;

		sent = account("sendfile", sendfile(sock, file, &at, asked), asked, 0);
		if (sent < 0)
			wait_for(POLLOUT);
	}
	close(file);
}

static void reset_step(void)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	must(setsockopt(sock, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0, "SO_LINGER");
	close(sock);
	sock = -1;
}

static socklen_t parse_address(const char *text, struct sockaddr_storage *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
	struct sockaddr_un *local = (struct sockaddr_un *)address;

	memset(address, 0, sizeof(*address));
	if (text[0] == '4') {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)atoi(text + 2));
		v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(*v4);
	}
	if (text[0] == '6') {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)atoi(text + 2));
		v6->sin6_addr = in6addr_loopback;
		return sizeof(*v6);
	}
	local->sun_family = AF_UNIX;
	snprintf(local->sun_path, sizeof(local->sun_path), "%s", text + 2);
	return sizeof(*local);
}

static void open_socket(int listens, const char *text)
{
	struct sockaddr_storage address;
	socklen_t size = parse_address(text, &address);
	int least = 1, listener;

	sock = socket(address.ss_family, SOCK_STREAM, 0);
	must(sock >= 0, "socket");
	if (is_nonblocking) {
		setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
	}
	if (listens) {
		must(bind(sock, (struct sockaddr *)&address, size) == 0, "bind");
		must(listen(sock, 1) == 0, "listen");
		must(getsockname(sock, (struct sockaddr *)&address, &size) == 0, "getsockname");
		printf("listening %d\n", ntohs(((struct sockaddr_in *)&address)->sin_port));
		fflush(stdout);
		listener = sock;
		sock = accept(listener, NULL, NULL);
		must(sock >= 0, "accept");
		close(listener);
	} else {
		must(connect(sock, (struct sockaddr *)&address, size) == 0, "connect");
	}
	if (is_nonblocking)
		must(fcntl(sock, F_SETFL, O_NONBLOCK) == 0, "O_NONBLOCK");
}

static void step(const char *line, const char *how_to_write, const char *how_to_read)
{
	unsigned long long size = strtoull(line + 1, NULL, 10);
	int old = sock;

	switch (line[0]) {
	case 'w':
	case 'b':
		write_step(how_to_write, size, line[0] == 'b');
		break;
	case 'r':
		read_step(how_to_read, size, 0);
		break;
	case 'e':
		read_step(how_to_read, 0, 1);
		break;
	case 'S':
		sparse_step(size);
		break;
	case 'd':
		sock = dup(old);
		must(sock >= 0 && close(old) == 0, "dup");
		break;
	case 'h':
		must(shutdown(sock, SHUT_WR) == 0, "shutdown");
		break;
	case 'R':
		reset_step();
		break;
	default:
		die("script", line);
	}
}

int main(int argc, char **argv)
{
	char line[64];
	const char *how_to_write, *how_to_read;

	if (argc != 8)
		die("usage", "connect|accept ADDRESS WRITE READ SEED SOURCE SINK");
	how_to_write = argv[3];
	how_to_read = argv[4];
	if (how_to_write[0] == 'n') {
		is_nonblocking = 1;
		how_to_write++;
	}
	srand((unsigned)atoi(argv[5]));
	source = open(argv[6], O_RDONLY);
	sink = open(argv[7], O_WRONLY | O_CREAT | O_TRUNC, 0600);
	must(source >= 0 && sink >= 0, "source and sink");
	open_socket(!strcmp(argv[1], "accept"), argv[2]);
	while (fgets(line, sizeof(line), stdin))
		step(line, how_to_write, how_to_read);
	if (sock >= 0)
		must(close(sock) == 0, "close");
	printf("calls %lu short %lu again %lu\n", calls, short_counts, again);
	return 0;
}
