# test_tls.py - encrypted traffic: the same spans, and the same bytes but for our headers, as in the clear.
import re
import socket
import ssl
from pathlib import Path

import pytest
from test_bytes_programs import ANSWER, CLOSING, END, PLAIN, TALKS

from tagalong_e2e import machine as machine_module
from tagalong_e2e import programs, tls
from tagalong_e2e.driver import drive
from tagalong_e2e.kinds import make_requests
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
NODE_HTTPS = """
const https = require('https'), agent = new https.Agent({ keepAlive: true }), base = process.argv[1];
const ask = (path, method, body) => new Promise((done, failed) => https.request(
  base + path, { agent, method }, (r) => r.on('end', done).resume()).on('error', failed).end(body));
(async () => { await ask('/a'); await ask('/b', 'POST', 'body'); await ask('/c?d=e'); agent.destroy(); })();
"""
NODE_FETCH = """
const ask = (path, options) => fetch(process.argv[1] + path, options).then((answer) => answer.text());
ask('/a').then(() => ask('/b', { method: 'POST', body: 'body' })).then(() => ask('/c'));
"""
BIG = "head -c 2000000 /dev/zero | curl -sS --noproxy '*' --data-binary @- URL/big"
CLIENTS = {
    "curl": (["curl", "-sS", "--noproxy", "*", "URL/a?b=c", "URL/d"], 2, ANSWER),
    "curl-post": (["curl", "-sS", "--noproxy", "*", "-d", "field=value", "URL/post"], 1, ANSWER),
    "curl-big": (["sh", "-c", BIG], 1, ANSWER),
    "git": (["git", "ls-remote", "URL/nothing"], 1, CLOSING),
    "wget": (["wget", "-q", "--no-proxy", "--ca-certificate=CA", "-O", "-", "URL/a?b=c", "URL/d"], 2, ANSWER),
    "php-stream": (["php", "-d", "openssl.cafile=CA", "-r", "echo file_get_contents($argv[1] . '/a');", "--", "URL"],
                   1, CLOSING),
    "php-curl": (["php", "-d", "curl.cainfo=CA", "-r", "$c = curl_init($argv[1] . '/a'); curl_exec($c); curl_exec($c);",
                  "--", "URL"], 2, ANSWER),
    "ruby": (["ruby", "-rnet/http", "-e", "u = URI(ARGV[0]); Net::HTTP.start(u.host, u.port, use_ssl: true) { |h|"
              " h.get('/a'); h.post('/b', 'body', 'Content-Type' => 'text/plain') }", "URL"], 2, ANSWER),
    "python-urllib": ([PYTHON, "-c", URLLIB, "URL"], 2, CLOSING),
    "python-requests": ([PYTHON, "-c", REQUESTS, "URL"], 3, ANSWER),
    "python-aiohttp": ([PYTHON, "-c", AIOHTTP, "URL"], 3, ANSWER),
    "node-https": (["node", "-e", NODE_HTTPS, "URL"], 3, ANSWER),
    "node-fetch": (["node", "-e", NODE_FETCH, "URL"], 3, ANSWER),
}


def see_client(machine, certificates, name, version, port, endpoint=None):
    argv, _, answer = CLIENTS[name]
    server = tls.EncryptedServer(answer, certificates.server_context(VERSIONS[version]), port)
    url = f"https://localhost:{server.port}"
    argv = [word.replace("URL", url).replace("CA", str(certificates.authority)) for word in argv]
    env = {"SSL_CERT_FILE": certificates.authority, "CURL_CA_BUNDLE": certificates.authority,
           "GIT_SSL_CAINFO": certificates.authority, "NODE_EXTRA_CA_CERTS": certificates.authority}
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


# gunicorn does not see what OpenSSL has read ahead: requests sent at once wait for its time-out.
SERVERS = [front for front in tls.FRONTS if front.name != "gunicorn"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("front", SERVERS, ids=lambda front: front.name)
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
    assert not tally.faults(("orphan",) if front.exact else ("orphan", "marked"))
    # Over TLS, nginx takes up some requests out of its queue of posted events, where a context does not hold.
    assert not front.exact or tally["orphan"] <= (len(requests) // 20 if front.name == "nginx" else 0)
    assert tally["server right"] == len(requests)


def test_chain_of_encrypted_services_is_one_trace(machine, collector, certificates):
    backend, records = programs.start_recorder(machine, certificates.server)
    gunicorn, behind = programs.start_front(machine, tls.FRONTS[3], backend, collector.endpoint, "https://localhost")
    nginx, port = programs.start_front(machine, tls.FRONTS[0], behind, collector.endpoint, "https://localhost")
    requests = make_requests(320, tls.FRONTS[3].kinds, seed=13)
    drive(port, requests, 64, encrypted=certificates.client_context())
    programs.stop_front(machine, nginx)
    programs.stop_front(machine, gunicorn)
    spans = {(span["resource"]["service.name"], span["kind"], span["span"]): span for span in collector.spans()}
    served = [span for (service, kind, _), span in spans.items() if (service, kind) == ("gunicorn", SERVER)]
    assert len(served) == len(requests)
    orphans = 0
    for span in served:
        sent = spans["nginx", CLIENT, span["parent"]]
        orphans += not sent["parent"]
        if not sent["parent"]:
            continue
        front = spans["nginx", SERVER, sent["parent"]]
        assert {span["trace"], sent["trace"], front["trace"]} == {span["trace"]}
        assert span["attributes"]["url.path"] == front["attributes"]["url.path"]
    # As in the test above.
    assert orphans <= len(requests) // 20
    called = [span for (service, kind, _), span in spans.items() if (service, kind) == ("gunicorn", CLIENT)]
    assert len(called) == len(records())
    for span in called:
        asked = spans["gunicorn", SERVER, span["parent"]]
        assert f"{asked['attributes']['url.path']}." in span["attributes"]["url.full"]


# ---- handshakes


def start_nginx(machine, endpoint, server, location="return 200 'hello\\n';"):
    """nginx over TLS, one worker, without a backend; returns its process and port."""
    port = machine_module.free_port()
    config = programs.nginx_config(
        machine, port, f"ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {machine.directory}/server.crt;"
        f" ssl_certificate_key {machine.directory}/server.key; {server} location / {{ {location} }}", workers=1)
    config.write_text(config.read_text().replace("backlog=1024;", "backlog=1024 ssl;"))
    argv = programs.nginx_argv(config)
    return machine.start_server(argv, port, {"service": "nginx", "endpoint": endpoint} if endpoint else None), port


@pytest.mark.parametrize("version", VERSIONS)
def test_resumed_sessions_say_so(machine, collector, certificates, version):
    process, port = start_nginx(machine, collector.endpoint, "ssl_session_cache shared:one:1m;")
    context = certificates.client_context(VERSIONS[version])
    session = None
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
            with context.wrap_socket(plain, server_hostname="localhost", session=session) as sock:
                sock.sendall(END)
                while sock.recv(4096):
                    pass
                assert sock.session_reused == (session is not None)
                session = sock.session
    machine.stop(process)
    spans = of(collector.wait(3), SERVER)
    assert [span["attributes"]["tls.resumed"] for span in spans] == [False, True, True]


def test_client_certificates_change_nothing(machine, collector, certificates):
    process, port = start_nginx(
        machine, collector.endpoint, f"ssl_client_certificate {certificates.authority}; ssl_verify_client on;",
        "return 200 '$ssl_client_s_dn\\n';")
    curl = ["curl", "-sS", "--noproxy", "*", "--cacert", certificates.authority]
    with_one = [*curl, "--cert", certificates.client, f"https://localhost:{port}/with"]
    without = [*curl, f"https://localhost:{port}/without"]
    assert machine.run(with_one).stdout == "CN=a client\n"
    assert "No required SSL certificate was sent" in machine.run(without).stdout
    client = machine.start_traced(with_one, "curl", collector.endpoint)
    assert client.wait(20) == 0
    machine.stop(process)
    spans = collector.spans()
    sent = of(spans, CLIENT)
    assert [span["attributes"]["http.response.status_code"] for span in of(spans, SERVER)] == [200, 400, 200]
    assert len(sent) == 1 and of(spans, SERVER)[2]["parent"] == sent[0]["span"]


def test_early_data_is_a_request_like_any_other(machine, collector, certificates):
    process, port = start_nginx(
        machine, collector.endpoint, "ssl_early_data on; ssl_session_cache shared:one:1m;",
        "return 200 'early=$ssl_early_data\\n';")
    client = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-tls1_3", "-quiet",
              "-CAfile", certificates.authority, "-ign_eof"]
    (machine.directory / "plain").write_bytes(END)
    (machine.directory / "early").write_bytes(END.replace(b"/n/1/e", b"/n/1/early"))
    # On a busy machine the handshake may be complete before nginx turns to the request.
    for tries in range(1, 8):
        first = machine.run(["sh", "-c", '"$@" -sess_out session <plain', "sh", *client])
        assert "early=\n" in first.stdout
        second = machine.run([*client, "-sess_in", "session", "-early_data", "early"])
        assert len(re.findall("X-Request-ID: ", second.stdout)) == 1
        if "early=1\n" in second.stdout:
            break
    machine.stop(process)
    assert "early=1\n" in second.stdout
    spans = of(collector.wait(2 * tries), SERVER)
    assert [span["attributes"]["url.path"] for span in spans] == ["/n/1/e", "/n/1/early"] * tries
    assert {span["attributes"]["http.response.status_code"] for span in spans} == {200}
    assert spans[-1]["attributes"]["tls.resumed"] is True
    assert spans[-1]["attributes"]["network.peer.address"] == "127.0.0.1"


def test_failed_handshakes_are_spans_on_both_sides(machine, collector, certificates):
    process, port = start_nginx(machine, collector.endpoint, "")
    argv = ["curl", "-sS", "--noproxy", "*", "--cacert", certificates.client, f"https://localhost:{port}/"]
    bare = machine.run(argv)
    client = machine.start_traced(argv, "curl", collector.endpoint)
    assert client.wait(20) == bare.returncode == 60
    assert machine.log(client) == bare.stderr
    spans = collector.wait(3)
    machine.stop(process)
    spans = collector.spans()
    assert not of(spans, CLIENT) and not of(spans, SERVER)
    mine = [span for span in spans if span["resource"]["service.name"] == "curl"]
    theirs = [span for span in spans if span["resource"]["service.name"] == "nginx"]
    assert [span["name"] for span in mine] == ["TLS handshake localhost"]
    assert mine[0]["attributes"]["error.type"] == "protocol_error"
    assert "certificate verify failed" in str(mine[0])
    assert mine[0]["attributes"]["network.peer.port"] == port
    assert len(theirs) == 2 and all("alert unknown ca" in str(span) for span in theirs)


def test_who_hangs_up_in_the_handshake_is_no_failure_of_the_server(machine, collector, certificates):
    process, port = start_nginx(machine, collector.endpoint, "")
    for hello in (b"", b"\x16\x03\x01\x02\x00\x01"):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
            plain.sendall(hello)
    answer = tls.exchange(port, certificates.client_context(), END)
    machine.stop(process)
    assert answer.endswith(b"hello\n")
    assert [span["kind"] for span in collector.spans()] == [SERVER]


# ---- how bytes leave


def test_a_slow_reader_gets_the_same_large_bytes(machine, collector, certificates):
    page = programs.write(machine, "page.bin", "a line of a large page\n" * 100000)
    talk = END.replace(b"/n/1/e?calls=1", b"/page.bin")
    process, port = start_nginx(machine, None, "", f"root {machine.directory};")
    bare = tls.exchange(port, certificates.client_context(), talk, slow=True)
    machine.stop(process)
    process, port = start_nginx(machine, collector.endpoint, "", f"root {machine.directory};")
    traced = tls.exchange(port, certificates.client_context(), talk, slow=True)
    machine.stop(process)
    assert added(traced)["x-request-id"] == 1
    assert without_dates(without_added(traced)) == without_dates(bare)
    assert bare.endswith(page.read_bytes())
    span, = of(collector.spans(), SERVER)
    assert span["attributes"]["http.response.body.size"] == page.stat().st_size


def test_sendfile_through_the_kernel_is_counted(machine, collector, certificates):
    offered = Path("/proc/sys/net/ipv4/tcp_available_ulp")
    if not offered.exists() or "tls" not in offered.read_text().split():
        pytest.skip("this kernel has no TLS of its own")
    page = programs.write(machine, "page.bin", "a line of a large page\n" * 100000)
    process, port = start_nginx(
        machine, collector.endpoint, "ssl_conf_command Options KTLS;", f"root {machine.directory};")
    answer = tls.exchange(port, certificates.client_context(), END.replace(b"/n/1/e?calls=1", b"/page.bin"))
    machine.stop(process)
    assert answer.endswith(page.read_bytes()) and added(answer)["x-request-id"] == 1
    span, = of(collector.spans(), SERVER)
    assert span["attributes"]["http.response.body.size"] == page.stat().st_size


def test_gnutls_serves_as_openssl_does(machine, collector, certificates):
    def see(endpoint):
        port = machine_module.free_port()
        argv = ["gnutls-serv", "--http", "--quiet", "--port", port, "--x509certfile", certificates.server,
                "--x509keyfile", certificates.server]
        process = machine.start_server(argv, port, {"service": "serv", "endpoint": endpoint} if endpoint else None)
        answers = [tls.exchange(port, certificates.client_context(version), PLAIN) for version in VERSIONS.values()]
        machine.stop(process, timeout=30)
        return answers

    bare, traced = see(None), see(collector.endpoint)
    heads = [[answer.split(b"\r\n\r\n")[0] + b"\r\n" for answer in answers] for answers in (bare, traced)]
    assert [without_added(head) for head in heads[1]] == heads[0]
    assert [added(head)["x-request-id"] for head in heads[1]] == [1, 1]
    spans = of(collector.spans(), SERVER)
    assert [span["attributes"]["tls.protocol.version"] for span in spans] == list(VERSIONS)
    assert {span["attributes"]["network.peer.address"] for span in spans} == {"127.0.0.1"}
