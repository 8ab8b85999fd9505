# test_business_metrics.py - metrics that a settings file defines over real traffic, counted exactly.
import re
import urllib.request

import pytest
from test_settings_file import SERVER, File, change, get

from tagalong_e2e.machine import TAGALONG, free_port, wait_for
from tagalong_e2e.session import Session

PYTHON = "/usr/bin/python3"
RULES = """
routes: {patterns: ["/products/{product_id}"]}
capture: {request_headers: [X-Tenant]}
metrics:
  limits: {limited: 3}
  rules:
    - name: catalog_product_views
      description: Views of a product's page.
      when: {method: GET, route: "/products/{product_id}", status: 2xx}
      labels: {product_id: route.product_id, tenant: header.x-tenant}
    - name: never_counted
      when: {status: [404, 500-599]}
    - name: limited
      labels: {path: route.product_id}
    - name: of_this_host
      when: {host: test, service: shop}
      labels: {host: host, status: status}
"""


def scrape(port):
    """{(name, own labels): value} of what is no metric of ours."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = {}
    for name, labels, value in re.findall(r"^(\w+)\{([^}]*)\} (\S+)$", text, re.M):
        if re.match(r"http_|tagalong_|process_|target_|db_", name):
            continue
        own = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        assert own.pop("job") == "shop"
        found[name, tuple(sorted(pair for pair in own.items() if not re.match("instance|otel_scope", pair[0])))] = float(value)
    return found


def test_rules_count_what_meets_their_conditions(machine):
    metrics_port, port = free_port(), free_port()
    file = File(machine, RULES)
    session = Session(machine, "", TAGALONG_STORE=machine.directory / "traces.db", OTEL_METRICS_EXPORTER="prometheus",
                      OTEL_EXPORTER_PROMETHEUS_PORT=str(metrics_port), TAGALONG_CONFIG=file.path)
    machine.start_server([PYTHON, "-c", SERVER, str(port)], port, env={**session.env, "OTEL_SERVICE_NAME": "shop"})
    for number in range(5):
        for _ in range(number + 1):
            get(port, f"/products/p{number}", "X-Tenant: blue")
    get(port, "/products/p0")
    get(port, "/elsewhere")
    total = 15 + 2

    def counted():
        seen = scrape(metrics_port)
        return seen.get(("of_this_host_total", (("host", "test"), ("status", "200")))) == total and seen

    seen = wait_for(counted, "all requests are counted")
    views = {labels: value for (name, labels), value in seen.items() if name == "catalog_product_views_total"}
    expected = {(("product_id", f"p{number}"), ("tenant", "blue")): number + 1 for number in range(5)}
    assert views == {**expected, (("product_id", "p0"),): 1}
    assert not [name for name, _ in seen if name.startswith("never")]
    # Two of their own, and one for all the others.
    limited = {labels: value for (name, labels), value in seen.items() if name == "limited_total"}
    assert len(limited) == 3 and sum(limited.values()) == total
    assert (("otel_metric_overflow", "true"),) in limited

    # While all runs, one rule goes and another one comes; what was counted stays.
    change(machine, session, file, RULES.replace("never_counted", "counted_now").replace("[404, 500-599]", "200"))
    get(port, "/products/p1", "X-Tenant: blue")
    seen = wait_for(lambda: (now := scrape(metrics_port)).get(("counted_now_total", ())) == 1 and now, "the new rule counts")
    assert seen["catalog_product_views_total", (("product_id", "p1"), ("tenant", "blue"))] == 3


BAD = {
    "metrics: {rules: {name: a}}\n": "1: rules",
    "metrics:\n  rules:\n    - name: 1a\n": "3: name",
    "metrics:\n  rules:\n    - name: http.server.mine\n": "3: name: begins with http.",
    "metrics:\n  rules:\n    - name: a\n      when: {status: 6xx}\n": "4: status",
    "metrics:\n  rules:\n    - name: a\n      labels: {b: cookie}\n": "4: b: is none of",
    "metrics:\n  rules:\n    - name: a\n      colour: red\n": "4: colour",
    "metrics:\n  limits: {default: 0}\n": "2: default",
}


@pytest.mark.parametrize("text", BAD)
def test_mistakes_are_told_with_their_lines(machine, text):
    path = machine.directory / "tagalong.yaml"
    path.write_text(text)
    done = machine.run([TAGALONG, "check", "--config", path])
    assert done.returncode == 1
    assert f"{path}:{BAD[text]}" in done.stderr
