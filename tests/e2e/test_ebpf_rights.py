# test_ebpf_rights.py - probes with fewer rights, and what is left of them afterwards.
import os
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from tagalong_e2e.kernel import LOAD, WHY_NOT, Measured, alive, needs_probes, objects_of, start_profile
from tagalong_e2e.launcher import NOBODY
from tagalong_e2e.machine import TAGALONG, wait_for

LOADING = ("bpf", "perfmon", "sys_admin")
CAPABILITY = {"sys_admin": 21, "perfmon": 38, "bpf": 39}


@needs_probes
def test_check_tries_every_probe(machine):
    done = machine.run([TAGALONG, "check", "--ebpf"])
    lines = done.stdout.splitlines()
    assert done.returncode == 0
    tried = [line for line in lines if line.startswith("  ")]
    assert len(tried) == 14 and {line.split()[0] for line in tried} == {"lifetime", "syscalls", "sched", "block", "tcp"}
    works = sum(line.endswith(" works") for line in tried)
    assert lines[-1].startswith(f"eBPF: yes: {works} of 14 probes work on Linux {os.uname().release}")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give it up")
def test_without_rights_one_line_says_so(machine):
    what = "it needs CAP_BPF and CAP_PERFMON (or root)\n"
    if not Path("/sys/kernel/btf/vmlinux").exists() or "built without" in WHY_NOT:
        pytest.skip(WHY_NOT)
    nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    weak_root = ["setpriv", "--bounding-set", ",".join(f"-{name}" for name in LOADING)]
    for limits in (nobody, weak_root):
        done = machine.run([*limits, TAGALONG, "profile", "--", "true"])
        assert (done.returncode, done.stdout, done.stderr) == (3, "", "tagalong profile: " + what), limits
        done = machine.run([*limits, TAGALONG, "check", "--ebpf"])
        assert (done.returncode, done.stdout, done.stderr) == (1, "eBPF: no: " + what, ""), limits


@needs_probes
def test_two_capabilities_are_enough(machine):
    copy = machine.directory / "tagalong"
    shutil.copy(TAGALONG, copy)
    machine.directory.chmod(0o777)
    done = machine.run(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps",
                        "+bpf,+perfmon", "--ambient-caps", "+bpf,+perfmon", copy, "profile", "--json", "--",
                        "sh", "-c", "exit 5"])
    assert done.returncode == 5, done.stderr
    assert Measured(done.stderr).count(measure="call", call="execve") == 1


@needs_probes
def test_the_rights_to_load_are_given_up(machine):
    watching = start_profile(machine, "--all", "--json")
    status = Path(f"/proc/{watching.pid}/status").read_text()
    for name in ("CapEff", "CapPrm"):
        has = int(re.search(rf"^{name}:\s+(\w+)$", status, re.M)[1], 16)
        assert not [one for one in LOADING if has >> CAPABILITY[one] & 1], name
    machine.stop(watching)


@needs_probes
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_in_the_kernel_when_it_ends_while_busy(machine, how):
    busy = [machine.start([LOAD, "threads", 1000000]), machine.start([LOAD, "forks", 1000000, 3])]
    watching = start_profile(machine, "--all", "--json", "--slow", "1us", "--svg", "x.svg")
    held = objects_of(watching.pid)
    assert len(held["prog"]) >= 14 and len(held["map"]) >= 12 and len(held["link"]) >= 14
    assert alive(held) == held
    time.sleep(0.3)
    watching.send_signal(how)
    assert watching.wait(15) == (0 if how == signal.SIGTERM else -signal.SIGKILL)
    # The kernel frees them when the last program that runs is through.
    wait_for(lambda: not any(alive(held).values()), "programs, maps and links are gone", 10, 0.1)
    for one in busy:
        machine.stop(one, signal.SIGKILL)


@needs_probes
def test_memory_does_not_grow_with_processes_that_are_gone(machine):
    watching = start_profile(machine, "--all", "--json", "--interval", "100ms", "--output", "/dev/null")

    def resident_kb():
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{watching.pid}/status").read_text())[1])

    def spend():
        assert machine.run([LOAD, "forks", 2000, 1], timeout=60).returncode == 0
        time.sleep(0.5)
        return resident_kb()

    before = spend()
    # A process leaves ten rows of 700 bytes; 8000 of them would be 56 MB. What is kept between two readings may vary.
    assert max(spend() for _ in range(4)) - before < 16384
    machine.stop(watching)
