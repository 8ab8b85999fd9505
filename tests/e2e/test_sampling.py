# test_sampling.py - head sampling: one decision along a trace, whatever each service is set to.
import pytest

from tagalong_e2e.machine import free_port
from tagalong_e2e.raw import exchange

PYTHON = "/usr/bin/python3"
SERVER = """
import http.client, http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if len(sys.argv) > 2:
            next = http.client.HTTPConnection("127.0.0.1", int(sys.argv[2]))
            next.request("GET", self.path)
            next.getresponse().read()
            next.close()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *what): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
REQUESTS = 80


def serve(machine, session, sampler, ratio, *arguments):
    port = free_port()
    machine.start_server([PYTHON, "-c", SERVER, str(port), *map(str, arguments)], port,
                         env={**session.env, "OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": ratio})
    return port


def traces_of(collector):
    traces = {}
    for span in collector.spans():
        traces.setdefault(span["trace"], []).append(span)
    return traces


def randomness(trace):
    return int(trace[18:], 16)


def ask(port, *headers):
    lines = "".join(f"{line}\r\n" for line in headers)
    assert b" 200 " in exchange(port, f"GET / HTTP/1.0\r\n{lines}\r\n".encode())


@pytest.mark.parametrize("ratio", ["0", "0.001", "1"])
def test_service_behind_follows_its_caller(machine, collector, session, ratio):
    back = serve(machine, session, "parentbased_traceidratio", ratio)
    front = serve(machine, session, "parentbased_traceidratio", "0.5", back)
    for _ in range(REQUESTS):
        ask(front)
    session.end()
    traces = traces_of(collector)
    # 80 of 80 or none are less likely than 1 in 10^24.
    assert 0 < len(traces) < REQUESTS
    for trace, spans in traces.items():
        assert len(spans) == 3
        assert randomness(trace) >= 1 << 55
        assert {span["trace_state"] for span in spans} == {"ot=th:8"}


def test_ratio_without_parents_keeps_the_same_traces_among_fewer(machine, collector, session):
    back = serve(machine, session, "traceidratio", "0.25")
    front = serve(machine, session, "parentbased_always_on", "", back)
    for _ in range(REQUESTS):
        ask(front)
    session.end()
    traces = traces_of(collector)
    assert len(traces) == REQUESTS
    for trace, spans in traces.items():
        kept = randomness(trace) >= 3 << 54
        assert len(spans) == (3 if kept else 2)
        assert sorted(span["trace_state"] for span in spans) == (["", "", "ot=th:c"] if kept else ["", ""])


def test_randomness_that_the_caller_brings_decides(machine, collector, session):
    port = serve(machine, session, "traceidratio", "0.25")
    for number, digits in enumerate(("c0000000000000", "bfffffffffffff", "ffffffffffffff", "00000000000000"), 1):
        ask(port, f"traceparent: 00-{number:032x}-00000000000000ab-02", f"tracestate: a=b,ot=rv:{digits}")
    session.end()
    assert sorted((int(span["trace"], 16), span["trace_state"]) for span in collector.spans()) == [
        (1, "ot=th:c;rv:c0000000000000,a=b"), (3, "ot=th:c;rv:ffffffffffffff,a=b")]
