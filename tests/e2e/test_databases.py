# test_databases.py - every command of real drivers is told once: text, status, rows, parent; no value is.
import re
from collections import Counter

import pytest

from tagalong_e2e.databases import DATABASE, OLD_USER
from tagalong_e2e.driver import Request, drive
from tagalong_e2e.machine import free_port
from tagalong_e2e.operations import check_common, commands, masked, operations, run_traced, words_of
from tagalong_e2e.programs import stop_front

SESSION = {"auth", "hello", "client|setname", "client|setinfo", "reset", "quit"}

POSTGRES = ["db_psycopg2.py", "db_psycopg.py", "db_asyncpg.py", "db_pg8000.py", "db_pg.js", "db_pdo_pgsql.php",
            "db_pg.rb"]
SUMMARIES = {"SELECT id": "SELECT items", "SELECT na": "SELECT items", "UPDATE it": "UPDATE items",
             "INSERT IN": "INSERT items", "SELEC ?": "SELEC", "COPY item": "COPY items", "ROLLBACK": "ROLLBACK"}


def executed(spans):
    """Operations that a server's log has as well: not connections, nor what was prepared without a fault."""
    return [one for one in operations(spans) if one.name not in ("CONNECT", "PREPARE") or
            (one.name == "PREPARE" and one.status)]


def check_statements(found, output):
    """What all the programs of SQL have in common."""
    assert [(one.text[:9], one.status) for one in found if one.status] in (
        [("SELEC ?", "42601"), ("INSERT IN", "23505")], [("SELEC ?", "1064"), ("INSERT IN", "1062")])
    by_id = [one for one in found if one.text.startswith("SELECT name FROM items WHERE id = ")]
    assert [one.rows for one in by_id] == [1, 1, 1]
    literals = [one for one in found if one.text == "SELECT id, name FROM items WHERE name = ? OR id > ?"]
    assert [one.rows for one in literals] == [0]
    assert found[-1].status is None
    final = [one for one in found if one.text == "SELECT id FROM items ORDER BY id"]
    assert [one.rows for one in final] == [int(output.split()[-1])]


def check_summaries(spans):
    for span in spans:
        summary = SUMMARIES.get(span["attributes"].get("db.query.text", "")[:9])
        if summary:
            prefix = "PREPARE " if span["attributes"].get("db.operation.name") == "PREPARE" else ""
            assert span["name"] == span["attributes"]["db.query.summary"] == prefix + summary


@pytest.mark.parametrize("program", POSTGRES)
def test_statements_of_a_postgresql_driver_are_told_once(machine, collector, databases, program):
    server = databases.get("postgres")
    env = {"DB_USER": OLD_USER} if program == "db_pg8000.py" else {}
    output, spans = run_traced(machine, collector, server, words_of(program), env)
    check_common(spans, server, "postgresql", DATABASE)
    check_summaries(spans)
    found = executed(spans)
    assert [one.text for one in found] == [masked(text) for text in server.asked()]
    check_statements(found, output)


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_every_statement_of_pgbench_is_told(machine, collector, databases, mode):
    server = databases.get("postgres")
    server.admin("DROP TABLE IF EXISTS pgbench_accounts, pgbench_branches, pgbench_history, pgbench_tellers", DATABASE)
    base = ["pgbench", "-h", "127.0.0.1", "-p", server.port, "-U", server.user]
    env = {"PGPASSWORD": server.password}
    prepared = machine.run([*base, "-i", "-q", DATABASE], {**server.variables(), **env})
    assert prepared.returncode == 0, prepared.stderr
    server.reset()
    _, spans = run_traced(machine, collector, server,
                          [*base, "-n", "-M", mode, "-c", "4", "-j", "2", "-t", "50", DATABASE], env)
    found = executed(spans)
    assert Counter(one.text for one in found) == Counter(masked(text) for text in server.asked())
    assert sum(one.text.startswith("UPDATE pgbench_accounts") for one in found) == 200
    assert not [one for one in found if one.status]


@pytest.mark.parametrize("program", ["db_pymysql.py", "db_mysqldb.py", "db_mysql2.js", "db_pdo_mysql.php"])
def test_statements_of_a_mysql_driver_are_told_once(machine, collector, databases, program):
    server = databases.get("mariadb")
    output, spans = run_traced(machine, collector, server, words_of(program))
    asked = server.asked()
    check_common(spans, server, "mariadb")
    check_summaries(spans)
    found = [one for one in executed(spans) if one.text]
    # The server leaves out a space at the end.
    assert [one.text.rstrip() for one in found] == [
        masked(text, True) for what, text in asked if what in ("Query", "Execute")]
    check_statements(found, output)
    prepared = [one for one in operations(spans) if one.name == "PREPARE"]
    assert len(prepared) == sum(what == "Prepare" for what, _ in asked)
    changes = [span["attributes"]["db.namespace"] for span in spans if "db.query.text" not in span["attributes"]]
    assert len(changes) == sum(what == "Init DB" for what, _ in asked)
    assert {span["attributes"]["db.namespace"] for span in spans} == ({DATABASE, "mysql"} if changes else {DATABASE})


def test_a_local_file_that_mariadb_loads_is_told_as_one_statement(machine, collector, databases):
    server = databases.get("mariadb")
    rows = machine.directory / "rows"
    rows.write_text("".join(f"{number}\tsEcReT\n" for number in range(100, 3000)))
    sql = f"LOAD DATA LOCAL INFILE '{rows}' INTO TABLE items; SELECT count(*) FROM items; SELECT 1 FROM nowhere"
    done = run_traced(machine, collector, server, [
        "sh", "-c", f'mariadb --no-defaults --local-infile -f -h 127.0.0.1 -P {server.port} -u {server.user} '
        f'-p{server.password} {DATABASE} -e "{sql}" || true'])
    check_common(done[1], server, "mariadb", DATABASE)
    found = operations(done[1])
    assert [(one.text, one.status) for one in found] == [
        ("LOAD DATA LOCAL INFILE ? INTO TABLE items", None), ("SELECT count(*) FROM items", None),
        ("SELECT ? FROM nowhere", "1146")]
    assert found[1].rows == 1 and "2905" in done[0]


@pytest.mark.parametrize("program", ["db_redis.py", "db_ioredis.js", "db_redis.php"])
def test_commands_of_a_redis_driver_are_told_once(machine, collector, databases, program):
    server = databases.get("redis")
    _, spans = run_traced(machine, collector, server, words_of(program))
    asked = server.asked()
    check_common(spans, server, "redis")
    found = operations(spans)
    told = commands(found)
    assert told.pop("no.such") == 1
    assert told == {name: count for name, count in asked.items() if name not in SESSION}
    assert Counter(one.status for one in found if one.status) == {"WRONGTYPE": 1, "ERR": 1}
    texts = {one.text.upper() for one in found}
    assert {"GET USER:1", "MGET USER:1 USER:2", "LPUSH USER:1 ?", "SET PIPE:0 ?", "SET PIPE:1 ?", "EVAL ? 1 USER:1 ?",
            "CONFIG GET MAXMEMORY", "NO.SUCH ?"} <= texts
    assert [text for text in texts if re.fullmatch(r"HM?SET HASH NAME \? MAIL \?", text)]
    for span in spans:
        assert span["attributes"].get("db.namespace", "2") == "2"
        assert not span["name"].startswith("2")
    batches = [span["attributes"] for span in spans if "db.operation.batch.size" in span["attributes"]]
    assert [one["db.operation.batch.size"] for one in batches
            if one["db.operation.name"].upper() == "PIPELINE SET"] == [5]


def test_every_command_of_redis_benchmark_is_told(machine, collector, databases):
    server = databases.get("redis")
    _, spans = run_traced(machine, collector, server, [
        "redis-benchmark", "-p", server.port, "-a", server.password, "-n", "2000", "-c", "10", "-P", "16", "-q",
        "-t", "set,get,incr,lpush,mset,ping"])
    asked = server.asked()
    check_common(spans, server, "redis")
    told = Counter()
    for span in spans:
        attributes = span["attributes"]
        name = attributes["db.operation.name"].removeprefix("PIPELINE ").lower().replace(" ", "|")
        told[name] += attributes.get("db.operation.batch.size", 1)
    assert told == {name: count for name, count in asked.items() if name not in SESSION}
    assert told["set"] == told["get"] == told["mset"] == 2000


def test_commands_piped_by_redis_cli_are_told(machine, collector, databases):
    server = databases.get("redis")
    lines = "".join(f"SET line:{n} sEcReT\\r\\n" for n in range(100))
    script = f"printf '{lines}' | redis-cli --no-auth-warning -p {server.port} -a {server.password} --pipe"
    output, spans = run_traced(machine, collector, server, ["sh", "-c", script])
    assert "errors: 0, replies: 100" in output
    check_common(spans, server, "redis")
    told = Counter()
    for span in spans:
        told[span["attributes"]["db.operation.name"]] += span["attributes"].get("db.operation.batch.size", 1)
    # What ends the pipe is an ECHO of random bytes, sent with the commands or alone.
    assert sum(told.values()) in (100, 101) and server.asked()["set"] == 100


def test_commands_in_resp3_are_told(machine, collector, databases):
    server = databases.get("redis")
    lines = ["HSET hash name sEcReT", "HGETALL hash", "CONFIG GET maxmemory", "LPUSH hash sEcReT", "SELECT 3",
             "BLPOP no 0.1"]
    script = "printf '%s\\n' " + " ".join(f"'{line}'" for line in lines)
    _, spans = run_traced(machine, collector, server, [
        "sh", "-c", f"{script} | redis-cli -3 --no-auth-warning -p {server.port} -a {server.password}"])
    check_common(spans, server, "redis")
    found = operations(spans)
    assert found.pop(0).name == "COMMAND DOCS"  # redis-cli's own
    assert server.asked()["hello"] == 1
    assert [one.text or one.name for one in found] == [
        "HSET hash name ?", "HGETALL hash", "CONFIG GET maxmemory", "LPUSH hash ?", "SELECT", "BLPOP no ?"]
    assert [one.status for one in found] == [None, None, None, "WRONGTYPE", None, None]
    assert spans[-1]["attributes"]["db.namespace"] == "3"
    assert spans[-1]["end"] - spans[-1]["start"] >= 90_000_000  # it waited


@pytest.mark.parametrize("program", ["db_pymemcache.py", "db_pylibmc.py"])
def test_commands_of_a_memcached_driver_are_told_once(machine, collector, databases, program):
    server = databases.get("memcached")
    _, spans = run_traced(machine, collector, server, words_of(program))
    asked = server.asked()
    check_common(spans, server, "memcached")
    found = operations(spans)
    told = Counter(one.name for one in found)
    assert sum(len(one.text.split()) - 1 for one in found if one.name in ("get", "gets")) == asked["cmd_get"]
    assert told["set"] + told["add"] + told["cas"] == asked["cmd_set"]
    assert told["touch"] == asked["cmd_touch"] == 1
    assert [one.rows for one in found if one.name == "get"] == [0, 1, 0, 1]
    assert {"set user:1 ? ? ?", "get user:1 user:2", "incr counter ?", "delete user:2"} <= {one.text for one in found}
    failed = [(one.text, one.status) for one in found if one.status]
    assert failed == ([("incr user:1 ?", "CLIENT_ERROR")] if program == "db_pymemcache.py" else [])


def test_operations_belong_to_the_request_that_is_served(machine, collector, databases):
    servers = {kind: databases.get(kind) for kind in ("postgres", "mariadb", "redis", "memcached")}
    port = free_port()
    env = {**servers["postgres"].variables(), "DB_OLD_USER": OLD_USER, "PORT": port,
           **{f"{kind.upper()}_PORT": server.port for kind, server in servers.items()}}
    front = machine.start_server(words_of("db_front.py"), port,
                                 {"service": "front", "endpoint": collector.endpoint}, env)
    requests = [Request(f"/n{number}") for number in range(60)]
    drive(port, requests, concurrency=6)
    stop_front(machine, front)
    spans = collector.spans()
    served = {span["span"]: span for span in spans if span["kind"] == 2}
    assert Counter(span["attributes"]["url.path"] for span in served.values()) == {
        request.path: 1 for request in requests}
    told = Counter()
    for span in spans:
        name = re.search(r"\b(n\d+)$", span["attributes"].get("db.query.text", ""))
        if not name or span["attributes"].get("db.operation.name") == "PREPARE":
            continue
        assert served[span["parent"]]["attributes"]["url.path"] == "/" + name.group(1), span
        assert served[span["parent"]]["trace"] == span["trace"]
        assert "tagalong.parent.guess" not in span["attributes"]
        told[name.group(1), span["attributes"]["db.system.name"]] += 1
    wanted = {"postgresql": 2, "mariadb": 1, "redis": 1, "memcached": 1}
    assert told == {(request.path[1:], system): count for request in requests for system, count in wanted.items()}
