# machine.py - starts real programs, bare or under tagalong, and leaves none running.
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("TAGALONG_BUILD", ROOT / "build")).resolve()
TAGALONG = BUILD / "tagalong"
LIBRARY = BUILD / "libtagalong.so"
E2E = ROOT / "tests" / "e2e"
PROGRAMS = E2E / "programs"
NODE_MODULES = BUILD / "node" / "node_modules"

# A process of a test is known by this variable in its environment, also after setsid and fork.
MARK = "TAGALONG_E2E"


def free_port():
    """A port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, what, timeout=20.0, pause=0.02):
    """Waits until condition() is true and returns its value; else fails, naming what was awaited."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"timeout after {timeout:g} s: {what}")
        time.sleep(pause)


def listens(port):
    # Asked of the kernel, not by connecting: a connection would be traffic of its own.
    wanted = f"{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == "0A" and fields[1].rsplit(":", 1)[1] == wanted:
                return True
    return False


class Machine:
    """One test's directory and processes."""

    def __init__(self, name):
        self.directory = Path(tempfile.mkdtemp(prefix=f"tagalong-{name[:40]}-"))
        self.directory.chmod(0o755)  # servers that drop their privileges read from here
        self.mark = self.directory.name
        self.running = []
        self.count = 0

    def environment(self, extra=None):
        """The environment of a child: what a program needs, and nothing else that would steer tagalong."""
        env = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.directory),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "NODE_PATH": str(NODE_MODULES),
            "TAGALONG_ROUTES_TABLE": str(self.directory / "routes"),
            "OTEL_EXPORTER_PROMETHEUS_PORT": "0",  # several exporters at a time
            MARK: self.mark,
        }
        env.update({key: str(value) for key, value in (extra or {}).items()})
        return env

    def start(self, argv, env=None, **options):
        """Starts argv as it is; its output goes to files in the directory."""
        self.count += 1
        output = self.directory / f"{self.count}-{Path(str(argv[0])).name}.log"
        with open(output, "wb") as log:
            options.setdefault("stdout", log)
            process = subprocess.Popen(
                [str(word) for word in argv], env=self.environment(env), cwd=self.directory,
                stdin=subprocess.DEVNULL, stderr=log, start_new_session=True, **options)
        process.output = output
        self.running.append(process)
        return process

    def start_traced(self, argv, service, endpoint=None, env=None, options=(), **more):
        """Starts argv under `tagalong run`; spans go to endpoint, or to traces.db in the directory."""
        command = [TAGALONG, "run", "--service", service, *options]
        variables = {"TAGALONG_STORE": self.directory / "traces.db"}
        if endpoint:
            variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
        return self.start([*command, "--", *argv], {**variables, **(env or {})}, **more)

    def start_server(self, argv, port, traced=None, env=None, **more):
        """Starts a server (traced: {"service", "endpoint"}) and returns when it listens."""
        start = (lambda: self.start_traced(argv, env=env, **traced, **more)) if traced else (
            lambda: self.start(argv, env, **more))
        process = start()

        def ready():
            if process.poll() is not None:
                raise AssertionError(f"{argv[0]} ended with {process.returncode}:\n{self.log(process)}")
            return listens(port)

        wait_for(ready, f"{argv[0]} listens on {port}\n{self.log(process)}", 30)
        return process

    def run(self, argv, env=None, timeout=30, **options):
        """Runs argv to its end; returns the CompletedProcess with text output."""
        return subprocess.run(
            [str(word) for word in argv], env=self.environment(env), cwd=self.directory, timeout=timeout,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="surrogateescape", **options)

    def log(self, process):
        return process.output.read_text(errors="replace")[-3000:]

    def stop(self, process, how=signal.SIGTERM, timeout=15.0):
        """Ends a process, waits for it, and kills what it left behind; returns its exit code."""
        if process.poll() is None:
            process.send_signal(how)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            code = None
        self.sweep(process.pid)
        self.settle()
        if code is None:
            kill(process.pid, signal.SIGKILL)
            process.wait()
            raise AssertionError(f"{process.args} did not end within {timeout:g} s\n{self.log(process)}")
        if process in self.running:
            self.running.remove(process)
        return code

    def settle(self):
        """Waits until private exporters, which outlive the last process they serve, have shipped all and ended."""
        def exporters():
            return [pid for pid in self.leftovers() if command_of(pid)[1:2] == ["export"] and os.getsid(pid) == pid
                    and pid not in [process.pid for process in self.running]]
        # With a program of the test still running under another exporter there is nothing to wait for.
        if not [one for one in self.running if command_of(one.pid)[1:2] == ["run"] and one.poll() is None]:
            wait_for(lambda: not exporters(), "the exporters end by themselves", 10)

    def sweep(self, session=None):
        """Kills what is left of a session (of the test, without one); returns what there was."""
        alive = self.leftovers(session)
        for pid in alive:
            kill(pid, signal.SIGKILL)
        wait_for(lambda: not set(alive) & set(self.leftovers(session)), "killed processes are gone", 5)
        return alive

    def leftovers(self, session=None):
        """Processes of this test that are alive, this one and direct children in running excepted."""
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == os.getpid():
                continue
            try:
                environ = Path(f"/proc/{entry}/environ").read_bytes()
                stat = Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
            except (OSError, ProcessLookupError):
                continue
            if f"{MARK}={self.mark}".encode() not in environ.split(b"\0") or stat[0] == "Z":
                continue
            if session is None or int(stat[3]) == session:
                found.append(int(entry))
        return found

    def close(self):
        """Ends everything; fails if a process had outlived its parent for no reason."""
        for process in list(reversed(self.running)):
            self.stop(process)
        try:
            self.settle()
        finally:
            alive = self.sweep()
        if not os.environ.get("TAGALONG_KEEP"):
            shutil.rmtree(self.directory, ignore_errors=True)
        assert not alive, f"processes {alive} were left running"


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except (OSError, ProcessLookupError):
        return []


def kill(pid, how):
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        pass
