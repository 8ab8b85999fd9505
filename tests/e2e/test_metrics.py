# test_metrics.py - what is counted is exact, in OTLP and in Prometheus, whatever happens to the workers.
import http.client
import json
import os
import re
import signal
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter

import pytest

from tagalong_e2e.machine import free_port, listens, wait_for
from tagalong_e2e.session import Session

OPENMETRICS = "application/openmetrics-text;version=1.0.0"
DURATION = "http.server.request.duration"
# Answers /200, /404, ... with that status and a body of that many bytes; /sleep waits to be told to go on.
APPLICATION = """
import os, time
def application(environ, start_response):
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    path = environ["PATH_INFO"][1:]
    while path == "sleep" and not os.path.exists("go"):
        time.sleep(0.01)
    status = path if path.isdigit() else "200"
    body = b"x" * int(status)
    start_response(status + " Whatever", [("Content-Length", str(len(body)))])
    return [body]
"""


class Scrape:
    """One answer of the Prometheus endpoint: families, and samples as {(name, labels): value}."""

    LINE = re.compile(r'^([a-z_:]+)\{(.*)\} (\S+)( # \{trace_id="([0-9a-f]{32})".*)?$')
    LABEL = re.compile(r'([a-z_0-9]+)="((?:[^"\\]|\\.)*)"(?:,|$)')

    def __init__(self, port, accept="text/plain"):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=10) as answer:
            self.type = answer.headers["Content-Type"]
            self.text = answer.read().decode()
        self.samples = {}
        self.exemplars = set()
        for line in self.text.splitlines():
            if line.startswith("#"):
                continue
            name, labels, value, _, trace = self.LINE.match(line).groups()
            key = (name, frozenset(self.LABEL.findall(labels)))
            assert key not in self.samples, line
            self.samples[key] = float(value)
            if trace:
                self.exemplars.add(trace)

    def sum(self, name, **labels):
        """The sum of all series of that name that have these labels."""
        wanted = set(labels.items())
        return sum(value for (other, have), value in self.samples.items() if other == name and wanted <= have)

    def series(self, name, **labels):
        wanted = set(labels.items())
        return [dict(have) for other, have in self.samples if other == name and wanted <= have]


class Service:
    """gunicorn with an exporter of its own."""

    def __init__(self, machine, collector, workers=2, server_env=None, **env):
        self.prometheus = free_port()
        self.machine = machine
        self.session = Session(machine, collector.endpoint, OTEL_EXPORTER_PROMETHEUS_PORT=self.prometheus, **env)
        (machine.directory / "application.py").write_text(APPLICATION)
        self.port = free_port()
        self.server = machine.start_server(
            ["gunicorn", "-w", workers, "-b", f"127.0.0.1:{self.port}", "--pid", machine.directory / "pid",
             "application"], self.port,
            env={**self.session.env, "OTEL_SERVICE_NAME": "shop", **(server_env or {})})

        wait_for(lambda: listens(self.prometheus), "the endpoint")

    def ask(self, path, count=1, method="GET", body=None):
        for _ in range(count):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            connection.request(method, path, body)
            connection.getresponse().read()
            connection.close()

    def scrape(self, accept="text/plain"):
        return Scrape(self.prometheus, accept)

    def wait(self, count, **labels):
        """Waits until so many requests are counted; exactly so many then."""
        wait_for(lambda: self.scrape().sum("http_server_request_duration_seconds_count", **labels) >= count,
                 f"{count} requests counted", 10)
        scrape = self.scrape()
        assert scrape.sum("http_server_request_duration_seconds_count", **labels) == count
        return scrape

    def workers(self):
        master = (self.machine.directory / "pid").read_text().strip()
        with open(f"/proc/{master}/task/{master}/children", encoding="ascii") as children:
            return [int(pid) for pid in children.read().split()]

    def end(self):
        self.machine.stop(self.server)
        self.session.end()


def last_push(points):
    """The points of each metric in the last push, of the service alone."""
    last = max(point["push"] for point in points)
    return [point for point in points if point["push"] == last and point["resource"]["service.name"] == "shop"]


def labels_of(attributes):
    return frozenset((re.sub(r"[^a-zA-Z0-9]+", "_", key), str(value)) for key, value in attributes.items())


def test_both_ways_tell_the_same_exact_numbers(machine, collector):
    service = Service(machine, collector)
    service.ask("/200", 30)
    # By these the route is known, in whatever order the workers' spans are read; a 404 teaches none.
    service.wait(30)
    service.ask("/404", 20)
    service.ask("/503", 10)
    service.ask("/200", 7, "POST", b"y" * 300)
    service.ask("/200", 3, "BREW")
    scrape = service.wait(70)
    service.end()
    points = last_push(collector.points())

    counts = {(point["attributes"]["http.request.method"], point["attributes"]["http.response.status_code"],
               point["attributes"].get("error.type")): point["count"]
              for point in points if point["metric"] == DURATION}
    assert counts == {("GET", 200, None): 30, ("GET", 404, None): 20, ("GET", 503, "503"): 10,
                      ("POST", 200, None): 7, ("_OTHER", 200, None): 3}
    sizes = {point["metric"]: 0 for point in points if point["metric"].endswith(".body.size")}
    for point in points:
        if point["metric"] in sizes:
            sizes[point["metric"]] += point["sum"]
    assert sizes == {"http.server.request.body.size": 7 * 300,
                     "http.server.response.body.size": 40 * 200 + 20 * 404 + 10 * 503}

    # Series by series, bucket by bucket.
    compared = 0
    for point in points:
        if point["kind"] != "histogram":
            continue
        name = re.sub(r"[^a-z]", "_", point["metric"]) + {"s": "_seconds", "By": "_bytes"}[point["unit"]]
        own = labels_of(point["attributes"])
        prometheus = {key: value for key, value in scrape.samples.items() if key[0].startswith(name) and own <= key[1]}
        prometheus = {(key, dict(labels).get("le")): value for (key, labels), value in prometheus.items()
                      if ("error_type" in dict(labels)) == ("error.type" in point["attributes"])}
        assert prometheus[(f"{name}_count", None)] == point["count"]
        assert prometheus[(f"{name}_sum", None)] == point["sum"]
        total = 0
        for bound, count in zip([*point["explicitBounds"], "+Inf"], point["bucketCounts"]):
            total += count
            text = [le for key, le in prometheus if le and float(le) == float(bound)]
            assert prometheus[(f"{name}_bucket", text[0])] == total
            compared += 1
    assert compared == 5 * 15 + 5 * 13 + 5 * 13


def test_counters_survive_their_workers(machine, collector):
    service = Service(machine, collector, workers=1, OTEL_METRIC_EXPORT_INTERVAL=200)
    seen = []
    for expected in (10, 20, 30):
        service.ask("/200", 10)
        service.wait(expected)
        seen.append(service.workers())
        os.kill(seen[-1][0], signal.SIGKILL if expected == 10 else signal.SIGTERM)
        wait_for(lambda: service.workers() not in ([], seen[-1]), "another worker")
    assert len({pid for pids in seen for pid in pids}) == 3
    service.end()
    points = [point for point in collector.points() if point["metric"] == DURATION]
    assert last_push(points)[0]["count"] == 30
    assert len({point["startTimeUnixNano"] for point in points}) == 1
    assert len({json.dumps(point["resource"], sort_keys=True) for point in points}) == 1
    assert not [key for key in points[0]["resource"] if key.startswith("process.")]
    counts = [point["count"] for point in points]
    assert counts == sorted(counts)


def test_what_is_not_sampled_is_counted(machine, collector):
    service = Service(machine, collector, server_env={"OTEL_TRACES_SAMPLER": "always_off"})
    service.ask("/200", 25)
    scrape = service.wait(25)
    assert scrape.sum("tagalong_spans_unsampled_total") == 25
    assert scrape.sum("tagalong_spans_read_total") == 25
    assert not service.scrape(OPENMETRICS).exemplars
    service.end()
    assert collector.spans() == []


def test_delta_adds_up(machine, collector):
    service = Service(machine, collector, OTEL_METRIC_EXPORT_INTERVAL=100,
                      OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta")
    for total in range(20, 100, 20):
        service.ask("/200", 20)
        service.wait(total)
        wait_for(lambda: sum(point["count"] for point in collector.points() if point["metric"] == DURATION) == total,
                 "the push of it")
    service.end()
    points = [point for point in collector.points() if point["metric"] == DURATION]
    assert sum(point["count"] for point in points) == 80
    assert {point["temporality"] for point in points} == {1}
    assert len(points) >= 4
    for earlier, later in zip(points, points[1:]):
        assert later["startTimeUnixNano"] >= earlier["timeUnixNano"]
    assert {point["temporality"] for point in collector.points() if point["metric"] == "tagalong.processes"} == {2}


def test_exponential_histograms_hold_every_value(machine, collector):
    service = Service(machine, collector, OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION=
                      "base2_exponential_bucket_histogram")
    service.ask("/200", 40)
    scrape = service.wait(40)
    service.end()
    point = next(point for point in last_push(collector.points()) if point["metric"] == DURATION)
    assert point["kind"] == "exponentialHistogram"
    assert point["count"] == 40
    assert sum(point["positive"]["bucketCounts"]) + (point.get("zeroCount") or 0) == 40
    # Prometheus has the same counts at powers of two.
    base = 2 ** 2 ** -(point.get("scale") or 0)
    within = Counter()
    for index, count in enumerate(point["positive"]["bucketCounts"]):
        upper = base ** (point["positive"].get("offset", 0) + index + 1)
        for labels in scrape.series("http_server_request_duration_seconds_bucket"):
            within[labels["le"]] += count if upper <= float(labels["le"]) * 1.000001 else 0
    for le, count in within.items():
        assert scrape.sum("http_server_request_duration_seconds_bucket", le=le) == count


def test_both_formats_are_as_prometheus_wants_them(machine, collector):
    service = Service(machine, collector)
    service.ask("/200", 5)
    service.ask("/500", 5)
    plain = service.wait(10)
    open_metrics = service.scrape(OPENMETRICS)
    assert plain.type == "text/plain; version=0.0.4; charset=utf-8"
    assert open_metrics.type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert not plain.exemplars
    assert open_metrics.text.endswith("\n# EOF\n")
    (machine.directory / "page").write_text(plain.text)
    checked = machine.run(["sh", "-c", "promtool check metrics <page"])
    # Semantic conventions call some levels of processes so, and the translation leaves that to them.
    allowed = re.compile(r'process_(unix_file_descriptor|thread)_count .* should not have "_count" suffix$')
    assert [line for line in checked.stderr.splitlines() if not allowed.match(line)] == []
    assert (checked.returncode, checked.stdout) == (3 if checked.stderr else 0, "")
    jobs = {labels["job"] for labels in plain.series("target_info")}
    assert jobs == {"shop", "tagalong"}
    assert all(labels["otel_scope_name"] == "tagalong" for name, labels in
               ((name, dict(labels)) for name, labels in plain.samples) if name != "target_info")
    traces = wait_for(lambda: {span["trace"] for span in collector.spans()}, "spans")
    assert open_metrics.exemplars and open_metrics.exemplars <= traces
    service.end()


def test_prometheus_stores_series_and_exemplars(machine, collector):
    service = Service(machine, collector)
    service.ask("/200", 12)
    service.wait(12)
    port = free_port()
    (machine.directory / "prometheus.yml").write_text(json.dumps({
        "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"},
        "scrape_configs": [{"job_name": "tagalong", "honor_labels": True,
                            "static_configs": [{"targets": [f"127.0.0.1:{service.prometheus}"]}]}]}))
    prometheus = machine.start(["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data",
                                "--enable-feature=exemplar-storage", f"--web.listen-address=127.0.0.1:{port}"])
    wait_for(lambda: listens(port), "Prometheus", 20)

    def query(what, **arguments):
        url = f"http://127.0.0.1:{port}/api/v1/{what}?{urllib.parse.urlencode(arguments)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def value():
        try:
            result = query("query", query='sum(http_server_request_duration_seconds_count{job="shop"})')["result"]
        except urllib.error.HTTPError as error:
            assert error.code == 503  # it listens before it can answer
            return None
        return result and result[0]["value"][1]

    assert wait_for(value, "the series", 20) == "12"
    found = query("query_exemplars", query="http_server_request_duration_seconds_bucket", start=0, end=9999999999)
    assert {one["seriesLabels"]["job"] for one in found} == {"shop"}
    target = query("targets")["activeTargets"][0]
    assert (target["health"], target["lastError"]) == ("up", "")
    machine.stop(prometheus)
    service.end()


def test_requests_in_flight_are_counted_while_they_are(machine, collector):
    service = Service(machine, collector, workers=3)

    def active():
        return service.scrape().sum("http_server_active_requests", http_request_method="GET")

    threads = [threading.Thread(target=service.ask, args=("/sleep",)) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_for(lambda: active() == 3, "three requests in flight")
    (machine.directory / "go").touch()
    for thread in threads:
        thread.join()
    wait_for(lambda: active() == 0, "no request in flight")
    service.wait(3)
    service.end()


def test_too_many_series_become_one_and_the_attribute_is_named(machine, collector):
    service = Service(machine, collector, TAGALONG_METRICS_SERIES=4)
    for status in range(200, 220):
        service.ask(f"/{status}", 2)
    scrape = service.wait(40)
    name = "http_server_request_duration_seconds_count"
    assert len(scrape.series(name)) == 4
    assert scrape.sum(name, otel_metric_overflow="true") == 34
    log = service.machine.log(service.session.process)
    assert "http.server.request.duration of shop has reached its limit of 4 series" in log
    assert "the attribute http.response.status_code has 3 values" in log
    service.end()


def test_idle_series_are_forgotten(machine, collector):
    service = Service(machine, collector, TAGALONG_METRICS_EXPIRY=1, OTEL_METRIC_EXPORT_INTERVAL=100)
    service.ask("/200", 3)
    wait_for(lambda: any(point["metric"] == DURATION for point in collector.points()), "a push")
    wait_for(lambda: not service.scrape().series("http_server_request_duration_seconds_count"), "an end of it", 10)
    service.ask("/200", 2)
    service.wait(2)
    service.end()
    starts = {point["startTimeUnixNano"] for point in collector.points() if point["metric"] == DURATION}
    assert len(starts) == 2


def test_a_command_of_redis_is_measured(machine, collector, databases):
    server = databases.get("redis")
    prometheus = free_port()
    session = Session(machine, collector.endpoint, OTEL_EXPORTER_PROMETHEUS_PORT=prometheus)
    wait_for(lambda: listens(prometheus), "the endpoint")
    for _ in range(3):
        done = machine.run(["redis-cli", "-p", server.port, "-a", server.password, "set", "k", "v"], env=session.env)
        assert done.stdout == "OK\n"

    def count():
        return Scrape(prometheus).sum("db_client_operation_duration_seconds_count", db_system_name="redis",
                                      db_operation_name="set", server_address="127.0.0.1")

    wait_for(lambda: count() == 3, "three commands")
    session.end()


def test_a_port_in_use_costs_one_line_and_nothing_else(machine, collector, peer):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        session = Session(machine, collector.endpoint, OTEL_EXPORTER_PROMETHEUS_PORT=port)
        machine.run(["curl", "-sS", peer.url], env=session.env)
        session.end()
    assert machine.log(session.process) == (
        f"warn metrics: no Prometheus endpoint at 127.0.0.1:{port}: Address already in use\n")
    assert len(collector.spans()) == 1
    assert sum(point["count"] for point in collector.points() if point["metric"] == "http.client.request.duration") == 1


@pytest.mark.parametrize("asked", ["", "prometheus"])
def test_a_private_exporter_is_scraped_only_if_asked_for(machine, peer, asked):
    port = free_port()
    run = machine.start_traced(
        ["sh", "-c", f"curl -sS {peer.url}; sleep 20"], "client",
        env={"OTEL_METRICS_EXPORTER": asked, "OTEL_EXPORTER_PROMETHEUS_PORT": port})
    wait_for(lambda: "hello" in machine.log(run), "an answer")
    if asked:
        wait_for(lambda: listens(port), "the endpoint")
        wait_for(lambda: Scrape(port).sum("http_client_request_duration_seconds_count", job="client") == 1,
                 "one request", 10)
    else:
        assert not listens(port)
    machine.stop(run)


def test_metrics_told_to_go_nowhere_are_not_pushed(machine, collector, peer):
    session = Session(machine, collector.endpoint, OTEL_METRICS_EXPORTER="none")
    machine.run(["curl", "-sS", peer.url], env=session.env)
    session.end()
    assert len(collector.spans()) == 1
    assert collector.points() == []


def test_only_metrics_are_served_and_only_read(machine, collector):
    port = free_port()
    session = Session(machine, collector.endpoint, OTEL_EXPORTER_PROMETHEUS_PORT=port)

    def status(method, path):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request(method, path)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status

    wait_for(lambda: listens(port), "the endpoint")
    assert status("GET", "/metrics") == 200
    assert status("HEAD", "/metrics") == 200
    assert status("GET", "/") == 404
    assert status("GET", "/metrics/../etc/passwd") == 404
    assert status("POST", "/metrics") == 405
    # Others that are slow hinder nobody.
    with socket.create_connection(("127.0.0.1", port)) as slow:
        slow.sendall(b"GET /met")
        assert status("GET", "/metrics") == 200
    session.end()
