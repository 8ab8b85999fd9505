# collector.py - the receiving end: node/receiver.js, and what it received.
import http.client
import json
import subprocess
import tempfile
from pathlib import Path

from . import machine


class Receiver:
    """One receiver.js; each test has a key of its own on it."""

    def __init__(self, port=0):
        self.directory = Path(tempfile.mkdtemp(prefix="tagalong-receiver-"))
        self.port = port
        self.process = None
        self.begin()

    def begin(self):
        script = machine.E2E / "node" / "receiver.js"
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "NODE_PATH": str(machine.NODE_MODULES)}
        self.process = subprocess.Popen(
            ["node", str(script), str(self.directory), str(self.port)], env=env, stdout=subprocess.PIPE,
            text=True)
        line = self.process.stdout.readline()
        assert line.strip().isdigit(), "receiver.js did not start"
        self.port = int(line)

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def close(self):
        self.end()
        subprocess.run(["rm", "-rf", str(self.directory)], check=True)


class Collector:
    """One test's part of a receiver."""

    def __init__(self, receiver, key):
        self.receiver = receiver
        self.key = key

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.receiver.port}/{self.key}"

    def _ask(self, method, what, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.receiver.port, timeout=10)
        connection.request(method, f"/{self.key}/{what}", body)
        answer = connection.getresponse().read()
        connection.close()
        return answer

    def mode(self, **mode):
        """How the next requests are answered, see receiver.js."""
        self._ask("PUT", "mode", json.dumps(mode))

    def requests(self):
        """The requests that came, in order."""
        return json.loads(self._ask("GET", "requests"))

    def _lines(self, name):
        path = self.receiver.directory / name
        if not path.exists():
            return []
        # The last one may be half written: the receiver appends while we read.
        return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]

    def spans(self):
        """All spans received so far."""
        return self._lines(f"{self.key}.jsonl")

    def points(self):
        """All points of metrics received so far, see receiver.js."""
        return self._lines(f"{self.key}.metrics.jsonl")

    def wait(self, count, timeout=10.0):
        """Waits for at least count spans and returns all."""
        return machine.wait_for(
            lambda: (spans := self.spans()) and len(spans) >= count and spans,
            f"{count} spans, has {len(self.spans())}", timeout, 0.05)
