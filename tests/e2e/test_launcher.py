# test_launcher.py - `tagalong run` stands in for its command.
import os
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from tagalong_e2e.launcher import PYTHON, run, shell, children, command_line, exporter_of, in_namespaces
from tagalong_e2e.machine import LIBRARY, TAGALONG, free_port, wait_for

# ---- exit codes and the surroundings of the command ------------------------------------------------------------------

@pytest.mark.parametrize("script, code", [
    ("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137),
])
def test_ends_with_the_commands_code(machine, script, code):
    assert shell(machine, script).returncode == code


def test_says_what_cannot_be_executed(machine):
    missing = run(machine, "no-such-program")
    assert missing.returncode == 127
    assert missing.stderr == "tagalong: no-such-program: No such file or directory\n"
    plain = machine.directory / "plain"
    plain.write_text("text")
    refused = run(machine, plain)
    assert refused.returncode == 126
    assert "Permission denied" in refused.stderr


@pytest.mark.parametrize("arguments", [
    ["run"], ["run", "--no-such-option", "true"], ["nonsense"], [], ["check"], ["check", "a", "b"],
    ["traces", "--slower", "fast"], ["traces", "--limit", "0"], ["traces", "a", "b"],
])
def test_usage_errors_are_2(machine, arguments):
    result = machine.run([TAGALONG, *arguments])
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr != ""


@pytest.mark.parametrize("name", ["run", "export", "check", "traces"])
def test_every_command_has_help(machine, name):
    result = machine.run([TAGALONG, name, "--help"])
    assert result.returncode == 0
    assert f"tagalong {name}" in result.stdout
    assert machine.run([TAGALONG, "help", name]).stdout == result.stdout


def test_streams_are_the_commands_own(machine):
    data = bytes(range(256)) * 400
    result = subprocess.run([TAGALONG, "run", "--", "sh", "-c", "cat; echo problem >&2"], input=data,
                            capture_output=True, timeout=30,
                            env=machine.environment({"TAGALONG_STORE": machine.directory / "traces.db"}))
    assert result.stdout == data
    assert result.stderr == b"problem\n"


def test_no_descriptor_reaches_the_command(machine):
    look = ["sh", "-c", "ls /proc/self/fd"]
    assert run(machine, *look).stdout == machine.run(look).stdout


def test_closed_streams_stay_closed(machine):
    look = ["sh", "-c", "ls /proc/self/fd >&9"]
    with open(machine.directory / "bare", "w+") as bare, open(machine.directory / "traced", "w+") as traced:
        for output, words in ((bare, look), (traced, [str(TAGALONG), "run", "--", *look])):
            subprocess.run(["sh", "-c", '"$@" 0<&- 1>&- 2>&-', "sh", *words], timeout=30, close_fds=True,
                           preexec_fn=lambda fd=output.fileno(): os.dup2(fd, 9), pass_fds=[9],
                           env=machine.environment({"TAGALONG_STORE": machine.directory / "traces.db"}))
        bare.seek(0)
        traced.seek(0)
        assert traced.read() == bare.read() != ""


def test_signal_mask_and_dispositions_are_the_callers(machine):
    def prepare():
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])

    look = ["grep", "-E", "^Sig(Blk|Ign|Cgt)", "/proc/self/status"]
    bare = machine.run(look, preexec_fn=prepare).stdout
    assert run(machine, *look, preexec_fn=prepare).stdout == bare
    assert re.search(r"SigBlk:\s+0*200$", bare, re.MULTILINE)


def test_existing_preload_is_kept(machine):
    other = next(iter(Path("/lib/x86_64-linux-gnu").glob("libdl.so.2")), None)
    if not other:
        pytest.skip("no second library to preload")
    script = 'echo "$LD_PRELOAD"'
    assert shell(machine, script).stdout == f"{LIBRARY}\n"
    assert shell(machine, script, env={"LD_PRELOAD": other}).stdout == f"{other}:{LIBRARY}\n"
    both = f"{LIBRARY}:{other}"
    assert shell(machine, script, env={"LD_PRELOAD": both}).stdout == f"{both}\n"


def test_service_name_is_for_the_command(machine):
    result = shell(machine, 'echo "$OTEL_SERVICE_NAME"', options=["--service", "shop"])
    assert result.stdout == "shop\n"


def test_segment_is_removed_at_the_end(machine):
    result = shell(machine, 'test -f "$TAGALONG_SESSION" && stat -c "%a %n" "$TAGALONG_SESSION"'
                            ' && stat -c %a "$(dirname "$TAGALONG_SESSION")"')
    file, directory = result.stdout.splitlines()
    mode, path = file.split()
    assert mode == "666"
    assert directory == "711"
    assert re.fullmatch(r"[0-9a-f]{32}", Path(path).name)
    assert not Path(path).exists()


def test_disabled_is_a_plain_exec(machine):
    process = subprocess.Popen([TAGALONG, "run", "--", "sh", "-c", 'echo $$ "$LD_PRELOAD$TAGALONG_SESSION"'],
                               stdout=subprocess.PIPE, text=True,
                               env=machine.environment({"TAGALONG_DISABLE": "1"}))
    output, _ = process.communicate(timeout=30)
    assert output == f"{process.pid} \n"


def test_propagation_stays_without_telemetry(machine):
    result = shell(machine, 'echo "$LD_PRELOAD"', env={"OTEL_SDK_DISABLED": "true"})
    assert result.stdout == f"{LIBRARY}\n"


# ---- signals ---------------------------------------------------------------------------------------------------------

COUNT_SIGNALS = """
import os, signal, sys, time
got = []
for name in sys.argv[1:]:
    signal.signal(getattr(signal, name), lambda number, frame: got.append(number))
print("ready", flush=True)
while len(got) < len(sys.argv) - 1:
    signal.pause()
end = time.monotonic() + 0.3
while time.monotonic() < end:
    time.sleep(0.05)
print(*[signal.Signals(number).name for number in got], flush=True)
sys.exit(7)
"""


def test_signals_are_forwarded_once(machine):
    names = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT"]
    process = subprocess.Popen([TAGALONG, "run", "--", PYTHON, "-c", COUNT_SIGNALS, *names],
                               stdout=subprocess.PIPE, text=True,
                               env=machine.environment({"TAGALONG_STORE": machine.directory / "traces.db"}))
    assert process.stdout.readline() == "ready\n"
    for name in names:
        process.send_signal(getattr(signal, name))
    output, _ = process.communicate(timeout=30)
    assert sorted(output.split()) == sorted(names)
    assert process.returncode == 7


def on_a_terminal(machine, words):
    """Starts words as the foreground job of a new terminal. Returns the pid and the terminal's master."""
    import pty
    pid, master = pty.fork()
    if pid == 0:
        os.execvpe(words[0], [str(word) for word in words],
                   machine.environment({"TAGALONG_STORE": machine.directory / "traces.db"}))
    return pid, master


def read_until(master, text, timeout=20):
    import select
    seen = b""
    end = time.monotonic() + timeout
    while text not in seen:
        ready, _, _ = select.select([master], [], [], max(0, end - time.monotonic()))
        assert ready, f"timeout waiting for {text!r} after {seen!r}"
        try:
            seen += os.read(master, 4096)
        except OSError:
            raise AssertionError(f"the terminal closed after {seen!r}") from None
    return seen


def test_interrupt_of_the_terminal_arrives_once(machine):
    pid, master = on_a_terminal(machine, [TAGALONG, "run", "--", PYTHON, "-c", COUNT_SIGNALS, "SIGINT"])
    try:
        read_until(master, b"ready")
        os.write(master, b"\x03")
        assert b"SIGINT SIGINT" not in read_until(master, b"SIGINT\r\n")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    finally:
        os.close(master)


# A job-control shell in small: it waits for the job to stop and puts it into the foreground again.
JOB_CONTROL = """
import os, signal, sys
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
pid = os.fork()
if pid == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
_, status = os.waitpid(pid, os.WUNTRACED)
print("stopped" if os.WIFSTOPPED(status) else "ended", flush=True)
os.killpg(pid, signal.SIGCONT)
_, status = os.waitpid(pid, os.WUNTRACED)
print("code", os.waitstatus_to_exitcode(status), flush=True)
"""


def test_stop_of_the_terminal_stops_both_and_both_go_on(machine):
    words = [PYTHON, "-c", JOB_CONTROL, TAGALONG, "run", "--", "sh", "-c", "echo ready; read line; exit 9"]
    pid, master = on_a_terminal(machine, words)
    try:
        read_until(master, b"ready\r\n")
        os.write(master, b"\x1a")
        read_until(master, b"stopped\r\n")
        os.write(master, b"\n")
        read_until(master, b"code 9\r\n")
        os.waitpid(pid, 0)
    finally:
        os.close(master)


# ---- orphans and PID 1 -----------------------------------------------------------------------------------------------

ORPHAN = """
import os, sys, time
read, write = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.write(write, str(os.getpid()).encode())
        os._exit(0)
    os._exit(0)
os.wait()
orphan = int(os.read(read, 20))
end = time.monotonic() + 10
while os.path.exists(f"/proc/{orphan}"):
    if time.monotonic() > end:
        sys.exit("the orphan was not reaped")
    time.sleep(0.01)
"""


def test_orphans_are_reaped(machine):
    result = run(machine, PYTHON, "-c", ORPHAN)
    assert (result.returncode, result.stderr) == (0, "")


def test_as_pid_1_it_reaps_and_waits_for_all(machine):
    words = in_namespaces("--pid", "--fork", "--mount-proc")
    env = {"TAGALONG_STORE": machine.directory / "traces.db"}
    start = [*words, TAGALONG, "run", "--"]
    assert machine.run([*start, "sh", "-c", "echo $PPID; exit 5"], env=env).stdout == "1\n"
    assert machine.run([*start, PYTHON, "-c", ORPHAN], env=env).returncode == 0
    late = machine.run([*start, "sh", "-c", "(sleep 0.5; echo late) & exit 4"], env=env)
    assert (late.returncode, late.stdout) == (4, "late\n")


def test_as_pid_1_it_forwards_signals(machine):
    words = in_namespaces("--pid", "--fork", "--mount-proc", "--kill-child")
    process = subprocess.Popen([*words, TAGALONG, "run", "--", PYTHON, "-c", COUNT_SIGNALS, "SIGTERM"],
                               stdout=subprocess.PIPE, text=True,
                               env=machine.environment({"TAGALONG_STORE": machine.directory / "traces.db"}))
    assert process.stdout.readline() == "ready\n"
    os.kill(children(process.pid)[0], signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert output == "SIGTERM\n"
    assert process.returncode == 7


# ---- the exporter ----------------------------------------------------------------------------------------------------

def test_exporter_has_a_session_of_its_own_and_ends_with_the_command(machine):
    process = machine.start_traced(["sleep", "60"], "sleeper")
    exporter = wait_for(lambda: exporter_of(process.pid), "the exporter runs")
    assert os.getsid(exporter) == exporter != os.getsid(process.pid)
    assert os.readlink(f"/proc/{exporter}/fd/0") == "/dev/null"
    assert os.readlink(f"/proc/{exporter}/fd/1") == "/dev/null"
    assert machine.stop(process) == 143
    assert not Path(f"/proc/{exporter}").exists()


def test_killed_exporter_is_started_again_on_the_same_segment(machine):
    process = machine.start_traced(["sleep", "60"], "sleeper")
    wait_for(lambda: len(children(process.pid)) == 2, "the exporter is ready and the command runs")
    first = exporter_of(process.pid)
    segment = command_line(first)[command_line(first).index("--segment") + 1]
    os.kill(first, signal.SIGKILL)
    second = wait_for(lambda: exporter_of(process.pid) not in (None, first) and exporter_of(process.pid),
                      "another exporter runs")
    assert segment in command_line(second)
    assert machine.stop(process) == 143
    assert "the exporter has ended: started again" in process.output.read_text()
    assert not Path(segment).exists()


def test_killed_launcher_takes_its_exporter_along(machine):
    process = machine.start_traced(["sleep", "60"], "sleeper")
    exporter = wait_for(lambda: exporter_of(process.pid), "the exporter runs")
    segment = Path(command_line(exporter)[command_line(exporter).index("--segment") + 1])
    process.send_signal(signal.SIGKILL)
    process.wait()
    machine.running.remove(process)
    wait_for(lambda: not Path(f"/proc/{exporter}").exists(), "the exporter is gone")
    machine.sweep()
    segment.unlink(missing_ok=True)


def test_shortest_commands_keep_their_spans(machine):
    port = free_port()
    machine.start_server([PYTHON, "-m", "http.server", "--bind", "127.0.0.1", str(port)], port)
    for i in range(10):
        # A new one each time: making it is the slowest part of the exporter's start.
        store = machine.directory / f"{i}.db"
        done = run(machine, "curl", "-sf", "-o", "/dev/null", f"http://127.0.0.1:{port}/",
                   env={"TAGALONG_STORE": store})
        assert (done.returncode, done.stderr) == (0, "")
        database = sqlite3.connect(store)
        assert database.execute("SELECT service FROM spans").fetchall() == [("curl",)]
        database.close()


DAEMON = """
import http.server, os, sys, threading, urllib.request
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
read, write = os.pipe()
if os.fork() > 0:
    print(os.read(read, 20).decode(), flush=True)
    os._exit(0)
os.setsid()
null = os.open("/dev/null", os.O_RDWR)
for fd in range(3):
    os.dup2(null, fd)
threading.Thread(target=server.serve_forever, daemon=True).start()
urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/").read()
os.write(write, str(os.getpid()).encode())
threading.Event().wait()
"""


def exporters_of(segment):
    return [int(pid) for pid in os.listdir("/proc") if pid.isdigit()
            and command_line(pid)[1:2] == ["export"] and segment in command_line(pid)]


def test_daemon_keeps_an_exporter_until_it_ends(machine):
    result = run(machine, PYTHON, "-c", DAEMON)
    assert (result.returncode, result.stderr) == (0, "")
    daemon = int(result.stdout)
    variables = Path(f"/proc/{daemon}/environ").read_bytes().decode().split("\0")
    segment = dict(line.split("=", 1) for line in variables if line)["TAGALONG_SESSION"]
    assert Path(segment).exists()
    assert len(exporters_of(segment)) == 1
    os.kill(daemon, signal.SIGTERM)
    wait_for(lambda: not exporters_of(segment), "its exporter ends after the daemon", 30)
    assert not Path(segment).exists()


# ---- no room, no library ---------------------------------------------------------------------------------------------

def test_full_shared_memory_leaves_the_command_untraced(machine):
    words = in_namespaces("--mount")
    script = f'mount -t tmpfs -o size=64k none /dev/shm && exec "{TAGALONG}" run -- sh -c \'echo "[$LD_PRELOAD]"; exit 6\''
    result = machine.run([*words, "sh", "-c", script])
    assert (result.returncode, result.stdout) == (6, "[]\n")
    assert result.stderr == "warn run: /dev/shm is full: the command runs untraced\n"


def test_missing_shared_memory_leaves_the_command_untraced(machine):
    words = in_namespaces("--mount")
    script = ("mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && "
              f'exec "{TAGALONG}" run -- sh -c \'echo "[$LD_PRELOAD]"; exit 6\'')
    result = machine.run([*words, "sh", "-c", script])
    assert (result.returncode, result.stdout) == (6, "[]\n")
    assert result.stderr == "warn run: /dev/shm is missing: the command runs untraced\n"


def test_missing_library_leaves_the_command_untraced(machine):
    result = shell(machine, 'echo "[$LD_PRELOAD]"; exit 6', env={"TAGALONG_LIBRARY": "/nonexistent.so"})
    assert (result.returncode, result.stdout) == (6, "[]\n")
    assert result.stderr.count("\n") == 1
    assert "libtagalong.so not found" in result.stderr
