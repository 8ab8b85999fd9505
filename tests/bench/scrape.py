# scrape.py - how long Prometheus waits for 10,000 series, beside a file of the same size from nginx and Python's http.server.
import http.client
import statistics
import time

from tagalong_e2e import machine, programs
from writer import Replay

SERIES, ROUNDS = 10_000, 11
OPENMETRICS = "application/openmetrics-text;version=1.0.0"
SETTINGS = """
routes: {patterns: ["/products/{product_id}"]}
metrics:
  rules:
    - name: catalog_product_views
      when: {method: GET, route: "/products/{product_id}", status: 2xx}
      labels: {product_id: route.product_id}
"""


def get(port, path, accept="text/plain"):
    """Milliseconds from the connect to the last byte, and the body."""
    start = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Accept": accept})
    answer = connection.getresponse()
    body = answer.read()
    spent = time.perf_counter() - start
    connection.close()
    assert answer.status == 200, answer.status
    return spent * 1e3, body


def start_exporter(start_sink, host, port):
    settings = host.directory / "tagalong.yaml"
    settings.write_text(SETTINGS)
    replay = Replay(host, f"http://127.0.0.1:{start_sink(host)}", SERIES, TAGALONG_CONFIG=settings,
                    TAGALONG_METRICS_SERIES=2 * SERIES, OTEL_METRICS_EXPORTER="prometheus", OTEL_EXPORTER_PROMETHEUS_PORT=port)
    replay.write(2 * SERIES)  # three of four are requests
    return replay


def start_servers(host):
    """Ports of servers of the file series.txt."""
    nginx, python = machine.free_port(), machine.free_port()
    config = programs.nginx_config(host, nginx, f"root {host.directory}; location / {{ }}", workers=1)
    host.start_server(programs.nginx_argv(config), nginx)
    host.start_server(["/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", str(python)], python)
    return nginx, python


def measure(start_sink, row):
    host, ours = machine.Machine("scrape"), machine.free_port()
    try:
        replay = start_exporter(start_sink, host, ours)
        _, body = get(ours, "/metrics")
        found = body.count(b"\ncatalog_product_views_total{")
        assert found == SERIES, f"{found} series"
        host.directory.joinpath("series.txt").write_bytes(body)
        nginx, python = start_servers(host)
        sources = {"text": (ours, "/metrics"), "OpenMetrics": (ours, "/metrics", OPENMETRICS),
                   "nginx": (nginx, "/series.txt"), "python": (python, "/series.txt")}
        spent = {name: [] for name in sources}
        for _ in range(ROUNDS):
            for name, source in sources.items():
                replay.write(2 * SERIES)  # all have new values
                spent[name].append(get(*source)[0])
        replay.end()
    finally:
        host.close()
    median = {name: statistics.median(values) for name, values in spent.items()}
    beside = f"{median['nginx']:.1f} ms"
    for name in ("text", "OpenMetrics"):
        row(f"scrape of {SERIES} series over HTTP, {name}; nginx, a file", beside, f"{median[name]:.1f} ms",
            f"{len(body) / 1e6:.1f} MB as text; Python's http.server {median['python']:.1f} ms", "<= 50 ms")
