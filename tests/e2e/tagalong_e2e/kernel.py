# kernel.py - runs `tagalong profile` on real loads and reads what it tells.
import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from .machine import BUILD, TAGALONG, wait_for

LOAD = BUILD / "tests" / "e2e" / "ebpf_load"
SLOW_DISK = BUILD / "tests" / "e2e" / "slow_disk"
BTF = Path("/sys/kernel/btf/vmlinux")


def why_not():
    """Why probes can't be loaded here; empty: they can."""
    if os.geteuid() != 0:
        return "needs root"
    if not BTF.exists():
        return "the kernel has no type information (CONFIG_DEBUG_INFO_BTF)"
    said = subprocess.run([TAGALONG, "check", "--ebpf"], capture_output=True, text=True)
    return said.stdout.strip().splitlines()[-1] if said.returncode else ""


class Measured:
    """The JSON of one profile."""

    def __init__(self, text):
        self.all = json.loads(text)
        self.lost = self.all["lost"]

    def rows(self, **wanted):
        return [row for row in self.all["measures"] if all(row.get(key) == value for key, value in wanted.items())]

    def count(self, **wanted):
        return sum(row["count"] for row in self.rows(**wanted))

    def seconds(self, **wanted):
        return sum(row["total_ns"] for row in self.rows(**wanted)) / 1e9

    def errors(self, call):
        found = {}
        for row in self.rows(measure="call", call=call):
            if "errno" in row:
                found[row["errno"]] = found.get(row["errno"], 0) + row["count"]
        return found

    def happened(self, what, **wanted):
        return sum(row["count"] for row in self.all["counts"]
                   if row["what"] == what and all(row.get(key) == value for key, value in wanted.items()))


def profile(machine, options, command, timeout=30):
    """Profiles a command to its end; (what was measured, the command's output)."""
    output = machine.directory / "profile.json"
    done = machine.run([TAGALONG, "profile", "--json", "--output", output, *options, "--", *command], timeout=timeout)
    assert done.returncode == 0, done.stderr
    return Measured(output.read_text()), done.stdout


def start_bcc(machine, tool, *options):
    """One of bcc's tools, once it traces; None if it can't here. It compiles against kernel headers: any do for it that
    uses tracepoints alone, and they are put where it looks, in a mount namespace of its own."""
    headers = sorted(Path("/usr/src").glob("linux-headers-*-amd64"))
    tool = f"/usr/sbin/{tool}-bpfcc"
    if not headers or not Path(tool).exists():
        return None
    common = str(headers[-1]).replace("-amd64", "-common")
    script = ("mount -t tmpfs none /lib/modules && at=/lib/modules/$(uname -r) && mkdir $at && "
              f"ln -s {headers[-1]} $at/build && ln -s {common} $at/source && exec \"$@\"")
    process = machine.start(["unshare", "-m", "sh", "-c", script, "sh", tool, *options])
    wait_for(lambda: process.poll() is not None or "Tracing" in process.output.read_text(), f"{tool} traces", 30)
    return process if process.poll() is None else None


def objects_of(pid):
    """The ids of BPF programs, maps and links that a process has descriptors of: {"prog": {1, 2}, ...}."""
    found = {"prog": set(), "map": set(), "link": set()}
    for descriptor in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            text = descriptor.read_text()
        except OSError:
            continue
        # A link names its program, too; that has an id of its own.
        for kind in found:
            hit = re.search(rf"^{kind}_id:\s+(\d+)$", text, re.M)
            if hit:
                found[kind].add(int(hit[1]))
    return found


def alive(objects):
    """Those of the ids that the kernel still knows."""
    left = {}
    for kind, ids in objects.items():
        listed = subprocess.run(["bpftool", "-j", kind, "list"], capture_output=True, text=True, check=True,
                                env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"})
        left[kind] = ids & {one["id"] for one in json.loads(listed.stdout or "[]")}
    return left


WHY_NOT = why_not()
needs_probes = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)


def start_profile(machine, *options):
    """A profile in the background, once its probes are attached."""
    process = machine.start([TAGALONG, "profile", *options])

    def attached():
        assert process.poll() is None, machine.log(process)
        return len(objects_of(process.pid)["link"]) >= 14

    wait_for(attached, "the probes are attached")
    time.sleep(0.1)
    return process
