# postgres.py - a PostgreSQL server of our own, on a port and a socket of its own.
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from .machine import free_port, wait_for


def programs():
    """Debian keeps each version's server programs apart."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    return found[-1] if found else None


class Postgres:
    """Anybody may log in as postgres; nothing survives close()."""

    user = "postgres"
    database = "postgres"

    def __init__(self):
        self.bin = programs()
        if not self.bin:
            pytest.skip("PostgreSQL is not installed")
        self.directory = Path(tempfile.mkdtemp(prefix="tagalong-postgres-"))
        self.port = free_port()
        # The server refuses to run as root.
        self.account = {}
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
            self.account = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        self.directory.chmod(0o755)
        self._run("initdb", "-D", self.data, "-A", "trust", "-U", self.user, "--no-sync", "--no-locale", "-E", "UTF8")
        self.log = self.directory / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [self.bin / "postgres", "-D", self.data, "-k", self.directory, "-p", str(self.port),
                 "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={"LC_ALL": "C"}, cwd=self.directory,
                start_new_session=True, **self.account)
        wait_for(self.answers, "PostgreSQL answers", 60)

    @property
    def data(self):
        return self.directory / "data"

    @property
    def conninfo(self):
        return f"host=127.0.0.1 port={self.port} user={self.user} dbname={self.database} sslmode=disable"

    def _run(self, program, *arguments):
        subprocess.run([self.bin / program, *arguments], check=True, capture_output=True, env={"LC_ALL": "C"},
                       cwd=self.directory, **self.account)

    def answers(self):
        assert self.process.poll() is None, self.log.read_text(errors="replace")[-3000:]
        return subprocess.run([self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)],
                              env={"LC_ALL": "C"}).returncode == 0

    def ask(self, sql):
        """Runs statements as an uninstrumented client; rows as text."""
        return subprocess.run([self.bin / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.conninfo, "-c", sql],
                              check=True, capture_output=True, text=True, env={"LC_ALL": "C"}).stdout

    def close(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
