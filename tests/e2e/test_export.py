# test_export.py - nothing is lost or told wrongly when the program, the exporter or the collector fails.
import json
import os
import signal
import socket
import sqlite3
import threading

import pytest

from tagalong_e2e.collector import Collector, Receiver
from tagalong_e2e.machine import LIBRARY, TAGALONG, free_port, wait_for
from tagalong_e2e.raw import exchange

PYTHON = "/usr/bin/python3"
# A server that sleeps on /sleep, ends itself on /exit, and calls the backend on any other path.
SERVER = """
import http.server, os, sys, time, urllib.request
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/sleep"): time.sleep(60)
        if self.path.startswith("/exit"): os._exit(3)
        if len(sys.argv) > 2:
            request = urllib.request.Request(sys.argv[2] + self.path, headers=dict(self.headers))
            urllib.request.urlopen(request).read()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *what): pass
print(os.getpid(), flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def get(machine, env, url, *options):
    result = machine.run(["curl", "-sS", *options, url], env=env)
    assert result.returncode == 0, result.stderr


def paths(spans):
    return sorted(span["attributes"]["url.full"].rsplit("/", 1)[1] for span in spans)


def ask_in_background(port, path):
    """Sends a request without waiting for the answer."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
    return sock


@pytest.mark.parametrize("how,told", [(signal.SIGKILL, "SIGKILL"), (signal.SIGSEGV, "SIGSEGV")])
def test_request_of_a_killed_program_is_told(machine, collector, how, told):
    port = free_port()
    launcher = machine.start_server([PYTHON, "-c", SERVER, str(port)], port,
                                    {"service": "killed", "endpoint": collector.endpoint})
    with ask_in_background(port, "/sleep?a=1"), ask_in_background(port, "/sleep?a=2"):
        segment_sees = threading.Event()
        segment_sees.wait(0.3)  # the requests reach the program
        # Warnings may stand around the line that it prints.
        (pid,) = [int(line) for line in machine.log(launcher).splitlines() if line.isdigit()]
        os.kill(pid, how)
        assert launcher.wait(20) == 128 + how
    spans = collector.spans()
    assert sorted(span["attributes"]["url.query"] for span in spans) == ["a=1", "a=2"]
    for span in spans:
        assert span["status"] == 2
        assert told in span["message"] + str(span["attributes"].get("error.type"))
        assert "http.response.status_code" not in span["attributes"]


def test_request_of_a_program_that_exits_is_told(machine, collector):
    port = free_port()
    launcher = machine.start_server([PYTHON, "-c", SERVER, str(port)], port,
                                    {"service": "exits", "endpoint": collector.endpoint})
    with ask_in_background(port, "/exit"):
        assert launcher.wait(20) == 3
    (span,) = collector.spans()
    assert span["status"] == 2 and span["attributes"]["error.type"]


def test_killed_exporter_loses_nothing(machine, session, collector, peer):
    for number in range(10):
        get(machine, session.env, f"{peer.url}/before-{number}")
    machine.stop(session.process, signal.SIGKILL)
    for number in range(10):
        get(machine, session.env, f"{peer.url}/without-{number}")
    session.begin()
    for number in range(10):
        get(machine, session.env, f"{peer.url}/after-{number}")
    session.end()
    wanted = {f"{when}-{number}" for when in ("before", "without", "after") for number in range(10)}
    assert set(paths(collector.spans())) == wanted


def test_long_lived_program_outlives_its_exporter(machine, session, collector):
    port = free_port()
    server = machine.start_server([PYTHON, "-c", SERVER, str(port)], port, env=session.env)
    for number in range(3):
        assert b" 200 " in exchange(port, f"GET /{number}a HTTP/1.0\r\n\r\n".encode())
        machine.stop(session.process, signal.SIGKILL)
        assert b" 200 " in exchange(port, f"GET /{number}b HTTP/1.0\r\n\r\n".encode())
        session.begin()
    machine.stop(server)
    session.end()
    seen = {span["attributes"]["url.path"] for span in collector.spans()}
    assert seen == {f"/{number}{when}" for number in range(3) for when in "ab"}


def test_collector_that_is_down_gets_all_later(machine, peer):
    receiver = Receiver()
    try:
        collector = Collector(receiver, machine.mark)
        receiver.end()
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": 50}
        script = f"for n in 1 2 3 4; do curl -sS {peer.url}/down-$n; done; sleep 1"
        process = machine.start([TAGALONG, "run", "--", "sh", "-c", script], env)
        wait_for(lambda: len(peer.requests) == 4, "the calls are made")
        receiver.begin()
        assert process.wait(30) == 0
        assert paths(collector.spans()) == [f"down-{number}" for number in range(1, 5)]
    finally:
        receiver.close()


def test_retry_after_is_obeyed(machine, session, collector, peer):
    collector.mode(status=503, times=2, headers={"retry-after": "1"})
    get(machine, session.env, f"{peer.url}/patient")
    assert paths(collector.wait(1, 20)) == ["patient"]
    requests = collector.requests()
    assert [request["status"] for request in requests] == [503, 503, 200]
    assert requests[1]["time"] - requests[0]["time"] >= 990
    assert requests[2]["time"] - requests[1]["time"] >= 990


@pytest.mark.parametrize("status", [400, 401, 500])
def test_what_may_not_be_sent_again_is_not(machine, session, collector, peer, status):
    collector.mode(status=status, times=1)
    get(machine, session.env, f"{peer.url}/refused")
    wait_for(collector.requests, "the first request")
    get(machine, session.env, f"{peer.url}/taken")
    assert paths(collector.wait(1)) == ["taken"]
    session.end()
    assert [request["status"] for request in collector.requests()] == [status, 200]
    assert "refused=1" in machine.log(session.process)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_be_sent_again_is(machine, session, collector, peer, status):
    collector.mode(status=status, times=1)
    get(machine, session.env, f"{peer.url}/again")
    assert paths(collector.wait(1, 20)) == ["again"]
    assert [request["status"] for request in collector.requests()] == [status, 200]


def test_partial_success_is_reported_and_not_sent_again(machine, session, collector, peer):
    collector.mode(partial=1)
    get(machine, session.env, f"{peer.url}/partly")
    collector.wait(1)
    session.end()
    assert len(collector.requests()) == 1
    assert "rejected by the test" in machine.log(session.process)


def test_headers_and_compression_of_the_settings(machine, collector, peer):
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
           "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=a%20b,authorization=Bearer x",
           "OTEL_RESOURCE_ATTRIBUTES": "service.name=other,team=a%2Cb", "OTEL_SERVICE_NAME": "named"}
    result = machine.run([TAGALONG, "run", "--", "curl", "-sS", f"{peer.url}/a"], env=env)
    assert result.returncode == 0, result.stderr
    (request,) = collector.requests()
    assert request["headers"]["content-encoding"] == "gzip"
    assert request["headers"]["x-tenant"] == "a b"
    assert request["headers"]["authorization"] == "Bearer x"
    (span,) = collector.spans()
    resource = span["resource"]
    assert (resource["service.name"], resource["team"]) == ("named", "a,b")
    assert resource["telemetry.sdk.language"] and resource["telemetry.sdk.name"] and resource["telemetry.sdk.version"]
    assert resource["process.pid"] > 0 and resource["host.name"] == socket.gethostname()


def test_spans_say_what_the_conventions_ask(machine, session, collector, peer):
    port = free_port()
    server = machine.start_server([PYTHON, "-c", SERVER, str(port), peer.url], port, env=session.env)
    host = f"127.0.0.1:{port}"
    exchange(port, f"GET /a/b?q=1 HTTP/1.1\r\nHost: {host}\r\nUser-Agent: me/1\r\nX-Request-ID: id-1\r\n"
             "Connection: close\r\n\r\n".encode())
    machine.stop(server)
    session.end()
    front, call = sorted(collector.spans(), key=lambda span: span["kind"])
    assert (front["kind"], front["name"], front["parent"], front["status"]) == (2, "GET /a/b", "", 0)
    assert (call["kind"], call["name"], call["parent"], call["status"]) == (3, "GET", front["span"], 0)
    assert front["start"] <= call["start"] <= call["end"] <= front["end"]
    common = {"http.request.method": "GET", "http.response.status_code": 200, "network.peer.address": "127.0.0.1",
              "http.request.header.x-request-id": ["id-1"]}
    wanted = {**common, "url.path": "/a/b", "http.route": "/a/b", "url.query": "q=1", "url.scheme": "http", "server.address": "127.0.0.1",
              "server.port": port, "client.address": "127.0.0.1", "user_agent.original": "me/1",
              "network.protocol.version": "1.1"}
    assert {name: front["attributes"].get(name) for name in wanted} == wanted
    wanted = {**common, "server.address": "127.0.0.1", "network.protocol.version": "1.1",
              "network.peer.port": peer.port, "server.port": port}
    assert call["attributes"]["url.full"] == f"http://{host}/a/b?q=1"  # the program passed its Host header on
    assert {name: call["attributes"].get(name) for name in wanted} == wanted
    for span in (front, call):
        assert "!duplicate" not in span["attributes"] and "!duplicate" not in span["resource"]
        assert "error.type" not in span["attributes"] and span["attributes"]["thread.id"] > 0


SECRETS = ["hunter2secret", "tok-en-9f8e7d", "c00kie-value", "basic-cred-xyz", "sig-abcdef", "body-secret-1"]


def test_secrets_are_nowhere(machine, session, collector, peer):
    port = free_port()
    server = machine.start_server([PYTHON, "-c", SERVER, str(port), peer.url], port, env=session.env)
    store = machine.directory / "traces.db"
    query = f"user=joe&password={SECRETS[0]}&API_key={SECRETS[1]}&x-amz-signature={SECRETS[4]}&page=2"
    request = (f"GET /secret?{query} HTTP/1.1\r\nHost: joe:{SECRETS[3]}@test\r\nAuthorization: Bearer {SECRETS[1]}\r\n"
               f"Cookie: id={SECRETS[2]}\r\nX-Api-Key: {SECRETS[0]}\r\nConnection: close\r\n"
               f"Referer: http://x/?token={SECRETS[1]}\r\nProxy-Authorization: Basic {SECRETS[3]}\r\n"
               f"X-Body: {SECRETS[5]}\r\n\r\n")
    for _ in range(20):
        exchange(port, request.encode())
    assert SECRETS[0].encode() in b"".join(peer.requests)  # they did go over the program's own connections
    result = machine.run([TAGALONG, "run", "--store", store, "--", "curl", "-sS", "-u", f"joe:{SECRETS[3]}",
                          f"{peer.url}/secret?{query}"])
    assert result.returncode == 0, result.stderr
    segment = session.segment.read_bytes()
    spans = collector.wait(40)
    machine.stop(server)
    with sqlite3.connect(store) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert database.execute("SELECT count(*) FROM spans").fetchone() == (1,)
    stored = store.read_bytes()
    shipped = json.dumps(spans).encode()
    for place, content in (("segment", segment), ("store", stored), ("wire", shipped)):
        assert b"/secret" in content and b"page=2" in content, place
        for secret in SECRETS:
            assert secret.encode() not in content, (secret, place)


def test_one_exporter_for_the_node(machine, collector, peer):
    directory = machine.directory / "run"
    env = {"TAGALONG_RUN_DIR": directory, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
    exporter = machine.start([TAGALONG, "export"], env)
    wait_for(lambda: (directory / "session").exists(), f"the session\n{machine.log(exporter)}")
    second = machine.run([TAGALONG, "export"], env=env)
    assert second.returncode != 0 and str(directory) in second.stderr
    for number in range(3):
        get(machine, {"LD_PRELOAD": LIBRARY, "TAGALONG_RUN_DIR": directory}, f"{peer.url}/{number}")
    assert machine.stop(exporter) == 0
    assert paths(collector.spans()) == ["0", "1", "2"]
    assert not (directory / "session").exists()
