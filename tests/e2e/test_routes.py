# test_routes.py - spans are named by routes: those that the user gives, and those that were learned.
from collections import Counter

from tagalong_e2e import programs
from tagalong_e2e.machine import TAGALONG, free_port, wait_for
from tagalong_e2e.raw import exchange
from tagalong_e2e.session import Session

PEOPLE = ["johnsmith", "maria", "weichen", "olu", "greta", "dubois", "haddad", "tomas", "ines", "bjorn"]


def serve(machine, collector, paths, **settings):
    """One exporter's life: nginx answers these paths; returns the names of its spans, in order."""
    before = len(collector.spans())
    session = Session(machine, collector.endpoint, **settings)
    port = free_port()
    config = programs.nginx_config(machine, port, 'location /gone { return 404; } location / { return 200 "ok"; }', workers=1)
    server = machine.start_server(programs.nginx_argv(config), port, env=session.env)
    for path in paths:
        exchange(port, f"GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n".encode())
    machine.stop(server)
    session.end()
    session.segment.unlink()
    spans = sorted(collector.spans()[before:], key=lambda span: span["start"])
    assert len(spans) == len(paths)
    for span in spans:
        assert span["name"] == " ".join(["GET", *filter(None, [span["attributes"].get("http.route")])])
    return [span["attributes"].get("http.route") for span in spans]


def test_routes_are_learned_and_survive_the_exporter(machine, collector):
    people = [f"/u/{name}" for name in PEOPLE]
    told = serve(machine, collector, [*people, "/orders/17", "/oauth2/token", "/gone/x", "/assets/app.3f2a8b1c.js?v=1"])
    assert set(told[:10]) == {None, "/u/{id}"} and told[9] == "/u/{id}"
    assert told[10:] == ["/orders/{id}", "/oauth2/token", None, "/assets/app.{id}.js"]
    assert (machine.directory / "routes").stat().st_mode & 0o777 == 0o600
    # The next exporter knows them from its first request on.
    assert serve(machine, collector, ["/u/somebody", "/u/johnsmith"]) == ["/u/{id}", "/u/{id}"]


def test_patterns_of_the_user_come_first(machine, collector):
    told = serve(machine, collector, ["/products/lamp", "/products/chair", "/files/a/b.txt", "/orders/17"],
                 TAGALONG_ROUTES="/products/{product_id},/files/{path...}", TAGALONG_ROUTES_LEARN="false")
    assert Counter(told) == {"/products/{product_id}": 2, "/files/{path...}": 1, None: 1}


def test_templates_of_calls_are_told_if_asked_for(machine, collector, peer):
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "TAGALONG_URL_TEMPLATE": "true"}
    result = machine.run([TAGALONG, "run", "--", "curl", "-sS", f"{peer.url}/orders/17"], env=env)
    assert result.returncode == 0, result.stderr
    [span] = collector.wait(1)
    assert (span["name"], span["attributes"]["url.template"]) == ("GET /orders/{id}", "/orders/{id}")
    assert "http.route" not in span["attributes"]


def test_patterns_of_the_settings_file_apply_while_all_runs(machine, collector):
    config = machine.directory / "tagalong.yaml"
    config.write_text("routes: {learn: false}\n")
    session = Session(machine, collector.endpoint, TAGALONG_CONFIG=config)
    port = free_port()
    server = machine.start_server(
        programs.nginx_argv(programs.nginx_config(machine, port, 'location / { return 200 "ok"; }', workers=1)), port,
        env=session.env)

    def route():
        before = len(collector.spans())
        exchange(port, b"GET /products/7 HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")
        return collector.wait(before + 1)[-1]["attributes"].get("http.route")

    assert route() is None
    config.write_text("routes: {patterns: ['/products/{product_id}']}\n")
    wait_for(lambda: route() == "/products/{product_id}", "the pattern applies")
    machine.stop(server)
    session.end()
