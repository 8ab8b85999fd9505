/* fd.c - what each descriptor of the process is: a connection that we track, or nothing of ours. */
#include "preload/fd.h"

#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "preload/attach.h"
#include "preload/conn.h"
#include "preload/sys.h"

_Atomic(_Atomic uint32_t *) fd_chunks[FD_CHUNKS];
static _Atomic uint32_t first_chunk[FD_CHUNK];

void fd_init(void)
{
	atomic_store(&fd_chunks[0], first_chunk);
}

/* The word of a descriptor; NULL: out of range, or no memory. */
static _Atomic uint32_t *word_of(int fd)
{
	uint32_t n = (uint32_t)fd;
	_Atomic uint32_t *chunk;
	_Atomic uint32_t *fresh;

	if (n >= FD_CHUNK * FD_CHUNKS)
		return NULL;
	chunk = atomic_load(&fd_chunks[n / FD_CHUNK]);
	if (!chunk) {
		fresh = sys_map(FD_CHUNK * sizeof(*fresh));
		if (!fresh)
			return NULL;
		if (atomic_compare_exchange_strong(&fd_chunks[n / FD_CHUNK], &chunk, fresh))
			chunk = fresh;
		else
			sys_unmap(fresh, FD_CHUNK * sizeof(*fresh));
	}
	return &chunk[n % FD_CHUNK];
}

static struct conn *connection_in(uint32_t entry)
{
	if ((entry & ((1u << FD_INDEX_BITS) - 1)) != FD_CONNECTION)
		return NULL;
	return conn_at(entry >> FD_INDEX_BITS);
}

static uint32_t entry_for(const struct conn *conn)
{
	return conn->index << FD_INDEX_BITS | FD_CONNECTION;
}

static int socket_option(int fd, int name)
{
	int value = -1;
	socklen_t size = sizeof(value);

	if (sys_call6(SYS_getsockopt, fd, SOL_SOCKET, name, (long)&value, (long)&size, 0))
		return -1;
	return value;
}

/* FD_STREAM for any stream socket that is not a listener. */
static enum fd_kind inspect(int fd)
{
	struct stat status;
	int domain;

	if (sys_call3(SYS_fstat, fd, (long)&status, 0))
		return FD_UNKNOWN;
	/* Anonymous inodes (eventfd, timerfd, signalfd) have no file type at all. */
	if (S_ISFIFO(status.st_mode) || !(status.st_mode & S_IFMT))
		return FD_WAKE;
	if (!S_ISSOCK(status.st_mode))
		return FD_OTHER;
	domain = socket_option(fd, SO_DOMAIN);
	if ((domain != AF_INET && domain != AF_INET6 && domain != AF_UNIX) ||
	    socket_option(fd, SO_TYPE) != SOCK_STREAM)
		return FD_OTHER;
	return socket_option(fd, SO_ACCEPTCONN) == 1 ? FD_LISTENER : FD_STREAM;
}

static enum fd_kind kind_of(uint32_t entry)
{
	return entry & ((1u << FD_INDEX_BITS) - 1);
}

/* Of a descriptor that isn't known yet; what was found is kept. */
static enum fd_kind find_kind(int fd)
{
	uint32_t unknown = FD_UNKNOWN;
	enum fd_kind kind = inspect(fd);
	_Atomic uint32_t *word = kind != FD_UNKNOWN ? word_of(fd) : NULL;

	if (word && !atomic_compare_exchange_strong(word, &unknown, kind))
		return kind_of(unknown);
	return kind;
}

enum fd_kind fd_classify(int fd)
{
	uint32_t entry = fd_entry(fd);
	_Atomic uint32_t *word;

	if (entry == FD_UNKNOWN)
		return find_kind(fd);
	if (entry != FD_STREAM || socket_option(fd, SO_ACCEPTCONN) != 1)
		return kind_of(entry);
	word = word_of(fd);
	if (word)
		atomic_compare_exchange_strong(word, &entry, FD_LISTENER);
	return FD_LISTENER;
}

struct conn *fd_known_connection(int fd)
{
	return connection_in(fd_entry(fd));
}

struct conn *fd_connection(int fd)
{
	uint32_t entry = fd_entry(fd);
	struct conn *conn = connection_in(entry);
	_Atomic uint32_t *word;

	if (conn)
		return conn;
	if (entry == FD_UNKNOWN)
		entry = find_kind(fd);
	/* Without a slot yet it stays as it is: the next call on it asks again. */
	if (entry != FD_STREAM || (!attach_ready() && !attach_is_off()))
		return NULL;
	word = word_of(fd);
	/* What passes while everything is switched off can't be understood from there on later. */
	conn = word && !attach_is_off() ? conn_new() : NULL;
	if (word && atomic_compare_exchange_strong(word, &entry, conn ? entry_for(conn) : FD_OTHER))
		return conn;
	if (conn)
		conn_put(conn);
	return connection_in(entry);
}

struct conn *fd_lock(int fd)
{
	struct conn *conn = fd_connection(fd);

	if (!conn || !conn_lock(conn))
		return NULL;
	if (fd_known_connection(fd) == conn)
		return conn;
	conn_unlock(conn);
	return NULL;
}

void fd_reset(int fd, enum fd_kind kind)
{
	_Atomic uint32_t *word = word_of(fd);
	struct conn *conn = word ? connection_in(atomic_exchange(word, kind)) : NULL;

	if (conn)
		conn_put(conn);
}

void fd_accepted(int listener, int fd)
{
	/* What accepts is no connection, whatever it was taken for. */
	if (fd_entry(listener) == FD_STREAM)
		fd_reset(listener, FD_LISTENER);
	if (fd_classify(listener) != FD_LISTENER) {
		fd_reset(fd, FD_UNKNOWN);
		return;
	}
	fd_reset(fd, FD_STREAM);
	fd_connection(fd);
}

void fd_share(int from, int to)
{
	uint32_t entry = fd_entry(from);
	struct conn *conn = connection_in(entry);
	_Atomic uint32_t *word;

	if (from == to)
		return;
	fd_reset(to, conn ? FD_UNKNOWN : entry);
	word = conn ? word_of(to) : NULL;
	if (word) {
		conn_get(conn);
		atomic_store(word, entry);
	}
}

void fd_reset_range(uint32_t first, uint32_t last)
{
	if (last >= FD_CHUNK * FD_CHUNKS)
		last = FD_CHUNK * FD_CHUNKS - 1;
	for (uint32_t n = first; n <= last; n++) {
		if (!atomic_load(&fd_chunks[n / FD_CHUNK]))
			n |= FD_CHUNK - 1;
		else if (fd_entry((int)n) != FD_UNKNOWN && fd_entry((int)n) != FD_OTHER)
			fd_reset((int)n, FD_UNKNOWN);
	}
}

void fd_ignore(int fd, const struct conn *conn)
{
	if (fd_known_connection(fd) == conn)
		fd_reset(fd, FD_OTHER);
}
