# test_asyncio.py - CPython under the bridge: whose a call is in loops, threads and greenlets, and what the program sees of it.
import json
import os
import re
import socket

import pytest

from tagalong_e2e import machine as machine_module
from tagalong_e2e import tls
from tagalong_e2e.driver import drive
from tagalong_e2e.kinds import KINDS, make_requests
from tagalong_e2e.machine import PROGRAMS, wait_for
from tagalong_e2e.programs import Front, gunicorn, start_front, start_recorder, stop_front
from tagalong_e2e.tree import CLIENT, SERVER, attribute, check, path_of

PYTHON = os.environ.get("TAGALONG_TEST_PYTHON", "/usr/bin/python3")
BASIC = ["sequential", "none", "slow", "post", "error", "absent"]
LOOPS = ["asyncio", "uvloop"]


@pytest.fixture(autouse=True, scope="module")
def kinds_of_this_file():
    """Ways to make a call that only the programs of this file know."""
    own = {"lock": "calls=2&mode=lock", "background": "calls=2&mode=background", "threads": "calls=3&mode=pool"}
    KINDS.update(own)
    yield
    for name in own:
        del KINDS[name]


def python(script, *options, **env):
    def start(machine, port, backend):
        return [PYTHON, *options, PROGRAMS / script], env
    return start


def tally_of(machine, collector, front, count=240, encrypted=None):
    """Sends a mix of requests, 64 at once, and counts the links; also gives the program's output."""
    backend, records = start_recorder(machine)
    process, port = start_front(machine, front, backend, collector.endpoint)
    requests = make_requests(count, front.kinds, seed=7)
    drive(port, requests, 64, **({"encrypted": encrypted} if encrypted else {}))
    wait_for(lambda: len({one["path"] if "path" in one else one["target"].split("?")[0] for one in records()})
             >= sum(int(re.search(r"calls=(\d+)", one.query).group(1)) for one in requests), "every call was made")
    stop_front(machine, process)
    tally = check(front.name, requests, records(), collector.spans(), False)
    return tally, machine.log(process)


# ---- whose a call is


@pytest.mark.parametrize("loop, wait", [("asyncio", ""), ("asyncio", "1"), ("uvloop", "")])
def test_tasks_of_connections_take_up_each_request(machine, collector, loop, wait):
    kinds = [*BASIC, "par3", "timer", "later", "lock", "executor", "background"]
    front = Front("streams", python("front_streams.py", LOOP=loop, WAIT=wait), kinds)
    tally, log = tally_of(machine, collector, front)
    assert not tally.faults(), log
    assert tally["server right"] == 240


@pytest.mark.parametrize("loop", LOOPS)
def test_handlers_in_threads_work_for_their_request(machine, collector, loop):
    front = Front("asgi", python("front_asgi.py", LOOP=loop), ["threads", "sequential", "none"])
    tally, log = tally_of(machine, collector, front)
    assert not tally.faults(), log
    assert tally["right"] > 240


@pytest.mark.parametrize("worker", ["gevent", "eventlet"])
def test_greenlets_work_for_the_request_that_they_read(machine, collector, worker):
    front = Front(worker, gunicorn("--worker-class", worker, "--workers", "2"), BASIC)
    tally, log = tally_of(machine, collector, front)
    assert not tally.faults(), log
    assert tally["right"] > 240


@pytest.mark.parametrize("options", [("--workers", "6"), ("--worker-class", "gthread", "--workers", "2", "--threads", "16")],
                         ids=["sync", "gthread"])
def test_pools_of_threads_and_loops_inside_a_request_carry_it(machine, collector, options):
    def start(machine_, port, backend):
        argv, env = gunicorn(*options)(machine_, port, backend)
        return [*argv[:-1], "front_threads:app"], env

    tally, log = tally_of(machine, collector, Front("threads", start, [*BASIC, "par3", "threads"]))
    assert not tally.faults(), log
    assert tally["right"] > 240


@pytest.mark.parametrize("options", [("-I",), ("-S",), ("-I", "-S", "-X", "dev", "-W", "error")], ids=" ".join)
def test_options_of_the_interpreter_make_no_difference(machine, collector, options):
    tally, log = tally_of(machine, collector, Front("streams", python("front_streams.py", *options), BASIC), 60)
    assert not tally.faults(), log
    assert tally["right"] > 40


def test_without_the_bridge_nothing_is_linked_wrongly(machine, collector):
    front = Front("streams", python("front_streams.py", TAGALONG_PYTHON_BRIDGE="0"), [*BASIC, "par3", "timer"])
    tally, log = tally_of(machine, collector, front)
    assert not tally.faults(("orphan", "marked")), log
    assert tally["orphan"] > 100


def test_without_the_script_the_program_runs_and_a_line_says_so(machine, collector):
    build = machine.directory / "lib"
    build.mkdir()
    (build / "libtagalong.so").write_bytes(machine_module.LIBRARY.read_bytes())
    process = machine.start_traced([PYTHON, "-c", "import asyncio; asyncio.run(asyncio.sleep(0)); print('ran')"], "none",
                                   collector.endpoint, {"TAGALONG_LIBRARY": build / "libtagalong.so", "TAGALONG_LOG": "1"})
    assert process.wait(20) == 0
    assert "ran" in machine.log(process)
    assert "bridge.py is not there" in machine.log(process)


# ---- pipelined requests


def answers_in(data):
    return len(re.findall(rb"HTTP/1\.1 \d+ ", data))


def pipeline(port, count, seed, pieces):
    """Sends requests without waiting for answers, in so many packets; returns when all are answered."""
    heads = [f"GET /n/{seed:x}/{number:x}?calls=2&delay=5 HTTP/1.1\r\nHost: front\r\n\r\n".encode() for number in range(count)]
    size = -(-count // pieces)
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        for at in range(0, count, size):
            connection.sendall(b"".join(heads[at:at + size]))
        data = b""
        while answers_in(data) < count:
            more = connection.recv(65536)
            assert more, data
            data += more


def links_of(collector, wanted):
    """(right, orphans, wrong) of the calls, by the paths."""
    spans = wait_for(lambda: (found := collector.spans()) and len(found) >= wanted and found, f"{wanted} spans")
    servers = {(span["trace"], span["span"]): path_of(span) for span in spans if span["kind"] == SERVER}
    calls = [span for span in spans if span["kind"] == CLIENT]
    right = [span for span in calls if servers.get((span["trace"], span["parent"])) == path_of(span).rpartition(".")[0]]
    orphans = [span for span in calls if not span["parent"]]
    return len(right), len(orphans), len(calls) - len(right) - len(orphans)


@pytest.mark.parametrize("program", ["aiohttp", "aiohttp-uvloop", "asgi-h11", "asgi-httptools-uvloop", "streams"])
def test_pipelined_requests_are_told_apart(machine, collector, program):
    name, _, rest = program.partition("-")
    env = {"LOOP": "uvloop" if "uvloop" in rest else "asyncio", "HTTP": rest.partition("-")[0] or "auto"}
    backend, _ = start_recorder(machine)
    process, port = start_front(machine, Front(program, python(f"front_{name}.py", **env), []), backend, collector.endpoint)
    for seed in range(1, 5):
        pipeline(port, 6, seed, pieces=seed)
    stop_front(machine, process)
    right, orphans, wrong = links_of(collector, 4 * 6 * 3)
    assert not wrong
    assert right + orphans == 4 * 6 * 2
    # A task of the program's own that reads one request after the other can't be asked which.
    assert not orphans or name == "streams"


# ---- TLS


@pytest.mark.parametrize("loop", LOOPS)
def test_calls_of_encrypted_servers_are_right(machine, collector, loop):
    certificates = tls.Certificates(machine)
    chain = certificates.server
    front = Front("aiohttp", python("front_aiohttp.py", CERTIFICATE=chain, LOOP=loop), [*BASIC, "par3"])
    tally, log = tally_of(machine, collector, front, encrypted=certificates.client_context())
    assert not tally.faults(), log


# ---- what the program sees

LOOK = """
import json, sys, os, threading
def look(where):
    frame = sys._getframe(1)
    return [where, sys.path, sys.argv, sorted(sys.flags), sys.excepthook is sys.__excepthook__,
            sys.getrefcount(None) > 0, len(threading.enumerate()), sys.exc_info()[0].__name__ if sys.exc_info()[0] else None,
            frame.f_code.co_filename, os.environ.get('LD_LIBRARY_PATH'), sys.gettrace(), sys.getprofile(), sys.meta_path != []]
seen = [look('start')]
import asyncio, contextvars
variable = contextvars.ContextVar('variable', default=1)
async def main():
    loop = asyncio.get_running_loop()
    seen.append(look('loop'))
    seen.append([type(loop).__name__, sorted(vars(loop)), repr(contextvars.Context.run),
                 [str(each.name) for each in contextvars.copy_context()]])
    context = contextvars.copy_context()
    context.run(variable.set, 2)
    seen.append([variable.get(), context[variable], context.run(lambda a, b=0: a + b, 1, b=2)])
    for bad in (lambda: context.run(), lambda: context.run(context.run, int), lambda: context.run(int, 'x')):
        try:
            bad()
        except Exception as error:
            seen.append([type(error).__name__, str(error).split(' object at ')[0]])
    try:
        await loop.run_in_executor(None, int, 'y')
    except ValueError as error:
        seen.append(str(error))
    seen.append(await asyncio.to_thread(variable.get))
    loop.call_soon(lambda: 1 / 0)
    loop.set_exception_handler(lambda loop, what: seen.append(repr(what['exception'])))
    await asyncio.sleep(0.01)
try:
    1 / 0
except ZeroDivisionError:
    asyncio.run(main())
    seen.append(look('handler'))
seen.append(sorted(set(sys.modules)))
print(json.dumps(seen, default=repr))
"""


@pytest.mark.parametrize("options", [(), ("-I",), ("-S", "-B"), ("-W", "error", "-X", "dev")], ids=lambda words: " ".join(words) or "plain")
def test_program_sees_nothing_of_the_bridge(machine, session, options):
    bare = machine.run([PYTHON, *options, "-c", LOOK])
    traced = machine.run([PYTHON, *options, "-c", LOOK], {**session.env, "TAGALONG_LOG": "1"})
    assert bare.returncode == traced.returncode == 0, traced.stderr
    assert "CPython is followed" in traced.stderr
    assert json.loads(traced.stdout) == json.loads(bare.stdout)


def test_sitecustomize_and_virtual_environments_are_left_as_they_are(machine, session):
    home = machine.directory / "venv"
    assert machine.run([PYTHON, "-m", "venv", "--without-pip", home]).returncode == 0
    (machine.directory / "sitecustomize.py").write_text("print('customized')\n")
    script = "import sys, asyncio; asyncio.run(asyncio.sleep(0)); print(sys.prefix, sys.path)"
    env = {"PYTHONPATH": machine.directory}
    bare = machine.run([home / "bin" / "python", "-c", script], env)
    traced = machine.run([home / "bin" / "python", "-c", script], {**env, **session.env, "TAGALONG_LOG": "1"})
    assert traced.stdout == bare.stdout
    assert traced.stdout.startswith("customized\n")
    assert "CPython is followed" in traced.stderr
    assert not list(machine.directory.glob("**/*bridge*"))


MEANWHILE = """
import importlib.machinery, sys, threading
def helper():
    begin.wait()
    import colorsys
    done.set()
begin, done, asked = threading.Event(), threading.Event(), []
threading.Thread(target=helper).start()
import concurrent.futures.thread
assert not {"colorsys", "contextvars"} & set(sys.modules)
class Loader(importlib.machinery.SourceFileLoader):
    def exec_module(self, module):
        asked.append(module)
        begin.set()
        done.wait(5)
        super().exec_module(module)
class Meanwhile:
    def find_spec(self, name, path=None, target=None):
        # The script is what asks for it.
        if name == "contextvars":
            spec = importlib.machinery.PathFinder.find_spec(name, path)
            spec.loader = Loader(name, spec.origin)
            return spec
sys.meta_path.insert(0, Meanwhile())
with concurrent.futures.ThreadPoolExecutor(1) as pool:
    pool.submit(int).result()
begin.set()
print(len(asked), "colorsys" in sys.modules, "contextvars" in sys.modules)
"""


def test_modules_that_another_thread_imports_meanwhile_stay(machine, session):
    result = machine.run([PYTHON, "-c", MEANWHILE], env=session.env)
    assert (result.returncode, result.stdout) == (0, "1 True False\n"), result.stderr


SUBINTERPRETERS = """
import asyncio
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    import _interpreters as interpreters
one = interpreters.create()
interpreters.run_string(one, 'import asyncio; asyncio.run(asyncio.sleep(0)); print("inner")')
asyncio.run(asyncio.sleep(0))
interpreters.destroy(one)
asyncio.run(asyncio.sleep(0))
print('outer')
"""


def test_subinterpreters_run_as_without_it(machine, session):
    bare = machine.run([PYTHON, "-c", SUBINTERPRETERS])
    traced = machine.run([PYTHON, "-c", SUBINTERPRETERS], session.env)
    assert traced.stdout == bare.stdout == "inner\nouter\n", traced.stderr
    assert traced.returncode == bare.returncode, traced.stderr


FORKS = """
import asyncio, multiprocessing, os, sys
def child(number):
    asyncio.run(asyncio.sleep(0.001))
    return number
async def main():
    await asyncio.sleep(0)
    with multiprocessing.get_context('fork').Pool(3) as pool:
        print(pool.map(child, range(20)) == list(range(20)))
asyncio.run(main())
"""


def test_forked_processes_have_loops_of_their_own(machine, session):
    done = machine.run([PYTHON, "-c", FORKS], session.env)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
