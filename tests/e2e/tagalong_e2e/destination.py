# destination.py - collectors of every OTLP protocol for one test, and an exporter that knows several of them.
import json
import os
import socket
import threading

from . import machine as machine_module
from .machine import wait_for


class Destination:
    """node/destination.js of one kind: http, https, grpc, grpcs."""

    def __init__(self, machine, kind, name="destination", port=0):
        self.machine = machine
        self.kind = kind
        self.directory = machine.directory / name
        self.directory.mkdir(exist_ok=True)
        self.port = port
        self.begin()

    def begin(self):
        """Starts it, or starts it again on the same port."""
        script = machine_module.E2E / "node" / "destination.js"
        self.process = self.machine.start(["node", script, self.directory, self.kind, self.port])
        line = wait_for(lambda: self.machine.log(self.process).strip(), "destination.js listens")
        assert line.isdigit(), line
        self.port = int(line)

    def end(self):
        self.machine.stop(self.process)

    @property
    def url(self):
        scheme = "https" if self.kind in ("https", "grpcs") else "http"
        return f"{scheme}://localhost:{self.port}"

    def answers(self, *answers):
        """What the next requests are answered, see destination.js."""
        (self.directory / "answers.json").write_text(json.dumps(answers))

    def requests(self, signal="traces"):
        path = self.directory / "requests.jsonl"
        if not path.exists():
            return []
        # The last line may be half written.
        entries = [json.loads(line) for line in path.read_text().split("\n")[:-1]]
        return [entry for entry in entries if entry["signal"] == signal]

    def taken(self):
        """The last part of the URLs of all calls that were taken, in order."""
        return [url.rsplit("/", 1)[1] for entry in self.requests() for url in entry["spans"]
                if not {"status", "code", "stall"} & set(entry["answer"])]

    def wait(self, count, timeout=20.0):
        return wait_for(lambda: len(self.taken()) >= count and self.taken(), f"{count} spans at {self.kind}", timeout)


class Exporter:
    """`tagalong export --segment` with these variables, and no metrics unless they say so; calls are made by curl."""

    def __init__(self, machine, env, name="exporter"):
        self.machine = machine
        self.variables = {"OTEL_BSP_SCHEDULE_DELAY": 50, "OTEL_METRICS_EXPORTER": "none", **env}
        self.segment = machine.directory / f"{name}.segment"
        self.begin()

    def begin(self):
        ready, writes = os.pipe()
        self.process = self.machine.start(
            [machine_module.TAGALONG, "export", "--segment", self.segment, "--ready-fd", str(writes)],
            self.variables, pass_fds=[writes])
        os.close(writes)
        byte = os.read(ready, 1)
        os.close(ready)
        assert byte, self.log

    @property
    def log(self):
        return self.machine.log(self.process)

    def call(self, peer, *names):
        """Makes one call after the other, by one curl."""
        env = {"LD_PRELOAD": machine_module.LIBRARY, "TAGALONG_SESSION": self.segment}
        done = self.machine.run(["curl", "-sS", *(f"{peer.url}/{name}" for name in names)], env=env)
        assert done.returncode == 0, done.stderr

    def end(self):
        assert self.machine.stop(self.process) == 0, self.log
        return self.log


class Relay:
    """Passes bytes on to a port and keeps what was sent there."""

    def __init__(self, port):
        self.to = port
        self.sent = b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.to))
            threading.Thread(target=self._pass, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, False), daemon=True).start()

    def _pass(self, source, target, keep):
        try:
            while chunk := source.recv(1 << 16):
                if keep:
                    self.sent += chunk
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()
