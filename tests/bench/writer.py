# writer.py - spans without end: tests/bench/replay, and the exporter that reads what it writes.
import json
import os
import re
import subprocess
from pathlib import Path

from tagalong_e2e import machine
from tagalong_e2e.session import Session


def cpu_ns(pid):
    """CPU time of all threads of a process, in nanoseconds."""
    return sum(int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
               for task in os.listdir(f"/proc/{pid}/task"))


class Replay:
    """One writer and its exporter; `core` binds both to one."""

    def __init__(self, host, endpoint, products, core=None, **env):
        self.host = host
        self.session = Session(host, endpoint, **env)
        self.exporter = self.session.process.pid
        self.writer = subprocess.Popen([machine.BUILD / "tests" / "bench" / "replay", self.session.segment, str(products)],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.wrote = 0
        if core is not None:
            for pid in (self.exporter, self.writer.pid):
                for task in os.listdir(f"/proc/{pid}/task"):
                    os.sched_setaffinity(int(task), {core})

    def write(self, count):
        """Returns when all are written and read."""
        self.writer.stdin.write(f"{count}\n")
        self.writer.stdin.flush()
        self.wrote += count
        assert int(self.writer.stdout.readline()) == self.wrote
        machine.wait_for(lambda: self.counts()["read"] == self.wrote, "all spans are read", 60)

    def delivered(self):
        """Waits until the collector has taken all."""
        machine.wait_for(lambda: self.counts()["delivered"] == self.wrote, "all spans are delivered", 60)

    def counts(self):
        told = self.host.run([machine.TAGALONG, "status", "--json", "--session", self.session.segment]).stdout
        return json.loads(told)["sessions"][0]["exporter"]

    def rss_mb(self):
        status = Path(f"/proc/{self.exporter}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024

    def end(self):
        self.writer.stdin.close()
        self.writer.wait()
        self.session.end()
