# test_stacks.py - who called it, and what is it doing now: call sites and stacks of real calls that wait.
import os
import re
import subprocess
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from tagalong_e2e.launcher import NOBODY, children, command_line
from tagalong_e2e.machine import PROGRAMS, TAGALONG, free_port, wait_for
from tagalong_e2e.tree import attribute

LOCK = 4711


@pytest.fixture
def lock(postgres):
    """A session that holds the lock that the server waits for, until release()."""
    class Lock:
        def __init__(self):
            self.holder = subprocess.Popen(
                [postgres.bin / "psql", "-XqAt", "-d", postgres.conninfo], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, text=True, env={"LC_ALL": "C"})
            self.holder.stdin.write(f"SELECT pg_advisory_lock({LOCK});\n")
            self.holder.stdin.flush()
            wait_for(lambda: postgres.ask(f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted "
                                          f"AND objid = {LOCK}").strip() == "1", "the lock is held")

        def release(self):
            if self.holder:
                self.holder.communicate()
            self.holder = None

    one = Lock()
    yield one
    one.release()


class Server:
    """The program, traced, with a request that hangs in its statement."""

    def __init__(self, machine, postgres, endpoint, flags, **more):
        self.machine = machine
        program = machine.directory / "shop"
        built = machine.run(["gcc", "-fomit-frame-pointer", *flags, "-I/usr/include/postgresql", "-o", program,
                             PROGRAMS / "libpq_server.c", "-lpq"])
        assert built.returncode == 0, built.stderr
        self.port = free_port()
        self.process = machine.start_server(
            [program, self.port, postgres.conninfo], self.port, {"service": "shop", "endpoint": endpoint}, **more)
        self.pid = next(pid for pid in children(self.process.pid) if command_line(pid)[1:2] == [str(self.port)])
        self.pool = ThreadPoolExecutor(1)
        self.answer = self.pool.submit(self._ask)

    def _ask(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/orders?page=2", timeout=60) as response:
            return response.read()

    def stacks(self):
        """What `tagalong stacks` prints as soon as the statement waits."""
        def shown():
            result = self.machine.run([TAGALONG, "stacks", self.pid], env={"COLUMNS": "160"})
            return result.stdout if "waits in" in result.stdout else None

        return wait_for(shown, "the call is in flight")


def frames(text):
    return re.findall(r"^ *at (\S+)", text, re.M)


def statement(collector):
    spans = wait_for(lambda: [span for span in collector.spans() if span["name"].startswith("SELECT")],
                     "the span of the statement")
    return spans[0]


def test_a_hanging_statement_is_shown_under_its_request_with_its_stack(machine, postgres, lock, collector):
    server = Server(machine, postgres, collector.endpoint, ["-O2", "-g"])
    lines = server.stacks().splitlines()
    assert re.fullmatch(rf"shop  process {server.pid}", lines[0])
    request = next(i for i, line in enumerate(lines) if re.match(r"  GET /orders  \d", line))
    call = next(i for i, line in enumerate(lines) if line.startswith("    SELECT pg_advisory_lock(?)"))
    wait = next(i for i, line in enumerate(lines) if re.match(r"      waits in PQexec for \d", line))
    assert request < call < wait
    stack = "\n".join(lines[wait + 1:])
    assert frames(stack)[:3] == ["load_orders", "serve_page", "main"]
    assert "programs/libpq_server.c:" in stack
    lock.release()
    assert server.answer.result() == b"ok\n"
    result = machine.run([TAGALONG, "stacks", server.pid])
    assert "no request in flight" in result.stdout


def test_a_slow_statement_has_its_call_site_and_stack(machine, postgres, lock, collector):
    server = Server(machine, postgres, collector.endpoint, ["-O2", "-g"], env={"TAGALONG_SLOW_CALL_MS": 1})
    server.stacks()
    # Nothing shows from outside that the exporter has looked; it does so many times in this while.
    time.sleep(2)
    lock.release()
    assert server.answer.result() == b"ok\n"
    span = statement(collector)
    assert attribute(span, "code.function.name") == "load_orders"
    assert attribute(span, "code.file.path").endswith("tests/e2e/programs/libpq_server.c")
    source = (PROGRAMS / "libpq_server.c").read_text().splitlines()
    assert "PQexec(" in source[int(attribute(span, "code.line.number")) - 1]
    assert frames(attribute(span, "code.stacktrace"))[:3] == ["load_orders", "serve_page", "main"]


def test_a_stripped_program_gives_objects_and_offsets(machine, postgres, lock, collector):
    server = Server(machine, postgres, collector.endpoint, ["-O2", "-s"])
    found = frames(server.stacks())
    program = str(machine.directory / "shop")
    assert [frame.rsplit("+0x", 1)[0] for frame in found[:3]] == [program] * 3
    # Three frames, three places; the C library, which called main, follows.
    assert len(set(found[:3])) == 3
    assert any("libc" in frame or "libc_start" in frame for frame in found[3:])
    lock.release()
    assert server.answer.result() == b"ok\n"
    assert attribute(statement(collector), "code.function.name") is None


def test_without_permission_there_is_the_call_site_alone(machine, postgres, lock, collector):
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    server = Server(machine, postgres, collector.endpoint, ["-O2", "-g"])
    server.stacks()
    session = wait_for(lambda: next(iter(
        variable.split("=", 1)[1] for variable in
        open(f"/proc/{server.pid}/environ").read().split("\0") if variable.startswith("TAGALONG_SESSION=")), None),
        "the session's name")
    result = machine.run([TAGALONG, "stacks", "--session", session, server.pid], user=NOBODY, group=NOBODY,
                         extra_groups=[])
    assert "waits in PQexec" in result.stdout
    assert "(no permission to read its stack)" in result.stdout
    assert frames(result.stdout) == ["load_orders"]
    lock.release()
    assert server.answer.result() == b"ok\n"


def test_a_process_that_is_not_traced_is_said_to_be_so(machine):
    sleeper = machine.start(["sleep", "60"])
    result = machine.run([TAGALONG, "stacks", sleeper.pid])
    assert result.returncode == 1
    assert f"process {sleeper.pid} is not traced" in result.stderr
    result = machine.run([TAGALONG, "stacks", "--session", "/dev/null"])
    assert result.returncode == 1
    assert "not a session" in result.stderr
