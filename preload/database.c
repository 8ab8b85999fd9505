/* database.c - connections of clients to databases: which protocol, and its bytes in order. */
#include "preload/database.h"

#include <errno.h>
#include <string.h>

#include "preload/attach.h"
#include "preload/memcached.h"
#include "preload/message.h"
#include "preload/mysql.h"
#include "preload/operation.h"
#include "preload/pgwire.h"
#include "preload/pool.h"
#include "preload/resp.h"
#include "preload/sys.h"

#define DATABASES 4096

struct database {
	uint32_t free_link; /* of the pool */
	uint32_t index;
	uint64_t ahead; /* bytes of requests that were looked at, but not sent yet */
	union {
		struct pgwire pgwire;
		struct mysql mysql;
		struct resp resp;
		struct memcached memcached;
	} wire;
	struct operations operations;
};

static struct pool databases;

int databases_init(void)
{
	return pool_init(&databases, sizeof(struct database), DATABASES);
}

static struct database *database_of(const struct conn *conn)
{
	return conn->database ? pool_at(&databases, conn->database) : NULL;
}

/* The protocol of the first bytes, 0: none, -2: too few to tell. */
static int protocol_of(enum wire_way way, const char *at, size_t size)
{
	static const struct {
		int (*looks_like)(enum wire_way way, const char *at, size_t size);
		int protocol;
		enum wire_way first; /* who begins */
	} known[] = {
		{pgwire_looks_like, SPAN_POSTGRESQL, WIRE_REQUEST},
		{resp_looks_like, SPAN_REDIS, WIRE_REQUEST},
		{memcached_looks_like, SPAN_MEMCACHED, WIRE_REQUEST},
		{mysql_looks_like, SPAN_MYSQL, WIRE_REPLY},
	};
	int result = 0;

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		int answer = known[i].first == way ? known[i].looks_like(way, at, size) : 0;

		if (answer == 1)
			return known[i].protocol;
		if (answer == -2)
			result = -2;
	}
	return result;
}

int database_detect(struct conn *conn, enum wire_way way, const char *at, size_t size)
{
	int protocol = protocol_of(way, at, size);
	struct database *database;
	uint32_t index;

	if (protocol <= 0)
		return protocol;
	index = pool_get(&databases);
	if (!index) {
		attach_count(DROP_CONNECTIONS);
		return 0;
	}
	database = pool_at(&databases, index);
	database->index = index;
	database->ahead = 0;
	memset(&database->wire, 0, sizeof(database->wire));
	operations_init(&database->operations, (enum span_protocol)protocol);
	conn->database = index;
	conn->role = ROLE_CLIENT;
	attach_count_connection();
	return 1;
}

static enum wire_result feed(struct database *database, enum wire_way way, const char *at,
			     size_t size, struct operation_feed *to)
{
	switch ((enum span_protocol)database->operations.protocol) {
	case SPAN_POSTGRESQL:
		return pgwire_feed(&database->wire.pgwire, way, at, size, &operation_calls, to);
	case SPAN_REDIS:
		return resp_feed(&database->wire.resp, way, at, size, &operation_calls, to);
	case SPAN_MEMCACHED:
		return memcached_feed(&database->wire.memcached, way, at, size, &operation_calls,
				      to);
	default:
		return mysql_feed(&database->wire.mysql, way, at, size, &operation_calls, to);
	}
}

/* What a parser's answer means for the connection. 1: it goes on. */
static int settle(struct conn *conn, const struct operation_feed *to, enum wire_result result)
{
	if (to->failed || result == WIRE_BAD) {
		conn_give_up(conn, to->failed ? FAILURE_OTHER : FAILURE_PROTOCOL);
		return 0;
	}
	if (result == WIRE_TLS)
		conn->role = ROLE_ENCRYPTED;
	if (result == WIRE_STOP) {
		database_close(conn);
		while (conn->first)
			conn_end_first(conn, sys_now_ns());
		conn_finish(conn);
	}
	return result == WIRE_OK;
}

void database_requests(struct thread *self, struct conn *conn, int fd, const struct iovec *iov,
		       size_t count)
{
	struct database *database = database_of(conn);
	struct operation_feed to = {self, conn, fd, 0, &database->operations};
	uint64_t at = 0;

	for (size_t i = 0; i < count; i++) {
		size_t size = iov[i].iov_len;
		size_t skip = at < database->ahead ? (size_t)(database->ahead - at) : 0;
		enum wire_result result;

		at += size;
		if (skip >= size)
			continue;
		database->ahead = at;
		result = feed(database, WIRE_REQUEST, (const char *)iov[i].iov_base + skip,
			      size - skip, &to);
		if (!settle(conn, &to, result))
			return;
	}
	operations_sent(&to);
}

void database_sent(struct conn *conn, size_t size)
{
	struct database *database = database_of(conn);

	if (database)
		database->ahead -= size < database->ahead ? size : database->ahead;
}

void database_replies(struct thread *self, struct conn *conn, int fd, const char *at, size_t size)
{
	struct database *database = database_of(conn);
	struct operation_feed to = {self, conn, fd, 0, &database->operations};

	message_reply_context(self, conn);
	settle(conn, &to, feed(database, WIRE_REPLY, at, size, &to));
}

void database_move(struct conn *from, struct conn *to)
{
	struct database *database = database_of(from);

	if (!database || from->role != ROLE_ENCRYPTED || to->database)
		return;
	database->ahead = 0;
	to->database = from->database;
	to->role = ROLE_CLIENT;
	from->database = 0;
}

void database_close(struct conn *conn)
{
	struct database *database = database_of(conn);

	if (database)
		operations_close(&database->operations);
}

void database_free(struct conn *conn)
{
	if (conn->database)
		pool_put(&databases, conn->database);
	conn->database = 0;
}
