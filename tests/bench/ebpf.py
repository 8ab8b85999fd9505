# ebpf.py - what a system call costs that is counted and timed: ours, strace, perf trace, bcc's syscount, in turns.
import shutil
import signal
import statistics
import subprocess
import time

from tagalong_e2e import kernel, machine

ROUNDS = 5
CALLS = {"bare": 2_000_000, "tagalong": 2_000_000, "syscount": 2_000_000, "perf trace": 20_000, "strace -c": 20_000}
PROGRAM = machine.BUILD / "tests" / "bench" / "syscalls"


def start(calls, before=()):
    return subprocess.Popen([*map(str, before), str(PROGRAM), str(calls)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True)


def run(process):
    """Lets it go; nanoseconds a call."""
    said, _ = process.communicate("\n")
    assert process.returncode == 0, process.args
    return float(said)


def bare(host, calls):
    return run(start(calls))


def strace(host, calls):
    return run(start(calls, ["strace", "-c", "-o", "/dev/null"]))


def perf(host, calls):
    return run(start(calls, ["perf", "trace", "-s", "-o", "/dev/null"]))


def tagalong(host, calls):
    process = start(calls)
    watching = host.start([machine.TAGALONG, "profile", "--json", process.pid])
    machine.wait_for(lambda: len(kernel.objects_of(watching.pid)["link"]) >= 14, "the probes are attached")
    time.sleep(0.2)
    result = run(process)
    watching.wait(10)
    seen = kernel.Measured(watching.output.read_text())
    assert seen.count(measure="call", call="getppid") == calls
    return result


def syscount(host, calls):
    process = start(calls)
    watching = kernel.start_bcc(host, "syscount", "-L", "-p", process.pid, "-i", 1000)
    if not watching:
        process.kill()
        process.wait()
        return None
    result = run(process)
    host.stop(watching, signal.SIGINT)
    return result


TOOLS = {"bare": bare, "tagalong": tagalong, "syscount": syscount, "perf trace": perf, "strace -c": strace}


def usable(host):
    """The tools that work here, with nothing measured yet."""
    found = {name: [] for name in ("bare", "tagalong")}
    if shutil.which("strace"):
        found["strace -c"] = []
    if shutil.which("perf"):
        found["perf trace"] = []
    if syscount(host, 1000):
        found["syscount"] = []
    return found


def measure():
    why = kernel.why_not()
    if why:
        print(f"\nebpf: not measured: {why}")
        return
    host = machine.Machine("bench-ebpf")
    try:
        costs = usable(host)
        for _ in range(ROUNDS):
            for name, found in costs.items():
                found.append(TOOLS[name](host, CALLS[name]))
    finally:
        host.close()
    median = {name: statistics.median(found) for name, found in costs.items()}
    ours = median["tagalong"] - median["bare"]
    print(f"\n{'a system call, counted and timed by':<36} {'ns a call':>10} {'more than bare':>15} {'of ours':>8}")
    for name in TOOLS:
        if name not in median:
            print(f"{name:<36} {'does not run here':>26}")
            continue
        more = median[name] - median["bare"]
        print(f"{name:<36} {median[name]:>10.1f} {more if name != 'bare' else 0:>15.1f} "
              f"{more / ours if name != 'bare' else 0:>7.1f}x")
