# test_node_context.py - Node.js: each call belongs to the request that made it, whatever lies between.
import re
import shutil
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tagalong_e2e import machine as machine_module
from tagalong_e2e import tls
from tagalong_e2e.driver import Request, drive
from tagalong_e2e.machine import PROGRAMS
from tagalong_e2e.programs import start_recorder
from tagalong_e2e.tree import CLIENT, SERVER

INTERNAL = 1
EACH = 24


def named(span):
    """The request that a call says it belongs to, and its number."""
    attributes = span["attributes"]
    text = attributes.get("url.full") or attributes.get("db.query.text") or ""
    for pattern in (r"/(\w+/\d+)\.(\d+)$", r"n:(\w+/\d+)\.(\d+)", r"\bid_([a-z]+_\d+)_(\d+)$"):
        if found := re.search(pattern, text):
            return "/" + found.group(1).replace("_", "/"), found.group(2)
    return None


def served(spans):
    """Path by (trace, span) of the server spans."""
    return {(span["trace"], span["span"]): span["attributes"].get("url.path") or
            "/connect/" + str(span["attributes"].get("server.port")) for span in spans if span["kind"] == SERVER}


def links(spans):
    """How many calls of each mode have the right parent; and those that have not."""
    servers, right, wrong = served(spans), Counter(), []
    for span in spans:
        call = named(span) if span["kind"] == CLIENT else None
        if call and servers.get((span["trace"], span["parent"])) == call[0]:
            right[call[0].split("/")[1], call[1]] += 1
        elif call:
            wrong.append((call, servers.get((span["trace"], span["parent"])), span["attributes"].get("tagalong.parent.guess")))
    return right, wrong


class Program:
    """contexts.js, or another one like it, traced; and its backend."""

    def __init__(self, machine, collector, argv=("contexts.js",), env=None, certificate=None, **more):
        self.machine, self.collector = machine, collector
        self.port = machine_module.free_port()
        backend, self.records = start_recorder(machine, certificate)
        scheme = "https" if certificate else "http"
        env = {"PORT": self.port, "BACKEND": f"{scheme}://localhost:{backend}", "OTEL_BSP_SCHEDULE_DELAY": 100, **(env or {})}
        shutil.copy(PROGRAMS / "contexts.js", machine.directory)
        self.process = machine.start_server(["node", *argv], self.port, {"service": "node", "endpoint": collector.endpoint}, env,
                                            **more)

    def ask(self, modes, concurrency=16, **options):
        """EACH requests of every mode, mixed; returns them by path."""
        requests = [Request(path=f"/{mode}/{number}") for number in range(EACH) for mode in modes]
        try:
            drive(self.port, requests, concurrency, **options)
        except AssertionError as failure:
            raise AssertionError(self.machine.log(self.process)) from failure
        assert {request.status for request in requests} == {200}
        return {request.path: request for request in requests}

    def spans(self, calls):
        """All spans, at the end; `calls` that name themselves are awaited."""
        machine_module.wait_for(lambda: sum(bool(named(span)) for span in self.collector.spans()) >= calls, "the calls' spans")
        self.machine.stop(self.process)
        return self.collector.spans()


def assert_links(spans, expected):
    """`expected`: mode -> how many calls each of its requests makes."""
    right, wrong = links(spans)
    assert not wrong
    assert right == {(mode, str(k)): EACH for mode, calls in expected.items() for k in range(1, calls + 1)}


def account(prefix, server):
    return {name.replace("DB_", f"{prefix}_"): value for name, value in server.variables().items()}


def test_pools_and_queues_of_databases_hand_the_context_on(machine, collector, databases):
    env = {**account("POSTGRES", databases.get("postgres")), **account("MARIADB", databases.get("mariadb")),
           **account("REDIS", databases.get("redis"))}
    program = Program(machine, collector, env=env)
    expected = {"pgcallback": 2, "pgconnect": 2, "pgone": 2, "mysqlcallback": 2, "mysqlexecute": 2, "mysqlpromise": 2,
                "mysqlone": 2, "redis": 2}
    program.ask(expected, 64)
    spans = program.spans(EACH * 16)
    # What prepares a statement is told apart, and belongs to the same request.
    assert_links([span for span in spans if span["attributes"].get("db.operation.name") != "PREPARE"], expected)
    assert not links(spans)[1]


def test_connections_that_are_shared_hand_the_context_on(machine, collector):
    program = Program(machine, collector)
    expected = {"agent": 3, "raw": 1, "undici": 1}
    program.ask(expected, 32)
    assert_links(program.spans(EACH * 5), expected)
    # And each was asked once, with a header of its own.
    records = Counter(record["target"] for record in program.records())
    assert len(records) == EACH * 5 and set(records.values()) == {1}
    parents = [value for record in program.records() for name, value in record["headers"] if name.lower() == "traceparent"]
    assert len(set(parents)) == EACH * 5


def test_calls_after_the_response_have_their_parent(machine, collector):
    program = Program(machine, collector)
    answers = program.ask(["after"])
    spans = program.spans(EACH * 2)
    assert_links(spans, {"after": 2})
    for record in program.records():
        headers = {name.lower(): value for name, value in record["headers"]}
        [given] = answers[record["target"].split(".")[0]].returned("x-request-id")
        assert headers["x-request-id"] == given


def test_child_processes_are_told_their_parent(machine, collector):
    program = Program(machine, collector)
    answers = program.ask(["child"])
    program.spans(0)
    servers = served(collector.wait(EACH))
    for path, request in answers.items():
        told = request.answer.decode().split()
        assert len(told) == 2 and told[0] == told[1]
        _, trace, span, _ = told[0].split("-")
        assert servers[trace, span] == path


def test_connection_that_is_refused_belongs_to_its_request(machine, collector):
    program = Program(machine, collector)
    program.ask(["refused"])
    spans = program.collector.wait(EACH * 2)
    servers = served(spans)
    parents = Counter(servers.get((span["trace"], span["parent"])) for span in spans if span["kind"] == INTERNAL)
    assert parents == {f"/refused/{number}": 1 for number in range(EACH)}


def talk(port, data, context=None):
    """Sends pieces of bytes and returns all that is answered until the end."""
    with socket.create_connection(("127.0.0.1", port), 20) as plain:
        one = context.wrap_socket(plain, server_hostname="localhost") if context else plain
        for piece in data:
            one.sendall(piece)
            machine_module.time.sleep(0.02)
        received = b""
        while chunk := one.recv(65536):
            received += chunk
        return received


LAST = b"Connection: close\r\n\r\n"


def special(number):
    """Requests that begin in other ways than most: (bytes in pieces, paths)."""
    head = f"POST /body/{number} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n".encode()
    expecting = head.replace(b"/body/", b"/continue/") + b"Expect: 100-continue\r\n"
    upgrade = f"GET /upgrade/{number} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n".encode()
    connect = f"CONNECT x:{number + 1} HTTP/1.1\r\nHost: x:{number + 1}\r\n\r\n".encode()
    pipelined = b"".join(f"GET /agent/{number * 3 + k} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for k in range(3))
    return [[head + LAST + b"ab", b"cd"], [expecting + LAST, b"ab", b"cd"], [upgrade], [connect],
            [pipelined + head.replace(b"/body/", b"/piped/") + b"\r\nab", b"cd" + head.replace(b"/body/", b"/last/") + LAST, b"abcd"]]


@pytest.mark.parametrize("server", ["http", "https", "http2"])
def test_every_way_to_begin_a_request_is_known(machine, collector, server):
    encrypted = server != "http"
    certificates = tls.Certificates(machine) if encrypted else None
    env = {"CERTIFICATE": certificates.server, "NODE_EXTRA_CA_CERTS": certificates.authority} if encrypted else {}
    if server == "http2":
        env["HTTP2"] = 1
    program = Program(machine, collector, env=env, certificate=certificates and certificates.server)
    context = certificates.client_context() if encrypted else None
    with ThreadPoolExecutor(20) as threads:
        todo = [data for number in range(EACH // 3) for data in special(number)]
        answers = list(threads.map(lambda data: talk(program.port, data, context), todo))
    assert all(answers)
    modes = {"body": 1, "continue": 1, "upgrade": 1, "connect": 1, "piped": 1, "last": 1}
    right, wrong = links(program.spans(EACH // 3 * 6 + EACH * 3))
    assert not wrong
    assert right == {**{(mode, "1"): EACH // 3 for mode in modes}, **{("agent", k): EACH for k in "123"}}


def test_servers_on_plain_sockets_hand_the_context_on(machine, collector):
    port = machine_module.free_port()
    program = Program(machine, collector, env={"PLAIN_PORT": port})
    machine_module.wait_for(lambda: machine_module.listens(port), "the plain server listens")
    drive(port, [Request(path=f"/plain/{number}") for number in range(EACH)], 8)
    assert_links(program.spans(EACH), {"plain": 1})


def test_standard_output_is_written_in_the_context(machine, collector):
    backend, _ = start_recorder(machine)
    with socket.create_connection(("127.0.0.1", backend)) as output:
        program = Program(machine, collector, stdout=output)
        program.ask(["output"])
        # Node.js does not read there: what was written is answered for nobody, and open to the end.
        assert_links(program.spans(EACH), {"output": 2})


MODULE = """
import { createServer, get } from 'node:http';
import { setTimeout } from 'node:timers/promises';
const backend = process.env.BACKEND;
createServer(async (request, response) => {
  await setTimeout(1);
  await (await fetch(`${backend}${request.url}.1`)).text();
  get(`${backend}${request.url}.2`, (answer) => answer.resume().on('end', () => response.end()));
}).listen(Number(process.env.PORT), '127.0.0.1');
"""
CLUSTER = """
const cluster = require('cluster');
if (cluster.isPrimary) for (let i = 0; i < 3; i++) cluster.fork();
else require('./contexts.js');
"""
WORKERS = """
const { Worker } = require('worker_threads');
const code = "process.env.PORT = require('worker_threads').workerData; require(process.cwd() + '/contexts.js');";
for (const port of [process.env.PORT, process.env.OTHER_PORT]) new Worker(code, { eval: true, workerData: port });
"""


def test_es_modules_hand_the_context_on(machine, collector):
    (machine.directory / "front.mjs").write_text(MODULE)
    program = Program(machine, collector, ["front.mjs"])
    program.ask(["module"])
    assert_links(program.spans(EACH * 2), {"module": 2})


def test_workers_of_a_cluster_hand_the_context_on(machine, collector):
    (machine.directory / "cluster.js").write_text(CLUSTER)
    program = Program(machine, collector, ["cluster.js"])
    program.ask(["agent"])
    spans = program.spans(EACH * 3)
    assert_links(spans, {"agent": 3})
    assert len({span["resource"]["process.pid"] for span in spans if span["kind"] == SERVER}) > 1


def test_servers_in_threads_hand_the_context_on(machine, collector):
    (machine.directory / "workers.js").write_text(WORKERS)
    other = machine_module.free_port()
    program = Program(machine, collector, ["workers.js"], {"OTHER_PORT": other})
    machine_module.wait_for(lambda: machine_module.listens(other), "the other thread listens")
    requests = [Request(path=f"/agent/{number}") for number in range(EACH)]
    for i, port in enumerate([program.port, other]):
        drive(port, requests[i::2], 6)
    spans = program.spans(EACH * 3)
    assert_links(spans, {"agent": 3})
    assert len({span["attributes"]["thread.id"] for span in spans if span["kind"] == SERVER}) == 2


def test_without_the_bridge_the_rules_answer(machine, collector):
    program = Program(machine, collector, env={"TAGALONG_NODE_BRIDGE": "0"})
    program.ask(["agent"])
    spans = program.spans(EACH * 3)
    right, others = links(spans)
    assert sum(right.values()) < EACH * 3
    # What has a parent that is another's says so.
    assert all(guess for _, parent, guess in others if parent)


# What the program's own classes see of calls that look like those of a database's.
LOOK = """
const EventEmitter = require('events');
class Thing { constructor(x) { this.x = x; } }
class Model { static #table = 'users'; static table() { return this.#table; } }
const models = new Map([[Model, 1]]);
class Store extends EventEmitter {
  acquire(listener) { this.on('ready', listener); }
  query(...given) { return given; }
  sendCommand(command) { return command; }
  connect(callback) { return callback.call(this, 1, 2); }
  get execute() { throw new Error('looked at'); }
}
const one = new Store();
const command = Object.freeze({ name: 'x', promise: Promise.resolve() });
const [Kind, named, number] = one.query(Thing, Object.assign(function named(a, b) {}, { tag: 7 }), 3);
const seen = one.connect(function (...given) { return [this === one, given, arguments.length]; });
const never = new EventEmitter();
const listener = () => {};
one.acquire(listener);
const listening = [one.listenerCount('ready'), one.listeners('ready')[0] === listener, one.off('ready', listener).listenerCount('ready')];
const [, model] = one.query('all', Model);
class Page extends EventEmitter { execute(callback) { return callback.toString(); } }
console.log(JSON.stringify([new Kind(5).x, new Kind(5) instanceof Thing, Kind.name, named.name, named.length, named.tag, number,
  seen, one.sendCommand(command) === command, one.sendCommand(command) === command, one.sendCommand.length, Store.prototype.query.name,
  Object.keys(Store.prototype), Object.getOwnPropertySymbols(command), Reflect.ownKeys(never), process.noDeprecation,
  listening, models.get(model), model.table(), new Page().execute(() => 1)]));
"""


def test_program_sees_what_it_passed(machine, collector):
    bare = machine.run(["node", "-e", LOOK]).stdout
    assert bare.startswith('[5,true,"Thing","named",2,7,3,[true,[1,2],2],true')
    process = machine.start_traced(["node", "--pending-deprecation", "-e", LOOK], "node", collector.endpoint)
    assert process.wait(30) == 0
    assert machine.log(process) == bare
