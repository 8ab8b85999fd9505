# test_launcher.py - `tagalong run` stands in for its command; check and traces answer as they should.
import json
import os
import re
import signal
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tagalong_e2e.machine import LIBRARY, TAGALONG, free_port, wait_for

PYTHON = "/usr/bin/python3"
NOBODY = 65534


def run(machine, *command, options=(), env=None, **more):
    env = {"TAGALONG_STORE": machine.directory / "traces.db", **(env or {})}
    return machine.run([TAGALONG, "run", *options, "--", *command], env=env, **more)


def shell(machine, script, **more):
    return run(machine, "sh", "-c", script, **more)


def compile_c(machine, name, source, *flags, compiler="gcc"):
    """A program of one C file; skips where the compiler can't make this kind."""
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    code = machine.directory / f"{name}.c"
    code.write_text(source)
    built = machine.run([compiler, "-O1", *flags, "-o", name, code])
    if built.returncode != 0:
        pytest.skip(f"{compiler} {' '.join(flags)} does not work here: {built.stderr.strip()[-200:]}")
    return machine.directory / name


def children(pid):
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def exporter_of(pid):
    for child in children(pid):
        if command_line(child)[1:2] == ["export"]:
            return child
    return None


def in_namespaces(*flags):
    """The words before a command that give it new namespaces; skips where that is not allowed."""
    words = ["unshare", *flags]
    tried = subprocess.run([*words, "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"unshare {' '.join(flags)} is not allowed here: {tried.stderr.strip()}")
    return words


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


# ---- why it did not attach -------------------------------------------------------------------------------------------

SLEEPER = """
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv) { usleep(argc > 1 ? atoi(argv[1]) * 1000 : 0); return 0; }
"""


@pytest.mark.parametrize("wait_ms", [0, 400])
def test_static_program_is_named(machine, wait_ms):
    program = compile_c(machine, "fixed", SLEEPER, "-static")
    result = run(machine, program, str(wait_ms))
    assert result.returncode == 0
    assert result.stderr == f"warn run: not traced: {program} is linked statically: no loader runs to load the library\n"


@pytest.mark.parametrize("wait_ms", [0, 400])
def test_musl_program_is_named(machine, wait_ms):
    program = compile_c(machine, "other", SLEEPER, compiler="musl-gcc")
    if "ld-musl" not in machine.run(["readelf", "-l", program]).stdout:
        pytest.skip("musl-gcc links statically here")
    result = run(machine, program, str(wait_ms))
    assert result.stderr.count("not traced") == 1
    assert "musl" in result.stderr


def test_go_program_is_named(machine):
    gosu = shutil.which("gosu", path=machine.environment()["PATH"])
    if not gosu:
        pytest.skip("gosu is not installed")
    result = run(machine, gosu, "--version")
    assert result.returncode == 0
    assert result.stderr == f"warn run: not traced: {gosu} is a Go program: it makes system calls without libc\n"


def test_entry_point_is_judged_by_what_finally_runs(machine):
    if not shutil.which("gosu", path=machine.environment()["PATH"]):
        pytest.skip("gosu is not installed")
    good = shell(machine, "exec gosu root sleep 0.4")
    assert (good.returncode, good.stderr) == (0, "")
    program = compile_c(machine, "fixed", SLEEPER, "-static")
    for script in (f"exec {program} 400", f"{program} 400; true"):
        assert "fixed is linked statically" in shell(machine, script).stderr


def test_script_is_judged_by_its_interpreter(machine):
    interpreter = compile_c(machine, "interpreter", SLEEPER, "-static")
    script = machine.directory / "script"
    script.write_text(f"#!{interpreter}\n")
    script.chmod(0o755)
    assert "interpreter is linked statically" in run(machine, script).stderr


CLEARER = """
#include <unistd.h>
int main(void) { char *none[] = {NULL}; return execle("/bin/sleep", "sleep", "0.4", (char *)NULL, none); }
"""


def test_cleared_environment_is_named(machine):
    # The library itself restores its variables when a program that has it runs another.
    assert run(machine, "env", "-i", "/bin/sleep", "0.4").stderr == ""
    program = compile_c(machine, "clearer", CLEARER, "-static")
    result = run(machine, program)
    assert result.stderr.count("\n") == 1
    assert "sleep was started without LD_PRELOAD in its environment" in result.stderr


def test_setuid_program_is_named(machine):
    program = machine.directory / "raised"
    shutil.copy("/bin/sleep", program)
    program.chmod(0o4755)
    machine.directory.chmod(0o777)
    words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if os.getuid() != 0 or machine.run([*words, "test", "-r", LIBRARY, "-a", "-x", TAGALONG]).returncode != 0:
        pytest.skip("needs root, and a build that other users can read")
    if "nosuid" in machine.run(["findmnt", "-no", "OPTIONS", "-T", program]).stdout:
        pytest.skip("the directory is mounted nosuid")
    env = {"TAGALONG_STORE": machine.directory / "nobody.db"}
    result = machine.run([*words, TAGALONG, "run", "--", program, "0"], env=env)
    assert result.returncode == 0
    assert result.stderr == f"warn run: not traced: {program} is setuid or setgid: the loader ignores LD_PRELOAD\n"


def test_programs_without_sockets_are_no_complaint(machine):
    for words in (["true"], ["sleep", "0.4"], ["sh", "-c", "sleep 0.4; true"]):
        assert run(machine, *words).stderr == ""


# ---- check -----------------------------------------------------------------------------------------------------------

def check(machine, what, env=None):
    result = machine.run([TAGALONG, "check", what], env=env)
    return result.returncode, result.stdout


def test_check_says_yes_to_an_ordinary_program(machine):
    code, text = check(machine, "sleep")
    assert code == 0
    assert re.match(r"/\S*/sleep: yes\n", text)
    assert str(LIBRARY) in text


def test_check_follows_scripts(machine):
    for line in ("#!/usr/bin/python3", "#!/usr/bin/env python3", "#! /usr/bin/env -S python3 -u", ""):
        script = machine.directory / "script"
        script.write_text(line + "\n")
        script.chmod(0o755)
        code, text = check(machine, script)
        assert code == 0
        assert f"{script} is run by /" in text
        assert ("/sh\n" if line == "" else "/python3") in text


def test_check_names_every_reason(machine):
    program = compile_c(machine, "fixed", SLEEPER, "-static")
    code, text = check(machine, program, env={"TAGALONG_LIBRARY": "/nonexistent.so", "TAGALONG_DISABLE": "1"})
    assert code == 1
    assert text.startswith(f"{program}: no\n")
    for reason in ("is linked statically", "libtagalong.so is missing", "TAGALONG_DISABLE is set"):
        assert reason in text
    code, text = check(machine, "dpkg")
    assert code == 1
    assert "dpkg is on the list of programs that are never touched" in text
    code, text = check(machine, "sleep", env={"TAGALONG_NEVER": "a,sleep"})
    assert code == 1


def test_check_knows_other_machines(machine):
    source = 'void _start(void) { __asm__("mov $1, %eax; xor %ebx, %ebx; int $0x80"); }'
    program = compile_c(machine, "small", source, "-m32", "-static", "-nostdlib")
    code, text = check(machine, program)
    assert code == 1
    assert "is a 32-bit program of another kind than the library" in text


def test_check_names_what_it_cannot_see(machine):
    curl = shutil.which("curl", path=machine.environment()["PATH"])
    if not curl:
        pytest.skip("curl is not installed")
    code, text = check(machine, "curl")
    assert code == 0
    assert "HTTPS is not yet visible" in text
    code, text = check(machine, "true")
    assert "HTTPS" not in text


def test_check_reports_what_the_loader_says(machine):
    broken = machine.directory / "broken.so"
    broken.write_bytes(b"\x7fELF and then nonsense")
    code, text = check(machine, "sleep", env={"TAGALONG_LIBRARY": broken})
    assert code == 1
    assert "the loader says: ERROR: ld.so: object" in text


def test_check_looks_at_processes(machine):
    traced = machine.start_traced(["sleep", "60"], "sleeper")
    wait_for(lambda: exporter_of(traced.pid), "the exporter runs")
    sleeper = wait_for(lambda: [pid for pid in children(traced.pid) if command_line(pid)[:1] == ["sleep"]],
                       "the command runs")[0]
    wait_for(lambda: "libtagalong" in Path(f"/proc/{sleeper}/maps").read_text(), "the library is mapped")
    code, text = check(machine, str(sleeper))
    assert code == 0
    assert "the library is loaded in this process" in text
    bare = machine.start(["sleep", "60"])
    code, text = check(machine, str(bare.pid))
    assert code == 1
    assert "was started without LD_PRELOAD" in text
    assert check(machine, "999999999")[0] == 1


def test_check_does_not_find_what_is_not_there(machine):
    code, text = check(machine, "no-such-program")
    assert code == 1
    assert "there is no such program" in text


# ---- traces ----------------------------------------------------------------------------------------------------------

SCHEMA = """
PRAGMA journal_mode=WAL;
PRAGMA user_version=1;
CREATE TABLE resources(id INTEGER PRIMARY KEY, attributes TEXT NOT NULL UNIQUE);
CREATE TABLE spans(trace_id BLOB NOT NULL, span_id BLOB NOT NULL, kind INTEGER NOT NULL, parent_id BLOB,
  service TEXT NOT NULL, name TEXT NOT NULL, start_unix_ns INTEGER NOT NULL, duration_ns INTEGER NOT NULL,
  status INTEGER NOT NULL, status_message TEXT, http_status INTEGER, error_type TEXT, request_id TEXT,
  target TEXT, resource_id INTEGER NOT NULL, attributes TEXT NOT NULL,
  PRIMARY KEY(trace_id, span_id, kind));
CREATE INDEX spans_by_start ON spans(start_unix_ns);
INSERT INTO resources VALUES(1, '{"service.name":"gateway"}');
"""


@pytest.fixture
def store(machine):
    """A store with two traces: a good one, and one that failed with a hostile path."""
    path = machine.directory / "made.db"
    database = sqlite3.connect(path)
    database.executescript(SCHEMA)
    good, bad = bytes.fromhex("aa" * 16), bytes.fromhex("bb" * 16)
    second = 10 ** 9
    rows = [
        (good, b"1" * 8, 2, None, "gateway", "GET", 5 * second, 40 * 10 ** 6, 0, None, 200, None, "good-1", "/a"),
        (good, b"2" * 8, 3, b"1" * 8, "gateway", "GET", 5 * second + 10 ** 6, 30 * 10 ** 6, 0, None, 200, None,
         "good-1", "http://stock/b"),
        (bad, b"3" * 8, 2, None, "gateway", "GET", 6 * second, 2 * second, 2, None, 500, "500", "bad-1",
         "/\033[2Jgone\u009b1m"),
    ]
    database.executemany(f"INSERT INTO spans VALUES({','.join('?' * 14)}, 1, '{{}}')", rows)
    database.commit()
    yield path
    database.close()


def traces(machine, store, *arguments, env=None):
    result = machine.run([TAGALONG, "traces", "--store", store, *arguments], env=env)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_list_shows_the_newest_last_and_filters(machine, store):
    def ids(*arguments):
        return [line.split()[2] for line in traces(machine, store, *arguments).splitlines()[1:]]

    assert ids() == ["aaaaaaaa", "bbbbbbbb"]
    assert ids("--errors") == ["bbbbbbbb"]
    assert ids("--slower", "1s") == ["bbbbbbbb"]
    assert ids("--slower", "3s") == []
    assert ids("--limit", "1") == ["bbbbbbbb"]
    assert ids("--service", "stock") == []


@pytest.mark.parametrize("language", ["C", "C.UTF-8"])
def test_traffic_cannot_steer_the_terminal(machine, store, language):
    for arguments in ([], ["bbbb"], ["bad-1"], ["--ascii"]):
        text = traces(machine, store, *arguments, env={"LANG": language})
        assert "\\x1b[2Jgone\\xc2\\x9b1m" in text or "\\x1b[2J" in text
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
        if language == "C" or "--ascii" in arguments:
            assert text.isascii()


def test_one_trace_is_a_waterfall(machine, store):
    for name in ("aaaa", "AAAAAAAA", "aa" * 16, "good-1"):
        lines = traces(machine, store, name, env={"COLUMNS": "90"}).splitlines()
        assert lines[0].startswith(f"trace {'aa' * 16}  ")
        assert lines[1] == "request ID good-1"
        assert re.match(r"gateway  GET /a .* 0us +40\.0ms  █+  200$", lines[3])
        assert re.match(r"gateway  └─→ GET http://stock/b .* 1\.0ms +30\.0ms  [ ▏▐█▉▊▋▌▍▎]+  200$", lines[4])
        assert all(len(line) <= 90 for line in lines)


def test_json_is_one_object_a_line(machine, store):
    listed = [json.loads(line) for line in traces(machine, store, "--json").splitlines()]
    assert [(one["trace_id"], one["spans"], one["errors"]) for one in listed] == [
        ("aa" * 16, 2, 0), ("bb" * 16, 1, 1)]
    assert listed[1]["target"] == "/\033[2Jgone\u009b1m"
    spans = [json.loads(line) for line in traces(machine, store, "--json", "aaaa").splitlines()]
    assert spans[1]["parent_id"] == spans[0]["span_id"] == "31" * 8
    assert spans[0]["resource"] == {"service.name": "gateway"}


def test_missing_store_and_unknown_id_are_said(machine, store):
    missing = machine.run([TAGALONG, "traces", "--store", machine.directory / "none.db"])
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr == f"tagalong traces: {machine.directory}/none.db: there is no store yet\n"
    unknown = machine.run([TAGALONG, "traces", "--store", store, "cccc"])
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "no trace or request has this ID" in unknown.stderr
    assert not (machine.directory / "none.db").exists()


def test_store_of_another_user_in_a_closed_directory_is_read(machine, store):
    directory = machine.directory / "closed"
    directory.mkdir()
    source = sqlite3.connect(store)
    source.execute(f"VACUUM INTO '{directory}/copy.db'")
    source.close()
    copy = sqlite3.connect(directory / "copy.db")
    copy.execute("PRAGMA journal_mode=WAL")
    copy.close()
    directory.chmod(0o555)
    words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    if os.getuid() != 0 or machine.run([*words, "test", "-x", TAGALONG]).returncode != 0:
        pytest.skip("needs root, and a build that other users can read")
    result = machine.run([*words, TAGALONG, "traces", "--store", directory / "copy.db"])
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 3


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, *sys.argv[1:]]))
