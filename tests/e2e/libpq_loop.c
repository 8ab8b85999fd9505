/* libpq_loop.c - a server on one epoll loop: each request makes a connection and sends two
 * statements on it. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <postgresql/libpq-fe.h>

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

struct request {
	int fd; /* of the client; the listener has a request that never gets further */
	char name[32];
	PGconn *conn;
	int connected;
	int sent; /* statements */
};

static int loop;

/* Waits for one event on fd, which is another one's or closed by the next turn. */
static void await(struct request *request, int fd, unsigned events)
{
	struct epoll_event event = {.events = events | EPOLLONESHOT, .data.ptr = request};

	if (epoll_ctl(loop, EPOLL_CTL_MOD, fd, &event))
		epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
}

static void send_next(struct request *request)
{
	char sql[128];

	request->sent++;
	snprintf(sql, sizeof(sql), "SELECT %d, pg_sleep(0.01) AS %s_%s", request->sent,
		 request->name, request->sent == 1 ? "first" : "second");
	PQsendQuery(request->conn, sql);
	await(request, PQsocket(request->conn), EPOLLIN);
}

static void finish(struct request *request)
{
	if (write(request->fd, answer, sizeof(answer) - 1) < 0)
		perror("write");
	PQfinish(request->conn);
	close(request->fd);
}

static void go_on_connecting(struct request *request)
{
	PostgresPollingStatusType wanted = PQconnectPoll(request->conn);

	if (wanted == PGRES_POLLING_OK) {
		request->connected = 1;
		send_next(request);
	} else if (wanted == PGRES_POLLING_FAILED) {
		fputs(PQerrorMessage(request->conn), stderr);
		exit(1);
	} else {
		await(request, PQsocket(request->conn),
		      wanted == PGRES_POLLING_READING ? EPOLLIN : EPOLLOUT);
	}
}

static void take_results(struct request *request)
{
	PGresult *result;

	PQconsumeInput(request->conn);
	while (!PQisBusy(request->conn)) {
		result = PQgetResult(request->conn);
		PQclear(result);
		if (result)
			continue;
		if (request->sent < 2)
			send_next(request);
		else
			finish(request);
		return;
	}
	await(request, PQsocket(request->conn), EPOLLIN);
}

static void begin(struct request *request)
{
	char text[4096];
	ssize_t n = read(request->fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = 0;
	if (sscanf(text, "GET /%31[a-z0-9] ", request->name) != 1)
		exit(1);
	request->conn = PQconnectStart("");
	await(request, PQsocket(request->conn), EPOLLOUT);
}

static void take_client(struct request *listener)
{
	static struct request requests[256];
	static size_t taken;
	struct request *request = &requests[taken++];

	if (taken == sizeof(requests) / sizeof(requests[0]))
		exit(1);
	request->fd = accept(listener->fd, NULL, NULL);
	await(request, request->fd, EPOLLIN);
	await(listener, listener->fd, EPOLLIN);
}

/* As in a real server, where the loop calls through a pointer. */
__attribute__((noinline)) static void turn(struct request *request, const struct request *listener)
{
	if (request == listener)
		take_client(request);
	else if (!request->conn)
		begin(request);
	else if (!request->connected)
		go_on_connecting(request);
	else
		take_results(request);
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct request listener = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
	struct epoll_event events[16];

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons((uint16_t)(argc > 1 ? strtol(argv[1], NULL, 10) : 0));
	loop = epoll_create1(0);
	if (bind(listener.fd, (struct sockaddr *)&address, sizeof(address)) ||
	    listen(listener.fd, 64))
		return 1;
	await(&listener, listener.fd, EPOLLIN);
	for (;;) {
		int count = epoll_wait(loop, events, 16, -1);

		for (int i = 0; i < count; i++)
			turn(events[i].data.ptr, &listener);
	}
}
