# test_ebpf_spans.py - what the kernel saw, as metrics and on each request's span.
import json
import os
import re
import signal
import sqlite3
import time
import urllib.request

import pytest

from tagalong_e2e.kernel import LOAD, needs_probes
from tagalong_e2e.launcher import NOBODY
from tagalong_e2e.machine import TAGALONG, free_port, listens, wait_for


SERVER = """
import http.server, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.02)
        os.path.exists("/nonexistent")
        self.send_response(204)
        self.end_headers()
    def log_message(self, *arguments):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def start_server(machine, before=()):
    """A traced server whose exporter asks the kernel; (port, a function that reads a metric)."""
    script = machine.directory / "server.py"
    script.write_text(SERVER)
    port, scraped = free_port(), free_port()
    env = {"TAGALONG_EBPF": "1", "OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": scraped,
           "TAGALONG_STORE": machine.directory / "traces.db"}
    process = machine.start([*before, TAGALONG, "run", "--", "/usr/bin/python3", script, port], env)
    wait_for(lambda: listens(port) and listens(scraped), f"the server listens\n{machine.log(process)}")

    def read(name, **labels):
        with urllib.request.urlopen(f"http://127.0.0.1:{scraped}/metrics") as answer:
            lines = [line for line in answer.read().decode().splitlines() if line.startswith(name + "{")]
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(label in line for label in wanted))

    return process, port, read


def ask(port, times):
    for _ in range(times):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            assert answer.status == 204


@needs_probes
def test_metrics_tell_what_the_kernel_saw_of_a_traced_server(machine):
    _, port, read = start_server(machine)
    calls, waits = "tagalong_syscall_duration_seconds", "tagalong_sched_offcpu_duration_seconds"

    def state():
        return [read(calls + "_count", syscall="clock_nanosleep"), read(calls + "_count", error_type="ENOENT"),
                read(waits + "_count", reason="sleep"), read("tagalong_tcp_accept_duration_seconds_count")]

    ask(port, 1)  # with its first request it attaches
    wait_for(lambda: ask(port, 1) or state()[0], "the probes see it")
    before, slept = state(), read(waits + "_sum", reason="sleep")
    ask(port, 5)
    # The last call of a request may still be under way when its answer is here.
    wait_for(lambda: [now - then for now, then in zip(state(), before)] == [5, 5, 5, 5], f"counted {before} {state()}")
    assert read(waits + "_sum", reason="sleep") - slept >= 0.9 * 5 * 0.02
    assert read("tagalong_sched_runqueue_duration_seconds_count") > 0
    assert read("tagalong_ebpf_lost_total") == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give it up")
def test_without_rights_the_exporter_says_so_and_goes_on(machine):
    machine.directory.chmod(0o777)
    nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    process, port, read = start_server(machine, nobody)
    ask(port, 3)
    wait_for(lambda: read("http_server_request_duration_seconds_count") == 3, "requests are measured")
    said = [line for line in machine.log(process).splitlines() if "ebpf" in line]
    assert len(said) == 1 and said[0].startswith("warn ebpf: the kernel is not asked: ")
    assert read("tagalong_syscall_duration_seconds_count") == 0


# ---- spans ------------------------------------------------------------------------------------

SPLIT_SERVER = """
import http.server, os, queue, socket, sys, threading, time
lock, data, sockets = threading.Lock(), sys.argv[2], queue.SimpleQueue()
asked, held = threading.Semaphore(0), threading.Semaphore(0)
# Begun before any request, for a thread that a request starts works for it, too.
def hold():
    while True:
        asked.acquire()
        with lock:
            held.release()
            time.sleep(0.1)
threading.Thread(target=hold, daemon=True).start()
def wait_for_disk():
    fd = os.open(data, os.O_RDONLY)
    for at in range(5):
        os.pread(fd, 4096, at * 1048576 + int(time.monotonic() * 1e6) % 200 * 4096)
    os.close(fd)
def wait_for_lock():
    asked.release()
    held.acquire()
    with lock:
        pass
def wait_for_network():
    one, two = socket.socketpair()
    sockets.put(two)
    one.recv(1)
def answer():
    while True:
        two = sockets.get()
        time.sleep(0.1)
        two.send(b"x")
threading.Thread(target=answer, daemon=True).start()
def work():
    end = time.thread_time() + 0.1
    while time.thread_time() < end:
        pass
paths = {"/sleep": lambda: time.sleep(0.1), "/disk": wait_for_disk, "/lock": wait_for_lock,
         "/network": wait_for_network, "/work": work, "/": lambda: None}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        paths[self.path]()
        self.send_response(204)
        self.end_headers()
    def log_message(self, *arguments):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class Split:
    """A server with a thread a request, on one CPU; its spans, as the store has them."""

    def __init__(self, machine, data="/dev/null", cpu=1):
        script = machine.directory / "split.py"
        script.write_text(SPLIT_SERVER)
        self.port, self.store = free_port(), machine.directory / "split.db"
        env = {"TAGALONG_EBPF": "1", "OTEL_METRICS_EXPORTER": "none", "TAGALONG_STORE": self.store,
               "OTEL_BSP_SCHEDULE_DELAY": "50"}
        process = machine.start([TAGALONG, "run", "--", "taskset", "-c", cpu, "/usr/bin/python3", script, self.port, data],
                                env)
        wait_for(lambda: listens(self.port), f"the server listens\n{machine.log(process)}")
        # The kernel has to learn first where its threads publish.
        wait_for(lambda: "tagalong.time.blocked" in self.ask("/sleep")[1], f"spans are split\n{machine.log(process)}")

    def spans(self):
        with sqlite3.connect(self.store) as store:
            return store.execute("SELECT duration_ns, attributes, events FROM spans WHERE kind = 2 "
                                 "ORDER BY start_unix_ns").fetchall()

    def ask(self, path):
        """(seconds, attributes, events) of the request's span."""
        before = len(self.spans()) if self.store.exists() else 0
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
            assert answer.status == 204
        wait_for(lambda: self.store.exists() and len(self.spans()) > before, "the span is stored")
        duration, attributes, events = self.spans()[-1]
        attributes = json.loads(attributes)
        assert attributes["url.path"] == path
        return duration / 1e9, attributes, json.loads(events or "[]")


def times(attributes):
    return {key.removeprefix("tagalong.time."): value / 1e9 for key, value in attributes.items()
            if key.startswith("tagalong.time.") and key != "tagalong.time.calls"}


def check_split(seconds, attributes, kind):
    """The parts add up, and 0.1 s of it are what they should be; both within a tenth."""
    parts = times(attributes)
    whole = parts["cpu"] + parts["runqueue"] + parts["blocked"]
    assert abs(whole - seconds) < 0.1 * seconds, parts
    assert parts[kind] >= 0.09, parts
    blocked = {key: value for key, value in parts.items() if key.startswith("blocked.")}
    assert abs(sum(blocked.values()) - parts["blocked"]) < 1e-6
    others = sum(value for key, value in blocked.items() if key != kind)
    assert others < 0.02, parts


@needs_probes
def test_each_request_says_where_its_time_went(machine, disk):
    server = Split(machine, disk)
    for path, kind in (("/sleep", "blocked.sleep"), ("/disk", "blocked.disk"), ("/lock", "blocked.lock"),
                       ("/network", "blocked.network"), ("/work", "cpu")):
        seconds, attributes, _ = server.ask(path)
        check_split(seconds, attributes, kind)
    trace = json.loads(machine.run([TAGALONG, "traces", "--store", server.store, "--limit", 1, "--json"]).stdout)
    shown = machine.run([TAGALONG, "traces", "--store", server.store, trace["trace_id"]]).stdout
    bar = re.search(r"^ *(C+)[a-z]*  C cpu (\d+(?:\.\d)?)ms", shown, re.M)
    assert bar and len(bar[1]) >= 0.9 * 24 * 0.1 / seconds and float(bar[2]) >= 90, shown


@needs_probes
def test_a_request_that_is_starved_says_so(machine):
    server = Split(machine, cpu=0)
    neighbour = machine.start(["taskset", "-c", 0, LOAD, "spin", 5000])
    time.sleep(0.1)
    seconds, attributes, _ = server.ask("/work")
    machine.stop(neighbour, signal.SIGKILL)
    parts = times(attributes)
    assert parts["cpu"] >= 0.09 and parts["runqueue"] > 0.04, parts
    assert abs(sum(parts[key] for key in ("cpu", "runqueue", "blocked")) - seconds) < 0.1 * seconds


@needs_probes
def test_slow_calls_are_events_of_their_request(machine, disk):
    server = Split(machine, disk)
    _, _, events = server.ask("/sleep")
    slow = [event["attributes"] for event in events if event["name"] == "tagalong.syscall"]
    assert [one["syscall"] for one in slow if one["tagalong.duration"] >= 90_000_000] == ["clock_nanosleep"]
    _, _, events = server.ask("/disk")
    reads = [event["attributes"] for event in events if event["attributes"].get("syscall") == "pread64"]
    assert len(reads) == 5
    for one in reads:
        assert one["tagalong.descriptor.type"] == "file" and one["tagalong.syscall.result"] == 4096
        assert one["tagalong.duration"] >= 18_000_000
    _, _, events = server.ask("/")
    assert not [event for event in events if event["attributes"]["tagalong.duration"] >= 18_000_000]
