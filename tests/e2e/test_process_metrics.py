# test_process_metrics.py - process.*: what /proc says of a real process, until it has been scraped after its end.
import os
import re
import urllib.request
from pathlib import Path

from tagalong_e2e.launcher import PYTHON
from tagalong_e2e.machine import free_port, wait_for
from tagalong_e2e.raw import exchange, without_added
from tagalong_e2e.session import Session

# Opens a few descriptors, computes and waits when it is asked to.
SERVER = """
import http.server, os, sys, threading, time
kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(20)]
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/wait":
            for _ in range(300): time.sleep(0.0005)
        until = time.thread_time() + 0.2
        while self.path == "/work" and time.thread_time() < until: pass
        body = b"x" * 5000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *what): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def scrape(port):
    """{(name, labels that matter): value} of the service's process metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = {}
    for name, labels, value in re.findall(r'^(process_\w+)\{job="shop",([^}]*)\} (\S+)$', text, re.M):
        own = tuple(re.findall(r'(?:cpu_mode|direction|_type)="(\w+)"', labels))
        assert (name, own) not in found
        found[name, own] = float(value)
    return found


def test_numbers_are_those_of_the_process_and_outlive_it(machine):
    metrics_port, port = free_port(), free_port()
    session = Session(machine, "", TAGALONG_STORE=machine.directory / "traces.db", OTEL_METRICS_EXPORTER="prometheus",
                      OTEL_EXPORTER_PROMETHEUS_PORT=str(metrics_port))
    server = machine.start_server([PYTHON, "-c", SERVER, str(port)], port,
                                  env={**session.env, "OTEL_SERVICE_NAME": "shop"})
    asked = answered = 0
    for path in ("/", "/work", "/wait"):
        request = f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode()
        asked += len(request)
        answered += len(without_added(exchange(port, request)))
    proc = Path(f"/proc/{server.pid}")
    seen = scrape(metrics_port)
    assert seen["process_unix_file_descriptor_count", ()] == len(os.listdir(proc / "fd")) > 20
    assert seen["process_thread_count", ()] == 1
    assert seen["process_network_io_bytes_total", ("receive",)] == asked
    assert seen["process_network_io_bytes_total", ("transmit",)] == answered > 15000
    assert seen["process_cpu_time_seconds_total", ("user",)] + seen["process_cpu_time_seconds_total", ("system",)] >= 0.2
    assert seen["process_context_switches_total", ("voluntary",)] >= 300
    status = (proc / "status").read_text()
    assert seen["process_context_switches_total", ("voluntary",)] <= int(
        re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", status).group(1))
    assert seen["process_paging_faults_total", ("minor",)] > 0
    pages = int((proc / "statm").read_text().split()[1])
    assert abs(seen["process_memory_usage_bytes", ()] - pages * os.sysconf("SC_PAGESIZE")) < 1 << 20
    assert 0 < seen["process_uptime_seconds", ()] < 60
    used = dict(line.split(": ") for line in (proc / "io").read_text().splitlines())
    assert seen["process_disk_io_bytes_total", ("write",)] <= int(used["write_bytes"])
    assert seen["process_disk_io_bytes_total", ("read",)] <= int(used["read_bytes"])
    assert seen["process_memory_virtual_bytes", ()] > seen["process_memory_usage_bytes", ()]

    # The series of a process that has ended stay until they have been read once more.
    machine.stop(server)
    wait_for(lambda: not os.path.exists(proc), "the server is gone")
    last = scrape(metrics_port)
    assert last["process_network_io_bytes_total", ("transmit",)] == answered
    wait_for(lambda: not scrape(metrics_port), "the series are forgotten")
