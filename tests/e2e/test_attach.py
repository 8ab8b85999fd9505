# test_attach.py - `tagalong run` says why a command was not traced.
import os
import shutil

import pytest

from tagalong_e2e.launcher import NOBODY, SLEEPER, compile_c, run, shell
from tagalong_e2e.machine import LIBRARY, TAGALONG


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
