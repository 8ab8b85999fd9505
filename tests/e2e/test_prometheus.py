# test_prometheus.py - a real Prometheus scrapes, evaluates the rules of an objective, and an alert fires.
import json
import re
import urllib.parse
import urllib.request

import pytest

from tagalong_e2e.machine import TAGALONG, free_port, wait_for
from tagalong_e2e.session import Session

PROMETHEUS, PROMTOOL, PYTHON = "/usr/bin/prometheus", "/usr/bin/promtool", "/usr/bin/python3"
# Answers, and fails for every second path.
SERVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500 if self.path == "/broken" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *what): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
CONFIGURATION = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}}
rule_files: [{rules}]
scrape_configs:
  - job_name: tagalong
    honor_labels: true
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""
SLOS = """
slos:
  - {name: shop-availability, service: shop, objective: 99.9, availability: errors}
  - {name: shop-latency, service: shop, objective: 99, latency: 10s}
"""
# Panels that show nothing here, for nothing of the kind has happened.
QUIET = re.compile(r"active_requests|connection_failures|http_client|db_client|repeated|error_budget|export_items|queue_items|spool_items|drops")


class Prometheus:
    def __init__(self, machine, metrics_port):
        slo, rules = machine.directory / "slo.yaml", machine.directory / "rules.yaml"
        slo.write_text(SLOS)
        assert machine.run([TAGALONG, "rules", "--slo", slo, "--output", rules]).returncode == 0
        config = machine.directory / "prometheus.yaml"
        config.write_text(CONFIGURATION.format(rules=rules, port=metrics_port))
        self.port = free_port()
        machine.start_server([PROMETHEUS, f"--config.file={config}", f"--storage.tsdb.path={machine.directory}/data",
                              f"--web.listen-address=127.0.0.1:{self.port}"], self.port)

    def ask(self, path, **parameters):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:
                return {}  # it starts
            raise AssertionError(error.read().decode()) from error

    def query(self, text):
        return self.ask("query", query=text).get("result", [])

    def firing(self):
        return {(alert["labels"]["slo"], alert["labels"]["severity"]) for alert in self.ask("alerts").get("alerts", [])
                if alert["state"] == "firing"}


def get(port, path):
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10).read()
    except urllib.error.HTTPError:
        pass


def dashboards(machine):
    directory = machine.directory / "dashboards"
    done = machine.run([TAGALONG, "dashboard", "--output", directory])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return {path.stem: json.loads(path.read_text()) for path in directory.iterdir()}


def queries(dashboard):
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            text = target["expr"].replace("$__rate_interval", "1m").replace('"$job"', '"shop"')
            assert "$" not in text
            yield panel["title"], text


@pytest.fixture
def scraped(machine):
    metrics_port, port = free_port(), free_port()
    session = Session(machine, "", TAGALONG_STORE=machine.directory / "traces.db", OTEL_METRICS_EXPORTER="prometheus",
                      OTEL_EXPORTER_PROMETHEUS_PORT=str(metrics_port))
    machine.start_server([PYTHON, "-c", SERVER, str(port)], port, env={**session.env, "OTEL_SERVICE_NAME": "shop"})
    return Prometheus(machine, metrics_port), port


def test_alert_fires_when_requests_fail_and_panels_show_it(machine, scraped):
    prometheus, port = scraped
    ready = f'http_server_request_duration_seconds_count{{job="shop"}}'
    get(port, "/")
    get(port, "/broken")
    wait_for(lambda: prometheus.query(ready), "the first scrape with a request")
    assert prometheus.firing() == set()

    def failing():
        for _ in range(5):
            get(port, "/")
            get(port, "/broken")
        return ("shop-availability", "page") in prometheus.firing()

    wait_for(failing, "the alert fires", timeout=30)
    # Half of the requests fail, all are fast.
    assert {slo for slo, _ in prometheus.firing()} == {"shop-availability"}
    alert = next(alert for alert in prometheus.ask("alerts")["alerts"] if alert["labels"]["severity"] == "page")
    assert alert["labels"]["job"] == "shop" and "of the requests miss shop-availability" in alert["annotations"]["summary"]
    for name, dashboard in dashboards(machine).items():
        for title, text in queries(dashboard):
            assert prometheus.query(text) or QUIET.search(text), f"{name}, {title}: {text}"


def test_dashboards_are_whole(machine):
    all_of_them = dashboards(machine)
    assert {"services", "dependencies"} <= set(all_of_them)
    rules = []
    for dashboard in all_of_them.values():
        panels = dashboard["panels"]
        assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
        taken = set()
        for panel in panels:
            place = panel["gridPos"]
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                     for y in range(place["y"], place["y"] + place["h"])}
            assert place["x"] + place["w"] <= 24 and not cells & taken, panel["title"]
            taken |= cells
        rules += [{"record": "one:panel", "expr": text, "labels": {"of": title}} for title, text in queries(dashboard)]
    path = machine.directory / "panels.yaml"
    path.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    checked = machine.run([PROMTOOL, "check", "rules", path])
    assert checked.returncode == 0, checked.stderr + checked.stdout
