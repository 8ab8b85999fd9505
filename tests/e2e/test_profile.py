# test_profile.py - `tagalong profile`: stacks, drawings, tables, slow calls, on real loads.
import re
import subprocess
import xml.etree.ElementTree as xml

import pytest

from tagalong_e2e.kernel import LOAD, Measured, needs_probes
from tagalong_e2e.machine import PROGRAMS, TAGALONG, free_port


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
