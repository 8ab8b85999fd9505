/* libpq_calls.c - calls of libpq that fail or are repeated, deep in the program; then it waits. */
#include <postgresql/libpq-fe.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define APART  static __attribute__((noipa))
#define ORDERS 12

static const char *conninfo;

/* Returns whether the server refused it. */
APART int insert_item(PGconn *conn)
{
	PGresult *result = PQexec(conn, "INSERT INTO nowhere VALUES (1)");
	int refused = PQresultStatus(result) == PGRES_FATAL_ERROR;

	PQclear(result);
	return refused;
}

/* Has a secret on its stack while it calls. */
APART int write_order(PGconn *conn)
{
	char secret[64] = "";
	int refused;

	/* By read-in characters, so that it stands nowhere else in this process. */
	for (size_t i = 0; i + 1 < sizeof(secret); i++) {
		int c = getchar();

		if (c == EOF || c == '\n')
			break;
		secret[i] = (char)c;
	}
	refused = insert_item(conn);
	__asm__ volatile("" : : "r"(secret) : "memory");
	return refused + (strlen(secret) > 60);
}

APART int place_order(PGconn *conn)
{
	return write_order(conn) * 3;
}

APART int load_order(PGconn *conn, int number)
{
	char sql[64];
	PGresult *result;
	int rows;

	snprintf(sql, sizeof(sql), "SELECT %d AS number", number);
	result = PQexec(conn, sql);
	rows = PQntuples(result);
	PQclear(result);
	return rows;
}

APART int list_orders(PGconn *conn)
{
	int rows = 0;

	for (int i = 0; i < ORDERS; i++)
		rows += load_order(conn, i);
	return rows;
}

APART int collect(PGconn *conn)
{
	PGresult *result;
	int refused = 0;

	while ((result = PQgetResult(conn))) {
		refused += PQresultStatus(result) == PGRES_FATAL_ERROR;
		PQclear(result);
	}
	return refused;
}

APART int send_and_collect(PGconn *conn)
{
	return PQsendQuery(conn, "DELETE FROM nowhere") ? collect(conn) * 3 : 0;
}

APART void *work(void *argument)
{
	PGconn *conn = PQconnectdb(conninfo);

	*(int *)argument = insert_item(conn);
	PQfinish(conn);
	return NULL;
}

APART int in_a_thread(void)
{
	pthread_t thread;
	int refused = 0;

	if (pthread_create(&thread, NULL, work, &refused) == 0)
		pthread_join(thread, NULL);
	return refused;
}

int main(int argc, char **argv)
{
	const char *way = argc > 2 ? argv[1] : "";
	PGconn *conn;

	conninfo = argc > 2 ? argv[2] : "";
	conn = PQconnectdb(conninfo);
	if (strcmp(way, "fail") == 0)
		printf("refused %d\n", place_order(conn) / 3);
	else if (strcmp(way, "repeat") == 0)
		printf("rows %d\n", list_orders(conn));
	else if (strcmp(way, "send") == 0)
		printf("refused %d\n", send_and_collect(conn) / 3);
	else if (strcmp(way, "thread") == 0)
		printf("refused %d\n", in_a_thread());
	fflush(stdout);
	while (getchar() != EOF)
		;
	PQfinish(conn);
	return 0;
}
