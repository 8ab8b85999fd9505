# test_redaction.py - made-up secrets in every place of real traffic are in no place that tagalong writes to.
import http.server
import sqlite3
import threading

import pytest

from tagalong_e2e import programs
from tagalong_e2e.databases import PASSWORD
from tagalong_e2e.machine import free_port, wait_for
from tagalong_e2e.raw import exchange
from tagalong_e2e.session import Session

# In pieces, so that no scanner takes this file for a leak.
CORPUS = {
    "jwt": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + "eyJzdWIiOiIxMjM0NSJ9.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    "aws": "AKIA" + "IOSFODNN7EXAMPLE",
    "email": "jane.doe@mail.example.com",
    "card": "4111" + "111111111111",
    "grouped card": "5500-0055-5555-5559",
    "github": "ghp" + "_16C7e42F292c6912E7710c838347Ae178B4a",
    "slack": "xoxb" + "-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
    "stripe": "sk_live" + "_4eC39HqLyjWDarjtT1zdp7dc",
    "private key": "-----BEGIN%20PRIVATE%20KEY-----MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcw-----END%20PRIVATE%20KEY-----",
}
OPAQUE = "0paque-but-secret-value"  # a secret by the place that it stands in
HEADERS = "Referer,Authorization,Cookie,X-Note"


@pytest.fixture
def wire():
    """A collector that keeps all bytes that it is sent."""
    bodies = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *what):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.endpoint = f"http://127.0.0.1:{server.server_port}"
    server.bodies = bodies
    yield server
    server.shutdown()
    server.server_close()


def requests(secret):
    """One secret in each place of a request; a mark that is none stands beside it."""
    head = "Host: shop\r\nConnection: close\r\n"
    places = [
        (f"/mark/{secret}/x", ""), (f"/mark;jsessionid={OPAQUE}/x", ""), (f"/mark/x?note={secret}&a=1", ""),
        (f"/mark/x?password={OPAQUE}&a=1", ""), ("/mark", f"User-Agent: mark/1 ({secret})\r\n"),
        ("/mark", f"User-Agent: mark/1 Bearer {OPAQUE}\r\n"), (f"/mark/Bearer%20{OPAQUE}/x", ""),
        ("/mark", f"Referer: http://a.example/?token={OPAQUE}&q={secret}\r\n"), ("/mark", f"X-Note: mark {secret}\r\n"),
        ("/mark", f"Authorization: Bearer {OPAQUE}\r\nCookie: id={OPAQUE}\r\n"), ("/mark", f"X-Request-ID: {secret}\r\n"),
        ("/mark", f"X-Forwarded-Host: {secret}\r\n"), (f"/mark/{'long/' * 200}{secret}/x", ""),
    ]
    return [f"GET {path} HTTP/1.1\r\n{head}{more}\r\n".encode() for path, more in places]


def traffic(machine, session, databases, postgres, corpus=tuple(CORPUS.values())):
    """The whole corpus through nginx, curl, redis-cli and psql; returns the requests and what the segment held."""
    segments = []
    env = {**session.env, "TAGALONG_CAPTURE_REQUEST_HEADERS": HEADERS}
    port = free_port()
    config = programs.nginx_config(machine, port, 'location / { return 200 "ok"; }', workers=1)
    server = machine.start_server(programs.nginx_argv(config), port, env=env)
    redis = databases.get("redis")
    count = 0
    for secret in corpus:
        for request in requests(secret):
            exchange(port, request)
            count += 1
        segments.append(session.segment.read_bytes())
        plain = secret.replace("%20", " ")
        commands = [["SET", "mark", plain], ["GET", f"mark:{secret}"], ["ECHO", plain], [secret], ["MARK"]]
        for words in commands:
            machine.run(["redis-cli", "--no-auth-warning", "-p", redis.port, "-a", PASSWORD, *words], env=env)
        machine.run(["psql", "-X", "-d", postgres.conninfo, "-c", f"SELECT 'mark {plain}' /* {plain} */ -- {plain}"], env=env)
        machine.run(["psql", "-X", "-d", postgres.conninfo, "-c", f'SELECT "{plain}" FROM mark'], env=env)
        machine.run(["curl", "-s", "-A", f"mark {plain}", f"http://joe:{OPAQUE}@127.0.0.1:{port}/mark/{secret}"], env=env)
        # What is told is gone from the segment before long: so it is looked at all the time.
        segments.append(session.segment.read_bytes())
    machine.stop(server)
    return count, b"".join(segments)


def check(place, content):
    assert b"mark" in content, place
    for name, secret in {**CORPUS, "opaque": OPAQUE}.items():
        for form in {secret, secret.replace("%20", " "), secret.replace("%20", "+")}:
            at = content.find(form.encode())
            assert at < 0, (name, place, content[max(0, at - 120):at + 60])
    for part in ("MIIEvQIBADANB", "dBjftJeZ4CVP", "IOSFODNN7", "16C7e42F292c", "pdFZKVeTuE8sk7", "4eC39HqLyjWDarj"):
        at = content.find(part.encode())
        assert at < 0, (part, place, content[max(0, at - 120):at + 60])


def test_secrets_in_all_places_are_nowhere(machine, wire, databases, postgres):
    store = machine.directory / "traces.db"
    session = Session(machine, wire.endpoint, TAGALONG_STORE=store)
    count, segment = traffic(machine, session, databases, postgres)
    session.end()
    with sqlite3.connect(store) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        spans = database.execute("SELECT count(*) FROM spans WHERE kind = 2").fetchone()[0]
    assert spans >= count
    check("segment", segment)
    check("store", store.read_bytes())
    check("wire", b"".join(wire.bodies))
    check("routes", (machine.directory / "routes").read_bytes())
    # What was masked is told by rule, never by value.
    told = machine.log(session.process)
    for rule in ("header", "email", "card", "bearer", "jwt", "aws_key", "private_key", "token", "session"):
        assert f" {rule}=" in told, told
    check("log", told.encode() + b"mark")


def test_secrets_are_not_in_the_spool(machine, databases, postgres):
    spool = machine.directory / "spool"
    session = Session(machine, f"http://127.0.0.1:{free_port()}", TAGALONG_SPOOL=spool, OTEL_BSP_MAX_QUEUE_SIZE=16,
                      OTEL_BSP_MAX_EXPORT_BATCH_SIZE=8)
    traffic(machine, session, databases, postgres, (CORPUS["jwt"], CORPUS["email"]))

    def spooled():
        return b"".join(path.read_bytes() for path in spool.rglob("*") if path.is_file())
    wait_for(lambda: b"mark" in spooled(), "spans are spooled")
    session.end()
    check("spool", spooled())


def test_patterns_of_the_user_are_masked(machine, collector):
    config = machine.directory / "tagalong.yaml"
    config.write_text("redaction:\n  patterns:\n    - {name: customer, regex: 'CU-[0-9]+'}\n  headers: [X-Inner]\n")
    session = Session(machine, collector.endpoint, TAGALONG_CONFIG=config)
    port = free_port()
    server = machine.start_server(
        programs.nginx_argv(programs.nginx_config(machine, port, 'location / { return 200 "ok"; }', workers=1)), port,
        env={**session.env, "TAGALONG_CAPTURE_REQUEST_HEADERS": "X-Inner"})
    exchange(port, b"GET /c/CU-4711/x HTTP/1.1\r\nHost: shop\r\nX-Inner: 42\r\nConnection: close\r\n\r\n")
    machine.stop(server)
    session.end()
    [span] = collector.spans()
    assert span["attributes"]["url.path"] == "/c/REDACTED/x"
    assert span["attributes"]["http.request.header.x-inner"] == ["REDACTED"]
