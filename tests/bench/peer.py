# peer.py - the same spans, counted and sent, by us and by OpenTelemetry's SDK for Node.js, each on one core, in turns.
import os
import statistics
import subprocess
import time
from pathlib import Path

from tagalong_e2e import machine
from writer import Replay, cpu_ns

ROUNDS, PRODUCTS = 5, 100_000
OURS, THEIRS = 1_000_000, 100_000
KINDS = 4


class Ours:
    name, spans = "tagalong: segment, exporter, collector", OURS

    def __init__(self, host, endpoint, core):
        self.replay = Replay(host, endpoint, PRODUCTS, core)

    def send(self):
        self.replay.write(self.spans)
        self.replay.delivered()

    def spent_ns(self):
        return cpu_ns(self.replay.exporter) + cpu_ns(self.replay.writer.pid)

    def end(self):
        self.replay.end()


class Theirs:
    name, spans = "OpenTelemetry's SDK: batch processor, collector", THEIRS

    def __init__(self, host, endpoint, core, samples):
        command = ["taskset", "-c", str(core), "node", Path(__file__).parent / "peer.js", samples, endpoint]
        self.process = subprocess.Popen(command, env=host.environment({"TAGALONG_BUILD": machine.BUILD}),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.taken = 0

    def send(self):
        self.process.stdin.write(f"{self.spans}\n")
        self.process.stdin.flush()
        self.taken += self.spans
        told = self.process.stdout.readline()
        assert int(told) == self.taken, f"{told} of {self.taken} spans were taken"

    def spent_ns(self):
        return cpu_ns(self.process.pid)

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(30) == 0


def sample_spans(host):
    """One span of each kind as our exporter tells it, in a file: what the other one is to imitate."""
    directory = machine.Machine("peer-samples")
    try:
        replay = Replay(directory, "", PRODUCTS, OTEL_TRACES_EXPORTER="otlp/stdout", OTEL_METRICS_EXPORTER="none")
        replay.write(KINDS)
        replay.delivered()
        replay.end()
        samples = host.directory / "samples.jsonl"
        samples.write_text(replay.session.process.output.read_text())
        return samples
    finally:
        directory.close()


def measure(start_sink):
    host = machine.Machine("peer")
    core = max(os.sched_getaffinity(0))
    try:
        endpoint = f"http://127.0.0.1:{start_sink(host)}"
        both = [Ours(host, endpoint, core), Theirs(host, endpoint, core, sample_spans(host))]
        speeds, costs = {one: [] for one in both}, {one: [] for one in both}
        for one in both:
            one.send()  # until all is compiled
        for _ in range(ROUNDS):
            for one in both:
                spent, start = one.spent_ns(), time.monotonic()
                one.send()
                speeds[one].append(one.spans / (time.monotonic() - start))
                costs[one].append((one.spent_ns() - spent) / one.spans / 1e3)
        for one in both:
            one.end()
    finally:
        host.close()
    print(f"\n{'the same spans, made, counted, encoded, sent':<52} {'spans/s, one core':>18} {'CPU a span':>12}")
    for one in both:
        print(f"{one.name:<52} {statistics.median(speeds[one]):>18.0f} {statistics.median(costs[one]):>9.2f} us")
    ours, theirs = (statistics.median(costs[one]) for one in both)
    print(f"{'':<52} {'':>18} {theirs / ours:>10.1f} x", flush=True)
