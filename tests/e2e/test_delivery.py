# test_delivery.py - every protocol, TLS, compression, proxies and several destinations, at real collectors.
import json
import signal
from pathlib import Path

import pytest

from tagalong_e2e.destination import Destination, Exporter, Relay
from tagalong_e2e.machine import LIBRARY, free_port, listens, wait_for
from tagalong_e2e.tls import Certificates

NAMES = [f"call-{number}" for number in range(5)]
RETRY_MS = 1200


def settings(destination, protocol, **more):
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": destination.url, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, **more}


@pytest.fixture
def certificates(machine):
    return Certificates(machine)


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_http_in_each_form(machine, peer, protocol, compression):
    destination = Destination(machine, "http")
    exporter = Exporter(machine, settings(destination, protocol, OTEL_EXPORTER_OTLP_COMPRESSION=compression,
                                          OTEL_EXPORTER_OTLP_HEADERS="x-tenant=a%20b"))
    exporter.call(peer, *NAMES)
    assert destination.wait(5) == NAMES
    request = destination.requests()[0]
    assert request["path"] == "/v1/traces"
    assert request["headers"]["content-type"] == {"http/protobuf": "application/x-protobuf",
                                                  "http/json": "application/json"}[protocol]
    assert request["headers"].get("content-encoding", "none") == compression
    assert request["headers"]["x-tenant"] == "a b"
    exporter.end()


def destinations(machine, *entries, **more):
    """A settings file with these destinations."""
    path = machine.directory / "settings.yaml"
    fresh = path.with_suffix(".fresh")
    fresh.write_text(json.dumps({"destinations": entries, **more}))  # JSON is YAML
    fresh.rename(path)
    return path


def without_flags(request):
    """Spans had no flags yet when the decoder was made."""
    for resource in request.get("resourceSpans", []):
        for span in resource["scopeSpans"][0]["spans"]:
            assert span.pop("flags") in (0x101, 0x103)
    return request


def test_json_says_what_protobuf_says(machine, peer):
    """Two collectors and a file get the same payload in different forms."""
    binary, text = Destination(machine, "http", "binary"), Destination(machine, "http", "text")
    file = machine.directory / "spans.jsonl"
    config = destinations(machine, {"otlp": {"endpoint": binary.url}}, {"file": {"path": str(file)}},
                          {"otlp": {"endpoint": text.url, "protocol": "http/json"}})
    exporter = Exporter(machine, {"TAGALONG_CONFIG": config, "OTEL_METRICS_EXPORTER": "otlp",
                                  "OTEL_METRIC_EXPORT_INTERVAL": 300})
    exporter.call(peer, "same")
    assert binary.wait(1) == text.wait(1) == ["same"]
    wait_for(lambda: text.requests("metrics") and binary.requests("metrics"), "metrics")
    exporter.end()
    for signal, lines in (("traces", file), ("metrics", file.with_suffix(".metrics.jsonl"))):
        lines = [json.loads(line) for line in lines.read_text().splitlines()]
        for line, one, other in zip(lines, binary.requests(signal), text.requests(signal), strict=True):
            assert line == other["object"]
            assert without_flags(line) == other["canonical"] == one["object"]
    span = text.requests()[0]["object"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert len(span["traceId"]) == 32 and int(span["traceId"], 16) and len(span["spanId"]) == 16
    assert span["kind"] == 3 and span["startTimeUnixNano"].isdigit()


def test_one_destination_that_is_down_holds_nobody_up(machine, peer):
    """The other one gets everything once and in order, though many times more than the queue holds."""
    up, port = Destination(machine, "http", "up"), free_port()
    config = destinations(machine, {"otlp": {"name": "down", "endpoint": f"http://127.0.0.1:{port}", "signals": ["traces"]}},
                          {"otlp": {"name": "up", "endpoint": up.url, "signals": ["traces"]}})
    exporter = Exporter(machine, {"TAGALONG_CONFIG": config, "OTEL_BSP_MAX_QUEUE_SIZE": 16,
                                  "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": 8, "OTEL_BSP_EXPORT_TIMEOUT": 0,
                                  "TAGALONG_SHUTDOWN_TIMEOUT": 8000})
    names = [f"n{number}" for number in range(400)]
    exporter.call(peer, *names)
    assert up.wait(400) == names
    # It comes back: what waited for it in memory comes in order, too.
    down = Destination(machine, "http", "down", port)
    assert down.wait(400) == names
    assert "dropped" not in exporter.end()


def test_destinations_change_while_it_runs(machine, peer):
    """Those that are new get what comes from then on; those that are gone, what came before."""
    first, second = Destination(machine, "http", "first"), Destination(machine, "grpc", "second")
    file = machine.directory / "read.jsonl"
    config = destinations(machine, {"otlp": {"name": "one", "endpoint": first.url}}, {"file": {"path": str(file)}})
    exporter = Exporter(machine, {"TAGALONG_CONFIG": config, "OTEL_BSP_SCHEDULE_DELAY": 60000})
    exporter.call(peer, "before")
    wait_for(lambda: file.exists() and "before" in file.read_text(), "the span is read")
    assert first.taken() == []  # it waits for more
    destinations(machine, {"otlp": {"name": "two", "endpoint": second.url, "protocol": "grpc"}})
    exporter.process.send_signal(signal.SIGHUP)
    assert first.wait(1) == ["before"]
    exporter.call(peer, "after")
    exporter.end()
    assert first.taken() == ["before"] and second.taken() == ["after"]


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_grpc(machine, peer, compression):
    destination = Destination(machine, "grpc")
    relay = Relay(destination.port)
    env = settings(destination, "grpc", OTEL_EXPORTER_OTLP_COMPRESSION=compression,
                   OTEL_EXPORTER_OTLP_HEADERS="X-Tenant=me", OTEL_EXPORTER_OTLP_TIMEOUT=4000)
    env["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"localhost:{relay.port}"
    env["OTEL_EXPORTER_OTLP_INSECURE"] = "true"
    exporter = Exporter(machine, env)
    exporter.call(peer, *NAMES)
    assert destination.wait(5) == NAMES
    request = destination.requests()[0]
    assert request["path"] == "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    assert request["headers"]["x-tenant"] == "me"
    assert "OTel-OTLP-Exporter-C/" in request["headers"]["user-agent"]
    assert 0 < request["deadline"] - request["time"] <= 4000
    exporter.end()
    relay.close()
    assert relay.sent.startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert (b"call-3" in relay.sent) == (compression == "none")


@pytest.mark.parametrize("code", [1, 4, 10, 11, 14, 15])
def test_grpc_codes_that_may_be_sent_again(machine, peer, code):
    destination = Destination(machine, "grpc")
    destination.answers({"code": code, "message": "50% busy"})
    exporter = Exporter(machine, settings(destination, "grpc"))
    exporter.call(peer, "again")
    assert destination.wait(1) == ["again"]
    assert len(destination.requests()) == 2
    assert f"grpc={code} 50% busy, trying again" in exporter.end()


@pytest.mark.parametrize("code", [2, 3, 7, 8, 12, 13, 16])
def test_grpc_codes_that_may_not(machine, peer, code):
    destination = Destination(machine, "grpc")
    destination.answers({"code": code})
    exporter = Exporter(machine, settings(destination, "grpc"))
    exporter.call(peer, "refused")
    wait_for(destination.requests, "the first request")
    exporter.call(peer, "taken")
    assert destination.wait(1) == ["taken"]
    log = exporter.end()
    assert len(destination.requests()) == 2
    assert f"grpc={code}, not taken" in log and "refused=1" in log


@pytest.mark.parametrize("code", [8, 14])
def test_grpc_retry_info_is_obeyed(machine, peer, code):
    destination = Destination(machine, "grpc")
    destination.answers({"code": code, "retry_ms": RETRY_MS})
    exporter = Exporter(machine, settings(destination, "grpc"))
    exporter.call(peer, "patient")
    assert destination.wait(1) == ["patient"]
    first, second = destination.requests()
    assert second["time"] - first["time"] >= RETRY_MS - 10
    exporter.end()


@pytest.mark.parametrize("kind,protocol", [("grpc", "grpc"), ("http", "http/json"), ("http", "http/protobuf")])
def test_partial_success_is_told_and_not_sent_again(machine, peer, kind, protocol):
    destination = Destination(machine, kind)
    destination.answers({"partial": 1})
    exporter = Exporter(machine, settings(destination, protocol))
    exporter.call(peer, "partly")
    destination.wait(1)
    exporter.call(peer, "whole")
    destination.wait(2)
    log = exporter.end()
    assert len(destination.requests()) == 2
    assert 'rejected spans=1: rejected "by" the test' in log and "rejected=1" in log


def test_json_errors_are_read(machine, peer):
    destination = Destination(machine, "http")
    destination.answers({"status": 400, "body": json.dumps({"code": 3, "message": "no \"such\" tenant"})},
                        {"status": 503, "headers": {"Retry-After": "1"}, "body": "<html>"})
    exporter = Exporter(machine, settings(destination, "http/json"))
    exporter.call(peer, "refused")
    wait_for(destination.requests, "the first request")
    exporter.call(peer, "taken")
    assert destination.wait(1) == ["taken"]
    requests = destination.requests()
    assert len(requests) == 3
    assert requests[2]["time"] - requests[1]["time"] >= 990
    assert 'status=400 no "such" tenant, not taken' in exporter.end()


@pytest.mark.parametrize("kind,protocol", [("https", "http/protobuf"), ("grpcs", "grpc")])
def test_tls_with_a_client_certificate(machine, peer, certificates, kind, protocol):
    destination = Destination(machine, kind)
    directory = machine.directory
    env = settings(destination, protocol, OTEL_EXPORTER_OTLP_CERTIFICATE=certificates.authority,
                   OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE=directory / "client.crt",
                   OTEL_EXPORTER_OTLP_CLIENT_KEY=directory / "client.key")
    exporter = Exporter(machine, env)
    exporter.call(peer, *NAMES)
    assert destination.wait(5) == NAMES
    exporter.call(peer, "once-more")  # on the same connection
    assert destination.wait(6) == [*NAMES, "once-more"]
    exporter.end()
    (request, *_) = destination.requests()
    assert request.get("client") == "a client" or request["peer"]["CN"] == "a client"


def test_tls_without_what_it_takes(machine, peer, certificates):
    destination = Destination(machine, "https")
    exporter = Exporter(machine, settings(destination, "http/protobuf", OTEL_BSP_EXPORT_TIMEOUT=1))
    exporter.call(peer, "unknown-authority")
    wait_for(lambda: "timed_out=1" in exporter.end(), "the end")
    exporter = Exporter(machine, settings(destination, "http/protobuf", OTEL_BSP_EXPORT_TIMEOUT=1,
                                          OTEL_EXPORTER_OTLP_CERTIFICATE=certificates.authority), "other")
    exporter.call(peer, "no-client-certificate")
    log = exporter.end()
    assert "timed_out=1" in log, log
    assert destination.requests() == []


@pytest.fixture
def proxy(machine):
    """tinyproxy, with the lines of its log."""
    port = free_port()
    log = machine.directory / "proxy.log"
    config = machine.directory / "tinyproxy.conf"
    config.write_text(f"Port {port}\nListen 127.0.0.1\nTimeout 60\nLogFile \"{log}\"\nLogLevel Connect\n"
                      "Allow 127.0.0.1\nMaxClients 20\n")
    machine.start(["tinyproxy", "-d", "-c", config])
    wait_for(lambda: listens(port), "tinyproxy listens")
    return f"http://127.0.0.1:{port}", log


@pytest.mark.parametrize("kind,protocol,how", [("http", "http/protobuf", "POST"), ("https", "http/json", "CONNECT"),
                                               ("grpc", "grpc", "CONNECT"), ("grpcs", "grpc", "CONNECT")])
def test_proxy(machine, peer, proxy, certificates, kind, protocol, how):
    url, log = proxy
    destination = Destination(machine, kind)
    env = settings(destination, protocol, http_proxy=url, https_proxy=url,
                   OTEL_EXPORTER_OTLP_CERTIFICATE=certificates.authority,
                   OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=machine.directory / "client.pem",
                   OTEL_EXPORTER_OTLP_CLIENT_KEY=machine.directory / "client.key")
    exporter = Exporter(machine, env)
    exporter.call(peer, *NAMES)
    assert destination.wait(5) == NAMES
    exporter.end()
    assert f"{how} " in log.read_text() and f"localhost:{destination.port}" in log.read_text()


def test_no_proxy_for_those_that_are_named(machine, peer, proxy):
    url, log = proxy
    destination = Destination(machine, "http")
    exporter = Exporter(machine, settings(destination, "http/protobuf", http_proxy=url, no_proxy="localhost"))
    exporter.call(peer, "direct")
    assert destination.wait(1) == ["direct"]
    exporter.end()
    assert "POST" not in log.read_text()


def test_files_are_rotated_and_lose_nothing(machine, peer):
    file, names = machine.directory / "out.jsonl", [f"n{number}" for number in range(300)]
    config = destinations(machine, {"file": {"path": str(file), "max_size": "100kB", "files": 50, "signals": ["traces"]}})
    exporter = Exporter(machine, {"TAGALONG_CONFIG": config, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": 8})
    exporter.call(peer, *names)
    exporter.end()
    files = sorted(machine.directory.glob("out.jsonl*"), key=lambda path: -int(path.suffix[1:]) if path != file else 0)
    assert len(files) > 2 and all(0 < path.stat().st_size <= 100000 for path in files)
    seen = [attribute["value"]["stringValue"].rsplit("/", 1)[1] for path in files for line in path.open()
            for resource in json.loads(line)["resourceSpans"] for span in resource["scopeSpans"][0]["spans"]
            for attribute in span["attributes"] if attribute["key"] == "url.full"]
    assert seen == names


def test_several_exporters_at_once(machine, peer):
    destination = Destination(machine, "http")
    env = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{destination.url}/own/traces",
           "OTEL_TRACES_EXPORTER": "otlp,otlp/stdout,console"}
    exporter = Exporter(machine, env)
    exporter.call(peer, "three-ways")
    assert destination.wait(1) == ["three-ways"]
    exporter.end()
    lines = [line for line in exporter.process.output.read_text().splitlines() if line.startswith("{")]
    assert destination.requests()[0]["path"] == "/own/traces"
    (line,) = [json.loads(line) for line in lines if "resourceSpans" in line]
    assert without_flags(line) == destination.requests()[0]["object"]
    assert len([line for line in lines if "three-ways" in line]) == 2


def spooling(machine, port, **more):
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "TAGALONG_SPOOL": machine.directory / "spool",
            "OTEL_BSP_MAX_QUEUE_SIZE": 16, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": 8, **more}


def spooled(machine):
    """Bytes of payloads on disk."""
    return sum(path.stat().st_size for path in (machine.directory / "spool").glob("otlp-traces/*.spool"))


def in_order(taken, parts):
    """All of them once, and each program's in their order: programs have rings of their own."""
    assert sorted(taken) == sorted(name for part in parts for name in part)
    return all([name for name in taken if name in set_of] == part for part, set_of in zip(parts, map(set, parts)))


def test_spool_is_replayed_when_the_collector_comes_back(machine, peer):
    port, parts = free_port(), [[f"{part}{number}" for number in range(100)] for part in "abc"]
    exporter = Exporter(machine, spooling(machine, port))
    exporter.call(peer, *parts[0])
    wait_for(lambda: spooled(machine) > 0, "the spool is written")
    exporter.call(peer, *parts[1])
    destination = Destination(machine, "http", "destination", port)
    exporter.call(peer, *parts[2])
    assert in_order(destination.wait(300), parts)
    wait_for(lambda: spooled(machine) == 0, "the spool is empty")
    assert "dropped" not in exporter.end()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_spool_is_replayed_after_a_restart(machine, peer, how):
    port, names = free_port(), [f"n{number}" for number in range(100)]
    exporter = Exporter(machine, spooling(machine, port))
    exporter.call(peer, *names)
    wait_for(lambda: spooled(machine) > 0, "the spool is written")
    machine.stop(exporter.process, how)
    destination = Destination(machine, "http", "destination", port)
    exporter.begin()
    exporter.call(peer, "one-more")
    destination.wait(101)
    exporter.end()
    if how == signal.SIGTERM:
        assert in_order(destination.taken(), [names, ["one-more"]])
    else:
        # What was not safe on disk yet is still in the rings; it may have been in both.
        assert set(destination.taken()) == {*names, "one-more"}
    assert spooled(machine) == 0


def test_spool_that_cant_be_written(machine, peer):
    """Then all is as without a spool, and it is used again when it can be."""
    port, parts = free_port(), [[f"{part}{number}" for number in range(30)] for part in "ab"]
    blocked = machine.directory / "spool"
    blocked.write_text("this is no directory")
    exporter = Exporter(machine, spooling(machine, port, OTEL_BSP_EXPORT_TIMEOUT=0))
    exporter.call(peer, *parts[0])
    wait_for(lambda: "can't be written: Not a directory" in exporter.log, "the failure is told")
    blocked.unlink()
    wait_for(lambda: spooled(machine) > 0, "the spool is written")
    exporter.call(peer, *parts[1])
    destination = Destination(machine, "http", "destination", port)
    assert in_order(destination.wait(60), parts)
    exporter.end()


@pytest.fixture
def small_disk(machine):
    """A file system of 128 KiB where the spool is."""
    place = machine.directory / "spool"
    place.mkdir()
    done = machine.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", place])
    if done.returncode != 0:
        pytest.skip(f"no file system can be mounted here: {done.stderr}")
    yield place
    machine.run(["umount", "-l", place])


@pytest.mark.parametrize("how", ["full", "read-only"])
def test_disk_that_takes_nothing_more(machine, peer, small_disk, how):
    """What is spooled stays, the rest waits where it did without a spool; nothing is lost."""
    port, parts = free_port(), [[f"{part}{number}-{'x' * 1000}" for number in range(60)] for part in "ab"]
    exporter = Exporter(machine, spooling(machine, port, OTEL_BSP_EXPORT_TIMEOUT=0))
    exporter.call(peer, *parts[0][:20])
    wait_for(lambda: spooled(machine) > 0, "the spool is written")
    if how == "read-only":
        # A file that is open for writing would be in the way.
        machine.stop(exporter.process)
        assert machine.run(["mount", "-o", "remount,ro", small_disk]).returncode == 0
        exporter.begin()
    exporter.call(peer, *parts[0][20:])
    exporter.call(peer, *parts[1])
    wait_for(lambda: "spool: otlp: can't be written: " in exporter.log, "the failure is told")
    destination = Destination(machine, "http", "destination", port)
    taken = destination.wait(120)
    assert in_order(taken, [parts[0][:20], parts[0][20:], parts[1]])
    assert "dropped" not in exporter.end()


def resident(process):
    """Of the exporter, in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


@pytest.mark.long
def test_long_outage_costs_no_memory_and_no_span(machine, peer):
    port, count = free_port(), 40000
    exporter = Exporter(machine, {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
                                  "TAGALONG_SPOOL": machine.directory / "spool"})
    env = {"LD_PRELOAD": LIBRARY, "TAGALONG_SESSION": exporter.segment}
    sizes = []
    for part in range(4):
        done = machine.run(["curl", "-sS", "-o", "/dev/null", f"{peer.url}/n[{part * 10000}-{part * 10000 + 9999}]"],
                           env=env, timeout=120)
        assert done.returncode == 0, done.stderr
        sizes.append(resident(exporter.process))
    assert spooled(machine) > count * 200
    destination = Destination(machine, "http", "destination", port)
    names = [f"n{number}" for number in range(count)]
    taken = destination.wait(count, 120)
    assert in_order(taken, [names[part * 10000:part * 10000 + 10000] for part in range(4)])
    assert sizes[-1] < sizes[0] + 8, sizes
    assert "dropped" not in exporter.end()
