# test_libpq.py - what programs do with PostgreSQL's client library is told once, rightly, and unchanged.
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tagalong_e2e.machine import BUILD, E2E, free_port, wait_for
from tagalong_e2e.raw import exchange

PYTHON = "/usr/bin/python3"
CLIENT = BUILD / "tests" / "e2e" / "libpq_client"
CONNECT = ("CONNECT", None, None, None)


def environment(postgres):
    return {"PGHOST": "127.0.0.1", "PGPORT": postgres.port, "PGUSER": postgres.user,
            "PGDATABASE": postgres.database, "PGSSLMODE": "disable"}


class Told:
    """A program with and without tagalong: its output must be the same; and what was told of it."""

    def __init__(self, machine, session, collector, postgres):
        self.machine, self.session, self.collector, self.postgres = machine, session, collector, postgres

    def run(self, *argv, env=None, same=True, code=0):
        """Runs argv bare and traced; returns the database spans of the latter in the order of their start."""
        env = {**environment(self.postgres), **(env or {})}
        bare = self.machine.run(argv, env=env, timeout=60)
        traced = self.machine.run(argv, env={**env, **self.session.env}, timeout=60)
        assert bare.returncode == traced.returncode == code, traced.stderr + bare.stderr
        if same:
            assert (traced.stdout, traced.stderr) == (bare.stdout, bare.stderr)
        self.output = traced.stdout
        self.session.end()
        self.spans = database_spans(self.collector)
        return [brief(span) for span in self.spans]


def database_spans(collector):
    spans = [span for span in collector.spans() if "db.system.name" in span["attributes"]]
    assert {span["attributes"]["db.system.name"] for span in spans} <= {"postgresql"}
    return sorted(spans, key=lambda span: int(span["start"]))


def brief(span):
    """(operation, masked text, rows returned or affected, error)"""
    at = span["attributes"]
    rows = at.get("db.response.returned_rows", at.get("tagalong.db.affected_rows"))
    return (at.get("db.operation.name"), at.get("db.query.text"), None if rows is None else int(rows),
            at.get("error.type"))


def statement(text, rows=None, error=None):
    return (None, text, rows, error)


@pytest.fixture
def told(machine, session, collector, postgres):
    return Told(machine, session, collector, postgres)


FUNCTION = ("FUNCTION", None, None, None)
# libpq asks for the functions on large objects by itself, once a connection.
LO_FUNCTIONS = statement("select proname, oid from pg_catalog.pg_proc where proname in (?) and pronamespace = "
                         "(select oid from pg_catalog.pg_namespace where nspname = ?)", 13)
PIPELINE = [
    CONNECT,
    statement("SELECT ?", 1),
    statement("SELECT ?/?", error="22012"),
    statement("SELECT ?", error="canceled"),
    ("PREPARE", "SELECT ?", None, None),
    statement("SELECT ?", 1),
]
CALLS = {
    "statements": [
        CONNECT,
        statement("SELECT ?, ?", 1),
        statement("SELECT ?; SELECT generate_series(?, ?)", 3),
        statement("SELECT ?/?", error="22012"),
        statement(None),
        statement("SELECT $1::int + ?", 1),
        ("PREPARE", "SELECT $1::int + ?", None, None),
        statement("SELECT $1::int + ?", 1),
        statement("SELECT $1::int + ?", 1),
        ("DESCRIBE", "SELECT $1::int + ?", None, None),
        statement(None, error="26000"),
    ],
    "single_rows": [CONNECT, statement("SELECT generate_series(?, ?)", 5)],
    "pipeline": PIPELINE,
    "deep_pipeline": [CONNECT, *[statement("SELECT ?", 1)] * 400],
    "copy": [
        CONNECT,
        statement("CREATE TEMPORARY TABLE copied(n int)"),
        statement("COPY copied FROM STDIN", 4),
        statement("COPY copied TO STDOUT", 4),
        statement("COPY copied FROM STDIN", error="57014"),
    ],
    "cancel": [CONNECT, statement("SELECT pg_sleep(?)", error="57014"), ("CANCEL", None, None, None)],
    "large_object": [CONNECT, statement("BEGIN"), LO_FUNCTIONS, *[FUNCTION] * 5, statement("ROLLBACK")],
    "notify": [CONNECT, CONNECT, statement("LISTEN news"), statement("NOTIFY news, ?")],
    "without_waiting": [CONNECT, statement("SELECT ?", 1), statement("SELECT ?", 1)],
    "reset": [
        CONNECT,
        ("PREPARE", "SELECT ?", None, None),
        CONNECT,
        statement(None, error="26000"),
        CONNECT,
        statement("SELECT ?", 1),
    ],
    "lost": [
        CONNECT,
        statement("SELECT pg_terminate_backend(pg_backend_pid())", error="peer_closed"),
        statement("SELECT ?", error="peer_closed"),
    ],
    "within_a_notice": [CONNECT, CONNECT, statement("DO ?"), statement("SELECT ?", 1), statement("SELECT ?", 1)],
    "left_by_a_jump": [
        CONNECT,
        statement("SELECT pg_sleep(?)", error="closed"),
        CONNECT,
        statement("BEGIN"),
        LO_FUNCTIONS,
        FUNCTION,
        statement("ROLLBACK"),
    ],
}


@pytest.mark.parametrize("way", CALLS)
def test_each_call_of_a_program_is_one_span(told, postgres, way):
    assert told.run(CLIENT, way, postgres.conninfo) == CALLS[way]
    for span in told.spans:
        assert span["kind"] == 3
        if brief(span)[0] != "CANCEL":  # its connection is for no database
            assert span["attributes"]["db.namespace"] == "postgres"
            assert span["attributes"]["server.address"] == "127.0.0.1"
        assert int(span["attributes"]["server.port"]) == postgres.port


def test_each_call_names_its_line_in_the_program(told, postgres):
    calls = {"CONNECT": "PQconnectdb(", "PREPARE": "PQprepare(", "DESCRIBE": "PQdescribePrepared(", None: "PQexec"}
    source = (E2E / "libpq_client.c").read_text().splitlines()
    told.run(CLIENT, "statements", postgres.conninfo)
    for span in told.spans:
        at = span["attributes"]
        assert at["code.file.path"].endswith("tests/e2e/libpq_client.c")
        assert calls[brief(span)[0]] in source[int(at["code.line.number"]) - 1]


def test_threads_with_a_connection_each_are_told_apart(told, postgres):
    spans = told.run(CLIENT, "threads", postgres.conninfo)
    assert sorted(spans, key=str) == sorted(
        [CONNECT] * 2 + [statement("SELECT ?", 1)] * 200 + [statement("SELECT ? FROM pg_class LIMIT ?", 1)] * 200,
        key=str)
    assert len({span["attributes"]["thread.id"] for span in told.spans}) == 2


@pytest.fixture
def with_tls(postgres):
    """The server offers TLS."""
    key = postgres.directory / "server.key"
    made = subprocess.run(
        ["openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-subj", "/CN=localhost", "-out",
         postgres.directory / "server.crt", "-keyout", key], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    key.chmod(0o600)
    if postgres.account:
        shutil.chown(key, postgres.account["user"])
    postgres.ask(f"ALTER SYSTEM SET ssl_cert_file = '{postgres.directory}/server.crt'")
    postgres.ask(f"ALTER SYSTEM SET ssl_key_file = '{key}'")
    postgres.ask("ALTER SYSTEM SET ssl = on")
    postgres.ask("SELECT pg_reload_conf()")
    wait_for(lambda: postgres.ask("SHOW ssl") == "on\n", "the server offers TLS")


@pytest.mark.parametrize("how", ["tls", "tcp", "unix"])
def test_psql_over_every_transport(told, postgres, with_tls, how):
    env = {"tls": {"PGSSLMODE": "require"}, "tcp": {}, "unix": {"PGHOST": postgres.directory}}[how]
    spans = told.run("psql", "-X", "-c", "SELECT 'secret' AS x", "-c", "\\copy (SELECT 1) TO STDOUT", env=env)
    assert [(one[0], one[1] and one[1].split()[0], one[2]) for one in spans] == [
        ("CONNECT", None, None), (None, "SELECT", 1), (None, "COPY", 1)]
    for span in told.spans:
        if how == "unix":
            assert span["attributes"]["server.address"] == f"{postgres.directory}/.s.PGSQL.{postgres.port}"
        else:
            assert int(span["attributes"]["server.port"]) == postgres.port
    assert "secret" not in str(told.spans)


def test_failed_connections_say_why(told, postgres):
    port = free_port()
    script = f"""
psql -X -c 'SELECT 1' 'host=127.0.0.1 port={port}' 2>&1
psql -X -c 'SELECT 1' 'host=/nowhere port=1' 2>&1
psql -X -c 'SELECT 1' 'dbname=nowhere' 2>&1
psql -X -c 'SELECT 1' 'user=stranger' 2>&1
pg_isready; true"""
    assert told.run("sh", "-c", script) == [
        ("CONNECT", None, None, error)
        for error in ("connection_refused", "not_found", "login_failed", "login_failed")]
    assert told.spans[1]["attributes"]["server.address"] == "/nowhere/.s.PGSQL.1"


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_every_statement_of_pgbench_is_counted_once(told, machine, postgres, mode):
    script = machine.directory / "script.sql"
    script.write_text("\\set n random(1, 100)\nSELECT :n;\nSELECT relname FROM pg_class WHERE oid = :n;\n")
    spans = told.run(postgres.bin / "pgbench", "-n", "-M", mode, "-f", script, "-c", "8", "-j", "2", "-t", "50", same=False)
    assert "number of transactions actually processed: 400/400" in told.output
    number = "?" if mode == "simple" else "$1"
    for text in (f"SELECT {number};", f"SELECT relname FROM pg_class WHERE oid = {number};"):
        assert len([one for one in spans if one[:2] == (None, text)]) == 400
        assert len([one for one in spans if one[:2] == ("PREPARE", text)]) == (8 if mode == "prepared" else 0)
    # One for each client, and one that pgbench asks the server's version on.
    assert spans.count(CONNECT) in (8, 9)
    assert {one[3] for one in spans} == {None}


PSYCOPG2 = """
import io, psycopg2, psycopg2.extras
connection = psycopg2.connect("")
cursor = connection.cursor()
cursor.execute("SELECT %s, %s", (1, "secret"))
print(cursor.fetchall())
cursor.execute("CREATE TEMPORARY TABLE t(a int)")
psycopg2.extras.execute_values(cursor, "INSERT INTO t(a) VALUES %s", [(i,) for i in range(10)])
cursor.copy_expert("COPY t FROM STDIN", io.StringIO("1\\n2\\n3\\n"))
try:
    cursor.execute("SELECT * FROM nowhere")
except psycopg2.Error as error:
    print(error.pgcode)
connection.rollback()
connection.close()
"""


def test_psycopg2(told):
    assert told.run(PYTHON, "-c", PSYCOPG2) == [
        CONNECT,
        statement("BEGIN"),
        statement("SELECT ?, ?", 1),
        statement("CREATE TEMPORARY TABLE t(a int)"),
        statement("INSERT INTO t(a) VALUES (?)", 10),
        statement("COPY t FROM STDIN", 3),
        statement("SELECT * FROM nowhere", error="42P01"),
        statement("ROLLBACK"),
    ]


# Debian's psycopg 3 calls libpq by pointers that it looks up itself: its bytes tell what it does.
PSYCOPG3 = """
import asyncio, psycopg
with psycopg.connect("") as connection:
    print(connection.execute("SELECT %s::int, %s", (1, "secret")).fetchall())
    try:
        connection.execute("SELECT 1/0")
    except psycopg.Error as error:
        print(error.sqlstate)
    connection.rollback()
    with connection.pipeline():
        cursors = [connection.execute("SELECT %s::int", (i,)) for i in range(3)]
    print([cursor.fetchall() for cursor in cursors])
async def main():
    async with await psycopg.AsyncConnection.connect("", autocommit=True) as connection:
        print(await (await connection.execute("SELECT 'async'")).fetchall())
asyncio.run(main())
"""


@pytest.mark.parametrize("tls", ["disable", "require"])
def test_psycopg3(told, with_tls, tls):
    spans = told.run(PYTHON, "-c", PSYCOPG3, env={"PGSSLMODE": tls})
    assert [one for one in spans if one[0] != "CONNECT"] == [
        statement("BEGIN"),
        statement("SELECT $1::int, $2", 1),
        statement("SELECT ?/?", error="22012"),
        statement("ROLLBACK"),
        statement("BEGIN"),
        statement("SELECT $1::int", 3),
        statement("COMMIT"),
        statement("SELECT ?", 1),
    ]


PHP = """
$db = new PDO("pgsql:");
$all = $db->prepare("SELECT generate_series(1, ?)");
foreach ([2, 3] as $n) { $all->execute([$n]); echo count($all->fetchAll()), "\\n"; }
try { $db->query("SELECT nothing"); } catch (Exception $error) { echo $error->getCode(), "\\n"; }
"""


def test_php(told):
    series = "SELECT generate_series(?, $1)"
    spans = told.run("php", "-r", PHP)
    assert spans[:4] == [CONNECT, ("PREPARE", series, None, None), statement(series, 2), statement(series, 3)]
    assert [one[3] for one in spans[4:]].count("42703") == 1
    assert spans[-1][1].startswith("DEALLOCATE")


RUBY = """
require "pg"
db = PG.connect
p db.exec("SELECT 'secret' AS x").to_a
p db.exec_params("SELECT $1::int AS x", [5]).to_a
db.prepare("add", "SELECT $1::int + 1 AS x")
p db.exec_prepared("add", [1]).to_a
begin db.exec("SELECT nothing") rescue p $!.class end
db.exec("CREATE TEMPORARY TABLE t(a int)")
db.copy_data("COPY t FROM STDIN") { db.put_copy_data("9\\n") }
db.close
"""


def test_ruby(told):
    assert told.run("ruby", "-e", RUBY) == [
        CONNECT,
        statement("SELECT ? AS x", 1),
        statement("SELECT $1::int AS x", 1),
        ("PREPARE", "SELECT $1::int + ? AS x", None, None),
        statement("SELECT $1::int + ? AS x", 1),
        statement("SELECT nothing", error="42703"),
        statement("CREATE TEMPORARY TABLE t(a int)"),
        statement("COPY t FROM STDIN", 1),
    ]


def test_trace_context_is_appended_as_a_comment_when_asked_for(told, postgres):
    before = postgres.log.stat().st_size
    told.run(CLIENT, "statements", postgres.conninfo,
             env={"TAGALONG_SQLCOMMENTER": "1", "PGOPTIONS": "-c log_statement=all"})
    log = postgres.log.read_bytes()[before:].decode()
    asked = re.findall(r"LOG:  (?:statement|execute [^:]*): (.*)", log)
    half = len(asked) // 2
    bare, traced = asked[:half], asked[half:]
    assert bare == ["SELECT 'secret', 42", "SELECT 1; SELECT generate_series(1, 3)", "SELECT 1/0", "",
                    "SELECT $1::int + 1", "SELECT $1::int + 2", "SELECT $1::int + 2"]
    comments = {0: told.spans[1], 2: told.spans[3], 4: told.spans[5]}
    for i, (plain, text) in enumerate(zip(bare, traced)):
        if i in comments:
            span = comments[i]
            plain += f" /*traceparent='00-{span['trace']}-{span['span']}-03'*/"
        assert text == plain


FLASK = """
import psycopg2
from flask import Flask
app = Flask(__name__)
@app.route("/<name>")
def page(name):
    connection = psycopg2.connect("")
    connection.autocommit = True
    cursor = connection.cursor()
    for _ in range(3):
        cursor.execute("SELECT %s", (name,))
    connection.close()
    return "ok"
"""


@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_statements_belong_to_the_request_that_made_them(machine, collector, postgres, worker):
    (machine.directory / "shop.py").write_text(FLASK)
    port = free_port()
    server = machine.start_server(
        ["/usr/bin/gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", worker, "--threads", "4",
         "--log-level", "warning", "shop:app"], port, {"service": "shop", "endpoint": collector.endpoint},
        env=environment(postgres))
    for i in range(4):
        head = exchange(port, f"GET /page{i} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert head.startswith(b"HTTP/1.1 200")
    machine.stop(server)
    spans = collector.spans()
    requests = [span for span in spans if span["kind"] == 2]
    assert len(requests) == 4
    for request in requests:
        below = [brief(span) for span in database_spans(collector) if span["parent"] == request["span"]]
        assert below == [CONNECT, *[statement("SELECT ?", 1)] * 3]
    assert len(database_spans(collector)) == 16


def test_statements_of_an_event_loop_belong_to_their_requests(machine, collector, postgres):
    port = free_port()
    server = machine.start_server([BUILD / "tests" / "e2e" / "libpq_loop", str(port)], port,
                                  {"service": "loop", "endpoint": collector.endpoint}, env=environment(postgres))
    pages = [f"page{i}" for i in range(24)]
    with ThreadPoolExecutor(8) as pool:
        for answer in pool.map(lambda page: exchange(port, f"GET /{page} HTTP/1.1\r\nHost: x\r\n\r\n".encode()), pages):
            assert answer.startswith(b"HTTP/1.1 200")
    machine.stop(server)
    requests = {span["span"]: span["attributes"]["url.path"].strip("/") for span in collector.spans()
                if span["kind"] == 2}
    assert sorted(requests.values()) == sorted(pages)
    below = sorted((requests.get(span["parent"], "none"), brief(span)[1] or brief(span)[0])
                   for span in database_spans(collector))
    assert below == sorted((page, text) for page in pages for text in (
        "CONNECT", f"SELECT ?, pg_sleep(?) AS {page}_first", f"SELECT ?, pg_sleep(?) AS {page}_second"))


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, *sys.argv[1:]]))
