# test_ebpf.py - what the kernel's probes tell of loads whose answers are known.
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time
import urllib.request
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from tagalong_e2e.kernel import LOAD, SLOW_DISK, Measured, alive, objects_of, profile, start_bcc, why_not
from tagalong_e2e.launcher import NOBODY
from tagalong_e2e.machine import PROGRAMS, TAGALONG, free_port, listens, wait_for

WHY_NOT = why_not()
needs_probes = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)
LOADING = ("bpf", "perfmon", "sys_admin")
CAPABILITY = {"sys_admin": 21, "perfmon": 38, "bpf": 39}


def start_profile(machine, *options):
    """A profile in the background, once its probes are attached."""
    process = machine.start([TAGALONG, "profile", *options])

    def attached():
        assert process.poll() is None, machine.log(process)
        return len(objects_of(process.pid)["link"]) >= 14

    wait_for(attached, "the probes are attached")
    time.sleep(0.1)
    return process


@pytest.fixture
def disk(machine):
    """A file whose reads take 20 ms each."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("there is no /dev/fuse")
    place = machine.directory / "disk"
    place.mkdir()
    process = machine.start([SLOW_DISK, 20, place, "-f"])
    wait_for((place / "data").exists, "the file system is mounted")
    yield place / "data"
    subprocess.run(["umount", place], check=True)
    machine.stop(process)


# ---- system calls -----------------------------------------------------------------------------


@needs_probes
def test_calls_and_errors_are_counted_exactly(machine):
    measured, _ = profile(machine, [], [LOAD, "calls", 5000, 37, 11])
    assert measured.count(measure="call", call="getppid") == 5000
    assert measured.errors("newfstatat") == {"ENOENT": 37}
    assert measured.count(measure="call", call="clock_nanosleep") == 11
    assert not any(measured.lost.values())


@needs_probes
def test_every_histogram_adds_up_to_its_count(machine):
    measured, _ = profile(machine, [], [LOAD, "calls", 500, 5, 3])
    rows = measured.rows()
    assert len(rows) > 10
    for row in rows:
        assert sum(count for _, count in row["buckets"]) == row["count"], row
        assert row["max_ns"] <= row["total_ns"], row
        assert row["p50_ns"] <= row["p95_ns"] <= row["p99_ns"] <= row["max_ns"], row


@needs_probes
def test_sleeps_lie_in_the_bucket_of_their_duration(machine):
    measured, _ = profile(machine, [], [LOAD, "calls", 0, 0, 5])
    [row] = measured.rows(measure="call", call="clock_nanosleep")
    # 2 ms are in (2^-9 s, 2^-8 s]; a busy machine wakes late, never early.
    assert all(bound >= 3906250 for bound, _ in row["buckets"])
    assert row["total_ns"] >= 5 * 2_000_000


@needs_probes
def test_counts_are_those_of_strace_in_the_same_run(machine):
    summary = machine.directory / "strace.txt"
    measured, _ = profile(machine, [], ["strace", "-f", "-c", "-o", summary, LOAD, "calls", 2000, 50, 4])
    lines = [line.split() for line in summary.read_text().splitlines()]
    # % time, seconds, usecs/call, calls, [errors,] syscall
    theirs = {line[-1]: (int(line[3]), int(line[4]) if len(line) == 6 else 0)
              for line in lines if len(line) in (5, 6) and line[0][:1].isdigit() and line[-1] != "total"}
    ours = {}
    for row in measured.rows(measure="call", name=LOAD.name):
        count, errors = ours.get(row["call"], (0, 0))
        ours[row["call"]] = count + row["count"], errors + (row["count"] if "errno" in row else 0)
    assert theirs["getppid"] == (2000, 0) and theirs["newfstatat"][1] == 50
    # Between fork and exec strace's child calls these as well, untraced.
    before_exec = {"close", "set_robust_list", "getpid", "kill", "geteuid"}
    different = {call: (ours.get(call), numbers) for call, numbers in theirs.items()
                 if call not in before_exec and ours.get(call) != numbers}
    assert different == {}
    assert set(ours) - before_exec == set(theirs) - before_exec


@needs_probes
def test_counts_are_those_of_perf_trace_in_the_same_run(machine):
    if not shutil.which("perf"):
        pytest.skip("perf is not installed")
    summary = machine.directory / "perf.txt"
    measured, _ = profile(machine, [], ["perf", "trace", "-m", "16M", "-s", "-o", summary, LOAD, "calls", 2000, 50, 4])
    theirs = dict(re.findall(r"^ +(\w+) +(\d+) +\d+ ", summary.read_text(), re.M))
    assert theirs, summary.read_text()
    ours = {call: measured.count(measure="call", call=call, name=LOAD.name)
            for call in ("getppid", "newfstatat", "clock_nanosleep", "mmap")}
    assert (ours["getppid"], ours["clock_nanosleep"]) == (2000, 4)
    # Every call is an event for perf, and now and then it misses one; it never sees one that was not made.
    for call, count in ours.items():
        assert 0 <= count - int(theirs[call]) <= count // 100, call


@needs_probes
def test_counts_are_those_of_syscount_in_the_same_run(machine):
    reader, writer = os.pipe()
    load = subprocess.Popen([LOAD, "calls_when_told", "3000", "70", "9"], stdin=reader)
    try:
        syscount = start_bcc(machine, "syscount", "-L", "-p", load.pid, "-i", 1000)
        if not syscount:
            pytest.skip("bcc does not run here: it needs itself and kernel headers")
        output = machine.directory / "beside.json"
        watching = start_profile(machine, "--json", "--output", output, str(load.pid))
        os.write(writer, b"\n")
        assert load.wait(10) == 0
        assert watching.wait(10) == 0
        machine.stop(syscount, signal.SIGINT)
        theirs = dict(re.findall(r"^(\w+) +(\d+) +[\d.]+$", syscount.output.read_text(), re.M))
        measured = Measured(output.read_text())
        ours = {call: str(measured.count(measure="call", call=call)) for call in theirs}
        # It may see the read that the program waits in, which began before.
        ours.pop("read", None), theirs.pop("read", None)
        assert ours == theirs == {"getppid": "3000", "newfstatat": "70", "clock_nanosleep": "9"}
    finally:
        load.kill()
        load.wait()
        os.close(reader)
        os.close(writer)


@needs_probes
def test_a_running_process_is_joined(machine):
    reader, writer = os.pipe()
    load = subprocess.Popen([LOAD, "calls_when_told", "300", "20", "2"], stdin=reader)
    output = machine.directory / "joined.json"
    watching = start_profile(machine, "--json", "--output", output, str(load.pid))
    os.write(writer, b"\n")
    assert load.wait(10) == 0
    assert watching.wait(10) == 0  # with the process it ends by itself
    measured = Measured(output.read_text())
    assert measured.count(measure="call", call="getppid", pid=load.pid) == 300
    assert measured.errors("newfstatat") == {"ENOENT": 20}
    os.close(reader)
    os.close(writer)


@needs_probes
def test_other_processes_are_not_counted(machine):
    measured, _ = profile(machine, [], ["sh", "-c", f"{LOAD} calls 10 0 0; true"])
    assert {row["name"] for row in measured.rows()} <= {"sh", LOAD.name, "tagalong"}
    assert measured.count(measure="call", call="getppid", name=LOAD.name) == 10


@needs_probes
def test_the_whole_machine_is_seen(machine):
    output = machine.directory / "all.json"
    watching = start_profile(machine, "--all", "--json", "--output", output)
    machine.run([LOAD, "calls", 400, 0, 0])
    machine.run([LOAD, "calls", 300, 0, 0])
    assert machine.stop(watching) == 0
    measured = Measured(output.read_text())
    counts = [row["count"] for row in measured.rows(measure="call", call="getppid", name=LOAD.name)]
    assert sorted(counts) == [300, 400]
    assert not measured.rows(pid=watching.pid)


@needs_probes
def test_only_the_cgroup_is_seen(machine):
    roots = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if line.split()[2] == "cgroup2"]
    if not roots or not os.access(roots[0], os.W_OK):
        pytest.skip("no cgroup2 that can be written to")
    group = Path(roots[0]) / machine.mark
    below = group / "below"
    try:
        below.mkdir(parents=True)
    except OSError as error:
        pytest.skip(f"cgroups can't be made: {error}")
    try:
        output = machine.directory / "cgroup.json"
        watching = start_profile(machine, "--cgroup", group, "--json", "--output", output)
        inside = f"echo $$ >{below}/cgroup.procs && exec {LOAD} calls 70 0 0"
        assert machine.run(["sh", "-c", inside]).returncode == 0
        machine.run([LOAD, "calls", 300, 0, 0])
        assert machine.stop(watching) == 0
        measured = Measured(output.read_text())
        assert measured.count(measure="call", call="getppid", name=LOAD.name) == 70
    finally:
        below.rmdir()
        group.rmdir()


def test_what_is_no_cgroup_is_refused(machine):
    if WHY_NOT:
        pytest.skip(WHY_NOT)
    done = machine.run([TAGALONG, "profile", "--cgroup", machine.directory])
    assert done.returncode == 3
    assert done.stderr == f"tagalong profile: {machine.directory} is no directory of cgroup2\n"


# ---- processes and threads that come and go ---------------------------------------------------


@needs_probes
def test_threads_by_the_thousand_are_all_counted(machine):
    measured, _ = profile(machine, [], [LOAD, "threads", 3000])
    assert measured.count(measure="call", call="getppid") == 3000
    assert measured.count(measure="call", call="clone3") == 3000
    assert not any(measured.lost.values())


@needs_probes
def test_threads_are_told_apart(machine):
    measured, _ = profile(machine, ["--by", "thread"], [LOAD, "threads", 5])
    rows = measured.rows(measure="call", call="getppid")
    assert [row["count"] for row in rows] == [1] * 5
    assert len({row["thread"] for row in rows}) == 5


@needs_probes
def test_processes_by_the_hundred_are_all_counted(machine):
    measured, _ = profile(machine, [], [LOAD, "forks", 800, 3])
    rows = measured.rows(measure="call", call="getppid")
    assert len(rows) == 800 and {row["count"] for row in rows} == {3}
    assert not any(measured.lost.values())


@needs_probes
def test_exec_in_a_thread_keeps_the_count(machine):
    measured, _ = profile(machine, [], [LOAD, "exec"])
    rows = measured.rows(measure="call", call="getppid")
    assert len({row["pid"] for row in rows}) == 1
    assert sum(row["count"] for row in rows) == 3 + 5 + 7


@needs_probes
def test_a_pid_that_is_used_again_is_another_process(machine):
    measured, said = profile(machine, [], [LOAD, "reuse"])
    rows = measured.rows(measure="call", call="getppid", pid=int(said))
    assert sorted(row["count"] for row in rows) == [10, 20]


# ---- what threads wait for --------------------------------------------------------------------
#
# A thread may be put off the CPU between asking for something and beginning to wait for it, so times are
# right within a tenth.


@needs_probes
def test_sleep_is_told_as_sleep(machine):
    measured, said = profile(machine, [], [LOAD, "sleep", 20, 10])
    asleep = dict(measure="offcpu", call="clock_nanosleep", wait="sleep")
    # Who loses the CPU between setting the timer and going to sleep may wait for it beyond the timer's end.
    assert measured.count(**asleep) == int(said) > 0
    assert measured.count(measure="call", call="clock_nanosleep") == 10
    waited = measured.seconds(measure="runqueue", name=LOAD.name)
    assert measured.seconds(**asleep) <= measured.seconds(measure="call", call="clock_nanosleep")
    assert measured.seconds(**asleep) + waited >= 0.9 * 0.2


@needs_probes
def test_a_busy_neighbour_on_the_cpu_is_told_as_waiting_for_it(machine):
    neighbour = machine.start(["taskset", "-c", 0, LOAD, "spin", 2000])
    measured, said = profile(machine, [], ["taskset", "-c", 0, LOAD, "spin", 500])
    wall, cpu, delay = map(float, said.split())
    machine.stop(neighbour, signal.SIGKILL)
    waited = measured.seconds(measure="runqueue", name=LOAD.name)
    blocked = measured.seconds(measure="offcpu", name=LOAD.name)
    assert measured.count(measure="runqueue", name=LOAD.name) > 10
    assert wall - cpu > 0.1  # else there is nothing to explain
    assert abs(wall - cpu - waited - blocked) < 0.1 * wall
    assert delay > 0.1 and abs(delay - waited) < 0.1 * delay  # the kernel's own account


@needs_probes
def test_a_mutex_is_told_as_lock(machine):
    measured, _ = profile(machine, [], [LOAD, "contend", 20, 10])
    locked = measured.seconds(measure="offcpu", call="futex", wait="lock")
    # The holder sleeps ten times 20 ms while the other waits; the barriers are futexes, too.
    assert locked >= 0.9 * 0.2
    assert measured.rows(measure="offcpu", call="futex") == measured.rows(measure="offcpu", call="futex", wait="lock")


@needs_probes
def test_reads_from_a_slow_disk_are_told_as_disk(machine, disk):
    measured, _ = profile(machine, [], [LOAD, "read", disk, 10, "plain"])
    slow = dict(measure="offcpu", call="pread64", wait="disk")
    assert measured.count(**slow) >= 10
    assert measured.seconds(**slow) >= 0.9 * 10 * 0.020


@needs_probes
def test_page_faults_on_a_slow_disk_are_told_as_such(machine, disk):
    measured, _ = profile(machine, [], [LOAD, "touch", disk, 10])
    faults = dict(measure="offcpu", wait="page_fault")
    assert measured.count(**faults) >= 10
    assert measured.seconds(**faults) >= 0.9 * 10 * 0.020


@needs_probes
def test_block_io_is_counted(machine):
    data = machine.directory / "data"
    data.write_bytes(os.urandom(4096 * 50))
    with open(data, "rb") as file:
        os.fsync(file.fileno())
    try:
        os.close(os.open(data, os.O_RDONLY | os.O_DIRECT))
    except OSError:
        pytest.skip("this file system does not read without its cache")
    device = os.stat(data).st_dev
    if not os.path.exists(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}"):
        pytest.skip("this file system is on no block device")
    measured, _ = profile(machine, [], [LOAD, "read", data, 50, "direct"])
    # Pages of the program itself may have to be read as well.
    assert measured.count(measure="block") >= 50
    assert measured.seconds(measure="offcpu", call="pread64") == measured.seconds(
        measure="offcpu", call="pread64", wait="disk")


@needs_probes
def test_a_slow_peer_is_told_as_network(machine):
    script = ("import socket, threading, time\n"
              "one, two = socket.socketpair()\n"
              "threading.Timer(0.2, two.send, [b'x']).start()\n"
              "one.recv(1)\n")
    measured, _ = profile(machine, [], ["/usr/bin/python3", "-c", script])
    assert measured.seconds(measure="offcpu", call="recvfrom", wait="network") >= 0.9 * 0.2


# ---- TCP --------------------------------------------------------------------------------------


@needs_probes
def test_connects_and_accept_queues_are_timed(machine):
    script = ("import socket, time\n"
              "server = socket.create_server(('127.0.0.1', 0))\n"
              "clients = [socket.create_connection(server.getsockname()) for _ in range(4)]\n"
              "time.sleep(0.1)\n"
              "accepted = [server.accept()[0] for _ in clients]\n")
    measured, _ = profile(machine, [], ["/usr/bin/python3", "-c", script])
    assert measured.count(measure="connect") == 4
    assert measured.count(measure="accept") == 4
    assert measured.seconds(measure="accept") >= 4 * 0.1


@needs_probes
def test_resets_are_told_to_those_who_send_and_receive_them(machine):
    script = ("import os, socket, struct\n"
              "server = socket.create_server(('127.0.0.1', 0))\n"
              "if os.fork() == 0:\n"
              "    client = socket.create_connection(server.getsockname())\n"
              "    client.recv(1)\n"
              "    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n"
              "    client.close()\n"
              "    os._exit(0)\n"
              "one = server.accept()[0]\n"
              "one.send(b'x')\n"
              "try:\n"
              "    one.recv(1)\n"
              "except ConnectionResetError:\n"
              "    print(os.getpid())\n"
              "os.wait()\n")
    measured, said = profile(machine, [], ["/usr/bin/python3", "-c", script])
    assert measured.happened("reset_received", pid=int(said)) == 1
    assert measured.happened("reset_sent", pid=int(said)) == 0
    assert measured.happened("reset_sent") == 1


@needs_probes
def test_retransmits_are_counted(machine):
    # A full accept queue drops the SYN, which the client sends again after a second.
    script = ("import socket\n"
              "server = socket.create_server(('127.0.0.1', 0), backlog=0)\n"
              "held = socket.create_connection(server.getsockname())\n"
              "late = socket.socket()\n"
              "late.settimeout(1.5)\n"
              "try:\n"
              "    late.connect(server.getsockname())\n"
              "except TimeoutError:\n"
              "    print('late')\n")
    measured, said = profile(machine, [], ["/usr/bin/python3", "-c", script])
    assert said == "late\n"
    assert measured.happened("retransmit") == 1


# ---- stacks -----------------------------------------------------------------------------------


def build_load(machine, flag):
    program = machine.directory / "load"
    built = machine.run(["gcc", "-O1", "-D_GNU_SOURCE", flag, "-o", program, LOAD_SOURCE, "-lpthread"])
    assert built.returncode == 0, built.stderr
    return program


LOAD_SOURCE = PROGRAMS.parent / "ebpf_load.c"


@needs_probes
@pytest.mark.parametrize("flag", ["-fno-omit-frame-pointer", "-fomit-frame-pointer"])
def test_stacks_name_the_functions_that_wait(machine, flag):
    program = build_load(machine, flag)
    done = machine.run([TAGALONG, "profile", "--folded", "--output", "folded", "--", program, "sleep", 100, 4])
    assert done.returncode == 0, done.stderr
    lines = (machine.directory / "folded").read_text().splitlines()
    asleep = [line for line in lines if line.rsplit(" ", 1)[0].endswith(";[clock_nanosleep];[sleep]")]
    deep = [line for line in asleep if re.search(r";main;.*outer_wait;inner_wait;", line)]
    assert sum(int(line.rsplit(" ", 1)[1]) for line in deep) >= 0.9 * 400_000
    assert deep[0].startswith("load;")


@needs_probes
def test_the_flame_graph_is_one_drawing_with_all_of_it(machine):
    done = machine.run([TAGALONG, "profile", "--svg", "wait.svg", "--", LOAD, "sleep", 100, 2])
    assert done.returncode == 0, done.stderr
    text = (machine.directory / "wait.svg").read_text()
    root = xml.fromstring(text)
    titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[0].startswith("all (") and titles[0].endswith(", 100.00%)")
    assert any(title.startswith("[clock_nanosleep] (") for title in titles)
    assert any(title.startswith("outer_wait (") for title in titles)
    assert "<script" not in text and text.count("http") == 1  # the name space


# ---- the view ---------------------------------------------------------------------------------


@needs_probes
def test_the_table_shows_calls_and_waits(machine):
    done = machine.run([TAGALONG, "profile", "--histogram", "--heatmap", "--", LOAD, "calls", 1234, 5, 3])
    assert done.returncode == 0
    row = next(line.split() for line in done.stderr.splitlines() if " getppid " in line)
    assert row[0] == LOAD.name and row[3] == "1234" and row[5] == "0"
    row = next(line.split() for line in done.stderr.splitlines() if " newfstatat " in line)
    assert row[5] == "5"
    assert re.search(r"^sleep +clock_nanosleep +3 ", done.stderr, re.M)
    assert "system calls by duration, up to" in done.stderr
    assert "a column an interval" in done.stderr


@needs_probes
def test_the_command_decides_the_exit_code(machine):
    assert machine.run([TAGALONG, "profile", "--", "sh", "-c", "exit 7"]).returncode == 7
    assert machine.run([TAGALONG, "profile", "--", "sh", "-c", "kill -9 $$"]).returncode == 137
    missing = machine.run([TAGALONG, "profile", "--", "/nonexistent"])
    assert missing.returncode == 127 and missing.stderr == "tagalong: /nonexistent: No such file or directory\n"


def test_wrong_usage_is_told(machine):
    for words in ([], ["--all", "1"], ["x1"], ["--by", "x", "1"], ["--duration", "0s", "1"], ["--json", "--folded", "1"]):
        done = machine.run([TAGALONG, "profile", *words])
        assert done.returncode == 2, words
        assert done.stderr.startswith("tagalong profile: ") and done.stderr.count("\n") == 1, words


@needs_probes
def test_a_process_that_is_gone_is_told(machine):
    gone = subprocess.Popen(["true"])
    gone.wait()
    done = machine.run([TAGALONG, "profile", str(gone.pid)])
    assert done.returncode == 1
    assert done.stderr == f"tagalong profile: process {gone.pid}: No such process\n"


@needs_probes
def test_slow_calls_are_told_with_what_they_waited_for(machine):
    port = free_port()
    script = ("import socket, threading, time\n"
              f"server = socket.create_server(('127.0.0.1', {port}))\n"
              f"one = socket.create_connection(('127.0.0.1', {port}))\n"
              "two = server.accept()[0]\n"
              "threading.Timer(0.1, two.send, [b'x' * 5]).start()\n"
              "one.recv(100)\n")
    done = machine.run([TAGALONG, "profile", "--slow", "50ms", "--", "/usr/bin/python3", "-c", script])
    assert done.returncode == 0
    assert re.search(rf"^\d+ recvfrom \d+(\.\d)?ms = 5 on socket \d+ 127\.0\.0\.1 port {port}$", done.stderr, re.M)


@needs_probes
def test_slow_calls_without_room_are_counted(machine):
    output = machine.directory / "slow"
    done = machine.run([TAGALONG, "profile", "--slow", "1ns", "--output", output, "--json", "--",
                        LOAD, "calls", 30000, 0, 0])
    assert done.returncode == 0
    *told, last = output.read_text().splitlines()
    measured = Measured(last)
    assert measured.lost["events"] > 0
    assert len(told) + measured.lost["events"] == measured.count(measure="call")
    assert measured.count(measure="call", call="getppid") == 30000


# ---- metrics of the exporter ------------------------------------------------------------------

SERVER = """
import http.server, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.02)
        os.path.exists("/nonexistent")
        self.send_response(204)
        self.end_headers()
    def log_message(self, *arguments):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def start_server(machine, before=()):
    """A traced server whose exporter asks the kernel; (port, a function that reads a metric)."""
    script = machine.directory / "server.py"
    script.write_text(SERVER)
    port, scraped = free_port(), free_port()
    env = {"TAGALONG_EBPF": "1", "OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": scraped,
           "TAGALONG_STORE": machine.directory / "traces.db"}
    process = machine.start([*before, TAGALONG, "run", "--", "/usr/bin/python3", script, port], env)
    wait_for(lambda: listens(port) and listens(scraped), f"the server listens\n{machine.log(process)}")

    def read(name, **labels):
        with urllib.request.urlopen(f"http://127.0.0.1:{scraped}/metrics") as answer:
            lines = [line for line in answer.read().decode().splitlines() if line.startswith(name + "{")]
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(label in line for label in wanted))

    return process, port, read


def ask(port, times):
    for _ in range(times):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
            assert answer.status == 204


@needs_probes
def test_metrics_tell_what_the_kernel_saw_of_a_traced_server(machine):
    _, port, read = start_server(machine)
    calls, waits = "tagalong_syscall_duration_seconds", "tagalong_sched_offcpu_duration_seconds"

    def state():
        return [read(calls + "_count", syscall="clock_nanosleep"), read(calls + "_count", error_type="ENOENT"),
                read(waits + "_count", reason="sleep"), read("tagalong_tcp_accept_duration_seconds_count")]

    ask(port, 1)  # with its first request it attaches
    wait_for(lambda: ask(port, 1) or state()[0], "the probes see it")
    before, slept = state(), read(waits + "_sum", reason="sleep")
    ask(port, 5)
    # The last call of a request may still be under way when its answer is here.
    wait_for(lambda: [now - then for now, then in zip(state(), before)] == [5, 5, 5, 5], f"counted {before} {state()}")
    assert read(waits + "_sum", reason="sleep") - slept >= 0.9 * 5 * 0.02
    assert read("tagalong_sched_runqueue_duration_seconds_count") > 0
    assert read("tagalong_ebpf_lost_total") == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give it up")
def test_without_rights_the_exporter_says_so_and_goes_on(machine):
    machine.directory.chmod(0o777)
    nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    process, port, read = start_server(machine, nobody)
    ask(port, 3)
    wait_for(lambda: read("http_server_request_duration_seconds_count") == 3, "requests are measured")
    said = [line for line in machine.log(process).splitlines() if "ebpf" in line]
    assert len(said) == 1 and said[0].startswith("warn ebpf: the kernel is not asked: ")
    assert read("tagalong_syscall_duration_seconds_count") == 0


# ---- spans ------------------------------------------------------------------------------------

SPLIT_SERVER = """
import http.server, os, queue, socket, sys, threading, time
lock, data, sockets = threading.Lock(), sys.argv[2], queue.SimpleQueue()
asked, held = threading.Semaphore(0), threading.Semaphore(0)
# Begun before any request, for a thread that a request starts works for it, too.
def hold():
    while True:
        asked.acquire()
        with lock:
            held.release()
            time.sleep(0.1)
threading.Thread(target=hold, daemon=True).start()
def wait_for_disk():
    fd = os.open(data, os.O_RDONLY)
    for at in range(5):
        os.pread(fd, 4096, at * 1048576 + int(time.monotonic() * 1e6) % 200 * 4096)
    os.close(fd)
def wait_for_lock():
    asked.release()
    held.acquire()
    with lock:
        pass
def wait_for_network():
    one, two = socket.socketpair()
    sockets.put(two)
    one.recv(1)
def answer():
    while True:
        two = sockets.get()
        time.sleep(0.1)
        two.send(b"x")
threading.Thread(target=answer, daemon=True).start()
def work():
    end = time.thread_time() + 0.1
    while time.thread_time() < end:
        pass
paths = {"/sleep": lambda: time.sleep(0.1), "/disk": wait_for_disk, "/lock": wait_for_lock,
         "/network": wait_for_network, "/work": work, "/": lambda: None}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        paths[self.path]()
        self.send_response(204)
        self.end_headers()
    def log_message(self, *arguments):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class Split:
    """A server with a thread a request, on one CPU; its spans, as the store has them."""

    def __init__(self, machine, data="/dev/null", cpu=1):
        script = machine.directory / "split.py"
        script.write_text(SPLIT_SERVER)
        self.port, self.store = free_port(), machine.directory / "split.db"
        env = {"TAGALONG_EBPF": "1", "OTEL_METRICS_EXPORTER": "none", "TAGALONG_STORE": self.store,
               "OTEL_BSP_SCHEDULE_DELAY": "50"}
        process = machine.start([TAGALONG, "run", "--", "taskset", "-c", cpu, "/usr/bin/python3", script, self.port, data],
                                env)
        wait_for(lambda: listens(self.port), f"the server listens\n{machine.log(process)}")
        # The kernel has to learn first where its threads publish.
        wait_for(lambda: "tagalong.time.blocked" in self.ask("/sleep")[1], f"spans are split\n{machine.log(process)}")

    def spans(self):
        with sqlite3.connect(self.store) as store:
            return store.execute("SELECT duration_ns, attributes, events FROM spans WHERE kind = 2 "
                                 "ORDER BY start_unix_ns").fetchall()

    def ask(self, path):
        """(seconds, attributes, events) of the request's span."""
        before = len(self.spans()) if self.store.exists() else 0
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
            assert answer.status == 204
        wait_for(lambda: self.store.exists() and len(self.spans()) > before, "the span is stored")
        duration, attributes, events = self.spans()[-1]
        attributes = json.loads(attributes)
        assert attributes["url.path"] == path
        return duration / 1e9, attributes, json.loads(events or "[]")


def times(attributes):
    return {key.removeprefix("tagalong.time."): value / 1e9 for key, value in attributes.items()
            if key.startswith("tagalong.time.") and key != "tagalong.time.calls"}


def check_split(seconds, attributes, kind):
    """The parts add up, and 0.1 s of it are what they should be; both within a tenth."""
    parts = times(attributes)
    whole = parts["cpu"] + parts["runqueue"] + parts["blocked"]
    assert abs(whole - seconds) < 0.1 * seconds, parts
    assert parts[kind] >= 0.09, parts
    blocked = {key: value for key, value in parts.items() if key.startswith("blocked.")}
    assert abs(sum(blocked.values()) - parts["blocked"]) < 1e-6
    others = sum(value for key, value in blocked.items() if key != kind)
    assert others < 0.02, parts


@needs_probes
def test_each_request_says_where_its_time_went(machine, disk):
    server = Split(machine, disk)
    for path, kind in (("/sleep", "blocked.sleep"), ("/disk", "blocked.disk"), ("/lock", "blocked.lock"),
                       ("/network", "blocked.network"), ("/work", "cpu")):
        seconds, attributes, _ = server.ask(path)
        check_split(seconds, attributes, kind)
    trace = json.loads(machine.run([TAGALONG, "traces", "--store", server.store, "--limit", 1, "--json"]).stdout)
    shown = machine.run([TAGALONG, "traces", "--store", server.store, trace["trace_id"]]).stdout
    bar = re.search(r"^ *(C+)[a-z]*  C cpu (\d+(?:\.\d)?)ms", shown, re.M)
    assert bar and len(bar[1]) >= 0.9 * 24 * 0.1 / seconds and float(bar[2]) >= 90, shown


@needs_probes
def test_a_request_that_is_starved_says_so(machine):
    server = Split(machine, cpu=0)
    neighbour = machine.start(["taskset", "-c", 0, LOAD, "spin", 5000])
    time.sleep(0.1)
    seconds, attributes, _ = server.ask("/work")
    machine.stop(neighbour, signal.SIGKILL)
    parts = times(attributes)
    assert parts["cpu"] >= 0.09 and parts["runqueue"] > 0.04, parts
    assert abs(sum(parts[key] for key in ("cpu", "runqueue", "blocked")) - seconds) < 0.1 * seconds


@needs_probes
def test_slow_calls_are_events_of_their_request(machine, disk):
    server = Split(machine, disk)
    _, _, events = server.ask("/sleep")
    slow = [event["attributes"] for event in events if event["name"] == "tagalong.syscall"]
    assert [one["syscall"] for one in slow if one["tagalong.duration"] >= 90_000_000] == ["clock_nanosleep"]
    _, _, events = server.ask("/disk")
    reads = [event["attributes"] for event in events if event["attributes"].get("syscall") == "pread64"]
    assert len(reads) == 5
    for one in reads:
        assert one["tagalong.descriptor.type"] == "file" and one["tagalong.syscall.result"] == 4096
        assert one["tagalong.duration"] >= 18_000_000
    _, _, events = server.ask("/")
    assert not [event for event in events if event["attributes"]["tagalong.duration"] >= 18_000_000]


# ---- rights, and what is left -----------------------------------------------------------------


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
