# test_guest.py - a good guest: what went wrong for others inside someone else's process does not happen here.
import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tagalong_e2e.machine import BUILD, LIBRARY, TAGALONG, free_port, wait_for
from tagalong_e2e.raw import added, exchange, without_added

PYTHON = "/usr/bin/python3"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ONE_OF_EACH = {"traceparent": 1, "tracestate": 0, "x-request-id": 1}
NOTHING = {"traceparent": 0, "tracestate": 0, "x-request-id": 0}

# What a process can see of itself that a guest might change.
LOOK = """
import http.client, json, os, re, sys
def look():
    status = open("/proc/self/status").read()
    fds = sorted(int(fd) for fd in os.listdir("/proc/self/fd"))
    return {
        "fds": fds[:-1], "threads": len(os.listdir("/proc/self/task")),
        "signals": re.findall(r"^(Sig(?:Cgt|Ign|Blk)):\\s*(\\S+)", status, re.M),
        "seccomp": re.findall(r"^(Seccomp|NoNewPrivs):\\s*(\\S+)", status, re.M),
        "children": open(f"/proc/self/task/{os.getpid()}/children").read(),
    }
def get(path):
    client = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
    client.request("GET", path)
    answer = client.getresponse().read()
    client.close()
    return answer
"""


def python(machine, port, code, env=None, **more):
    result = machine.run([PYTHON, "-c", LOOK + code, str(port)], env=env, **more)
    assert result.returncode == 0, result.stderr
    return result.stdout


def paths(requests):
    return [request.split(b" ")[1].decode() for request in requests]


def test_process_looks_the_same_from_inside(machine, session, peer):
    code = "first = look(); get('/a'); get('/b'); print(json.dumps([first, look()]))"
    bare = json.loads(python(machine, peer.port, code))
    traced = json.loads(python(machine, peer.port, code, session.env))
    assert traced == bare
    assert [added(request) for request in peer.requests] == [NOTHING] * 2 + [ONE_OF_EACH] * 2


def test_server_looks_the_same_from_outside(machine, collector):
    def look(traced):
        port = free_port()
        server = machine.start_server([PYTHON, "-m", "http.server", str(port), "--bind", "127.0.0.1"], port, traced)
        exchange(port, b"GET / HTTP/1.0\r\n\r\n")
        pid = server.pid
        if traced:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            (pid,) = [int(one) for one in children if b"http.server" in Path(f"/proc/{one}/cmdline").read_bytes()]
        wait_for(lambda: len(os.listdir(f"/proc/{pid}/task")) == 1, "the request's thread has ended")
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
        seen = (sorted(os.listdir(f"/proc/{pid}/fd")), [line for line in status if line.startswith("Sig")][1:],
                Path(f"/proc/{pid}/task/{pid}/children").read_text())
        machine.stop(server)
        return seen

    assert look({"service": "files", "endpoint": collector.endpoint}) == look(None)
    assert len(collector.spans()) == 1


def test_program_that_closes_every_descriptor(machine, session, collector, peer):
    python(machine, peer.port, """
import ctypes
get("/before")
ctypes.CDLL(None).close_range(3, 0xffffffff, 0)
files = [open(f"own-{number}", "w") for number in range(20)]
get("/between")
os.closerange(3 + len(files), 4096)
get("/after")
for number, file in enumerate(files): file.write(f"own {number}"); file.close()
""", session.env)
    for number in range(20):
        assert machine.directory.joinpath(f"own-{number}").read_text() == f"own {number}"
    assert len(collector.wait(3)) == 3
    assert [added(request) for request in peer.requests] == [ONE_OF_EACH] * 3


def test_words_that_a_system_call_does_not_take_are_not_touched(machine, session):
    program = str(BUILD / "tests" / "e2e" / "stack_words")
    bare = machine.run([program])
    assert (bare.returncode, bare.stdout) == (0, "1 1 0 -1 1\n")
    traced = machine.run([program], env=session.env)
    assert (traced.returncode, traced.stdout) == (0, bare.stdout)


def test_sandbox_that_kills_for_unusual_calls_is_respected(machine, session, collector, peer):
    python(machine, peer.port, """
import ctypes, platform, struct
memfd_create, prctl = {"x86_64": (319, 157), "aarch64": (279, 167)}[platform.machine()]
def step(code, k, no=0):
    return struct.pack("HBBI", code, 0, no, k)
program = step(0x20, 0)
for number in memfd_create, prctl:
    program += step(0x15, number, no=1) + step(0x06, 0x80000000)
program += step(0x06, 0x7fff0000)
steps = ctypes.create_string_buffer(program)
class Program(ctypes.Structure):
    _fields_ = [("size", ctypes.c_ushort), ("steps", ctypes.c_void_p)]
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(len(program) // 8, ctypes.addressof(steps))), 0, 0) == 0
get('/sandboxed')
""", session.env)
    assert [added(request) for request in peer.requests] == [ONE_OF_EACH]


def test_failed_exec_in_a_child_changes_nothing(machine, session, collector, peer):
    python(machine, peer.port, """
import subprocess
get("/before")
for _ in range(50):
    try: subprocess.Popen(["/nonexistent/program"])
    except FileNotFoundError: pass
    try: os.posix_spawn("/nonexistent/program", ["program"], os.environ)
    except FileNotFoundError: pass
get("/after")
""", session.env)
    spans = collector.wait(2)
    assert len({span["resource"]["process.pid"] for span in spans}) == 1
    assert [added(request) for request in peer.requests] == [ONE_OF_EACH] * 2


def test_program_ends_while_the_collector_stalls(machine, session, collector, peer):
    collector.mode(stall=True)
    for number in range(5):
        python(machine, peer.port, f"get('/{number}')", session.env, timeout=10)
    assert len(peer.requests) == 5
    wait_for(collector.requests, "the exporter asks the stalled collector")
    machine.stop(session.process, timeout=15)


def test_descriptors_beyond_1023(machine, session, collector, peer):
    output = python(machine, peer.port, """
import resource, socket
resource.setrlimit(resource.RLIMIT_NOFILE, (5000, 5000))
hold = [os.dup(0) for _ in range(4000)]
client = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
client.request("GET", "/high")
print(client.sock.fileno(), client.getresponse().read())
""", session.env)
    assert int(output.split()[0]) > 4000
    assert added(peer.requests[0]) == ONE_OF_EACH
    assert len(collector.wait(1)) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to make a setuid program")
def test_setuid_program_is_left_alone(machine, session, peer):
    curl = machine.directory / "curl"
    shutil.copy(shutil.which("curl"), curl)
    os.chown(curl, 65534, 65534)
    curl.chmod(0o4755)
    result = machine.run([curl, "-sS", peer.url + "/setuid"], env=session.env)
    assert result.returncode == 0 and result.stdout == "hello\n"
    assert added(peer.requests[0]) == NOTHING


@pytest.mark.parametrize("mount", ["size=64k", "ro"])
@pytest.mark.parametrize("how", ["run", "preload"])
def test_shared_memory_is_full_or_closed(machine, peer, mount, how):
    probe = machine.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/dev/shm"])
    if probe.returncode != 0:
        pytest.skip("no permission for a mount namespace")
    start = f"{TAGALONG} run --" if how == "run" else f"env LD_PRELOAD={LIBRARY}"
    env = {"TAGALONG_STORE": machine.directory / "traces.db", "TAGALONG_RUN_DIR": machine.directory / "none"}
    result = machine.run(["unshare", "-m", "sh", "-c", f"mount -t tmpfs -o {mount} tmpfs /dev/shm && "
                          f"exec {start} curl -sS {peer.url}/shm"], env=env)
    assert (result.returncode, result.stdout) == (0, "hello\n"), result.stderr
    assert without_added(peer.requests[0]).startswith(b"GET /shm HTTP/1.1\r\n")
    machine.settle()


@pytest.mark.parametrize("again", ["same", "copy"])
def test_loaded_twice(machine, session, collector, peer, again):
    copy = machine.directory / "libcopy.so"
    shutil.copy(LIBRARY, copy)
    env = {**session.env, "LD_PRELOAD": f"{LIBRARY} {LIBRARY if again == 'same' else copy}"}
    python(machine, peer.port, "get('/a'); get('/b')", env)
    assert [added(request) for request in peer.requests] == [ONE_OF_EACH] * 2
    session.end()
    assert len(collector.spans()) == 2


def test_bound_at_once(machine, session, collector, peer):
    python(machine, peer.port, "get('/a')", {**session.env, "LD_BIND_NOW": "1"})
    assert len(collector.wait(1)) == 1


def test_segment_of_another_version_is_left_alone(machine, session, peer):
    whole = session.segment.read_bytes()[:8192]
    broken = {
        "version": whole[:8] + b"\x63\0\0\0" + whole[12:], "magic": b"NOTOURS!" + whole[8:], "short": whole[:100],
        "empty": b"", "sizes": whole[:16] + b"\xff" * 8 + whole[24:], "cut": whole,
    }
    for name, content in broken.items():
        foreign = machine.directory / f"foreign-{name}"
        foreign.write_bytes(content)
        python(machine, peer.port, f"get('/{name}')", {**session.env, "TAGALONG_SESSION": foreign})
        assert foreign.read_bytes() == content, name
    for name, place in (("directory", machine.directory), ("none", machine.directory / "none")):
        python(machine, peer.port, f"get('/{name}')", {**session.env, "TAGALONG_SESSION": place})
    assert [without_added(request) for request in peer.requests] == peer.requests
    assert len(peer.requests) == 8


def test_kill_switches(machine, session, collector, peer):
    python(machine, peer.port, "get('/disabled')", {**session.env, "TAGALONG_DISABLE": "1"})
    python(machine, peer.port, "get('/no-sdk')", {**session.env, "OTEL_SDK_DISABLED": "true"})
    python(machine, peer.port, "get('/traced')", session.env)
    assert added(peer.requests[0]) == NOTHING
    session.end()
    assert [span["attributes"]["url.full"].rsplit("/", 1)[1] for span in collector.spans()] == ["traced"]


CHILDREN = {
    "env -i": "env -i sh -c 'exec curl -sS URL/x'",
    "system": PYTHON + " -c \"import os; os.system('curl -sS URL/x')\"",
    "subprocess": PYTHON + " -c \"import subprocess; subprocess.run(['curl', '-sS', 'URL/x'])\"",
    "subprocess without environment":
        PYTHON + " -c \"import subprocess; subprocess.run(['/usr/bin/curl', '-sS', 'URL/x'], env={})\"",
    "posix_spawn": PYTHON + " -c \"import os; os.waitpid(os.posix_spawn('/usr/bin/curl', ['curl', '-sS', 'URL/x'], {}), 0)\"",
    "fork and execv": PYTHON + " -c \"import os; os.fork() and os.wait() or os.execv('/usr/bin/curl', ['curl', '-sS', 'URL/x'])\"",
    "execvpe": PYTHON + " -c \"import os; os.execvpe('curl', ['curl', '-sS', 'URL/x'], {'PATH': '/usr/bin'})\"",
    "fork": PYTHON + " -c \"import os, urllib.request as r\nos.fork() and os.wait() or (r.urlopen('URL/x').read(), os._exit(0))\"",
    "node": "node -e \"require('child_process').execFileSync('/usr/bin/curl', ['-sS', 'URL/x'], {env: {}})\"",
    "perl-like shell": "x=$(curl -sS URL/x); echo \"$x\"",
    "setpriv": "setpriv --reuid 65534 --clear-groups --reset-env curl -sS URL/x",
}


@pytest.mark.parametrize("name", CHILDREN)
def test_children_are_traced(machine, collector, peer, name):
    if name == "setpriv" and (os.getuid() != 0 or machine.run(
            ["setpriv", "--reuid=65534", "--clear-groups", "test", "-r", LIBRARY]).returncode != 0):
        pytest.skip("needs root, and a build that other users can read")
    script = CHILDREN[name].replace("URL", peer.url)
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "TRACEPARENT": f"00-{TRACE}-{PARENT}-01"}
    result = machine.run([TAGALONG, "run", "--", "sh", "-c", script], env=env)
    assert result.returncode == 0, result.stderr
    assert [added(request) for request in peer.requests] == [ONE_OF_EACH]
    assert len(collector.spans()) == 1


def test_calls_of_a_script_are_one_trace(machine, collector, peer):
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "TRACEPARENT": f"00-{TRACE}-{PARENT}-01"}
    script = f"curl -sS {peer.url}/1; curl -sS {peer.url}/2 | cat; wget -q --no-proxy -O - {peer.url}/3"
    result = machine.run([TAGALONG, "run", "--", "sh", "-c", script], env=env)
    assert result.stdout == "hello\n" * 3, result.stderr
    spans = collector.spans()
    assert [(span["trace"], span["parent"]) for span in spans] == [(TRACE, PARENT)] * 3


def test_bare_preload_needs_nothing_else(machine, peer):
    store = machine.directory / "traces.db"
    env = {"LD_PRELOAD": LIBRARY, "TAGALONG_STORE": store, "TAGALONG_RUN_DIR": machine.directory / "none"}
    result = machine.run(["curl", "-sS", peer.url + "/alone"], env=env)
    assert (result.returncode, result.stdout, result.stderr) == (0, "hello\n", "")
    assert added(peer.requests[0]) == ONE_OF_EACH
    listing = wait_for(lambda: store.exists() and (out := machine.run(
        [TAGALONG, "traces"], env={"TAGALONG_STORE": store}).stdout) and "/alone" in machine.run(
            [TAGALONG, "traces", out.split("\n")[1].split()[2]], env={"TAGALONG_STORE": store}).stdout and out,
        "the store has the span")
    assert "curl" in listing
    machine.settle()
    wait_for(lambda: not machine.leftovers(), "the exporter ends by itself", 10)


def test_exporter_of_a_bare_preload_is_no_child(machine, peer):
    output = python(machine, peer.port, """
import signal
signals = []
signal.signal(signal.SIGCHLD, lambda *what: signals.append(what))
before = look()
get("/a")
after = look()
try: waited = os.waitpid(-1, os.WNOHANG)
except ChildProcessError: waited = None
print(json.dumps([before == after, signals, waited]))
""", {"LD_PRELOAD": LIBRARY, "TAGALONG_STORE": machine.directory / "traces.db",
              "TAGALONG_RUN_DIR": machine.directory / "none"})
    assert json.loads(output) == [True, [], None]
    assert added(peer.requests[0]) == ONE_OF_EACH
    machine.settle()


def test_passed_descriptor_is_understood(machine, session, collector):
    ours, theirs = socket.socketpair()
    child = machine.start([PYTHON, "-c", """
import socket, sys
channel = socket.socket(fileno=int(sys.argv[1]))
_, (fd,), _, _ = socket.recv_fds(channel, 1, 1)
client = socket.socket(fileno=fd)
assert b"/passed" in client.recv(4096)
client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")
client.close()
""", str(theirs.fileno())], session.env, pass_fds=[theirs.fileno()])
    client, server = socket.socketpair()
    client.sendall(b"GET /passed HTTP/1.1\r\nHost: test\r\n\r\n")
    socket.send_fds(ours, [b"x"], [server.fileno()])
    server.close()
    assert child.wait(10) == 0, machine.log(child)
    answer = client.recv(4096)
    assert added(answer)["x-request-id"] == 1 and answer.endswith(b"ok")
    (span,) = collector.wait(1)
    assert (span["kind"], span["attributes"]["url.path"]) == (2, "/passed")


def test_no_socket_no_slot(machine, session):
    used = subprocess.run(["du", "--block-size=1", str(session.segment)], capture_output=True, text=True).stdout
    for _ in range(20):
        assert machine.run(["/bin/true"], env=session.env).returncode == 0
    again = subprocess.run(["du", "--block-size=1", str(session.segment)], capture_output=True, text=True).stdout
    assert again == used
