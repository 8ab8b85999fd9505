# test_settings_file.py - a settings file that changes while programs run: they take it, and nothing is lost.
import json
import os
import re
import signal
import socket

import pytest

from tagalong_e2e.machine import ROOT, TAGALONG, free_port, wait_for
from tagalong_e2e.raw import exchange
from tagalong_e2e.session import Session

PYTHON = "/usr/bin/python3"
# Keeps connections, as HTTP/1.1 does.
SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.send_header("X-Shard", "7")
        self.end_headers()
    def log_message(self, *what): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
# Asks the next one, if there is one, which is slow on /slow.
RELAY = """
import http.client, http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if len(sys.argv) > 2:
            next = http.client.HTTPConnection("127.0.0.1", int(sys.argv[2]))
            next.request("GET", self.path)
            next.getresponse().read()
            next.close()
        elif self.path.startswith("/slow"): time.sleep(0.2)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *what): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
NGINX = """
daemon off; master_process on; worker_processes 2; pid nginx.pid; error_log stderr;
events {{ }}
http {{ access_log off; client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp;
  scgi_temp_path tmp; server {{ listen 127.0.0.1:{port}; location / {{ return 200 ok; }} }} }}
"""


class File:
    """A settings file, replaced as editors do."""

    def __init__(self, machine, text):
        self.path = machine.directory / "tagalong.yaml"
        self.write(text)

    def write(self, text):
        new = self.path.with_suffix(".new")
        new.write_text(text)
        os.replace(new, self.path)


def status(machine, session):
    result = machine.run([TAGALONG, "status", "--json", "--session", session.segment])
    assert result.returncode == 0, result.stderr
    (one,) = json.loads(result.stdout)["sessions"]
    return one


def change(machine, session, file, text):
    """Writes the file and waits until the exporter has told the processes; within a second, if the machine is idle."""
    before = status(machine, session)["settings"]
    file.write(text)
    return wait_for(lambda: (now := status(machine, session)["settings"])["since_unix_ns"] != before["since_unix_ns"] and now,
                    "the exporter takes the file")["generation"]


def get(port, path, *headers):
    lines = "".join(f"{line}\r\n" for line in headers)
    answer = exchange(port, f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{lines}\r\n".encode())
    assert b" 200 " in answer.split(b"\r\n", 1)[0], answer
    return answer


@pytest.fixture
def served(machine, collector):
    """A server under an exporter with a settings file: machine, file, session, port."""
    file = File(machine, "")
    session = Session(machine, collector.endpoint, TAGALONG_CONFIG=file.path)
    port = free_port()
    machine.start_server([PYTHON, "-c", SERVER, str(port)], port, env=session.env)
    return file, session, port


def spans_of(collector, session):
    session.end()
    return {span["attributes"]["url.path"]: span for span in collector.spans()}


def test_running_process_takes_what_the_file_says(machine, collector, served):
    file, session, port = served
    get(port, "/before", "X-Tenant: a")
    generation = change(machine, session, file, "capture:\n  request_headers: [X-Tenant]\n  response_headers: [x-shard]\n"
                                                "features: {request_id: false}\n")
    (process,) = status(machine, session)["processes"]
    assert process["settings_taken"] is False and process["settings_generation"] != generation
    without_id = get(port, "/captured", "X-Tenant: b")
    (process,) = status(machine, session)["processes"]
    assert process["settings_taken"] is True and process["settings_generation"] == generation
    change(machine, session, file, "sampling: {sampler: always_off}\n")
    with_id = get(port, "/unsampled", "X-Tenant: c")
    change(machine, session, file, "# as it was\n")
    get(port, "/after", "X-Tenant: d")
    assert b"X-Request-ID" not in without_id and b"X-Request-ID" in with_id
    spans = spans_of(collector, session)
    assert sorted(spans) == ["/after", "/before", "/captured"]
    assert spans["/captured"]["attributes"]["http.request.header.x-tenant"] == ["b"]
    assert spans["/captured"]["attributes"]["http.response.header.x-shard"] == ["7"]
    for path in ("/before", "/after"):
        assert "http.request.header.x-tenant" not in spans[path]["attributes"]


def test_all_workers_take_the_file_and_lose_no_span(machine, collector):
    file = File(machine, "")
    session = Session(machine, collector.endpoint, TAGALONG_CONFIG=file.path)
    port = free_port()
    (machine.directory / "nginx.conf").write_text(NGINX.format(port=port))
    machine.start_server(["nginx", "-p", machine.directory, "-c", "nginx.conf"], port, env=session.env)
    for turn in range(6):
        if turn % 2:
            change(machine, session, file, f"slow_call: {turn}s\ncapture: {{request_headers: [X-{turn}]}}\n")
        else:
            machine.run(["kill", "-HUP", session.process.pid])
        for number in range(20):
            get(port, f"/{turn}/{number}", f"X-{turn}: {number}")
    workers = [one for one in status(machine, session)["processes"] if one["spans"]]
    assert workers and all(one["settings_taken"] for one in workers)
    spans = spans_of(collector, session)
    assert set(spans) == {f"/{turn}/{number}" for turn in range(6) for number in range(20)}
    for turn in (1, 3, 5):
        for number in range(20):
            captured = spans[f"/{turn}/{number}"]["attributes"].get(f"http.request.header.x-{turn}")
            assert captured == [str(number)]


def test_kill_switch_stops_and_resumes(machine, collector, served):
    file, session, port = served
    with socket.create_connection(("127.0.0.1", port)) as kept:
        kept.sendall(b"GET /kept-before HTTP/1.1\r\nHost: test\r\n\r\n")
        assert b"X-Request-ID" in kept.recv(4096)
        change(machine, session, file, "disabled: true\n")
        assert status(machine, session)["settings"]["disabled"] is True
        kept.sendall(b"GET /kept-during HTTP/1.1\r\nHost: test\r\n\r\n")
        assert b"X-Request-ID" not in kept.recv(4096)
        assert b"X-Request-ID" not in get(port, "/during")
        change(machine, session, file, "disabled: false\n")
        assert b"X-Request-ID" in get(port, "/after")
        # What was not understood meanwhile stays alone until the connection is closed.
        kept.sendall(b"GET /kept-after HTTP/1.1\r\nHost: test\r\n\r\n")
        assert b"X-Request-ID" not in kept.recv(4096)
    assert sorted(spans_of(collector, session)) == ["/after", "/kept-before"]


def test_file_that_cannot_be_used_changes_nothing(machine, collector, served):
    file, session, port = served
    change(machine, session, file, "capture: {request_headers: [X-Tenant]}\n")
    get(port, "/good", "X-Tenant: a")
    file.write("capture:\n  request_headers: [X-Tenant]\nsamplng: {}\n")
    wait_for(lambda: status(machine, session)["settings"]["refused"], "the exporter refuses the file")
    get(port, "/still", "X-Tenant: b")
    log = machine.log(session.process)
    assert f"{file.path}:3: samplng: unknown key" in log
    assert "the settings in force stay" in log
    file.path.unlink()
    wait_for(lambda: "No such file" in machine.log(session.process), "the exporter says that the file is gone")
    get(port, "/gone", "X-Tenant: c")
    spans = spans_of(collector, session)
    assert [spans[path]["attributes"]["http.request.header.x-tenant"] for path in ("/good", "/still", "/gone")] == [
        ["a"], ["b"], ["c"]]


def test_variable_of_the_exporter_goes_before_the_file(machine, collector):
    file = File(machine, "capture: {request_headers: [X-File]}\n")
    session = Session(machine, collector.endpoint, TAGALONG_CONFIG=file.path,
                      TAGALONG_CAPTURE_REQUEST_HEADERS="X-Other")
    port = free_port()
    machine.start_server([PYTHON, "-c", SERVER, str(port)], port,
                         env={**session.env, "TAGALONG_CAPTURE_REQUEST_HEADERS": "X-Mine"})
    get(port, "/", "X-File: a", "X-Mine: b")
    attributes = spans_of(collector, session)["/"]["attributes"]
    assert "http.request.header.x-file" not in attributes
    assert attributes["http.request.header.x-mine"] == ["b"]


def test_exporter_does_not_start_with_a_file_that_cannot_be_used(machine):
    file = File(machine, "sampling:\n  ratio: 2\n")
    result = machine.run([TAGALONG, "export", "--config", file.path, "--segment", machine.directory / "segment"])
    assert result.returncode == 1
    assert f"{file.path}:2: ratio: must be a number from 0 to 1" in result.stderr
    assert not (machine.directory / "segment").exists()


def test_check_prints_each_problem_with_its_line(machine):
    file = File(machine, "sampling: {sampler: sometimes}\n\nslow_call: soon\nnone: 1\n")
    result = machine.run([TAGALONG, "check", "--config", file.path])
    assert result.returncode == 1
    assert [line.split(":")[1:3] for line in result.stderr.splitlines()] == [
        ["1", " sampler"], ["3", " slow_call"], ["4", " none"]]
    file.write("slow_call: 1s\n")
    result = machine.run([TAGALONG, "check", "--config", file.path])
    assert result.returncode == 0 and result.stderr == "" and str(file.path) in result.stdout


def test_status_tells_people(machine, collector, served):
    file, session, port = served
    get(port, "/")
    collector.wait(1)
    wait_for(lambda: status(machine, session)["destinations"][0]["sent"] == 1, "status knows what was sent")
    (traces,) = [one for one in status(machine, session)["destinations"] if one["signal"] == "traces"]
    assert (traces["lost"], traces["waiting"], traces["spooled_bytes"]) == (0, 0, 0)
    result = machine.run([TAGALONG, "status", "--session", session.segment])
    assert result.returncode == 0
    for part in (f"process {session.process.pid}", str(file.path), "python3", "taken"):
        assert part in result.stdout
    machine.stop(session.process, signal.SIGKILL)
    result = machine.run([TAGALONG, "status", "--session", session.segment])
    assert "none runs" in result.stdout
    result = machine.run([TAGALONG, "status", "--session", file.path])
    assert result.returncode == 1 and "not a session of this version" in result.stderr


def test_example_is_valid_and_names_every_setting(machine):
    result = machine.run([TAGALONG, "check", "--config", ROOT / "examples" / "tagalong.yaml"])
    assert result.returncode == 0, result.stderr
    # What is only shown there must be valid as well.
    text = (ROOT / "examples" / "tagalong.yaml").read_text().split("\n\n", 1)[1]
    shown = re.sub(r"(?m)^# (?=[a-z_]+:$|  )", "", text)
    file = File(machine, shown + "\n")
    result = machine.run([TAGALONG, "check", "--config", file.path])
    assert result.returncode == 0, result.stderr
    assert "\nstore:\n" in shown and "\ntail_sampling:\n" in shown


def test_tail_sampling_keeps_whole_traces_that_are_worth_it(machine, collector):
    file = File(machine, "tail_sampling: {grace: 100ms, decision_wait: 1s, policies: [slower_than: 150ms]}\n")
    session = Session(machine, collector.endpoint, TAGALONG_CONFIG=file.path)
    backend, front = free_port(), free_port()
    machine.start_server([PYTHON, "-c", RELAY, str(backend)], backend, env=session.env)
    machine.start_server([PYTHON, "-c", RELAY, str(front), str(backend)], front, env=session.env)
    for number in range(10):
        get(front, f"/quick/{number}")
    get(front, "/slow/0")
    spans = collector.wait(3)
    change(machine, session, file, "slow_call: 1s\n")  # no tail sampling any more
    get(front, "/quick/last")
    session.end()
    assert {span["attributes"]["tagalong.sampling.policy"] for span in spans} == {"slower_than"}
    paths = [span["attributes"].get("url.path") or span["attributes"]["url.full"].split(str(backend), 1)[1]
             for span in collector.spans()]
    assert sorted(paths) == ["/quick/last"] * 3 + ["/slow/0"] * 3
    assert len({span["trace"] for span in spans}) == 1
