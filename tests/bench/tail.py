# tail.py - what tail sampling takes at 50,000 spans a second: memory, and CPU beside no tail sampling.
import json
import os
import re
import subprocess
import time
from pathlib import Path

from tagalong_e2e import machine
from tagalong_e2e.session import Session

RATE, SECONDS = 50_000, 8
POLICIES = "tail_sampling: {policies: [errors, slower_than: 500ms, slower_than_p99, rare_route: 10m, rate: 10, ratio: 0.05]}\n"


def cpu_ns(pid):
    return sum(int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
               for task in os.listdir(f"/proc/{pid}/task"))


def flood(start_sink, settings):
    """Peak RSS in MB, CPU in microseconds a span, share of spans kept, spans that found no room, spans a second."""
    host = machine.Machine("tail")
    try:
        endpoint = f"http://127.0.0.1:{start_sink(host)}"
        file = host.directory / "tagalong.yaml"
        file.write_text(settings)
        session = Session(host, endpoint, TAGALONG_CONFIG=file, OTEL_METRICS_EXPORTER="none")
        before = cpu_ns(session.process.pid)
        told = subprocess.run([machine.BUILD / "tests" / "bench" / "flood", session.segment, str(RATE), str(SECONDS)],
                              check=True, capture_output=True, text=True).stdout
        sent, lost, seconds = (float(word) for word in told.split())
        spent = cpu_ns(session.process.pid) - before
        status = Path(f"/proc/{session.process.pid}/status").read_text()
        time.sleep(2)  # the last traces are decided
        counts = json.loads(host.run([machine.TAGALONG, "status", "--json", "--session", session.segment]).stdout)
        exporter = counts["sessions"][0]["exporter"]
        session.end()
        peak = int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024
        return peak, spent / 1000 / sent, 1 - exporter["unsampled"] / sent, int(lost), sent / seconds
    finally:
        host.close()


def measure(start_sink, row):
    without = flood(start_sink, "")
    sampled = flood(start_sink, POLICIES)
    row(f"tail sampling at {sampled[4]:.0f} spans/s: peak RSS of the exporter", f"{without[0]:.0f} MB",
        f"{sampled[0]:.0f} MB", f"{100 * sampled[2]:.0f} % kept, {sampled[3]} lost", "<= 64 MB")
    row("  the exporter's CPU a span", f"{without[1]:.2f} us", f"{sampled[1]:.2f} us",
        f"{100 * sampled[1] / without[1]:.0f} %", "watched")
