# node.py - what tracing costs Express on Node.js: bare, by the rules alone, with the bridge, and by OpenTelemetry's agent.
import os
import re
import signal
import statistics
import subprocess
import time
from pathlib import Path

from tagalong_e2e import machine

ROUNDS, SECONDS = 5, 3
AGENT = machine.BUILD / "otel" / "node_modules" / "@opentelemetry" / "auto-instrumentations-node"
PROGRAM = """
const app = require('express')();
app.get('/', (request, response) => response.send('hello\\n'));
app.listen(Number(process.env.PORT), '127.0.0.1');
"""


def node_below(pid):
    """The server itself: `tagalong run` starts it as a child."""
    if machine.command_of(pid)[0].endswith("node"):
        return pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return next((int(child) for child in children if machine.command_of(int(child))[0].endswith("node")), None)


def cpu_ns(pid):
    """All threads: V8 compiles and collects garbage in others."""
    return sum(int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
               for task in os.listdir(f"/proc/{pid}/task"))


class Server:
    def __init__(self, host, script, traced=None, env=None, options=()):
        self.port = machine.free_port()
        self.process = host.start_server(["node", *options, script], self.port, traced,
                                    {"PORT": self.port, "NODE_ENV": "production", **(env or {})})
        self.pid = machine.wait_for(lambda: node_below(self.process.pid), "the server")
        self.speeds, self.costs = [], []

    def run(self, seconds):
        """One run of wrk at full speed."""
        before = cpu_ns(self.pid)
        output = subprocess.run(["wrk", "-t1", "-c16", f"-d{seconds}s", f"http://127.0.0.1:{self.port}/"],
                                capture_output=True, text=True, check=True).stdout
        assert "Socket errors" not in output and "Non-2xx" not in output, output
        self.speeds.append(float(re.search(r"Requests/sec: +([\d.]+)", output).group(1)))
        self.costs.append((cpu_ns(self.pid) - before) / int(re.search(r"(\d+) requests in", output).group(1)) / 1e3)


def servers(host, endpoint):
    script = host.directory / "express.js"
    script.write_text(PROGRAM)
    traced = {"service": "express", "endpoint": endpoint}
    agent = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none",
             "OTEL_NODE_RESOURCE_DETECTORS": "env", "OTEL_SERVICE_NAME": "express"}
    return {
        "bare": Server(host, script),
        "the library without its bridge": Server(host, script, traced, {"TAGALONG_NODE_BRIDGE": "0"}),
        "with the bridge": Server(host, script, traced),
        "OpenTelemetry's agent": Server(host, script, None, agent, ["--require", AGENT / "build" / "src" / "register.js"]),
    }


def measure(start_sink, row):
    host = machine.Machine("bench-node")
    try:
        all_of = servers(host, f"http://127.0.0.1:{start_sink(host)}")
        for server in all_of.values():
            server.run(SECONDS)  # until all is compiled
            server.speeds, server.costs = [], []
        for _ in range(ROUNDS):
            for server in all_of.values():
                server.run(SECONDS)
                time.sleep(0.5)  # what an exporter has left to do belongs to this round
        bare = all_of.pop("bare")
        bare_us, bare_speed = statistics.median(bare.costs), statistics.median(bare.speeds)
        for name, server in all_of.items():
            target = ">= 93 %" if "with the" in name else ""
            cost, speed = statistics.median(server.costs), statistics.median(server.speeds)
            # Of the same round, so that what else the machine does counts for both.
            kept = statistics.median(one / other for one, other in zip(server.speeds, bare.speeds))
            row(f"Express, {name}: throughput", f"{bare_speed:.0f}/s", f"{speed:.0f}/s", f"{100 * kept:.1f} % kept", target)
            row(f"Express, {name}: CPU a request", f"{bare_us:.1f} us", f"{cost:.1f} us",
                f"{cost - bare_us:+.1f} us", "")
        # It catches the signal that would end it, and goes on serving.
        host.stop(all_of["OpenTelemetry's agent"].process, signal.SIGKILL)
    finally:
        host.close()
