/* libpq_client.c - uses libpq in every way that a program may, and prints what it got. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <postgresql/libpq-fe.h>
#include <postgresql/libpq/libpq-fs.h>

static const char *conninfo;

static void print(PGresult *result)
{
	const char *code = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;

	printf("%s %d rows %s %s\n", result ? PQresStatus(PQresultStatus(result)) : "none",
	       PQntuples(result), PQcmdTuples(result), code ? code : "");
	for (int row = 0; row < PQntuples(result); row++)
		printf("  %s\n", PQnfields(result) ? PQgetvalue(result, row, 0) : "");
	PQclear(result);
}

static PGconn *dial(void)
{
	PGconn *conn = PQconnectdb(conninfo);

	if (PQstatus(conn) != CONNECTION_OK) {
		printf("no connection: %s", PQerrorMessage(conn));
		exit(3);
	}
	return conn;
}

/* All results, one query's or, in a pipeline, up to its end. */
static void drain(PGconn *conn)
{
	PGresult *result;

	while ((result = PQgetResult(conn)))
		print(result);
}

static void statements(void)
{
	PGconn *conn = dial();
	const char *values[] = {"41"};

	print(PQexec(conn, "SELECT 'secret', 42"));
	print(PQexec(conn, "SELECT 1; SELECT generate_series(1, 3)"));
	print(PQexec(conn, "SELECT 1/0"));
	print(PQexec(conn, ""));
	print(PQexecParams(conn, "SELECT $1::int + 1", 1, NULL, values, NULL, NULL, 0));
	print(PQprepare(conn, "add", "SELECT $1::int + 2", 1, NULL));
	print(PQexecPrepared(conn, "add", 1, values, NULL, NULL, 0));
	print(PQexecPrepared(conn, "add", 1, values, NULL, NULL, 0));
	print(PQdescribePrepared(conn, "add"));
	print(PQexecPrepared(conn, "unknown", 1, values, NULL, NULL, 0));
	PQfinish(conn);
}

static void single_rows(void)
{
	PGconn *conn = dial();

	if (PQsendQuery(conn, "SELECT generate_series(1, 5)") && PQsetSingleRowMode(conn))
		drain(conn);
	PQfinish(conn);
}

/* What is sent before a sync: two that work, and behind an error one that is never run. */
static void pipeline(void)
{
	PGconn *conn = dial();

	PQenterPipelineMode(conn);
	PQsendQueryParams(conn, "SELECT 1", 0, NULL, NULL, NULL, NULL, 0);
	PQsendQueryParams(conn, "SELECT 1/0", 0, NULL, NULL, NULL, NULL, 0);
	PQsendQueryParams(conn, "SELECT 3", 0, NULL, NULL, NULL, NULL, 0);
	PQpipelineSync(conn);
	PQsendPrepare(conn, "four", "SELECT 4", 0, NULL);
	PQsendQueryPrepared(conn, "four", 0, NULL, NULL, NULL, 0);
	PQpipelineSync(conn);
	for (int i = 0; i < 3; i++)
		drain(conn);
	print(PQgetResult(conn));
	for (int i = 0; i < 2; i++)
		drain(conn);
	print(PQgetResult(conn));
	printf("left: %d\n", PQexitPipelineMode(conn));
	PQfinish(conn);
}

static void deep_pipeline(void)
{
	PGconn *conn = dial();

	PQenterPipelineMode(conn);
	for (int i = 0; i < 400; i++)
		PQsendQueryParams(conn, "SELECT 7", 0, NULL, NULL, NULL, NULL, 0);
	PQpipelineSync(conn);
	for (int i = 0; i < 400; i++)
		drain(conn);
	print(PQgetResult(conn));
	PQfinish(conn);
}

static void copy(void)
{
	PGconn *conn = dial();
	char *line;

	print(PQexec(conn, "CREATE TEMPORARY TABLE copied(n int)"));
	print(PQexec(conn, "COPY copied FROM STDIN"));
	for (int i = 0; i < 4; i++)
		PQputCopyData(conn, "123\n", 4);
	PQputCopyEnd(conn, NULL);
	drain(conn);
	print(PQexec(conn, "COPY copied TO STDOUT"));
	while (PQgetCopyData(conn, &line, 0) > 0) {
		fputs(line, stdout);
		PQfreemem(line);
	}
	drain(conn);
	print(PQexec(conn, "COPY copied FROM STDIN"));
	PQputCopyEnd(conn, "given up");
	drain(conn);
	PQfinish(conn);
}

static void cancel(void)
{
	PGconn *conn = dial();
	PGcancel *request = PQgetCancel(conn);
	char text[256];

	PQsendQuery(conn, "SELECT pg_sleep(30)");
	usleep(100000);
	printf("asked: %d\n", PQcancel(request, text, sizeof(text)));
	drain(conn);
	PQfreeCancel(request);
	PQfinish(conn);
}

static void large_object(void)
{
	PGconn *conn = dial();
	char text[16] = "";
	Oid object;
	int fd;

	PQclear(PQexec(conn, "BEGIN"));
	object = lo_creat(conn, INV_READ | INV_WRITE);
	fd = lo_open(conn, object, INV_READ | INV_WRITE);
	printf("written %d\n", lo_write(conn, fd, "some text", 9));
	lo_lseek(conn, fd, 0, SEEK_SET);
	printf("read %d", lo_read(conn, fd, text, sizeof(text)));
	printf(" %s\n", text);
	PQclear(PQexec(conn, "ROLLBACK"));
	PQfinish(conn);
}

static void notify(void)
{
	PGconn *conn = dial();
	PGconn *other = dial();
	PGnotify *notice;

	print(PQexec(conn, "LISTEN news"));
	print(PQexec(other, "NOTIFY news, 'secret'"));
	while (!(notice = PQnotifies(conn))) {
		struct pollfd one = {.fd = PQsocket(conn), .events = POLLIN};

		poll(&one, 1, 5000);
		PQconsumeInput(conn);
	}
	printf("%s: %s\n", notice->relname, notice->extra);
	PQfreemem(notice);
	PQfinish(other);
	PQfinish(conn);
}

static int finish_connecting(PGconn *conn, PostgresPollingStatusType (*step)(PGconn *conn))
{
	PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;

	while (wanted == PGRES_POLLING_READING || wanted == PGRES_POLLING_WRITING) {
		struct pollfd one = {.fd = PQsocket(conn),
				     .events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT};

		poll(&one, 1, 5000);
		wanted = step(conn);
	}
	return wanted == PGRES_POLLING_OK;
}

static void without_waiting(void)
{
	PGconn *conn = PQconnectStart(conninfo);

	printf("connected: %d\n", finish_connecting(conn, PQconnectPoll));
	PQsetnonblocking(conn, 1);
	PQsendQuery(conn, "SELECT 'async'");
	while (PQflush(conn) == 1)
		;
	while (PQisBusy(conn)) {
		struct pollfd one = {.fd = PQsocket(conn), .events = POLLIN};

		poll(&one, 1, 5000);
		PQconsumeInput(conn);
	}
	drain(conn);
	printf("refused: %d\n", PQsendQuery(conn, "SELECT 1") && PQsendQuery(conn, "SELECT 2"));
	drain(conn);
	PQfinish(conn);
}

static void reset(void)
{
	PGconn *conn = dial();

	print(PQprepare(conn, "one", "SELECT 1", 0, NULL));
	PQreset(conn);
	print(PQexecPrepared(conn, "one", 0, NULL, NULL, NULL, 0));
	PQresetStart(conn);
	printf("reset: %d\n", finish_connecting(conn, PQresetPoll));
	print(PQexec(conn, "SELECT 1"));
	PQfinish(conn);
}

static void lost(void)
{
	PGconn *conn = dial();

	print(PQexec(conn, "SELECT pg_terminate_backend(pg_backend_pid())"));
	printf("bad: %d\n", PQstatus(conn) == CONNECTION_BAD);
	print(PQexec(conn, "SELECT 1"));
	PQfinish(conn);
}

static void *many(void *argument)
{
	PGconn *conn = dial();

	for (int i = 0; i < 200; i++)
		PQclear(PQexec(conn, argument));
	PQfinish(conn);
	return NULL;
}

static void threads(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, many, (void *)"SELECT 'one'");
	many((void *)"SELECT 'two' FROM pg_class LIMIT 1");
	pthread_join(thread, NULL);
}

static void on_notice(void *argument, const PGresult *result)
{
	(void)result;
	PQclear(PQexec(argument, "SELECT 'noticed'"));
}

static void within_a_notice(void)
{
	PGconn *conn = dial();
	PGconn *other = dial();

	PQsetNoticeReceiver(conn, on_notice, other);
	print(PQexec(conn, "DO $$BEGIN RAISE NOTICE 'a'; END$$"));
	print(PQexec(conn, "SELECT 1"));
	PQfinish(other);
	PQfinish(conn);
}

static sigjmp_buf out;

static void jump(int number)
{
	siglongjmp(out, number);
}

/* A signal handler leaves libpq in the middle of a call; a new connection is as good as any. */
static void left_by_a_jump(void)
{
	PGconn *conn = dial();

	signal(SIGALRM, jump);
	if (!sigsetjmp(out, 1)) {
		ualarm(100000, 0);
		PQexec(conn, "SELECT pg_sleep(30)");
	}
	printf("out\n");
	PQfinish(conn);
	conn = dial();
	PQclear(PQexec(conn, "BEGIN"));
	printf("made %d\n", lo_creat(conn, INV_READ) != 0);
	PQclear(PQexec(conn, "ROLLBACK"));
	PQfinish(conn);
}

static const struct {
	const char *name;
	void (*run)(void);
} ways[] = {
	{"statements", statements},
	{"single_rows", single_rows},
	{"pipeline", pipeline},
	{"deep_pipeline", deep_pipeline},
	{"copy", copy},
	{"cancel", cancel},
	{"large_object", large_object},
	{"notify", notify},
	{"without_waiting", without_waiting},
	{"reset", reset},
	{"lost", lost},
	{"threads", threads},
	{"within_a_notice", within_a_notice},
	{"left_by_a_jump", left_by_a_jump},
};

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	conninfo = argv[2];
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (strcmp(argv[1], ways[i].name) == 0) {
			ways[i].run();
			return 0;
		}
	return 2;
}
