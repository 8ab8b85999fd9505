# test_tls.py - encrypted traffic: the same spans, and the same bytes but for our headers, as in the clear.
import re
import socket
import ssl
from pathlib import Path

import pytest
from test_bytes_programs import ANSWER, CLOSING, END, PLAIN, TALKS

from tagalong_e2e import machine as machine_module
from tagalong_e2e import programs, tls
from tagalong_e2e.driver import drive, make_requests
from tagalong_e2e.launcher import PYTHON
from tagalong_e2e.raw import added, without_added, without_dates
from tagalong_e2e.tree import CLIENT, SERVER, check

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@pytest.fixture
def certificates(machine):
    return tls.Certificates(machine)


def of(spans, kind):
    return sorted((span for span in spans if span["kind"] == kind), key=lambda span: span["start"])


# ---- clients

URLLIB = """
import sys, urllib.request as r
for path in 'ab': r.urlopen(sys.argv[1] + '/' + path).read()
"""
REQUESTS = """
import os, sys, requests
s = requests.Session(); s.trust_env = False; s.verify = os.environ['SSL_CERT_FILE']
for path in 'abc': s.post(sys.argv[1] + '/' + path, json={'a': 1}).text
"""
AIOHTTP = """
import sys, asyncio, aiohttp
async def main():
  async with aiohttp.ClientSession() as s:
    for path in 'abc':
      async with s.get(sys.argv[1] + '/' + path) as r: await r.text()
asyncio.run(main())
"""
BIG = "head -c 2000000 /dev/zero | curl -sS --noproxy '*' --data-binary @- URL/big"
CLIENTS = {
    "curl": (["curl", "-sS", "--noproxy", "*", "URL/a?b=c", "URL/d"], 2, ANSWER),
    "curl-post": (["curl", "-sS", "--noproxy", "*", "-d", "field=value", "URL/post"], 1, ANSWER),
    "curl-big": (["sh", "-c", BIG], 1, ANSWER),
    "git": (["git", "ls-remote", "URL/nothing"], 1, CLOSING),
    "wget": (["wget", "-q", "--no-proxy", "--ca-certificate=CA", "-O", "-", "URL/a?b=c", "URL/d"], 2, ANSWER),
    "python-urllib": ([PYTHON, "-c", URLLIB, "URL"], 2, CLOSING),
    "python-requests": ([PYTHON, "-c", REQUESTS, "URL"], 3, ANSWER),
    "python-aiohttp": ([PYTHON, "-c", AIOHTTP, "URL"], 3, ANSWER),
}


def see_client(machine, certificates, name, version, port, endpoint=None):
    argv, _, answer = CLIENTS[name]
    server = tls.EncryptedServer(answer, certificates.server_context(VERSIONS[version]), port)
    url = f"https://localhost:{server.port}"
    argv = [word.replace("URL", url).replace("CA", str(certificates.authority)) for word in argv]
    env = {"SSL_CERT_FILE": certificates.authority, "CURL_CA_BUNDLE": certificates.authority,
           "GIT_SSL_CAINFO": certificates.authority}
    process = (machine.start_traced(argv, name, endpoint, env) if endpoint else machine.start(argv, env))
    code = process.wait(30)
    server.close()
    assert not server.failures
    return server.port, code, machine.log(process), list(server.requests)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", CLIENTS)
def test_server_deciphers_the_same_client(machine, collector, certificates, name, version):
    count = CLIENTS[name][1]
    port, bare_code, bare_output, bare = see_client(machine, certificates, name, version, 0)
    _, code, output, traced = see_client(machine, certificates, name, version, port, collector.endpoint)
    assert (code, output) == (bare_code, bare_output)
    assert [without_added(request) for request in traced] == bare
    assert added(b"".join(bare)) == {"traceparent": 0, "tracestate": 0, "x-request-id": 0}
    assert added(b"".join(traced)) == {"traceparent": count, "tracestate": 0, "x-request-id": count}
    spans = of(collector.wait(count), CLIENT)
    wire = [re.search(rb"(?i)traceparent: 00-(\w+)-(\w+)-", request).groups() for request in traced]
    assert [(span["trace"].encode(), span["span"].encode()) for span in spans] == wire
    for span in spans:
        attributes = span["attributes"]
        assert attributes["tls.protocol.version"] == version
        assert attributes["url.full"].startswith(f"https://localhost:{port}/")
        assert (attributes["network.peer.address"], attributes["network.peer.port"]) == ("127.0.0.1", port)
        assert attributes["http.response.status_code"] == 200


# ---- servers


def see_server(machine, certificates, front, version, port, backend_port, endpoint=None):
    """Everything that clients and the backend decipher of a front service, in order."""
    backend = tls.EncryptedServer(ANSWER, certificates.server_context(), backend_port)
    argv, env = front.start(machine, port, backend.port)
    env = {"PORT": port, "BACKEND": f"https://localhost:{backend.port}", **env}
    traced = {"service": front.name, "endpoint": endpoint} if endpoint else None
    process = machine.start_server(argv, port, traced, env)
    context = certificates.client_context(VERSIONS[version])
    seen = {name: tls.exchange(port, context, talk, patience=1 if name in ("bad", "garbage", "old-keep-alive") else 20)
            for name, talk in TALKS.items()}
    seen["dribble"] = tls.exchange(port, context, TALKS["keep-alive"], piece=1)
    machine.stop(process)
    backend.close()
    return backend.requests, seen


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("front", tls.FRONTS, ids=lambda front: front.name)
def test_client_and_backend_decipher_the_same_server(machine, collector, certificates, front, version):
    port, backend_port = machine_module.free_port(), machine_module.free_port()
    sent, bare = see_server(machine, certificates, front, version, port, backend_port)
    traced_sent, traced = see_server(
        machine, certificates, front, version, port, backend_port, collector.endpoint)
    for talk, answer in traced.items():
        assert without_dates(without_added(answer)) == without_dates(bare[talk]), talk
        finals = sum(answer.count(line) for line in (b"HTTP/1.1 200", b"HTTP/1.0 200", b"HTTP/1.1 206"))
        assert added(bare[talk])["x-request-id"] == 0
        assert (0 if talk == "bad" else finals) <= added(answer)["x-request-id"] <= answer.count(b"HTTP/1."), talk
    assert sorted(without_added(one) for one in traced_sent) == sorted(sent)
    assert added(b"".join(traced_sent)) == {
        "traceparent": len(sent), "tracestate": 0, "x-request-id": len(sent)}
    servers = of(collector.spans(), SERVER)
    assert {span["attributes"]["tls.protocol.version"] for span in servers} == {version}
    assert {span["attributes"]["network.peer.address"] for span in servers} == {"127.0.0.1"}
    assert len(of(collector.spans(), CLIENT)) == len(sent)


@pytest.mark.parametrize("front", tls.FRONTS, ids=lambda front: front.name)
def test_every_link_is_right(machine, collector, full, certificates, front):
    backend, records = programs.start_recorder(machine, certificates.server)
    process, port = programs.start_front(machine, front, backend, collector.endpoint, "https://localhost")
    requests = make_requests(3000 if full else 320, front.kinds, seed=11)
    drive(port, requests, front.concurrency, encrypted=certificates.client_context())
    programs.stop_front(machine, process)
    tally = check(front.name, requests, records(), collector.spans(), front.proxy)
    print(dict(tally.counts), machine.log(process))
    assert not tally.faults(() if front.exact else ("orphan", "marked"))
    assert tally["server right"] == len(requests)
