# test_ebpf.py - what the kernel's probes tell of loads whose answers are known.
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tagalong_e2e.kernel import LOAD, WHY_NOT, Measured, needs_probes, profile, start_bcc, start_profile
from tagalong_e2e.machine import TAGALONG


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
