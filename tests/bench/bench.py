# bench.py - measures what tracing costs and what it finds, side by side with the bare programs, in one run.
#
#   bench.py BUILD [PART...]      parts: nginx, starts, callgrind, stores, node, tail, eight_hours, scrape, stages, peer, accuracy, routes,
#                                 ebpf; all by default
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

os.environ["TAGALONG_BUILD"] = str(Path(sys.argv[1]).resolve())
sys.path[:0] = [str(Path(__file__).parents[1] / "e2e"), str(Path(__file__).parent)]

import ebpf  # noqa: E402
import eight_hours  # noqa: E402
import node  # noqa: E402
import peer  # noqa: E402
import scrape  # noqa: E402
import sink  # noqa: E402
import stores  # noqa: E402
import tail  # noqa: E402
from tagalong_e2e import machine, programs  # noqa: E402
from tagalong_e2e.driver import drive  # noqa: E402
from tagalong_e2e.kinds import make_requests  # noqa: E402

# Those of the first list are rows of one table, which is printed before the others begin.
ROW_PARTS = ["nginx", "starts", "callgrind", "stores", "node", "tail", "eight_hours", "scrape"]
PARTS = [*ROW_PARTS, "stages", "peer", "accuracy", "routes", "ebpf"]
ROUNDS, SECONDS = 5, 3
BENCH = machine.BUILD / "tests" / "bench"
ROWS = []


def row(what, bare, traced, result, target):
    ROWS.append((what, bare, traced, result, target))
    print(f"  {what}: {result}", flush=True)


def cpu_ns(pid):
    """CPU time of all threads of a process, in nanoseconds."""
    return sum(int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
               for task in os.listdir(f"/proc/{pid}/task"))


def rss_kb(pid):
    """Resident memory of a process that is not shared with its peers' page cache: anonymous and shared memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1))


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def descendant(pid, name):
    """The first process below pid whose command line has `name`."""
    for child in children(pid):
        if name in " ".join(machine.command_of(child)):
            return child
        if found := descendant(child, name):
            return found
    return None


def nginx(host, location, endpoint=None):
    """Starts nginx with one worker; returns (launcher, port, worker's pid, exporter's pid or None)."""
    port = machine.free_port()
    host.directory.joinpath("page.txt").write_text("a small static page\n")
    config = programs.nginx_config(host, port, location, workers=1)
    unique = config.rename(config.with_name(f"nginx-{port}.conf"))
    unique.write_text(unique.read_text().replace("nginx.pid", f"nginx-{port}.pid"))
    traced = {"service": "nginx", "endpoint": endpoint} if endpoint else None
    process = host.start_server(programs.nginx_argv(unique), port, traced)
    worker = machine.wait_for(lambda: descendant(process.pid, "worker process"), "nginx's worker")
    exporter = None
    if endpoint:
        exporter = machine.wait_for(lambda: exporter_of(host), "the exporter")
    return process, port, worker, exporter


def exporter_of(host):
    return next((pid for pid in host.leftovers() if machine.command_of(pid)[1:2] == ["export"]), None)


def wrk(port, seconds):
    """Full speed over 8 kept-alive connections; returns (requests, requests a second)."""
    output = subprocess.run(["wrk", "-t1", "-c8", f"-d{seconds}s", f"http://127.0.0.1:{port}/"],
                            capture_output=True, text=True, check=True).stdout
    assert "Socket errors" not in output and "Non-2xx" not in output, output
    return int(re.search(r"(\d+) requests in", output).group(1)), float(re.search(r"Requests/sec: +([\d.]+)", output).group(1))


def start_sink(host, *keep):
    process = host.start(["/usr/bin/python3", Path(__file__).parent / "sink.py", *keep])
    return int(machine.wait_for(lambda: host.log(process).strip(), "the sink's port"))


def measure_speed(host, name, location):
    """Alternates wrk on a bare and a traced nginx, whose exporter sends to a sink that throws all away."""
    bare = nginx(host, location)
    traced = nginx(host, location, f"http://127.0.0.1:{start_sink(host)}")
    first = rss_kb(bare[2]), rss_kb(traced[2])
    costs = {"bare": [], "traced": [], "exporter": []}
    speeds = {"bare": [], "traced": []}
    for _ in range(ROUNDS):
        for kind, server in (("bare", bare), ("traced", traced)):
            before, exporter_before = cpu_ns(server[2]), cpu_ns(traced[3])
            count, speed = wrk(server[1], SECONDS)
            speeds[kind].append(speed)
            costs[kind].append((cpu_ns(server[2]) - before) / count / 1e3)
            time.sleep(1)  # what the exporter has left to do belongs to this round
            if kind == "traced":
                costs["exporter"].append((cpu_ns(traced[3]) - exporter_before) / count / 1e3)
    bare_us, traced_us, exporter_us = (statistics.median(values) for values in costs.values())
    bare_speed, traced_speed = (statistics.median(values) for values in speeds.values())
    row(f"{name}: CPU of the worker a request", f"{bare_us:.2f} us", f"{traced_us:.2f} us",
        f"{traced_us - bare_us:+.2f} us", "<= 1.0 us")
    row(f"{name}: CPU a request, worker and exporter", f"{bare_us:.2f} us", f"{traced_us + exporter_us:.2f} us",
        f"{(traced_us + exporter_us) / bare_us:.2f} x", "<= 1.4 x")
    row(f"{name}: throughput, two cores for all", f"{bare_speed:.0f}/s", f"{traced_speed:.0f}/s",
        f"{100 * traced_speed / bare_speed:.0f} % kept", ">= 85 %")
    return bare, traced, first


def measure_capture(host, name, location):
    """One run at full speed; every span that arrives is counted."""
    bodies = host.directory / "bodies"
    process, port, _, _ = nginx(host, location, f"http://127.0.0.1:{start_sink(host, bodies)}")
    sent, _ = wrk(port, SECONDS)
    host.stop(process, timeout=40)
    spans = sink.count_spans(bodies.read_bytes())
    reported = [line for line in host.log(process).splitlines() if " dropped " in line]
    told = {reason: int(count) for reason, count in re.findall(r"(\w+)=(\d+)", reported[-1] if reported else "")}
    told.pop("inflight_full", None)  # those spans are kept
    # wrk does not count the up to 8 requests under way when it ends.
    lost = max(0, sent - spans)
    row(f"{name}: spans captured of requests sent", f"{sent}", f"{spans}",
        f"{100 * (sent - lost) / sent:.3f} %, {sum(told.values())} drops reported {told or ''}", "100 %, or all reported")


def measure_idle(bare, traced, first):
    rss = rss_kb(bare[2]), rss_kb(traced[2]), rss_kb(traced[3])
    row("memory of a worker before its first request", f"{first[0]} kB", f"{first[1]} kB",
        f"{(first[1] - first[0]) / 1024:+.2f} MB", "")
    row("memory of a worker after all of this", f"{rss[0]} kB", f"{rss[1]} kB",
        f"{(rss[1] - rss[0]) / 1024:+.2f} MB", "<= 1.5 MB")
    row("memory of the exporter", "-", f"{rss[2]} kB", f"{rss[2] / 1024:.1f} MB", "")
    time.sleep(6)
    before = cpu_ns(traced[2]), cpu_ns(traced[3])
    time.sleep(10)
    worker, exporter = ((cpu_ns(pid) - start) / 1e8 for pid, start in zip(traced[2:], before))
    row("CPU of an idle worker, and of its exporter", "-", "-", f"{worker:.3f} %, {exporter:.3f} % of a core", "0")


def measure_nginx():
    for name in ("return", "static"):
        host = machine.Machine("bench")
        location = 'location / { return 200 "ok\\n"; }' if name == "return" else (
            f"root {host.directory}; location / {{ try_files /page.txt =404; }}")
        try:
            bare, traced, first = measure_speed(host, name, location)
            if name == "return":
                measure_idle(bare, traced, first)
            for server in (bare, traced):
                host.stop(server[0], timeout=40)
            measure_capture(host, name, location)
        finally:
            host.close()


def measure_starts():
    bare, traced = map(int, subprocess.run([BENCH / "spawn", "1000", machine.LIBRARY, "/bin/true"], check=True,
                                           capture_output=True, text=True).stdout.split())
    row("start to end of /bin/true", f"{bare / 1e3:.0f} us", f"{traced / 1e3:.0f} us",
        f"+{(traced - bare) / 1e6:.3f} ms", "<= 0.4 ms")
    results = {"bare": [], "traced": []}
    for _ in range(7):
        for name in results:
            env = {"LD_PRELOAD": str(machine.LIBRARY)} if name == "traced" else {}
            results[name].append(list(map(float, subprocess.run(
                [BENCH / "plain_file", "4000000"], check=True, capture_output=True, text=True, env=env).stdout.split())))
    for at, what in enumerate(("read", "write")):
        bare, traced = (min(result[at] for result in results[name]) for name in ("bare", "traced"))
        row(f"{what} of a file that is no socket", f"{bare:.1f} ns", f"{traced:.1f} ns", f"+{traced - bare:.1f} ns", "<= 10 ns")


def instructions(host, traced, requests):
    """Instructions that nginx executes to serve so many requests, without its start and end."""
    counts = []
    for number in (requests, 2 * requests):
        port = machine.free_port()
        config = programs.nginx_config(host, port, 'location / { return 200 "ok\\n"; }', workers=1)
        config.write_text("master_process off;\n" + config.read_text())
        out = host.directory / "callgrind.out"
        argv = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *programs.nginx_argv(config)]
        env = {}
        exporter = None
        if traced:
            segment = host.directory / "segment"
            exporter = host.start([machine.TAGALONG, "export", "--segment", segment],
                                  {"TAGALONG_STORE": host.directory / "traces.db"})
            machine.wait_for(lambda: segment.exists() and segment.stat().st_size > 100000, "the segment")
            env = {"LD_PRELOAD": machine.LIBRARY, "TAGALONG_SESSION": segment}
        process = host.start_server(argv, port, env=env)
        drive(port, make_requests(number, ["none"]), 1)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        host.stop(process)  # under valgrind the first signal may be seen only when the second comes
        if exporter:
            host.stop(exporter)
        counts.append(int(re.search(r"^(?:totals|summary): (\d+)", out.read_text(), re.M).group(1)))
    return (counts[1] - counts[0]) / requests


def measure_callgrind():
    host = machine.Machine("callgrind")
    try:
        bare, traced = (instructions(host, one, 500) for one in (False, True))
    finally:
        host.close()
    row("instructions of the worker a request", f"{bare:.0f}", f"{traced:.0f}", f"+{traced - bare:.0f}", "watched")


def measure_stores():
    stores.measure(start_sink, row)


def measure_node():
    node.measure(start_sink, row)


def measure_tail():
    tail.measure(start_sink, row)


def measure_eight_hours():
    eight_hours.measure(start_sink, row)


def measure_scrape():
    scrape.measure(start_sink, row)


def measure_peer():
    peer.measure(start_sink)


def measure_ebpf():
    ebpf.measure()


def measure_accuracy():
    """Every runtime, its kinds mixed, and the language agent of Node.js for comparison."""
    suite = Path(__file__).parents[1] / "accuracy" / "accuracy.py"
    for tracer in ("tagalong", "otel"):
        print(flush=True)
        subprocess.run([sys.executable, suite, sys.argv[1], "--tracer", tracer], check=False)


def measure_routes():
    print("\nRoutes learned from requests for those of real servers, 60 of each:\n", flush=True)
    subprocess.run([machine.BUILD / "tests" / "unit" / "test_routes_learning", "--measure"], check=True)


def measure_stages():
    print("\nThe exporter, from within:\n", flush=True)
    subprocess.run([BENCH / "stages"], check=True)


def print_rows():
    if not ROWS:
        return
    print(f"\n{'what':<72} {'bare':>12} {'traced':>12}  {'result':<46} target")
    for what, bare, traced, result, target in ROWS:
        print(f"{what:<72} {bare:>12} {traced:>12}  {result:<46} {target}")


def main():
    parts = sys.argv[2:] or PARTS
    if unknown := set(parts) - set(PARTS):
        sys.exit(f"bench.py: no part named {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    print("Measuring, bare and traced in turns:", flush=True)
    for part in PARTS:
        if part == PARTS[len(ROW_PARTS)]:
            print_rows()
        if part in parts:
            globals()[f"measure_{part}"]()


main()
