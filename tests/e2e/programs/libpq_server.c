/* libpq_server.c - an HTTP server that answers each request after one statement of libpq. */
#include <arpa/inet.h>
#include <postgresql/libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define APART static __attribute__((noipa))

/* Waits for whoever holds the lock. */
APART int load_orders(PGconn *conn)
{
	PGresult *result = PQexec(conn, "SELECT pg_advisory_lock(4711), pg_advisory_unlock(4711)");
	int rows = PQntuples(result);

	PQclear(result);
	return rows;
}

APART int serve_page(PGconn *conn, int client)
{
	static const char answer[] =
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
	char request[4096];

	if (read(client, request, sizeof(request)) <= 0 || load_orders(conn) != 1)
		return 1;
	return write(client, answer, sizeof(answer) - 1) < 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1, client;
	PGconn *conn = PQconnectdb(argc > 2 ? argv[2] : "");

	address.sin_port = htons((unsigned short)(argc > 1 ? atoi(argv[1]) : 0));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (PQstatus(conn) != CONNECTION_OK ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(listener, 8) != 0) {
		fputs(PQerrorMessage(conn), stderr);
		close(listener);
		return 1;
	}
	while ((client = accept(listener, NULL, NULL)) >= 0) {
		serve_page(conn, client);
		close(client);
	}
	close(listener);
	return 0;
}
