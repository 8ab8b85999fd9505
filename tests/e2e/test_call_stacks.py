# test_call_stacks.py - on request, failed and repeated calls come with their stack, and leave none of it behind.
import os
import signal
import subprocess

import pytest

from tagalong_e2e.machine import PROGRAMS, wait_for
from tagalong_e2e.session import Session
from tagalong_e2e.tree import attribute

from test_libpq import CALLS, CLIENT, told  # noqa: F401
from test_stacks import frames

SECRET = b"hunter2-correct-horse-battery"
ASKED = {"TAGALONG_CALL_STACKS": "1"}


@pytest.fixture
def session(machine, collector):
    """Its exporter keeps a store beside the collector."""
    return Session(machine, collector.endpoint, TAGALONG_STORE=machine.directory / "traces.db")


class Caller:
    """The program, which has made its calls and waits until it is let go."""

    def __init__(self, machine, session, postgres, way, env, **options):
        program = machine.directory / "calls"
        if not program.exists():
            built = machine.run(["gcc", "-O2", "-g", "-fomit-frame-pointer", "-o", program, PROGRAMS / "libpq_calls.c",
                                 "-lpq", "-lpthread"])
            assert built.returncode == 0, built.stderr
        self.process = subprocess.Popen([program, way, postgres.conninfo], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env={"LC_ALL": "C", **machine.environment(
                                            {**session.env, **env})}, **options)
        self.process.stdin.write(SECRET + b"\n")
        self.process.stdin.flush()
        self.answer = self.process.stdout.readline()

    def end(self):
        self.process.communicate(timeout=20)
        assert self.process.returncode == 0


@pytest.fixture
def call(machine, session, postgres):
    callers = []

    def start(way, env=ASKED, **options):
        callers.append(Caller(machine, session, postgres, way, env, **options))
        return callers[-1]

    yield start
    for one in callers:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


def statements(collector, count):
    """The spans of the statements in the order of their start."""
    def told():
        spans = [span for span in collector.spans() if attribute(span, "db.query.text")]
        return spans if len(spans) >= count else None

    return sorted(wait_for(told, f"{count} statements are told"), key=lambda span: int(span["start"]))


def stack(span):
    return frames(attribute(span, "code.stacktrace") or "")


def test_a_failed_call_comes_with_its_stack(call, collector):
    caller = call("fail")
    assert caller.answer == b"refused 1\n"
    span, = statements(collector, 1)
    assert attribute(span, "error.type") == "42P01"
    assert stack(span)[:4] == ["insert_item", "write_order", "place_order", "main"]
    assert "programs/libpq_calls.c:" in attribute(span, "code.stacktrace")
    caller.end()


def test_of_a_row_of_repeated_calls_the_tenth_comes_with_its_stack(call, collector):
    caller = call("repeat")
    assert caller.answer == b"rows 12\n"
    spans = statements(collector, 12)
    assert {attribute(span, "db.query.text") for span in spans} == {"SELECT ? AS number"}
    assert [number for number, span in enumerate(spans, 1) if stack(span)] == [10]
    assert stack(spans[9])[:3] == ["load_order", "list_orders", "main"]
    caller.end()


def test_a_failure_that_is_met_later_comes_with_the_stack_of_who_met_it(call, collector):
    caller = call("send")
    assert caller.answer == b"refused 1\n"
    assert stack(statements(collector, 1)[0])[:3] == ["collect", "send_and_collect", "main"]
    caller.end()


def test_a_call_of_a_thread_comes_with_the_stack_of_the_thread(call, collector):
    caller = call("thread")
    assert caller.answer == b"refused 1\n"
    found = stack(statements(collector, 1)[0])
    assert found[:2] == ["insert_item", "work"]
    assert "main" not in found
    caller.end()


@pytest.mark.parametrize("way, count", [("fail", 1), ("repeat", 12)])
def test_nobody_gets_a_stack_without_asking(call, session, collector, way, count):
    caller = call(way, env={})
    caller.end()
    session.end()
    assert [stack(span) for span in statements(collector, count)] == [[]] * count


@pytest.mark.parametrize("way", CALLS)
def test_snapshots_change_nothing_for_the_program(told, postgres, way):  # noqa: F811
    assert told.run(CLIENT, way, postgres.conninfo, env=ASKED) == CALLS[way]


def test_a_secret_on_the_stack_is_nowhere_once_its_call_is_told(call, session, collector, machine):
    # The exporter is held up, so that the snapshot is seen to be there, with the secret in it.
    os.kill(session.process.pid, signal.SIGSTOP)
    caller = call("fail")
    assert SECRET in session.segment.read_bytes()
    os.kill(session.process.pid, signal.SIGCONT)
    span, = statements(collector, 1)
    assert "write_order" in stack(span)
    assert SECRET not in session.segment.read_bytes()
    assert SECRET.decode() not in str(collector.spans()) + str(collector.requests())
    caller.end()
    session.end()
    files = [path for path in machine.directory.rglob("*") if path.is_file()]
    assert machine.directory / "traces.db" in files
    assert [path for path in files if SECRET in path.read_bytes()] == []


def test_the_stack_of_a_process_that_is_gone_is_wiped_unread(call, session, collector):
    os.kill(session.process.pid, signal.SIGSTOP)
    caller = call("fail")
    caller.end()
    assert SECRET in session.segment.read_bytes()
    os.kill(session.process.pid, signal.SIGCONT)
    span, = statements(collector, 1)
    assert attribute(span, "error.type") == "42P01"
    assert attribute(span, "code.stacktrace") is None
    assert SECRET not in session.segment.read_bytes()


def test_nothing_is_taken_while_no_exporter_reads(call, session):
    session.end()
    caller = call("fail")
    assert caller.answer == b"refused 1\n"
    told = session.segment.read_bytes()
    assert b"INSERT INTO nowhere VALUES (?)" in told
    assert SECRET not in told
    caller.end()
