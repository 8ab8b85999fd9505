# measure.py - one run: starts a front service and its peers, sends it requests, and counts its links.
import signal

from tagalong_e2e import machine as machine_module
from tagalong_e2e import programs
from tagalong_e2e.collector import Collector
from tagalong_e2e.databases import PASSWORD
from tagalong_e2e.driver import Request, drive
from tagalong_e2e.kinds import make_requests
from tagalong_e2e.machine import wait_for
from tagalong_e2e.tree import check, path_in

import runtimes

LINKS = ("right", "orphan", "wrong", "marked", "missing", "double")


def steady(look, pause=0.15, timeout=20):
    """Waits until look() gives the same twice, a pause apart."""
    last = [None]

    def same():
        now = look()
        before, last[0] = last[0], now
        return before == now

    wait_for(same, "nothing more happens", timeout, pause)


class Peers:
    """What a front service calls: the recorder, and database servers with what they were asked."""

    def __init__(self, machine, databases, wanted):
        self.port, self.records = programs.start_recorder(machine)
        self.machine = machine
        self.servers = {kind: databases.get(kind) for kind in wanted}
        self.env = {}
        if "postgres" in self.servers:
            server = self.servers["postgres"]
            self.env["JDBC"] = f"jdbc:postgresql://127.0.0.1:{server.port}/shop?user={server.user}&password={PASSWORD}"
            self.env["POSTGRES"] = f"postgresql://{server.user}:{PASSWORD}@127.0.0.1:{server.port}/shop"
        if "redis" in self.servers:
            server = self.servers["redis"]
            self.env["REDIS"] = f"redis://:{PASSWORD}@127.0.0.1:{server.port}/0"
            self.monitor = machine.start(["redis-cli", "--no-auth-warning", "-p", server.port, "-a", PASSWORD, "MONITOR"])
            wait_for(lambda: "OK" in self.machine.log(self.monitor), "redis-cli monitors")

    def texts(self):
        if "postgres" in self.servers:
            yield from self.servers["postgres"].asked()
        if "redis" in self.servers:
            yield from self.monitor.output.read_text().splitlines()

    def asked(self):
        """A record of each request, statement and command that has an id."""
        paths = [path_in(text) for text in self.texts()]
        return self.records() + [{"path": path} for path in paths if path]


class Run:
    """A runtime, traced by tagalong or by its language agent, with what it calls."""

    def __init__(self, runtime, receiver, databases, tracer="tagalong"):
        self.runtime = runtime
        self.tracer = tracer
        self.machine = machine_module.Machine(runtime.name)
        self.collector = Collector(receiver, self.machine.mark)
        self.running = []
        self.peers = Peers(self.machine, databases, runtime.databases)

    def start(self, runtime, service, backend):
        """Starts one service; returns its port."""
        port = machine_module.free_port()
        argv, env = runtime.start(self.machine, port, backend)
        env = {"PORT": port, "BACKEND": f"http://127.0.0.1:{backend}", **self.peers.env, **env}
        if self.tracer == "otel":
            argv, extra = runtimes.agent(argv, self.collector.endpoint, service)
            process = self.machine.start_server(argv, port, None, {**env, **extra})
        else:
            process = self.machine.start_server(argv, port, {"service": service, "endpoint": self.collector.endpoint}, env)
        self.running.append(process)
        return port

    def start_all(self):
        """Starts the service, or a chain of them; returns the port to ask and [(service, is a proxy)]."""
        port = self.peers.port
        if self.runtime.behind:
            behind = runtimes.Runtime("nginx", self.runtime.behind, [])
            port = self.start(self.runtime, self.runtime.name, port)
            return self.start(behind, behind.name, port), [(behind.name, True), (self.runtime.name, False)]
        if not self.runtime.chain:
            return self.start(self.runtime, self.runtime.name, port), [(self.runtime.name, self.runtime.proxy)]
        services = []
        for depth in range(self.runtime.chain, 0, -1):
            services.insert(0, (f"{self.runtime.name}-{depth}", False))
            port = self.start(self.runtime, services[0][0], port)
        if self.tracer == "tagalong":
            nginx = runtimes.NGINX
            services.insert(0, (nginx.name, True))
            port = self.start(nginx, nginx.name, port)
        return port, services

    def stop(self):
        if self.tracer == "otel":
            steady(lambda: len(self.collector.spans()), 0.4)
        for process in reversed(self.running):
            if self.tracer == "otel":
                self.machine.stop(process, signal.SIGKILL)
            else:
                programs.stop_front(self.machine, process)

    def count(self, requests, services):
        """The tally of all links, of all services together."""
        records, spans = self.peers.asked(), self.collector.spans()
        whole = None
        for depth, (service, proxy) in enumerate(services):
            last = depth + 1 == len(services)
            # In the middle of a chain the next service is the peer that says what it was asked.
            asked = records if last else [
                {"path": request.path if proxy else f"{request.path}.1"} for request in requests]
            tally = check(service, requests, asked, spans, proxy, headers=self.tracer == "tagalong" and len(services) == 1)
            requests = [Request(path, trace_id=one["trace"], span_id=one["span"])
                        for path, told in tally.clients.items() for one in told[:1]]
            whole = whole.join(tally) if whole else tally
        return whole

    def run(self, kinds, concurrency, count, seed=7):
        """Sends so many requests of these kinds; returns them and the tally."""
        port, services = self.start_all()
        requests = make_requests(count, kinds, seed)
        drive(port, requests, min(concurrency, self.runtime.limit))
        if any(request.leave for request in requests):  # their calls go on without them
            steady(lambda: len(self.peers.asked()), 0.2)
        self.stop()
        return requests, self.count(requests, services)


def measure(runtime, receiver, databases, kinds, concurrency, count, tracer="tagalong"):
    """A whole run; returns (requests, tally)."""
    run = Run(runtime, receiver, databases, tracer)
    try:
        return run.run(kinds, concurrency, count)
    except AssertionError as failure:
        for process in run.running:
            failure.add_note(run.machine.log(process)) if hasattr(failure, "add_note") else None
        raise
    finally:
        run.machine.close()


def links(tally):
    """Counts by name, of calls and of server spans together."""
    return {name: tally[name] + tally[f"server {name}"] for name in LINKS}
