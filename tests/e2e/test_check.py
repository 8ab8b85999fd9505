# test_check.py - `tagalong check` says whether tracing works on a program.
import re
import shutil
from pathlib import Path

import pytest

from tagalong_e2e.launcher import SLEEPER, children, command_line, compile_c, exporter_of
from tagalong_e2e.machine import LIBRARY, TAGALONG, wait_for


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
