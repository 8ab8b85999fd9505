# test_bytes.py - awkward I/O under the shim: the peer gets the program's own bytes, plus our headers, no others.
import json

import pytest

from tagalong_e2e import machine as machine_module
from tagalong_e2e.raw import Peer, added, random_bytes, without_added

WRITER = machine_module.BUILD / "tests" / "e2e" / "bytes_writer"
PHANTOM = b"GET /phantom HTTP/1.1\r\nHost: phantom\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def chunked(body, trailers=b""):
    parts = [body[at:at + 700] for at in range(0, len(body), 700)]
    return b"".join(b"%x;name=value\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n" + trailers + b"\r\n"


def exchanges():
    """Pairs of request and answer, one of each kind of message there is, on one kept-alive connection."""
    text = random_bytes(30000, 3)
    long_head = b"".join(b"X-Filler-%d: %s\r\n" % (i, b"f" * 1000) for i in range(58))
    ok = b"HTTP/1.1 200 OK\r\n"
    return [
        (b"GET /a?x=1 HTTP/1.1\r\nHost: test\r\nAccept: */*\r\n\r\n", ok + b"Content-Length: 5\r\n\r\nhello"),
        (b"GET /none HTTP/1.1\r\nHost: test\r\n\r\n", b"HTTP/1.1 204 No Content\r\nServer: s\r\n\r\n"),
        (b"HEAD /head HTTP/1.1\r\nHost: test\r\n\r\n", ok + b"Content-Length: 70000\r\n\r\n"),
        (b"GET /same HTTP/1.1\r\nhost: test\r\nIf-None-Match: \"a\"\r\n\r\n",
         b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"),
        (b"POST /body HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%s" % (len(PHANTOM), PHANTOM),
         ok + b"Content-Length: %d\r\n\r\n%s" % (len(PHANTOM), PHANTOM)),
        (b"POST /chunks HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
         + chunked(text, b"X-Sum: 1\r\n"),
         ok + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(text + PHANTOM, b"X-Sum: 2\r\nX-More: 3\r\n")),
        (b"PUT /early HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody",
         b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok + b"Content-Length: 0\r\n\r\n"),
        (b"GET http://test/absolute HTTP/1.1\r\nHost: test\r\n" + long_head + b"\r\n",
         ok + long_head + b"Content-Length: 30000\r\n\r\n" + text),
        (b"OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n", b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n"),
        (b"POST /big HTTP/1.1\r\nHost: test\r\nContent-Length: 90000\r\n\r\n" + text * 3,
         ok + b"Content-Length: 90000\r\n\r\n" + text * 3),
    ]


LAST = {
    "upgrade": (b"GET /up HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: opaque\r\n\r\n",
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: opaque\r\n\r\n"),
    "connect": (b"CONNECT other:443 HTTP/1.1\r\nHost: other:443\r\n\r\n", b"HTTP/1.1 200 Established\r\n\r\n"),
    "close": (b"GET /close HTTP/1.0\r\nHost: test\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n" + PHANTOM * 50),
}

WRITE = ["write", "send", "writev", "writev1000", "sendmsg", "sendto", "more", "one", "sendfile", "splice", "random"]
READ = ["read", "recv", "readv", "recvmsg", "recvfrom", "one", "peek", "random"]
CASES = [(write, READ[i % len(READ)], "46u"[i % 3], ("upgrade", "connect", "close")[i % 3], i % 4 == 3)
         for i, write in enumerate(WRITE + ["n" + one for one in WRITE])]
CASES += [("write", read, "46u"[i % 3], "close", False) for i, read in enumerate(READ)]
# A head that dribbles out in pieces can't be known whole before its end is on its way.
DRIBBLES = ("one", "random", "none", "nrandom")


def write_steps(data, by_kernel):
    """Steps that write data; with by_kernel a body of known length is a step of its own."""
    head = data.find(b"\r\n\r\n") + 4
    if data.startswith((b"HTTP/1.1 100", b"HTTP/1.1 103")):
        return [f"w {head}", *write_steps(data[head:], by_kernel)]
    if not by_kernel or b"chunked" in data[:head] or head in (3, len(data)):
        return [f"w {len(data)}"]
    return [f"w {head}", f"b {len(data) - head}"]


def script_for(role, pairs, tail, pipelined, dup, by_kernel=False):
    """(steps of the program, turns of the peer, the program's own bytes, the peer's bytes)."""
    turns = []
    if pipelined and role == "connect":
        turns = [("request", b"".join(request for request, _ in pairs[:-1])),
                 ("answer", b"".join(answer for _, answer in pairs[:-1]))]
        pairs = pairs[-1:]
    for request, answer in pairs:
        turns += [("request", request), ("answer", answer)]
    if tail:
        turns += [("request", tail), ("answer", tail)]  # opaque in both directions
    steps, peer = [], []
    ours = "request" if role == "connect" else "answer"
    for what, data in turns:
        steps += write_steps(data, by_kernel) if what == ours else [f"r {len(data)}"]
        peer.append(("expect" if what == ours else "send", data))
        if dup:
            steps.append("d")
    own = b"".join(data for what, data in turns if what == ours)
    others = b"".join(data for what, data in turns if what != ours)
    return steps + ["h", "e"], peer + [("end", None)], own, others


def run_writer(machine, endpoint, role, how, address, script, own, peer):
    """Runs bytes_writer under the shim with a peer that it meets; returns its output and what it read."""
    source, sink = machine.directory / "source", machine.directory / "sink"
    source.write_bytes(own)
    start = ["sh", "-c", 'exec "$@" <script', "sh", WRITER, role, address, *how, "5", source, sink]
    (machine.directory / "script").write_text("\n".join(script) + "\n")
    process = machine.start_traced(start, "bytes", endpoint)
    if role == "accept":
        line = machine_module.wait_for(lambda: machine.log(process).startswith("listening") and machine.log(process),
                                       "bytes_writer listens")
        if not isinstance(peer.address, str):
            peer.address = (peer.address[0], int(line.split()[1]))
        peer.start()
    code = process.wait(60)
    return code, machine.log(process), sink.read_bytes()


def place(machine, kind):
    """Where to meet: what the peer calls it."""
    return {"4": ("127.0.0.1", 0), "6": ("::1", 0), "u": str(machine.directory / "socket")}[kind]


@pytest.mark.parametrize("role", ["connect", "accept"])
@pytest.mark.parametrize("write,read,kind,last,pipelined", CASES, ids=lambda value: str(value))
def test_bytes_are_the_programs_own(machine, collector, role, write, read, kind, last, pipelined):
    pairs = [*exchanges(), LAST[last]]
    tail = PHANTOM + random_bytes(5000, 4) if last != "close" else b""
    by_kernel = write.lstrip("n") in ("sendfile", "splice", "random")
    script, turns, own, others = script_for(role, pairs, tail, pipelined and not by_kernel, kind == "6", by_kernel)
    slow = write.startswith("n")
    peer = Peer(place(machine, kind), turns, role == "connect", slow=slow, piece=50 if read == "read" else 3000)
    address = f"u:{peer.address}" if kind == "u" else f"{kind}:{peer.address[1]}"
    if role == "connect":
        peer.start()
    code, output, got = run_writer(machine, collector.endpoint, role, (write, read), address, script, own, peer)
    received = peer.finish()
    assert code == 0, output
    assert got == others
    assert without_added(received) == own
    counts = added(received)
    wanted = len(pairs)
    if write in DRIBBLES:
        # A head whose first pieces are gone need not get the headers, but nothing may break.
        assert counts["x-request-id"] <= wanted and counts["traceparent"] <= wanted
    else:
        assert counts["x-request-id"] == wanted
        assert counts["traceparent"] == (wanted if role == "connect" else 0)
    if slow and "splice" not in write and "one" not in write:
        calls = dict(zip(output.split()[-6::2], map(int, output.split()[-5::2])))
        # How the two share depends on when the peer gets to read.
        assert calls["short"] + calls["again"], "the kernel did not force short writes"
    spans = [span for span in collector.spans() if span["resource"]["service.name"] == "bytes"]
    assert {span["kind"] for span in spans} == {3 if role == "connect" else 2}
    methods = [span["attributes"].get("http.request.method") for span in sorted(spans, key=lambda one: one["start"])]
    assert methods == [request.split(b" ")[0].decode() for request, _ in pairs], json.dumps(methods)


@pytest.mark.parametrize("role", ["connect", "accept"])
def test_own_headers_are_left_alone(machine, collector, role):
    trace = b"0af7651916cd43dd8448eb211c80319c"
    own_headers = b"Traceparent: 00-" + trace + b"-b7ad6b7169203331-01\r\nX-REQUEST-ID: my-own\r\n"
    pairs = [(b"GET /own HTTP/1.1\r\nHost: test\r\n" + own_headers + b"\r\n",
              b"HTTP/1.1 200 OK\r\nx-request-id: my-own\r\nContent-Length: 2\r\n\r\nok")]
    script, turns, own, _ = script_for(role, pairs, b"", False, False)
    turns = [("send", data) if what == "send" else ("end", None) for what, data in turns]
    if role == "connect":
        # The peer can't strip what the program wrote itself, so it answers at once.
        turns = [("send", pairs[0][1]), ("end", None)]
    peer = Peer(("127.0.0.1", 0), turns, role == "connect")
    if role == "connect":
        peer.start()
    code, output, _ = run_writer(machine, collector.endpoint, role, ("write", "read"), f"4:{peer.address[1]}", script,
                                 own, peer)
    assert code == 0, output
    assert peer.finish() == own
    (span,) = collector.spans()
    assert span["trace"] == trace.decode()
    assert span["attributes"]["http.request.header.x-request-id"] == ["my-own"]


@pytest.mark.long
def test_body_over_4_gib_is_counted(machine, collector):
    size = 5 * 1024**3 + 7
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    after = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    request = b"GET /huge HTTP/1.1\r\nHost: test\r\n\r\n"

    class Counting(Peer):
        total = 0

        def _receive(self, sock):
            data = sock.recv(1 << 20)
            self.total += len(data)
            self.received = (self.received + data)[-1000:] if self.total > 2000 else self.received + data
            return len(data)

    peer = Counting(("127.0.0.1", 0), [("send", request + request), ("end", None)], False)
    script = [f"r {len(request)}", f"w {len(head)}", f"S {size}", f"r {len(request)}", f"w {len(after)}", "h", "e"]
    code, output, _ = run_writer(machine, collector.endpoint, "accept", ("write", "read"), "4:0", script, head + after,
                                 peer)
    peer.finish()
    assert code == 0, output
    spans = sorted(collector.spans(), key=lambda one: one["start"])
    ids = [span["attributes"]["http.request.header.x-request-id"][0] for span in spans]
    assert len(ids) == 2
    extra = sum(len("x-request-id: \r\n") + len(one) for one in ids)
    assert peer.total == len(head) + size + len(after) + extra
    assert spans[0]["attributes"].get("http.response.body.size") == size
