# test_node_https.py - Node.js under the bridge: what its TLS sockets tell, and that the program sees none of it.
import json
import select
import shutil
import socket
import struct
import threading

import pytest

from tagalong_e2e import machine as machine_module
from tagalong_e2e import programs, tls
from tagalong_e2e.raw import added, without_added
from tagalong_e2e.tree import CLIENT, SERVER

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"
PLAIN_GET = """
const https = require('https');
https.get(process.argv[1] + '/a', (r) => r.resume()).on('error', (e) => console.log(e.code));
"""
# What a program can see of how it was started, and of the classes that are told of.
LOOK = """
const tls = require('tls');
const own = (object) => Object.keys(object).sort();
new tls.TLSSocket().destroy();
console.log(JSON.stringify([process.env.NODE_OPTIONS, 'NODE_OPTIONS' in process.env, process.execArgv.length,
  own(require.cache), own(tls.TLSSocket.prototype), require('events').init === require('events').EventEmitter.init,
  require('child_process').execFileSync('node', ['-p', 'String(process.env.NODE_OPTIONS)']) + '']));
"""


@pytest.fixture
def certificates(machine):
    return tls.Certificates(machine)


@pytest.fixture
def server(certificates):
    """An uninstrumented server; keeps what it deciphered."""
    one = tls.EncryptedServer(ANSWER, certificates.server_context())
    one.url = f"https://localhost:{one.port}"
    yield one
    one.close()


def of(spans, kind):
    return sorted((span for span in spans if span["kind"] == kind), key=lambda span: span["start"])


def run(machine, collector, certificates, argv, env=None):
    """Runs a program to its end, traced; returns its output."""
    env = {"NODE_EXTRA_CA_CERTS": certificates.authority, **(env or {})}
    process = machine.start_traced(argv, "node", collector.endpoint, env)
    assert process.wait(30) == 0, machine.log(process)
    return machine.log(process)


@pytest.mark.parametrize("options", [None, "", "--no-warnings", '--no-warnings --require "./a b.js"'])
def test_program_sees_the_options_that_it_was_given(machine, collector, certificates, options):
    (machine.directory / "a b.js").write_text("globalThis.loaded = true;")
    env = {} if options is None else {"NODE_OPTIONS": options}
    bare = machine.run(["node", "-e", LOOK], env).stdout
    assert json.loads(bare)[0] == options
    assert run(machine, collector, certificates, ["node", "-e", LOOK], env) == bare


def test_bridge_can_be_turned_off(machine, collector, certificates, server):
    run(machine, collector, certificates, ["node", "-e", PLAIN_GET, server.url], {"TAGALONG_NODE_BRIDGE": "0"})
    assert added(server.requests[0])["traceparent"] == 0
    run(machine, collector, certificates, ["node", "-e", PLAIN_GET, server.url])
    assert added(server.requests[1])["traceparent"] == 1
    assert without_added(server.requests[1]) == server.requests[0]
    assert len(of(collector.wait(1), CLIENT)) == 1


def test_library_without_its_script_changes_nothing(machine, collector, certificates, server):
    alone = machine.directory / "libtagalong.so"
    shutil.copy(machine_module.LIBRARY, alone)
    env = {"TAGALONG_LIBRARY": alone}
    assert run(machine, collector, certificates, ["node", "-e", PLAIN_GET, server.url], env) == ""
    assert added(server.requests[0])["traceparent"] == 0
    # Beside it, through a symbolic link, it works again.
    shutil.copy(machine_module.BUILD / "bridge.cjs", machine.directory)
    (machine.directory / "link").symlink_to(machine.directory)
    env = {"TAGALONG_LIBRARY": machine.directory / "link" / "libtagalong.so"}
    assert run(machine, collector, certificates, ["node", "-e", PLAIN_GET, server.url], env) == ""
    assert added(server.requests[1])["traceparent"] == 1


@pytest.mark.parametrize("flags", [["--no-addons"], ["--frozen-intrinsics", "--no-warnings"],
                                   ["--experimental-permission", "--allow-fs-read=*", "--no-warnings"]],
                         ids=lambda flags: flags[0])
def test_node_starts_where_the_bridge_may_not(machine, collector, certificates, flags):
    version = int(machine.run(["node", "-p", "process.versions.node.split('.')[0]"]).stdout)
    if flags[0] == "--experimental-permission" and not 20 <= version < 24:
        pytest.skip(f"Node.js {version} has no such flag")
    assert run(machine, collector, certificates, ["node", *flags, "-e", "console.log('here')"]) == "here\n"


WORKERS = """
const { Worker } = require('worker_threads');
const code = process.argv[1], url = process.argv[2];
new Worker(code, { eval: true, argv: [url] }).on('exit', () =>
  new Worker(code, { eval: true, argv: [url] }));
"""
CLUSTER = """
const cluster = require('cluster'), https = require('https'), pem = require('fs').readFileSync(process.env.CERTIFICATE);
if (cluster.isPrimary) {
  cluster.fork(); cluster.fork();
} else {
  https.createServer({ key: pem, cert: pem }, (request, response) => response.end('pid ' + process.pid))
    .listen(Number(process.env.PORT), '127.0.0.1');
}
"""
MODULE = """
import { get } from 'node:https';
get(process.env.URL_TO_GET + '/module', (response) => response.resume());
"""


def test_worker_threads_are_seen(machine, collector, certificates, server):
    code = PLAIN_GET.replace("argv[1]", "argv[2]")
    assert run(machine, collector, certificates, ["node", "-e", WORKERS, code, server.url]) == ""
    assert [added(request)["traceparent"] for request in server.requests] == [1, 1]
    assert {span["attributes"]["tls.protocol.version"] for span in of(collector.wait(2), CLIENT)} == {"1.3"}


def test_cluster_is_seen(machine, collector, certificates):
    port = machine_module.free_port()
    (machine.directory / "cluster.js").write_text(CLUSTER)
    process = machine.start_server(
        ["node", "cluster.js"], port, {"service": "node", "endpoint": collector.endpoint},
        {"CERTIFICATE": certificates.server, "PORT": port})
    request = b"GET /n HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answers = [tls.exchange(port, certificates.client_context(), request) for _ in range(4)]
    machine.stop(process)
    assert [added(answer)["x-request-id"] for answer in answers] == [1] * 4
    spans = of(collector.wait(4), SERVER)
    pids = {int(answer.split(b"pid ")[1]) for answer in answers}
    assert {span["resource"]["process.pid"] for span in spans} == pids and len(spans) == 4


def test_es_modules_are_seen(machine, collector, certificates, server):
    (machine.directory / "get.mjs").write_text(MODULE)
    run(machine, collector, certificates, ["node", "get.mjs"], {"URL_TO_GET": server.url})
    assert added(server.requests[0])["traceparent"] == 1
    [span] = of(collector.wait(1), CLIENT)
    assert span["attributes"]["url.full"] == f"{server.url}/module"
    assert span["attributes"]["server.address"] == "localhost"


# ---- failures


def resetting(context):
    """A server that resets its connection with the request unread; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        plain, _ = listener.accept()
        listener.close()
        encrypted = context.wrap_socket(plain, server_side=True)
        select.select([encrypted], [], [], 20)
        encrypted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        encrypted.close()

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def test_reset_is_a_failure_of_the_call(machine, collector, certificates):
    port = resetting(certificates.server_context())
    code = PLAIN_GET.replace("e.code", "e.message")
    output = run(machine, collector, certificates, ["node", "-e", code, f"https://localhost:{port}"])
    # Which of the two Node.js is told by the kernel depends on when.
    told = {"read ECONNRESET\n": "connection_reset", "socket hang up\n": "peer_closed"}
    [span] = of(collector.wait(1), CLIENT)
    assert span["attributes"]["error.type"] == told[output]
    assert span["attributes"]["network.peer.port"] == port


def test_refused_certificate_is_a_failure_of_the_call(machine, collector, certificates, server):
    argv = ["node", "-e", PLAIN_GET, server.url]
    env = {"NODE_EXTRA_CA_CERTS": certificates.client}
    bare = machine.run(argv, env).stdout
    assert bare == "UNABLE_TO_VERIFY_LEAF_SIGNATURE\n"
    assert run(machine, collector, certificates, argv, env) == bare
    [span] = of(collector.wait(1), CLIENT)
    assert span["attributes"]["error.type"] == "protocol_error"


def test_call_that_is_aborted_ends_with_the_socket(machine, collector, certificates):
    backend, _ = programs.start_recorder(machine, certificates.server)
    code = PLAIN_GET + "setTimeout(() => process.exit(), 3000).unref();"
    code = code.replace("https.get(", "const r = https.get(").replace("+ '/a'", "+ '/a?delay=9000'")
    code += "setTimeout(() => r.destroy(), 500);"
    assert run(machine, collector, certificates, ["node", "-e", code, f"https://localhost:{backend}"]) == "ECONNRESET\n"
    [span] = of(collector.wait(1), CLIENT)
    assert "http.response.status_code" not in span["attributes"]
    assert span["attributes"]["tls.protocol.version"] == "1.3"
    assert span["attributes"]["error.type"]


def test_both_sides_are_one_trace(machine, collector, certificates):
    backend, _ = programs.start_recorder(machine, certificates.server)
    front = next(front for front in tls.FRONTS if front.name == "node-https")
    inner, inner_port = programs.start_front(machine, front, backend, collector.endpoint, "https://127.0.0.1")
    url = f"https://127.0.0.1:{inner_port}/n/1/a?calls=1&status=500"
    code = PLAIN_GET.replace(" + '/a'", "")
    process = machine.start_traced(["node", "-e", code, url], "client", collector.endpoint,
                                   {"NODE_EXTRA_CA_CERTS": certificates.authority})
    assert process.wait(30) == 0
    programs.stop_front(machine, inner)
    sent, called = of(collector.wait(3), CLIENT)
    [served] = of(collector.spans(), SERVER)
    assert (served["parent"], called["parent"]) == (sent["span"], served["span"])
    assert {span["trace"] for span in (sent, served, called)} == {sent["trace"]}
    assert called["attributes"]["http.response.status_code"] == 500
    assert served["attributes"]["http.response.status_code"] == sent["attributes"]["http.response.status_code"] == 502
