# conftest.py - fixtures: the machine a test runs on, and where its spans arrive.
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent / "e2e"), str(Path(__file__).parent / "accuracy")]

from tagalong_e2e.collector import Collector, Receiver  # noqa: E402
from tagalong_e2e.databases import Databases  # noqa: E402
from tagalong_e2e.kernel import SLOW_DISK  # noqa: E402
from tagalong_e2e.machine import Machine, wait_for  # noqa: E402
from tagalong_e2e.postgres import Postgres  # noqa: E402
from tagalong_e2e.raw import CannedServer  # noqa: E402
from tagalong_e2e.session import Session  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "long: runs in `make check` only")


def pytest_collection_modifyitems(items):
    if os.environ.get("TAGALONG_LONG"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="long, runs in make check"))


@pytest.fixture(scope="session")
def full():
    """Whether to send thousands of requests instead of hundreds."""
    return bool(os.environ.get("TAGALONG_LONG"))


@pytest.fixture
def machine(request):
    """A directory and processes; everything is ended after the test."""
    one = Machine(re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()))
    yield one
    one.close()


@pytest.fixture(scope="session")
def receiver():
    one = Receiver()
    yield one
    one.close()


@pytest.fixture(scope="session")
def postgres():
    """One PostgreSQL server for all tests; what a test makes in it has names of the test's own."""
    one = Postgres()
    yield one
    one.close()


@pytest.fixture(scope="session")
def databases():
    """Servers of databases, started when a test asks for one."""
    several = Databases()
    yield several
    several.close()


@pytest.fixture
def collector(receiver, machine):
    """Where this test's spans arrive."""
    return Collector(receiver, machine.mark)


@pytest.fixture
def session(machine, collector):
    """An exporter that ships to `collector`; session.env makes a program join it."""
    return Session(machine, collector.endpoint)


@pytest.fixture
def peer():
    """An uninstrumented server that answers everything with a short text; keeps each request's bytes."""
    server = CannedServer(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")
    server.url = f"http://127.0.0.1:{server.port}"
    yield server
    server.close()


@pytest.fixture
def disk(machine):
    """A file whose reads take 20 ms each."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("there is no /dev/fuse")
    place = machine.directory / "disk"
    place.mkdir()
    process = machine.start([SLOW_DISK, 20, place, "-f"])
    wait_for((place / "data").exists, "the file system is mounted")
    yield place / "data"
    subprocess.run(["umount", place], check=True)
    machine.stop(process)
